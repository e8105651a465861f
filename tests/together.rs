//! Several lines of a file, or several batches, that are for one key: one visit to it burns them all.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use kiln::{
    domain::{JobState, Proof, Serial},
    face::{
        Command, Doing, Event, Failure, FailureKind, ImportOptions, ImportReport, ImportTarget, NewBatch,
        Reply, SecretBytes, TokenView,
    },
    sim::{Challenges, Surroundings, VirtualToken, token2_otp},
};
use support::shop::{Shop, of_one};

const KEY: &str = "96105000000017";
const OTHER: &str = "96105000000025";

/// A station with one port for keys, and its home.
async fn open() -> (tempfile::TempDir, Shop) {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(dir.path(), &[]).await;
    shop.bench.add_usb_port("port");
    (dir, shop)
}

/// A table of credentials with random seeds: serial (may be empty in all lines), issuer, account.
fn table(lines: &[(&str, &str, &str)]) -> String {
    let named = lines.iter().all(|(serial, ..)| !serial.is_empty());
    let mut text =
        if named { "serial,base32,issuer,account\n" } else { "base32,issuer,account\n" }.to_owned();
    for (serial, issuer, account) in lines {
        let mut seed = [0; 20];
        getrandom::fill(&mut seed).unwrap();
        let seed = data_encoding::BASE32.encode(&seed);
        let serial = if named { format!("{serial},") } else { String::new() };
        text += &format!("{serial}{seed},{issuer},{account}\n");
    }
    text
}

fn as_keys(batch: &str) -> ImportOptions {
    ImportOptions {
        recipes: vec!["key-as-file".into()],
        ..ImportOptions::to(ImportTarget::Batch(batch.into()))
    }
}

async fn import(shop: &Shop, text: &str, options: ImportOptions) -> Result<ImportReport, Failure> {
    let content = SecretBytes::new(text.as_bytes());
    match shop.ask(Command::Import { file_name: "keys.csv".into(), content, options }).await? {
        Reply::Imported(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

async fn token(shop: &Shop, serial: &str) -> Box<TokenView> {
    match shop.ask(Command::Token { serial: serial.parse().unwrap() }).await.unwrap() {
        Reply::Token(view) => view,
        other => panic!("{other:?}"),
    }
}

/// What a key holds by the records: title, user, proof.
async fn held(shop: &Shop, serial: &str) -> Vec<(String, Option<Proof>)> {
    let mut held: Vec<_> = token(shop, serial)
        .await
        .mappings
        .into_iter()
        .filter(|mapping| mapping.to.is_none())
        .map(|mapping| (mapping.title.unwrap_or_default(), mapping.proof))
        .collect();
    held.sort();
    held
}

fn all_computed(titles: &[&str]) -> Vec<(String, Option<Proof>)> {
    titles.iter().map(|title| ((*title).to_owned(), Some(Proof::Computed))).collect()
}

fn key(shop: &Shop, serial: &str, capacity: usize) -> VirtualToken {
    let settings =
        token2_otp::Settings { capacity, ..token2_otp::Settings::new(serial.parse::<Serial>().unwrap()) };
    VirtualToken::token2_otp(settings, Surroundings::new(shop.clock.clone(), Challenges::random()))
}

/// Waits until hands may take the key, and not before.
async fn until_take(shop: &mut Shop) {
    shop.until("the slot to say take", |news| match &news.event {
        Event::Slot(slot) => {
            (slot.doing == Doing::Take && slot.says.as_deref() == Some("burned")).then_some(())
        }
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_lines_of_one_key_are_one_job_and_every_name_is_there_once() {
    let (_dir, mut shop) = open().await;
    let text = table(&[
        (KEY, "Mail", "ann"),
        (OTHER, "Mail", "bob"),
        (KEY, "Bank", "ann"),
        (KEY, "Mail", "ann"),
        (KEY, "Shop", "ann.b"),
    ]);
    let refused = import(&shop, &text, as_keys("keys")).await.unwrap_err();
    assert_eq!(refused.details.len(), 1, "{refused:?}");
    assert!(refused.details[0].starts_with("line 5, serial number: line 2 calls"), "{refused:?}");
    let good = ImportOptions { good_lines_only: true, ..as_keys("keys") };
    let report = import(&shop, &text, good).await.unwrap();
    assert_eq!((report.taken, report.left_out, report.jobs), (4, 1, 2));

    shop.start("keys").await;
    let key = key(&shop, KEY, 50);
    shop.bench.place("port", &key).unwrap();
    until_take(&mut shop).await;
    let jobs = shop.jobs("keys").await;
    let states: Vec<_> = jobs.iter().map(|job| (job.profiles, job.state)).collect();
    assert_eq!(states, [(3, JobState::Burned), (1, JobState::Queued)]);
    assert_eq!(held(&shop, KEY).await, all_computed(&["Bank:ann", "Mail:ann", "Shop:ann.b"]));
    // Each is found by what its own line said.
    let export = Command::Export(kiln::face::ExportOptions {
        batch: Some("keys".into()),
        unproven: true,
        ..kiln::face::ExportOptions::of(kiln::face::ExportFormat::KeyUris)
    });
    let Reply::Exported(exported) = shop.ask(export).await.unwrap() else { panic!() };
    let uris = String::from_utf8(exported.content.expose().to_vec()).unwrap();
    for name in ["Mail:ann?", "Bank:ann?", "Shop:ann.b?"] {
        assert!(uris.contains(&format!("otpauth://totp/{name}")), "{name} is not there");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_several_batches_for_one_key_are_done_in_one_visit() {
    let (_dir, mut shop) = open().await;
    for (batch, issuer) in [("mail", "Mail"), ("bank", "Bank"), ("later", "Later")] {
        import(&shop, &table(&[(KEY, issuer, "ann")]), as_keys(batch)).await.unwrap();
    }
    let again = import(&shop, &table(&[(KEY, "Mail", "ann")]), as_keys("mail")).await.unwrap_err();
    assert!(again.message.contains("there is a batch"), "{}", again.message);
    shop.start("mail").await;
    shop.start("bank").await;
    let key = key(&shop, KEY, 50);
    shop.bench.place("port", &key).unwrap();
    let says = shop
        .until("the slot to go on", |news| match &news.event {
            Event::Slot(slot) => {
                slot.says.clone().filter(|says| says.starts_with("burned; ")).map(|says| (says, slot.doing))
            }
            _ => None,
        })
        .await;
    assert!(says.0.contains("of batch \"bank\"") && says.1 == Doing::Wait, "{says:?}");
    until_take(&mut shop).await;
    assert_eq!(held(&shop, KEY).await, all_computed(&["Bank:ann", "Mail:ann"]));
    assert_eq!(shop.jobs("later").await[0].state, JobState::Queued, "its batch does not run");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_one_user_go_to_one_key_where_that_is_said() {
    let (_dir, mut shop) = open().await;
    let text = table(&[("", "Mail", "ann"), ("", "Mail", "bob"), ("", "Bank", "ann")]);
    let apart = import(&shop, &text, ImportOptions { dry_run: true, ..as_keys("keys") }).await.unwrap();
    assert_eq!(apart.jobs, 3);
    assert!(apart.notes.iter().any(|note| note.contains("1 user has") && note.contains("--key-per-user")));
    let options = ImportOptions { key_per_user: true, ..as_keys("keys") };
    let report = import(&shop, &text, options).await.unwrap();
    assert_eq!((report.taken, report.jobs), (3, 2));
    assert!(!report.notes.iter().any(|note| note.contains("--key-per-user")));
    shop.start("keys").await;
    let first = key(&shop, KEY, 50);
    shop.bench.place("port", &first).unwrap();
    until_take(&mut shop).await;
    assert_eq!(held(&shop, KEY).await, all_computed(&["Bank:ann", "Mail:ann"]));
    assert_eq!(shop.jobs("keys").await[1].state, JobState::Queued, "bob's is for another key");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_full_before_its_last_credential_keeps_its_job_and_goes_on_with_room() {
    let (_dir, mut shop) = open().await;
    import(&shop, &table(&[(KEY, "Mail", "ann"), (KEY, "Bank", "ann")]), as_keys("keys")).await.unwrap();
    shop.start("keys").await;
    let small = key(&shop, KEY, 1);
    shop.bench.place("port", &small).unwrap();
    let unfinished = shop.job_reaches(JobState::Unfinished).await;
    assert!(
        matches!(&unfinished, Event::Job { reason: Some(reason), .. } if reason.contains("full")),
        "{unfinished:?}"
    );
    shop.bench.take("port");
    let Reply::Retried(retried) = shop.ask(Command::BatchRetry { name: "keys".into() }).await.unwrap() else {
        panic!()
    };
    assert_eq!((retried.put_back.total, retried.unfinished.total), (0, 1), "it waits for its own key");
    assert_eq!(retried.unfinished.items[0].serial.as_ref().map(Serial::as_str), Some(KEY));
    // The same key, with an entry deleted meanwhile.
    shop.bench.place("port", &key(&shop, KEY, 2)).unwrap();
    until_take(&mut shop).await;
    assert_eq!(held(&shop, KEY).await, all_computed(&["Bank:ann", "Mail:ann"]));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_for_the_keys_of_a_batch_that_take_one() {
    let (_dir, mut shop) = open().await;
    let name = "office".to_owned();
    shop.ask(Command::KeyAdd { name, key: SecretBytes::new(*b"correct horse") }).await.unwrap();
    let with_key = |batch: &str| ImportOptions { key: Some("office".into()), ..as_keys(batch) };
    // Nothing but keys that have none: somebody expects a protection that is not there.
    let refused = import(&shop, &table(&[(KEY, "Mail", "ann")]), with_key("keys")).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Usage);
    assert!(refused.message.contains("takes no password"), "{}", refused.message);
    let new = NewBatch {
        key: Some("office".into()),
        dry_run: true,
        ..of_one("new", "token2-pin-plus", "key-random")
    };
    let refused = shop.ask(Command::BatchNew(new)).await.unwrap_err();
    assert!(refused.message.contains("takes no password"), "{}", refused.message);
    // Whichever key comes: those that take it get it, and the others are burned without.
    let report = import(&shop, &table(&[("", "Mail", "ann")]), with_key("keys")).await.unwrap();
    assert!(report.notes.iter().any(|note| note.contains("the batch's other keys")), "{:?}", report.notes);
    shop.start("keys").await;
    let key = key(&shop, KEY, 50);
    shop.bench.place("port", &key).unwrap();
    until_take(&mut shop).await;
    assert_eq!(held(&shop, KEY).await, all_computed(&["Mail:ann"]));
    shop.close().await;
}
