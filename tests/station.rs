//! Whole stories at a station, in process: real store on disk, real drivers, virtual tokens on virtual readers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use kiln::{
    domain::{Clock, ClockState, JobState, Profile, Proof, Serial, UnixTime},
    face::{
        Command, Consent, DeviceState, ExportFormat, ExportOptions, FailureKind, ImportTarget, NewBatch,
        Numbered, OnLint, Page, ProfileChoice, Reply, Role, SecretBytes, SeenCode,
    },
    sim::{Challenges, Display, Fault, ForeignCard, Surroundings, VirtualToken},
    station::Caller,
};
use std::sync::atomic::Ordering;
use support::shop::{Shop, csv, fresh_code, of_one, options};

const A: &str = "86596100000001";
const B: &str = "86596100000002";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_burned_seen_and_exported() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let file = csv(&[A]);
    shop.import("spring", &file).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    let burned = shop.job_reaches(JobState::Burned).await;
    let kiln::face::Event::Job { proof, wants_eyes, .. } = burned else { unreachable!() };
    assert_eq!((proof, wants_eyes), (Some(Proof::Written), true), "the first of a batch wants to be seen");
    assert_eq!(token.counters().commands, 6, "no command more than needed");

    let export = || {
        Command::Export(ExportOptions {
            batch: Some("spring".into()),
            ..ExportOptions::of(ExportFormat::EntraCsv { old_interval_column: false })
        })
    };
    let before = shop.ask(export()).await.unwrap_err();
    assert!(before.message.contains("nobody has seen its code yet"), "{}", before.message);

    assert!(!shop.verify(A, 0, "000000").await || fresh_code(&token, 0) == "000000");
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    let Reply::Exported(after) = shop.ask(export()).await.unwrap() else { panic!() };
    assert_eq!((after.tokens, after.left_out), (1, vec![]));
    let exported = String::from_utf8(after.content.expose().to_vec()).unwrap();
    assert!(exported.lines().eq(file.lines()), "what came in goes out");

    // A seed is shown on an explicit word, and that is on record.
    let reveal = |last_four: &str| Command::Reveal {
        serial: A.parse().unwrap(),
        profile: Profile::ZERO,
        last_four: last_four.into(),
    };
    assert_eq!(shop.ask(reveal("0000")).await.unwrap_err().kind, FailureKind::No);
    let Reply::Revealed(revealed) = shop.ask(reveal(&A[A.len() - 4..])).await.unwrap() else { panic!() };
    let uri = String::from_utf8(revealed.key_uri.expose().to_vec()).unwrap();
    let seed = kiln::domain::key_uri::KeyUri::parse(&uri).unwrap().seed;
    assert!(exported.contains(&kiln::domain::seed_text::base32(&seed)[..]));
    assert!(!format!("{revealed:?}").contains("otpauth"));
    let log = Command::AuditShow { query: "seed revealed".into(), page: Page::default() };
    let Reply::Audit(log) = shop.ask(log).await.unwrap() else { panic!() };
    assert_eq!((log.total, log.items[0].serial.as_deref()), (1, Some(A)));
    assert!(shop.ask(Command::AuditVerify).await.is_ok());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_looked_at_before_it_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(dir.path(), &["left"]).await;
    let Reply::Catalog(catalog) = shop.ask(Command::Catalog).await.unwrap() else { panic!() };
    let ten = catalog.recipes.iter().find(|recipe| recipe.named.name == "molto2-ten-random").unwrap();
    assert_eq!((ten.profiles, ten.wants_file), (10, false));
    assert!(ten.models.iter().any(|model| model == "molto2-v2") && !ten.models.contains(&"c301-i".into()));
    let batch = |model: &str, dry_run| {
        Command::BatchNew(NewBatch { count: 100_000, dry_run, ..of_one("spare", model, "molto2-ten-random") })
    };
    let misfit = shop.ask(batch("c301-i", true)).await.unwrap_err();
    assert!(!misfit.remedy.is_empty());
    let Reply::Imported(report) = shop.ask(batch("molto2-v2", true)).await.unwrap() else { panic!() };
    assert_eq!((report.dry_run, report.jobs), (true, 100_000));
    let Reply::Batches(none) = shop.ask(Command::Batches).await.unwrap() else { panic!() };
    assert!(none.is_empty(), "a look changes nothing");
    shop.import("spare", &csv(&[A])).await.unwrap();
    assert!(shop.ask(batch("molto2-v2", true)).await.is_err(), "its name is taken");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_torn_off_at_any_command_goes_on_with_the_same_seed() {
    for (fault, at) in (1..=6).flat_map(|at| [("before", at), ("after", at)]) {
        let dir = tempfile::tempdir().unwrap();
        let mut shop = Shop::open(dir.path(), &["left"]).await;
        shop.import("spring", &csv(&[A])).await.unwrap();
        shop.start("spring").await;
        let token = shop.single(A);
        token.arm(format!("yank-{fault}:{at}").parse::<Fault>().unwrap());
        shop.bench.place("left", &token).unwrap();
        shop.token_is_gone("left").await;
        shop.bench.place("left", &token).unwrap();
        shop.job_reaches(JobState::Burned).await;
        assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await, "yank {fault} command {at}");
        assert_eq!(token.counters().wrong_answers, 0);
        shop.close().await;
    }
}

/// The first command of an authentication, which costs nothing, and the second, which may.
const CHALLENGE: u32 = 2;

/// Puts the token down on "left", where it is torn off as `fault` says and leaves its job unfinished.
async fn torn_off(shop: &mut Shop, token: &VirtualToken, fault: &str) {
    token.arm(fault.parse::<Fault>().unwrap());
    shop.bench.place("left", token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    shop.token_is_gone("left").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lost_before_its_key_was_shown_asks_nobody_however_often() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    for yank in ["before", "after", "before", "after"] {
        torn_off(&mut shop, &token, &format!("yank-{yank}:{CHALLENGE}")).await;
    }
    assert_eq!(token.counters().auth_attempts, 0);
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lost_twice_while_its_key_was_shown_asks_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    for yank in ["before", "after"] {
        torn_off(&mut shop, &token, &format!("yank-{yank}:{}", CHALLENGE + 1)).await;
    }
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("lost in two authentications").await;
    assert_eq!(token.counters().auth_attempts, 1, "the first never arrived");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_for_one_more_try_outlives_a_try_that_never_reached_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    let (before_challenge, before_key) =
        (format!("yank-before:{CHALLENGE}"), format!("yank-before:{}", CHALLENGE + 1));
    for _ in 0..2 {
        torn_off(&mut shop, &token, &before_key).await;
    }
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("lost in two authentications").await;
    shop.bench.take("left");
    let serial: Serial = token.serial().parse().unwrap();
    let last_four = serial.last_four().to_owned();
    shop.ask(Command::Allow { serial, last_four, what: Consent::TryKey }).await.unwrap();
    // Torn off before its key was shown to it: the word stands.
    torn_off(&mut shop, &token, &before_challenge).await;
    // Torn off while it may have been: now it is used up.
    torn_off(&mut shop, &token, &before_key).await;
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("lost in two authentications").await;
    assert_eq!(token.counters().auth_attempts, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_does_not_fit_the_token_is_left_for_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    let seed = || {
        let mut seed = [0; 20];
        getrandom::fill(&mut seed).unwrap();
        data_encoding::BASE32_NOPAD.encode(&seed)
    };
    // A single-profile token shows six digits; no line says for which kind of token it is.
    let uris = format!(
        "otpauth://totp/Acme:a?secret={}&digits=8\notpauth://totp/Acme:b?secret={}\n",
        seed(),
        seed()
    );
    shop.ask(Command::Import {
        file_name: "uris.txt".into(),
        content: SecretBytes::new(uris.as_bytes()),
        options: options(ImportTarget::Batch("spring".into())),
    })
    .await
    .unwrap();
    shop.start("spring").await;
    shop.bench.place("left", &shop.single(A)).unwrap();
    shop.job_reaches(JobState::Burned).await;
    let states: Vec<JobState> = shop.jobs("spring").await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Burned]);
    shop.bench.take("left");
    shop.bench.place("left", &shop.single(B)).unwrap();
    shop.slot_says("does not fit").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_batches_the_one_with_the_highest_priority_is_served_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    for (name, priority) in [("low", -1), ("normal", 0), ("late", 0)] {
        let batch = NewBatch { priority, ..of_one(name, "c301-i", "single-random") };
        shop.ask(Command::BatchNew(batch)).await.unwrap();
        shop.start(name).await;
    }
    shop.ask(Command::BatchPriority { name: "late".into(), priority: 7 }).await.unwrap();
    let Reply::Snapshot(snapshot) = shop.ask(Command::Snapshot).await.unwrap() else { panic!() };
    let queued: Vec<&str> = snapshot.queue.iter().map(|job| job.batch.as_str()).collect();
    assert_eq!(queued, ["late", "normal", "low"], "the queue is shown as it is served");
    for (number, wanted) in ["late", "normal", "low"].into_iter().enumerate() {
        shop.bench.place("left", &shop.single(&format!("8659610000000{number}"))).unwrap();
        let burned = shop.job_reaches(JobState::Burned).await;
        assert!(matches!(burned, kiln::face::Event::Job { batch, .. } if batch == wanted));
        shop.bench.take("left");
    }
    shop.close().await;
}

/// Waits until alarms are over; tells who has read them.
async fn alarms_are_over(shop: &mut Shop) -> Option<String> {
    shop.until("the end of an alarm", |news| match &news.event {
        kiln::face::Event::AlarmsOver { read_by, .. } => Some(read_by.clone()),
        _ => None,
    })
    .await
}

async fn alarms(shop: &Shop) -> Vec<kiln::face::Alarm> {
    let Reply::Snapshot(snapshot) = shop.ask(Command::Snapshot).await.unwrap() else { panic!() };
    snapshot.alarms
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_stay_over_a_restart_until_they_are_read_or_their_cause_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let (a, b) = (shop.single(A), shop.single(B));
    a.arm(Fault::WrongKey);
    shop.bench.place("left", &a).unwrap();
    shop.job_reaches(JobState::Failed).await;
    shop.slot_says("refused the key").await;
    shop.until("the batch is paused", |news| match &news.event {
        kiln::face::Event::Alarm { message, .. } => message.contains("is paused").then_some(()),
        _ => None,
    })
    .await;
    let before = alarms(&shop).await;
    assert_eq!(before.len(), 2, "{before:?}");
    assert!(before[0].message.contains(A) && before[0].slot.as_ref().is_some_and(|slot| slot.0 == "left"));
    assert!(before.iter().all(|alarm| !alarm.remedy.is_empty()));
    shop.bench.take("left");
    let (clock, key) = (shop.clock.clone(), shop.close().await);

    let mut shop = Shop::open_with(dir.path(), &["left"], Some(key), ClockState::Simulated).await;
    shop.clock = clock;
    assert_eq!(alarms(&shop).await, before, "nobody has read them");
    shop.start("spring").await;
    assert_eq!(alarms_are_over(&mut shop).await, None, "the batch was started again");
    assert_eq!(alarms(&shop).await, before[..1], "its job has still failed");
    shop.ask(Command::BatchRetry { name: "spring".into() }).await.unwrap();
    alarms_are_over(&mut shop).await;
    assert!(alarms(&shop).await.is_empty());

    // What is told of a token that lies there is over when it is taken away.
    shop.bench.place("left", &a).unwrap();
    shop.slot_says("refused this key before").await;
    let lying = alarms(&shop).await;
    assert!(lying.len() == 1 && lying[0].id > before[1].id, "no number is used twice: {lying:?}");
    shop.bench.take("left");
    assert_eq!(alarms_are_over(&mut shop).await, None);

    b.arm(Fault::WrongKey);
    shop.bench.place("left", &b).unwrap();
    shop.job_reaches(JobState::Failed).await;
    shop.until("two alarms", |news| match &news.event {
        kiln::face::Event::Alarm { message, .. } => message.contains("is paused").then_some(()),
        _ => None,
    })
    .await;
    let ids: Vec<u64> = alarms(&shop).await.iter().map(|alarm| alarm.id).collect();
    assert_eq!(ids.len(), 2);
    shop.ask(Command::AlarmsRead { ids: vec![ids[1]] }).await.unwrap();
    assert_eq!(alarms_are_over(&mut shop).await.as_deref(), Some("tester"));
    let left: Vec<u64> = alarms(&shop).await.iter().map(|alarm| alarm.id).collect();
    assert_eq!(left, ids[..1], "the other one is not read");
    shop.ask(Command::AlarmsRead { ids: ids.clone() }).await.unwrap();
    shop.ask(Command::AlarmsRead { ids }).await.expect("a second time there is nothing to do");
    let key = shop.close().await;

    let shop = Shop::open_with(dir.path(), &["left"], Some(key), ClockState::Simulated).await;
    assert!(alarms(&shop).await.is_empty(), "they stay read");
    let log = Command::AuditShow { query: "alarms read".into(), page: Page::default() };
    let Reply::Audit(log) = shop.ask(log).await.unwrap() else { panic!() };
    assert_eq!((log.total, log.items[0].who.as_str()), (2, "tester"));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_costs_one_attempt_and_stops_the_batch() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left", "right"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let (a, b) = (shop.single(A), shop.single(B));
    a.arm(Fault::WrongKey);
    b.arm(Fault::WrongKey);
    shop.bench.place("left", &a).unwrap();
    shop.bench.place("right", &b).unwrap();
    let failed = shop.job_reaches(JobState::Failed).await;
    assert!(matches!(failed, kiln::face::Event::Job { reason: Some(_), .. }));
    shop.until("the batch is paused", |news| match &news.event {
        kiln::face::Event::Batch(batch) => (batch.state == "paused").then_some(()),
        _ => None,
    })
    .await;
    let spent: u64 = [&a, &b].iter().map(|token| token.counters().auth_attempts).sum();
    assert_eq!(spent, 1, "one attempt for the whole batch, however many slots");
    let (slot, token) = if a.counters().auth_attempts == 1 { ("left", &a) } else { ("right", &b) };

    // The same token once more, after a person put its job back: the key is not tried again.
    shop.bench.take("left");
    shop.bench.take("right");
    shop.ask(Command::BatchRetry { name: "spring".into() }).await.unwrap();
    shop.start("spring").await;
    shop.bench.place(slot, token).unwrap();
    shop.slot_says("refused this key before").await;
    assert_eq!(token.counters().auth_attempts, 1);

    // Only a person's word for this very token spends another attempt.
    token.clear_faults();
    let serial: Serial = token.serial().parse().unwrap();
    let allow = |last_four: &str| Command::Allow {
        serial: serial.clone(),
        last_four: last_four.into(),
        what: Consent::TryKey,
    };
    assert_eq!(shop.ask(allow("9999")).await.unwrap_err().kind, FailureKind::No);
    shop.ask(allow(serial.last_four())).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert_eq!(token.counters().auth_attempts, 2);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_clock_burns_nothing_until_a_person_overrides_it() {
    let dir = tempfile::tempdir().unwrap();
    let loose = ClockState::Unsynchronised { max_error_ms: 16_000 };
    let mut shop = Shop::open_with(dir.path(), &["left"], None, loose).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("clock").await;
    assert_eq!(
        (token.counters().auth_attempts, token.counters().writes),
        (0, 0),
        "it was only asked who it is"
    );
    shop.ask(Command::ClockOverride { seconds: 600 }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burn_waits_for_the_vault() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    shop.ask(Command::VaultLock).await.unwrap();
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("the vault is locked").await;
    let wrong = shop.ask(Command::VaultUnlock { data_key: SecretBytes::new([7; 32]) }).await.unwrap_err();
    assert_eq!(wrong.kind, FailureKind::No);
    shop.ask(Command::VaultUnlock { data_key: SecretBytes::new(shop.key) }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_seed_asks_and_ours_asks_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.bench.take("left");
    let before = fresh_code(&token, 0);

    shop.import("autumn", &csv(&[A])).await.unwrap();
    shop.start("autumn").await;
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("a seed on record here").await;
    assert_eq!(fresh_code(&token, 0), before, "untouched");
    let serial: Serial = A.parse().unwrap();
    let last_four = serial.last_four().to_owned();
    shop.ask(Command::Allow { serial, last_four, what: Consent::Replace }).await.unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_molto2_takes_ten_profiles_and_reads_them_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["TOKEN2 Molto2 [CCID Interface] 00 00"]).await;
    let slot = "TOKEN2 Molto2 [CCID Interface] 00 00";
    shop.ask(Command::BatchNew(of_one("usb", "molto2-v2", "molto2-ten-random"))).await.unwrap();
    shop.start("usb").await;
    let token = shop.molto2("826718719844499");
    shop.bench.place(slot, &token).unwrap();
    let burned = shop.job_reaches(JobState::Burned).await;
    let kiln::face::Event::Job { proof, wants_eyes, .. } = burned else { unreachable!() };
    assert_eq!((proof, wants_eyes), (Some(Proof::ReadBack), false));
    for profile in 0..10 {
        assert!(shop.verify("826718719844499", profile, &fresh_code(&token, profile)).await, "{profile}");
    }
    assert_eq!(token.counters().auth_attempts, 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_profiles_the_named_one_goes_out_and_a_batch_report_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let slot = "TOKEN2 Molto2 [CCID Interface] 00 00";
    let mut shop = Shop::open(dir.path(), &[slot]).await;
    shop.ask(Command::BatchNew(of_one("spare", "molto2-v2", "molto2-ten-random"))).await.unwrap();
    shop.start("spare").await;
    let token = shop.molto2("10000000000077");
    shop.bench.place(slot, &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    let export = async |change: &dyn Fn(&mut ExportOptions)| {
        let mut options = ExportOptions {
            batch: Some("spare".into()),
            ..ExportOptions::of(ExportFormat::Pskc { for_privacyidea: false })
        };
        change(&mut options);
        shop.ask(Command::Export(options)).await
    };
    let file = |reply: Reply| match reply {
        Reply::Exported(exported) => {
            (String::from_utf8(exported.content.expose().to_vec()).unwrap(), exported.left_out)
        }
        other => panic!("{other:?}"),
    };
    // Unsaid: the first, and the others are named.
    let (first, left_out) = file(export(&|_| ()).await.unwrap());
    assert_eq!((first.matches("<KeyPackage>").count(), left_out.len()), (1, 9), "{left_out:?}");
    assert!(left_out[0].contains("takes each serial once") && left_out[0].contains("--profile"));
    // By number, by title, and one that it has not.
    let by =
        |choice: ProfileChoice| move |options: &mut ExportOptions| options.profile = Some(choice.clone());
    let (numbered, left_out) = file(export(&by(ProfileChoice::Number(Profile::new(3)))).await.unwrap());
    assert!(left_out.is_empty() && numbered != first, "{left_out:?}");
    let Reply::Token(view) =
        shop.ask(Command::Token { serial: "10000000000077".parse().unwrap() }).await.unwrap()
    else {
        panic!()
    };
    let third = view.mappings.iter().find(|mapping| mapping.profile == Profile::new(3)).unwrap();
    let title = third.title.clone().unwrap();
    let (titled, _) = file(export(&by(ProfileChoice::Title(title.to_uppercase()))).await.unwrap());
    assert_eq!(titled, numbered);
    let lacking = export(&by(ProfileChoice::Title("no such".into()))).await.unwrap_err();
    assert!(
        lacking.message.ends_with("token 10000000000077: it has no profile called \"no such\""),
        "{}",
        lacking.message
    );
    // Where serials are free, all of them go.
    let (uris, _) = file(export(&|options| options.format = ExportFormat::KeyUris).await.unwrap());
    assert_eq!(uris.lines().count(), 10);
    // What the server would refuse is told before anything is written, and so is the way round it.
    let for_entra = |options: &mut ExportOptions| {
        options.format = ExportFormat::QrSheet;
        options.login_target = Some("entra".into());
    };
    let refused = export(&for_entra).await.unwrap_err();
    assert!(refused.details.iter().any(|line| line.contains("would be refused")), "{refused:?}");
    assert!(refused.remedy.contains("--despite entra"));
    // A look tells the same line by line with the target's name, for a person who decides then; it writes nothing.
    let looks = |dry_run| {
        move |options: &mut ExportOptions| {
            for_entra(options);
            (options.on_lint, options.dry_run) = (OnLint::Tell, dry_run);
        }
    };
    let Reply::Exported(told) = export(&looks(true)).await.unwrap() else { panic!() };
    assert!(told.content.expose().is_empty() && told.lint.iter().all(|line| line.target == "entra"));
    let words: Vec<String> = told.lint.iter().map(kiln::face::ExportLine::words).collect();
    assert_eq!(words, refused.details);
    assert!(export(&looks(false)).await.is_err(), "a look alone: nothing is written so");

    let Reply::BatchReport(report) = shop.ask(Command::BatchReport { name: "spare".into() }).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(report.sums.wrong, [""; 0]);
    assert_eq!((report.sums.came_in, report.sums.jobs.burned, report.sums.left), (1, 1, 0));
    assert_eq!(report.sums.proven.iter().map(|(_, count)| count).sum::<u64>(), 1);
    assert_eq!(report.jobs[0].profiles.len(), 10);
    assert!(report.jobs[0].clock.is_some() && report.jobs[0].drift.is_some());
    let did: Vec<&str> = report.log.iter().map(|entry| entry.what.as_str()).collect();
    assert!(["batch made", "batch running", "batch done", "exported"].iter().all(|what| did.contains(what)));
    assert!(did.contains(&"imported"), "{did:?}");
    assert!(report.anchor.entries >= report.log.last().unwrap().seq, "the head is not behind the log");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_key_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.bench.place("left", &VirtualToken::foreign(ForeignCard::FidoKey)).unwrap();
    shop.slot_says("security key").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_a_claimed_job_unfinished_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    token.arm("yank-after:4".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    let (clock, key) = (shop.clock.clone(), shop.close().await);

    let mut shop = Shop::open_with(dir.path(), &["left"], Some(key), ClockState::Simulated).await;
    shop.clock = clock;
    let states: Vec<JobState> = shop.jobs("spring").await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Unfinished, JobState::Queued]);
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_refused_whole_and_every_line_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(dir.path(), &[]).await;
    let mut file = csv(&[A, B]);
    file.push_str("x@example.com,8.65962E+13,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,30,Token2,C301-i\n");
    let refused = shop.import("spring", &file).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::No);
    assert!(refused.details.iter().any(|line| line.starts_with("line 4")), "{refused:?}");
    assert!(!format!("{refused:?}").contains("GEZDGNBV"), "no seed in an error");
    assert!(matches!(shop.ask(Command::Batches).await.unwrap(), Reply::Batches(none) if none.is_empty()));

    shop.import("spring", &csv(&[A])).await.unwrap();
    let again = shop.import("again", &csv(&[A])).await.unwrap_err();
    assert!(again.details.iter().any(|line| line.contains("spring")), "{again:?}");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_never_answers_is_fenced_and_no_other_slot_notices() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left", "right"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let (hung, good) = (shop.single(A), shop.single(B));
    hung.arm("mute:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &hung).unwrap();
    shop.until("the job is claimed", |news| match &news.event {
        kiln::face::Event::Job { state: JobState::Claimed, .. } => Some(()),
        _ => None,
    })
    .await;
    shop.bench.place("right", &good).unwrap();
    let burned = shop.job_reaches(JobState::Burned).await;
    assert!(matches!(burned, kiln::face::Event::Job { serial: Some(serial), .. } if serial.as_str() == B));
    let unfinished = shop.job_reaches(JobState::Unfinished).await;
    assert!(
        matches!(unfinished, kiln::face::Event::Job { serial: Some(serial), .. } if serial.as_str() == A)
    );
    shop.bench.take("left");
    shop.until("the slot works again", |news| match &news.event {
        kiln::face::Event::Slot(view) if view.slot.0 == "left" => {
            (view.doing == kiln::face::Doing::Place).then_some(())
        }
        _ => None,
    })
    .await;
    shop.bench.place("left", &hung).unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&hung, 0)).await);
    shop.close().await;
}

const MOLTO_SLOT: &str = "TOKEN2 Molto2 [CCID Interface] 00 00";
const MOLTO: &str = "826718719844499";

/// Waits until the token's reset or key change is there, or panics if it failed.
async fn device_is(shop: &mut Shop, wanted: DeviceState) {
    shop.until(&format!("a device that is {wanted:?}"), |news| match &news.event {
        kiln::face::Event::Device { state, .. } if *state == wanted => Some(()),
        kiln::face::Event::Device { state: DeviceState::Failed, says, .. } => panic!("{says}"),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_waits_for_the_button_and_frees_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &[MOLTO_SLOT]).await;
    let new_batch = |name: &str| Command::BatchNew(of_one(name, "molto2-v2", "molto2-ten-random"));
    shop.ask(new_batch("usb")).await.unwrap();
    shop.start("usb").await;
    let token = shop.molto2(MOLTO);
    shop.bench.place(MOLTO_SLOT, &token).unwrap();
    shop.job_reaches(JobState::Burned).await;

    let serial: Serial = MOLTO.parse().unwrap();
    let reset =
        |last_four: &str| Command::DeviceReset { serial: serial.clone(), last_four: last_four.into() };
    assert_eq!(shop.ask(reset("0000")).await.unwrap_err().kind, FailureKind::No);
    shop.ask(reset(serial.last_four())).await.unwrap();
    device_is(&mut shop, DeviceState::WaitsForButton).await;
    assert!(matches!(token.display(Profile::new(3)), Display::Asks { .. }));
    token.press_button();
    device_is(&mut shop, DeviceState::Done).await;
    assert!(token.display(Profile::new(3)).code().is_none());
    let Reply::Token(record) = shop.ask(Command::Token { serial: serial.clone() }).await.unwrap() else {
        panic!()
    };
    assert!(record.mappings.iter().all(|mapping| mapping.ended_by.as_deref() == Some("reset")));

    // What was ours is gone, so another batch asks nobody.
    shop.bench.take(MOLTO_SLOT);
    shop.ask(new_batch("again")).await.unwrap();
    shop.start("again").await;
    shop.bench.place(MOLTO_SLOT, &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_tried_once_after_the_button_and_burns_need_it_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &[MOLTO_SLOT]).await;
    let mut office = [0; 16];
    getrandom::fill(&mut office).unwrap();
    shop.ask(Command::KeyAdd { name: "office".into(), key: SecretBytes::new(office) }).await.unwrap();
    let token = shop.molto2(MOLTO);
    shop.bench.place(MOLTO_SLOT, &token).unwrap();
    let serial: Serial = MOLTO.parse().unwrap();
    let last_four = serial.last_four().to_owned();
    shop.ask(Command::DeviceSetKey {
        serial: serial.clone(),
        last_four,
        current: None,
        new: "office".into(),
    })
    .await
    .unwrap();
    device_is(&mut shop, DeviceState::WaitsForButton).await;
    token.press_button();
    shop.ask(Command::DevicePressed { serial: serial.clone() }).await.unwrap();
    device_is(&mut shop, DeviceState::Done).await;
    shop.bench.take(MOLTO_SLOT);
    assert_eq!((token.counters().auth_attempts, token.counters().wrong_answers), (2, 0));

    // The delivered key would be a guess now: it is not even tried.
    let new_batch = |name: &str, key: Option<&str>| {
        let key = key.map(str::to_owned);
        Command::BatchNew(NewBatch { key, ..of_one(name, "molto2-v2", "molto2-ten-random") })
    };
    shop.ask(new_batch("guess", None)).await.unwrap();
    shop.start("guess").await;
    shop.bench.place(MOLTO_SLOT, &token).unwrap();
    shop.slot_says("took another key last time").await;
    assert_eq!(token.counters().auth_attempts, 2);
    shop.ask(Command::BatchCancel { name: "guess".into() }).await.unwrap();
    shop.ask(new_batch("right", Some("office"))).await.unwrap();
    shop.start("right").await;
    shop.job_reaches(JobState::Burned).await;
    assert_eq!(token.counters().wrong_answers, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_code_is_explained_by_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let (a, b) = (shop.single(A), shop.single(B));
    for token in [&a, &b] {
        shop.bench.place("left", token).unwrap();
        shop.job_reaches(JobState::Burned).await;
        shop.bench.take("left");
    }
    let (shown_by_a, shown_by_b) = (fresh_code(&a, 0), fresh_code(&b, 0));
    let causes = |found: &serde_json::Value| found["findings"][0]["causes"].clone();
    let right = findings(&shop, diagnose(A, &[&shown_by_a])).await;
    assert_eq!(causes(&right), serde_json::json!(["ok"]));

    // The neighbour's code, typed for this one; a second display makes it sure.
    shop.clock.now.fetch_add(30_000, Ordering::SeqCst);
    let next = fresh_code(&b, 0);
    let swapped = findings(&shop, diagnose(A, &[&shown_by_b, &next])).await;
    assert_eq!(causes(&swapped), serde_json::json!(["other-token"]), "{swapped:#}");
    assert_eq!(swapped["findings"][0]["token"]["serial"], B);
    assert_eq!(swapped["also_affected"], serde_json::json!(["the other token of batch \"spring\""]));

    let whose = Command::Whose { codes: vec![shown_by_b.clone(), next], at: None, within_s: 600 };
    let owners = findings(&shop, whose).await;
    assert_eq!(owners["matches"][0]["token"]["serial"], B, "{owners:#}");
    assert_eq!(owners["ask_another_code"], false);

    let when = Command::When {
        serial: B.parse().unwrap(),
        profile: Profile::ZERO,
        codes: vec![shown_by_b],
        since: None,
        until: None,
    };
    let times = findings(&shop, when).await;
    let from = times["times"][0]["from"].as_i64().unwrap();
    assert!((shop.clock.now().0 / 1000 - from).abs() <= 60, "{times:#}");

    // Every question about seeds is on record.
    let Reply::Audit(log) =
        shop.ask(Command::AuditShow { query: String::new(), page: Page::default() }).await.unwrap()
    else {
        panic!()
    };
    for what in ["code diagnosed", "inventory searched", "code dated"] {
        assert!(log.items.iter().any(|entry| entry.what == what && entry.who == "tester"), "{what}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_are_told_by_the_first_digits_of_what_they_show() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let (a, b) = (shop.single(A), shop.single(B));
    for token in [&a, &b] {
        shop.bench.place("left", token).unwrap();
        shop.job_reaches(JobState::Burned).await;
        shop.bench.take("left");
    }
    let examine = |seen: Vec<SeenCode>| Command::Examine {
        serial: A.parse().unwrap(),
        profile: Profile::ZERO,
        seen,
        shows: None,
    };
    let seen = |token: &VirtualToken| {
        let code = fresh_code(token, 0);
        SeenCode { code, at: shop.clock.now().floor_second() }
    };
    // Before anything was seen: what it should show.
    let Reply::Examined(before) = shop.ask(examine(vec![])).await.unwrap() else { panic!() };
    assert!(before.diagnosis.is_none() && before.rows.len() == 1 && before.rows[0].recorded);
    assert!(fresh_code(&a, 0).starts_with(before.rows[0].leads[1].expose()));

    let first = seen(&b);
    shop.clock.now.fetch_add(30_000, Ordering::SeqCst);
    let second = seen(&b);
    let whole = [fresh_code(&a, 0), first.code.clone(), second.code.clone()];
    let second_at = second.at;
    let reply = shop.ask(examine(vec![first, second])).await.unwrap();
    let sent = serde_json::to_string(&reply).unwrap();
    let Reply::Examined(found) = reply else { panic!() };
    assert_eq!(
        found.diagnosis.as_ref().unwrap()["findings"][0]["causes"],
        serde_json::json!(["other-token"])
    );
    let [recorded, rival] = &found.rows[..] else { panic!("{:?}", found.rows) };
    assert!(recorded.recorded && rival.findings == [0]);
    for (row, token, before) in [(recorded, &a, None), (rival, &b, Some(&whole[1]))] {
        assert!(fresh_code(token, 0).starts_with(row.leads[1].expose()));
        assert!(before.is_none_or(|code| code.starts_with(row.leads[0].expose())));
        assert!(row.leads[1].expose().len() < 4);
    }
    // A burn has read its clock: that is reckoned with, and told.
    assert!(found.reading.is_some());
    assert!(found.report.as_ref().unwrap().contains("other-token"));
    for code in &whole {
        assert!(!sent.contains(code.as_str()), "a whole code crossed");
    }
    let Reply::Audit(log) =
        shop.ask(Command::AuditShow { query: String::new(), page: Page::default() }).await.unwrap()
    else {
        panic!()
    };
    let told: Vec<_> = log.items.iter().filter(|entry| entry.what == "displays told").collect();
    assert!(told.len() == 2 && told.iter().all(|entry| entry.who == "tester"), "{told:?}");
    assert!(told.iter().all(|entry| whole.iter().all(|code| !entry.detail.contains(code.as_str()))));

    let shows = |word: &str| Command::Examine {
        serial: A.parse().unwrap(),
        profile: Profile::ZERO,
        seen: vec![],
        shows: Some(word.into()),
    };
    let Reply::Examined(dashes) = shop.ask(shows("dashes")).await.unwrap() else { panic!() };
    assert_eq!(dashes.diagnosis.unwrap()["findings"][0]["causes"], serde_json::json!(["no-seed"]));
    assert_eq!(shop.ask(shows("smoke")).await.unwrap_err().kind, FailureKind::Usage);
    // What comes from seeds is not for those who only look on.
    let looks_on = Caller { who: "guest".into(), uid: 1000, role: Role::Observer };
    assert!(shop.door.ask(examine(vec![]), looks_on.clone()).await.is_err());
    // Whose codes these are, they are told, though nobody read the displays between them.
    shop.clock.now.fetch_add(90_000, Ordering::SeqCst);
    let third = seen(&b);
    let ask = |typed: Vec<UnixTime>| Command::Diagnose {
        serial: A.parse().unwrap(),
        profile: Profile::ZERO,
        codes: vec![whole[2].clone(), third.code.clone()],
        shows: None,
        at: Some(second_at),
        typed,
        wider: 1,
    };
    for (typed, causes) in
        [(vec![second_at, third.at], serde_json::json!(["other-token"])), (vec![], serde_json::Value::Null)]
    {
        let told = shop.door.ask(ask(typed), looks_on.clone()).await.unwrap();
        let Reply::Findings(told) = told else { panic!("{told:?}") };
        assert_eq!(told["findings"][0]["causes"], causes, "{told}");
    }
    shop.close().await;
}

fn diagnose(serial: &str, codes: &[&str]) -> Command {
    Command::Diagnose {
        serial: serial.parse().unwrap(),
        profile: Profile::ZERO,
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        shows: None,
        at: None,
        typed: vec![],
        wider: 1,
    }
}

async fn findings(shop: &Shop, command: Command) -> serde_json::Value {
    match shop.ask(command).await.unwrap() {
        Reply::Findings(found) => found,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_paused_batch_is_asked_once_and_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    token.arm("yank-after:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    shop.ask(Command::BatchPause { name: "spring".into() }).await.unwrap();
    let before = token.counters().commands;
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("its batch is paused").await;
    assert_eq!(token.counters().commands - before, 1, "who are you, and no more");
    shop.start("spring").await;
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_refused_at_the_second_burn_leaves_the_job_to_its_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    token.arm("yank-after:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    token.arm(Fault::WrongKey);
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("refused the key").await;
    let job = shop.jobs("spring").await.remove(0);
    assert_eq!((job.state, job.serial.unwrap().as_str()), (JobState::Unfinished, A), "it may hold the seed");

    token.clear_faults();
    let serial: Serial = A.parse().unwrap();
    let last_four = serial.last_four().to_owned();
    shop.ask(Command::Allow { serial, last_four, what: Consent::TryKey }).await.unwrap();
    shop.bench.take("left");
    shop.until("an empty slot", |news| match &news.event {
        kiln::face::Event::Slot(view) => (view.doing == kiln::face::Doing::Place).then_some(()),
        _ => None,
    })
    .await;
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&token, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_job_another_slot_has_in_hand_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left", "right"]).await;
    shop.import("spring", &csv(&[A])).await.unwrap();
    shop.start("spring").await;
    // The same token, moved from a reader that has not noticed to another one.
    let (hung, moved) = (shop.single(A), shop.single(A));
    hung.arm("mute:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &hung).unwrap();
    shop.job_reaches(JobState::Claimed).await;
    shop.bench.place("right", &moved).unwrap();
    shop.slot_says("still in hand").await;
    assert_eq!((moved.counters().commands, moved.counters().auth_attempts), (1, 0));
    shop.job_reaches(JobState::Unfinished).await;
    shop.job_reaches(JobState::Burned).await;
    assert!(shop.verify(A, 0, &fresh_code(&moved, 0)).await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_asks_for_the_token_that_it_lost_until_it_is_burned() {
    use kiln::face::{Doing, Event};
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    shop.start("spring").await;
    let token = shop.single(A);
    token.arm("yank-after:5".parse::<Fault>().unwrap());
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Unfinished).await;
    let says_when_empty = |news: &Numbered| match &news.event {
        Event::Slot(view) if view.doing == Doing::Place => Some(view.says.clone()),
        _ => None,
    };
    let lost = shop.until("an empty slot", says_when_empty).await;
    assert!(lost.is_some_and(|says| says.contains(A)));
    shop.bench.place("left", &token).unwrap();
    shop.job_reaches(JobState::Burned).await;
    shop.bench.take("left");
    assert_eq!(shop.until("an empty slot", says_when_empty).await, None);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_nothing_to_get_hears_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.import("spring", &csv(&[A, B])).await.unwrap();
    let token = shop.single(A);
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("its batch \"spring\" is draft").await;
    token.arm(Fault::WrongKey);
    shop.start("spring").await;
    shop.job_reaches(JobState::Failed).await;
    shop.bench.take("left");
    shop.bench.place("left", &token).unwrap();
    shop.slot_says("failed on token").await;
    let serial: Serial = A.parse().unwrap();
    let last_four = serial.last_four().to_owned();
    shop.ask(Command::Scrap { serial, last_four, release_seeds: false }).await.unwrap();
    shop.slot_says("was scrapped").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_of_a_list_gets_a_key_with_what_the_command_says() {
    use kiln::domain::{Digits, Hash, Touch};
    use kiln::face::{MadeFor, User};
    const GIVEN: &str = "96105000000025";
    const ANY: &str = "96105000000017";
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(dir.path(), &["left"]).await;
    shop.bench.add_usb_port("port");
    let user = |upn: &str, serial: Option<&str>| User {
        upn: upn.into(),
        serial: serial.map(|serial| serial.parse().unwrap()),
    };
    let made_for = MadeFor {
        users: vec![user("ann@example.com", None), user("bob@example.com", Some(GIVEN))],
        hash: Some(Hash::Sha256),
        digits: Some(Digits::EIGHT),
        ..MadeFor::default()
    };
    let staff = |made_for: MadeFor| {
        let count = u32::try_from(made_for.users.len()).unwrap();
        Command::BatchNew(NewBatch { count, made_for, ..of_one("staff", "token2-pin-plus", "key-user") })
    };
    // What a recipe fixes is not overruled without a word.
    let fixed =
        NewBatch { made_for: made_for.clone(), ..of_one("fixed", "token2-pin-plus", "key-three-random") };
    let refused = shop.ask(Command::BatchNew(NewBatch { count: 2, ..fixed })).await.unwrap_err();
    assert!(refused.message.contains("fixes another hash"), "{}", refused.message);
    let on_a_card = NewBatch {
        made_for: MadeFor { touch: Touch::Required, ..made_for.clone() },
        ..of_one("cards", "token2-fido-card", "key-user")
    };
    let refused = shop.ask(Command::BatchNew(NewBatch { count: 2, ..on_a_card })).await.unwrap_err();
    assert!(refused.message.starts_with("ann@example.com: "), "{}", refused.message);
    shop.ask(staff(made_for)).await.unwrap();
    shop.start("staff").await;

    let clock = shop.clock.clone();
    let key = |serial: &str| {
        let settings = kiln::sim::token2_otp::Settings::new(serial.parse().unwrap());
        VirtualToken::token2_otp(settings, Surroundings::new(clock.clone(), Challenges::random()))
    };
    for serial in [GIVEN, ANY] {
        let key = key(serial);
        shop.bench.place("port", &key).unwrap();
        shop.job_reaches(JobState::Burned).await;
        shop.bench.take("port");
        match key.display(Profile::ZERO) {
            Display::Code(shown) => assert_eq!(shown.code.len(), 8),
            other => panic!("{other:?}"),
        }
    }
    let jobs: Vec<(Option<String>, Option<String>, Option<Proof>)> = shop
        .jobs("staff")
        .await
        .into_iter()
        .map(|job| (job.upn, job.serial.map(|serial| serial.to_string()), job.proof))
        .collect();
    let expected = [("ann@example.com", ANY), ("bob@example.com", GIVEN)]
        .map(|(upn, serial)| (Some(upn.to_owned()), Some(serial.to_owned()), Some(Proof::Computed)));
    assert_eq!(jobs, expected);
    shop.close().await;
}
