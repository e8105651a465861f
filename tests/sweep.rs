//! The rules by which clocks are set, at a station in process: what is set and what is left alone, with what, and what is
//! on record afterwards.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use kiln::{
    domain::{ClockState, DriftSeconds, JobState, Proof, ReadingKind},
    face::{
        Command, Consent, Event, Failure, FailureKind, ImportTarget, JobView, NewBatch, NewSweep, Page,
        Reply, SecretBytes, SlotView, SweptView, TokenView,
    },
    sim::{Challenges, Fault, Surroundings, VirtualToken, token2_single},
};
use std::sync::atomic::Ordering;
use support::{
    memory::{change, memory, push},
    shop::{Shop, csv, fresh_code, of_one, options},
};

const A: &str = "86596100000001";
const B: &str = "86596100000002";
const MOLTO2: &str = "826718719844499";
const USB: &str = "TOKEN2 Molto2 [CCID Interface] 00 00";

/// How far off its clock is, in seconds.
fn off(shop: &Shop, token: &VirtualToken) -> i64 {
    token.clock().0 - shop.clock.now.load(Ordering::SeqCst) / 1000
}

/// The slot's last word on a token: "take" or "look".
async fn last_word(shop: &mut Shop, serial: &str) -> SlotView {
    shop.until("the slot's last word", |news| match &news.event {
        Event::Slot(view) => {
            let done = matches!(view.doing.word(), "take" | "look");
            let ours = view.serial.as_ref().is_some_and(|one| one.as_str() == serial);
            (done && ours).then(|| view.clone())
        }
        _ => None,
    })
    .await
}

async fn put_down(shop: &mut Shop, slot: &str, token: &VirtualToken) -> SlotView {
    shop.bench.place(slot, token).unwrap();
    last_word(shop, &token.serial()).await
}

/// Takes the token off, and waits until the slot has noticed.
async fn take_off(shop: &mut Shop, slot: &str) {
    shop.bench.take(slot);
    shop.until("an empty slot", |news| match &news.event {
        Event::Slot(view) => (view.slot.0 == slot && view.serial.is_none()).then_some(()),
        _ => None,
    })
    .await;
}

async fn sweep(shop: &Shop, new: NewSweep) -> Result<String, Failure> {
    match shop.ask(Command::Resync(new)).await? {
        Reply::Batch(batch) => Ok(batch.batch.name),
        other => panic!("{other:?}"),
    }
}

fn named(serials: &[&str]) -> NewSweep {
    NewSweep { serials: serials.iter().map(|one| one.parse().unwrap()).collect(), ..NewSweep::default() }
}

async fn swept(shop: &Shop, name: &str) -> Vec<SweptView> {
    match shop.ask(Command::Swept { name: name.into(), page: Page::default() }).await.unwrap() {
        Reply::Swept(page) => page.items,
        other => panic!("{other:?}"),
    }
}

async fn outcome(shop: &Shop, name: &str, serial: &str) -> String {
    let all = swept(shop, name).await;
    all.into_iter().find(|one| one.serial.as_str() == serial).map_or_else(String::new, |one| one.outcome)
}

async fn about(shop: &Shop, serial: &str) -> TokenView {
    match shop.ask(Command::Token { serial: serial.parse().unwrap() }).await.unwrap() {
        Reply::Token(view) => *view,
        other => panic!("{other:?}"),
    }
}

async fn state_of(shop: &Shop, batch: &str) -> String {
    match shop.ask(Command::BatchShow { name: batch.into() }).await.unwrap() {
        Reply::Batch(batch) => batch.batch.state,
        other => panic!("{other:?}"),
    }
}

/// Burns these tokens, each at the slot that is called like it or else at "left", and takes them off again.
async fn burned(shop: &mut Shop, serials: &[&str]) -> Vec<VirtualToken> {
    shop.import("spring", &csv(serials)).await.unwrap();
    shop.start("spring").await;
    let mut tokens = Vec::new();
    for serial in serials {
        let token = shop.single(serial);
        put_down(shop, "left", &token).await;
        take_off(shop, "left").await;
        tokens.push(token);
    }
    tokens
}

async fn burned_molto2(shop: &mut Shop, key: Option<&str>) -> VirtualToken {
    let key = key.map(str::to_owned);
    let batch = NewBatch { key, ..of_one("usb", "molto2-v2", "molto2-ten-random") };
    shop.ask(Command::BatchNew(batch)).await.unwrap();
    shop.start("usb").await;
    let token = shop.molto2(MOLTO2);
    put_down(shop, USB, &token).await;
    take_off(shop, USB).await;
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_clock_is_off_gets_the_same_seed_and_parameters_again_and_asks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = burned(&mut shop, &[A]).await.remove(0);
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await, "it was seen");
    let before = memory(&token);
    push(&token, -75);
    shop.clock.now.fetch_add(60_000, Ordering::SeqCst);
    let name = sweep(&shop, NewSweep::default()).await.unwrap();
    assert!(name.starts_with("resync-2026-01-01"), "{name}");
    let commands = token.counters().commands;
    let view = put_down(&mut shop, "left", &token).await;
    assert_eq!(view.doing.word(), "take");
    assert_eq!(view.says.as_deref(), Some("clock set: -74.5 s before, +0.5 s now"));
    assert_eq!(token.counters().commands - commands, 6, "no command more than a burn");
    assert_eq!((off(&shop, &token), memory(&token)), (0, before), "the clock, and nothing else");
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);

    // The record: the same mapping as before, a new series of readings, a job with both drifts, an entry in the log.
    let about = about(&shop, A).await;
    let held: Vec<_> = about.mappings.iter().filter(|mapping| mapping.to.is_none()).collect();
    assert_eq!((held.len(), about.mappings.len()), (1, 1), "what it holds did not change");
    assert_eq!(about.line.batch.as_deref(), Some("spring"), "it stays a token of its batch");
    assert_eq!(about.clock_set, Some(held[0].from.plus(60_000)), "since when its clock is right");
    let jobs: Vec<JobView> = shop.jobs(&name).await;
    let resync = jobs[0].resync.unwrap();
    assert_eq!((resync.before_ms, resync.after_ms), (Some(-74_500), Some(500)));
    assert_eq!((jobs[0].state, jobs[0].proof), (JobState::Burned, Some(Proof::Written)));
    assert_eq!(outcome(&shop, &name, A).await, "set");
    let log = Command::AuditShow { query: "clock set".into(), page: Page::default() };
    let Reply::Audit(log) = shop.ask(log).await.unwrap() else { panic!() };
    assert_eq!((log.total, log.items[0].serial.as_deref()), (1, Some(A)));
    assert_eq!(state_of(&shop, &name).await, "running", "the next one may come");

    // Once more: it is right, and nothing is sent.
    take_off(&mut shop, "left").await;
    let writes = token.counters().writes;
    let view = put_down(&mut shop, "left", &token).await;
    assert!(view.says.unwrap().contains("is right: +0.5 s"));
    assert_eq!((token.counters().writes, outcome(&shop, &name, A).await), (writes, "set".into()));
    assert!(shop.ask(Command::AuditVerify).await.is_ok());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_beyond_the_threshold_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let tokens = burned(&mut shop, &[A, B]).await;
    // A third of one step of 30 s, which is what a server forgives that nobody named.
    push(&tokens[0], 9);
    push(&tokens[1], 10);
    let name = sweep(&shop, NewSweep::default()).await.unwrap();
    let right = put_down(&mut shop, "left", &tokens[0]).await;
    assert_eq!(right.says.as_deref(), Some("its clock is right within 10.0 s: +9.5 s"));
    take_off(&mut shop, "left").await;
    put_down(&mut shop, "left", &tokens[1]).await;
    take_off(&mut shop, "left").await;
    assert_eq!([off(&shop, &tokens[0]), off(&shop, &tokens[1])], [9, 0]);
    assert_eq!([outcome(&shop, &name, A).await, outcome(&shop, &name, B).await], ["right", "set"]);

    // A person who names a token wants it right.
    shop.ask(Command::BatchCancel { name: name.clone() }).await.unwrap();
    assert_eq!(state_of(&shop, &name).await, "done", "a sweep that is ended is done");
    let again = sweep(&shop, named(&[A])).await.unwrap();
    assert_ne!(again, name);
    put_down(&mut shop, "left", &tokens[0]).await;
    assert_eq!(off(&shop, &tokens[0]), 0);
    assert_eq!(state_of(&shop, &again).await, "done", "every token that it named is right");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_known_or_not_meant_stay_as_they_are_and_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = burned(&mut shop, &[A]).await.remove(0);
    let stranger = shop.single(B);
    push(&token, 100);
    push(&stranger, 100);
    shop.import("autumn", &csv(&["86596100000009"])).await.unwrap();
    let new = NewSweep {
        name: Some("autumn-clocks".into()),
        of_batch: Some("autumn".into()),
        ..NewSweep::default()
    };
    let name = sweep(&shop, new).await.unwrap();
    let view = put_down(&mut shop, "left", &stranger).await;
    assert!(view.says.unwrap().contains("nothing on record of token 86596100000002"));
    take_off(&mut shop, "left").await;
    let view = put_down(&mut shop, "left", &token).await;
    assert!(view.says.unwrap().contains("sets the clocks of other tokens"));
    let spent = [&token, &stranger].map(|token| token.counters().auth_attempts);
    assert_eq!((spent, off(&shop, &token), off(&shop, &stranger)), ([1, 0], 100, 100));
    assert_eq!([outcome(&shop, &name, A).await, outcome(&shop, &name, B).await], ["not meant", "not known"]);

    // Named at the command line, both are refused at once, with the reason.
    let refused = sweep(&shop, named(&[B])).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::No);
    assert!(refused.message.contains("no seed of it on record"), "{}", refused.message);
    let unknown = NewSweep { of_batch: Some("winter".into()), ..NewSweep::default() };
    assert!(sweep(&shop, unknown).await.unwrap_err().message.contains("no batch \"winter\""));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_in_a_sweep_still_gets_the_seed_that_waits_for_any_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = burned(&mut shop, &[A]).await.remove(0);
    push(&token, 50);
    let batch = NewBatch { count: 2, priority: 9, ..of_one("spare", "c301-i", "single-random") };
    shop.ask(Command::BatchNew(batch)).await.unwrap();
    shop.start("spare").await;
    sweep(&shop, NewSweep::default()).await.unwrap();
    let view = put_down(&mut shop, "left", &token).await;
    assert!(view.says.unwrap().starts_with("clock set"), "what is on record is nobody's free token");
    take_off(&mut shop, "left").await;
    let stranger = shop.single(B);
    put_down(&mut shop, "left", &stranger).await;
    assert!(shop.jobs("spare").await.iter().any(|job| job.serial.as_ref().is_some_and(|s| s.as_str() == B)));
    shop.close().await;
}

/// Tokens as their vendor delivers them, 100 s off: each holds the seed of the vendor's file, and a display that stays on for
/// 60 s, of which that file says nothing.
async fn delivered(shop: &Shop, serials: &[&str]) -> Vec<VirtualToken> {
    let file = csv(serials);
    let inventory = Command::Import {
        file_name: "delivered.csv".into(),
        content: SecretBytes::new(file.as_bytes()),
        options: options(ImportTarget::Inventory),
    };
    shop.ask(inventory).await.unwrap();
    let filled = |(serial, line): (&&str, &str)| {
        let token = shop.single(serial);
        let seed = line.split(',').nth(2).unwrap();
        let seed = data_encoding::BASE32_NOPAD.decode(seed.as_bytes()).unwrap();
        change(&token, |state| {
            state["memory"]["seed"] = data_encoding::HEXLOWER.encode(&seed).into();
            state["memory"]["display_timeout"] = 2.into();
        });
        push(&token, 100);
        token
    };
    serials.iter().zip(file.lines().skip(1)).map(filled).collect()
}

fn saying(seconds: u16, sweep: NewSweep) -> NewSweep {
    NewSweep { display_timeout_s: Some(seconds), ..sweep }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivered_token_is_refused_where_its_display_timeout_is_neither_on_record_nor_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = delivered(&shop, &[A]).await.remove(0);
    assert_eq!(about(&shop, A).await.timeouts_to_choose_s, [15, 30, 60, 120]);
    let refused = sweep(&shop, named(&[A])).await.unwrap_err();
    assert!(refused.message.contains("display timeout"), "{}", refused.message);
    assert!(refused.remedy.contains("--display-timeout 30s"), "{}", refused.remedy);
    let slip = sweep(&shop, saying(45, NewSweep::default())).await.unwrap_err();
    assert_eq!((slip.kind, slip.remedy.contains("15s, 30s, 60s, 120s")), (FailureKind::Usage, true));
    let name = sweep(&shop, NewSweep::default()).await.unwrap();
    let view = put_down(&mut shop, "left", &token).await;
    assert!(view.says.unwrap().contains("display timeout, which is not on record"));
    assert!(view.remedy.unwrap().contains("--display-timeout"));
    assert_eq!((token.counters().auth_attempts, off(&shop, &token)), (0, 100));
    assert_eq!(outcome(&shop, &name, A).await, "refused");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_the_display_of_a_delivered_token_stays_on_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = delivered(&shop, &[A]).await.remove(0);
    let before = memory(&token);
    let first = sweep(&shop, saying(30, named(&[A]))).await.unwrap();
    shop.ask(Command::BatchCancel { name: first }).await.unwrap();
    let said = |view: TokenView| view.mappings[0].display_timeout_s;
    assert_eq!(said(about(&shop, A).await), Some(30), "it is kept whether or not the token comes");
    // Said wrong, and said again.
    sweep(&shop, saying(60, named(&[A]))).await.unwrap();
    let view = put_down(&mut shop, "left", &token).await;
    assert_eq!(view.says.as_deref(), Some("clock set: +100.5 s before, +0.5 s now"));
    assert_eq!((off(&shop, &token), memory(&token)), (0, before.clone()), "the clock, and nothing else");
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    let view = about(&shop, A).await;
    assert!(view.timeouts_to_choose_s.is_empty());
    assert_eq!((view.mappings.len(), view.mappings[0].origin.as_str()), (1, "delivered"));
    assert_eq!(said(view), Some(60));

    take_off(&mut shop, "left").await;
    push(&token, -50);
    sweep(&shop, named(&[A])).await.unwrap();
    put_down(&mut shop, "left", &token).await;
    assert_eq!((off(&shop, &token), memory(&token)), (0, before), "nobody is asked again");
    let log = Command::AuditShow { query: "display timeout said".into(), page: Page::default() };
    let Reply::Audit(log) = shop.ask(log).await.unwrap() else { panic!() };
    assert_eq!(
        (log.total, log.items[0].who.as_str(), log.items[0].serial.as_deref()),
        (2, "tester", Some(A))
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_says_it_of_those_of_which_it_is_not_on_record() {
    const C: &str = "86596100000003";
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let burned = burned(&mut shop, &[C]).await.remove(0);
    push(&burned, 100);
    let tokens = delivered(&shop, &[A, B]).await;
    let before = [&tokens[0], &tokens[1], &burned].map(memory);
    let refused = sweep(&shop, saying(60, named(&[C]))).await.unwrap_err();
    assert!(refused.message.contains("burned to stay on for 30 s, not 60 s"), "{}", refused.message);
    let of_a = sweep(&shop, saying(60, named(&[A]))).await.unwrap();
    shop.ask(Command::BatchCancel { name: of_a }).await.unwrap();

    let name = sweep(&shop, saying(15, NewSweep::default())).await.unwrap();
    for token in [&tokens[0], &tokens[1], &burned] {
        put_down(&mut shop, "left", token).await;
        take_off(&mut shop, "left").await;
        assert_eq!((off(&shop, token), outcome(&shop, &name, &token.serial()).await), (0, "set".into()));
    }
    let mut after = [&tokens[0], &tokens[1], &burned].map(memory);
    assert_eq!(after[1]["display_timeout"], 0, "B: as the sweep says it");
    after[1]["display_timeout"] = before[1]["display_timeout"].clone();
    assert_eq!(after, before, "A: as it was said of it; C: as it was burned; seeds: as they were");
    assert_eq!(about(&shop, B).await.mappings[0].display_timeout_s, Some(15));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivered_token_torn_off_without_its_seed_gets_it_back_with_what_the_sweep_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = delivered(&shop, &[A]).await.remove(0);
    let before = memory(&token);
    sweep(&shop, saying(60, NewSweep::default())).await.unwrap();
    token.arm("yank-after:4".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.token_is_gone("left").await;
    assert_eq!(memory(&token)["seed"], "", "the worst moment: its seed is gone");
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert_eq!((off(&shop, &token), memory(&token)), (0, before));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_molto2_gets_the_time_alone_with_the_key_that_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &[USB]).await;
    let office = b"an office of ours".to_vec();
    shop.ask(Command::KeyAdd { name: "office".into(), key: SecretBytes::new(office.clone()) }).await.unwrap();
    let token = {
        let mut settings =
            kiln::sim::molto2::Settings::new(MOLTO2.parse().unwrap(), kiln::sim::molto2::Generation::V2);
        settings.customer_key = kiln::domain::CustomerKey::new(office);
        VirtualToken::molto2(settings, Surroundings::new(shop.clock.clone(), Challenges::random()))
    };
    let key = Some("office".into());
    let batch = NewBatch { key, ..of_one("usb", "molto2-v2", "molto2-ten-random") };
    shop.ask(Command::BatchNew(batch)).await.unwrap();
    shop.start("usb").await;
    put_down(&mut shop, USB, &token).await;
    take_off(&mut shop, USB).await;
    push(&token, 3_600);
    let before = memory(&token);
    sweep(&shop, named(&[MOLTO2])).await.unwrap();
    let writes = token.counters().writes;
    let view = put_down(&mut shop, USB, &token).await;
    assert_eq!(view.says.as_deref(), Some("clock set: +3600.5 s before, +0.5 s now"));
    assert_eq!(token.counters().writes - writes, 10, "one command for each profile");
    assert_eq!((off(&shop, &token), memory(&token)), (0, before));
    assert_eq!(token.counters().wrong_answers, 0);
    assert!(shop.verify(MOLTO2, 3, &fresh_code(&token, 3)).await);

    // One profile only, and one that is not there.
    take_off(&mut shop, USB).await;
    push(&token, 3_600);
    let nine = NewSweep { profile: Some(kiln::domain::Profile::new(9)), ..named(&[MOLTO2]) };
    sweep(&shop, nine).await.unwrap();
    let writes = token.counters().writes;
    put_down(&mut shop, USB, &token).await;
    assert_eq!(token.counters().writes - writes, 1);
    let fifty = NewSweep { profile: Some(kiln::domain::Profile::new(50)), ..named(&[MOLTO2]) };
    assert!(sweep(&shop, fifty).await.unwrap_err().message.contains("profile 50"));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_molto2_that_is_not_as_recorded_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &[USB]).await;
    let token = burned_molto2(&mut shop, None).await;
    push(&token, 3_600);
    change(&token, |state| state["memory"]["places"][4]["seed"] = "".into());
    let attempts = token.counters().auth_attempts;
    let name = sweep(&shop, NewSweep::default()).await.unwrap();
    let view = put_down(&mut shop, USB, &token).await;
    assert!(view.says.unwrap().contains("profile 4 of it is not as recorded: it holds no seed"));
    assert_eq!((token.counters().auth_attempts, off(&shop, &token)), (attempts, 3_600));
    assert_eq!(outcome(&shop, &name, MOLTO2).await, "refused");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_torn_off_at_any_command_is_unfinished_and_goes_on_with_the_same_seed() {
    for (fault, at) in (1..=6).flat_map(|at| [("before", at), ("after", at)]) {
        let dir = tempfile::tempdir().unwrap();
        let mut shop = Shop::open(dir.path(), &["left"]).await;
        let token = burned(&mut shop, &[A]).await.remove(0);
        push(&token, -40);
        let before = memory(&token);
        let name = sweep(&shop, named(&[A])).await.unwrap();
        token.arm(format!("yank-{fault}:{at}").parse::<Fault>().unwrap());
        shop.bench.place("left", &token).unwrap();
        shop.token_is_gone("left").await;
        // Before the key is shown there is no job yet; from then on it is this token's, with the drift that it came with.
        shop.bench.place("left", &token).unwrap();
        shop.job_reaches(JobState::Burned).await;
        let what = format!("yank {fault} command {at}");
        assert_eq!((off(&shop, &token), memory(&token)), (0, before), "{what}");
        assert_eq!(token.counters().wrong_answers, 0, "{what}");
        assert_eq!(
            (outcome(&shop, &name, A).await, state_of(&shop, &name).await),
            ("set".into(), "done".into())
        );
        let jobs = shop.jobs(&name).await;
        assert_eq!(jobs.len(), 1, "{what}: one job, whatever happened to it");
        assert_eq!(jobs[0].resync.unwrap().before_ms, Some(-39_500), "{what}");
        assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await, "{what}");
        shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_clock_sets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = burned(&mut shop, &[A]).await.remove(0);
    push(&token, 100);
    *shop.clock.trusted.lock().unwrap() = ClockState::Unsynchronised { max_error_ms: 16_000 };
    sweep(&shop, named(&[A])).await.unwrap();
    let attempts = token.counters().auth_attempts;
    let view = put_down(&mut shop, "left", &token).await;
    assert!(view.says.unwrap().contains("tokens would be set wrong"));
    assert_eq!((token.counters().auth_attempts, off(&shop, &token)), (attempts, 100));
    shop.ask(Command::ClockOverride { seconds: 600 }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert_eq!(off(&shop, &token), 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_is_not_tried_again_and_stops_the_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = burned(&mut shop, &[A]).await.remove(0);
    push(&token, 100);
    let before = memory(&token);
    token.arm(Fault::WrongKey);
    let name = sweep(&shop, NewSweep::default()).await.unwrap();
    let attempts = token.counters().auth_attempts;
    put_down(&mut shop, "left", &token).await;
    assert_eq!(token.counters().auth_attempts - attempts, 1);
    assert_eq!((outcome(&shop, &name, A).await, memory(&token)), ("failed".into(), before));
    shop.until("the sweep is paused: the first token refused the key", |news| match &news.event {
        Event::Batch(batch) => (batch.name == name && batch.state == "paused").then_some(()),
        _ => None,
    })
    .await;
    take_off(&mut shop, "left").await;
    shop.start(&name).await;
    let view = put_down(&mut shop, "left", &token).await;
    assert!(view.says.unwrap().contains("refused this key before"));
    assert_eq!(token.counters().auth_attempts - attempts, 1);

    token.clear_faults();
    let serial = A.parse().unwrap();
    shop.ask(Command::Allow { serial, last_four: "0001".into(), what: Consent::TryKey }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert_eq!((token.counters().auth_attempts - attempts, off(&shop, &token)), (2, 0));
    let retry = shop.ask(Command::BatchRetry { name }).await.unwrap_err();
    assert!(retry.message.contains("makes its jobs as tokens come"), "{}", retry.message);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unrestricted_tokens_keep_hash_period_and_display_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let serial = "86596320000001";
    shop.ask(Command::BatchNew(of_one("spring", "c302-i", "single-random"))).await.unwrap();
    shop.start("spring").await;
    let settings =
        token2_single::Settings::new(serial.parse().unwrap(), token2_single::TimeSync::Unrestricted);
    let token =
        VirtualToken::token2_single(settings, Surroundings::new(shop.clock.clone(), Challenges::random()));
    put_down(&mut shop, "left", &token).await;
    take_off(&mut shop, "left").await;
    let before = memory(&token);
    push(&token, -20);
    sweep(&shop, NewSweep::default()).await.unwrap();
    put_down(&mut shop, "left", &token).await;
    assert_eq!((off(&shop, &token), memory(&token)), (0, before));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_can_be_paused_and_a_locked_vault_makes_it_wait() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = burned(&mut shop, &[A]).await.remove(0);
    push(&token, 100);
    let name = sweep(&shop, NewSweep::default()).await.unwrap();
    shop.ask(Command::BatchPause { name: name.clone() }).await.unwrap();
    put_down(&mut shop, "left", &token).await;
    assert_eq!(off(&shop, &token), 100);
    take_off(&mut shop, "left").await;
    shop.ask(Command::VaultLock).await.unwrap();
    shop.start(&name).await;
    let view = put_down(&mut shop, "left", &token).await;
    assert_eq!((view.doing.word(), off(&shop, &token)), ("look", 100));
    assert!(view.says.unwrap().contains("locked"));
    shop.ask(Command::VaultUnlock { data_key: SecretBytes::new(shop.key) }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert_eq!(off(&shop, &token), 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_of_nothing_writes_what_is_on_record_again_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let token = burned(&mut shop, &[A]).await.remove(0);
    let before = memory(&token);
    // Its seed is gone, however that came about; its clock is right.
    change(&token, |state| state["memory"]["seed"] = "".into());
    let name = sweep(&shop, NewSweep { threshold_s: Some(0), ..NewSweep::default() }).await.unwrap();
    put_down(&mut shop, "left", &token).await;
    assert_eq!(memory(&token), before);
    take_off(&mut shop, "left").await;
    let writes = token.counters().writes;
    let view = put_down(&mut shop, "left", &token).await;
    assert_eq!((view.doing.word(), token.counters().writes), ("take", writes), "{:?}", view.says);
    assert_eq!(shop.jobs(&name).await.len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_timed_is_a_reading_where_the_clock_is_known_to_a_period() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    burned(&mut shop, &[A]).await;
    delivered(&shop, &[B]).await;
    let timed = |serial: &str| {
        let serial = serial.parse().unwrap();
        Command::ClockTimed { serial, period_s: 30, offset_ms: -7_000, within_ms: 600 }
    };
    shop.ask(timed(A)).await.unwrap();
    let last = about(&shop, A).await.readings[0];
    assert_eq!((last.kind, last.drift, last.uncertainty_ms), (ReadingKind::Timing, DriftSeconds(-7.0), 600));
    let refused = shop.ask(timed(B)).await.unwrap_err();
    assert!(refused.remedy.contains("compare a code first"), "{refused}");
    assert!(about(&shop, B).await.readings.is_empty());
    shop.close().await;
}
