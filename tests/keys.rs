//! Keys with an OATH applet behind a real `pcscd`: what kiln writes, Yubico's own library reads, and the other way round;
//! and what stands in the way of a burn.

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::{
    LONG,
    hand::Token,
    namespace::isolated,
    oathtool,
    pcscd::Pcscd,
    scene::{Scene, Watch, code_of},
    seed_file::random,
    until, yubikit,
};

const LIMIT: Duration = Duration::from_secs(240);

/// A moment that no test depends on otherwise; of 2026.
const AT: u64 = 1_767_225_631;

const SERIAL: &str = "12345678";

/// One credential of a recipe.
struct Kind {
    hash: &'static str,
    digits: u32,
    period: u32,
    touch: bool,
}

/// Every hash with every length and period that is asked for, one that wants a touch, and as many more as make 32.
fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for hash in ["SHA1", "SHA256", "SHA512"] {
        for digits in [6, 8] {
            for period in [15, 30, 60] {
                kinds.push(Kind { hash, digits, period, touch: false });
            }
        }
    }
    kinds.push(Kind { hash: "SHA256", digits: 8, period: 60, touch: true });
    while kinds.len() < 32 {
        kinds.push(Kind { hash: "SHA1", digits: 6, period: 30, touch: false });
    }
    kinds
}

impl Kind {
    fn name(&self, number: usize) -> String {
        let period = if self.period == 30 { String::new() } else { format!("{}/", self.period) };
        format!("{period}Issuer{number}:ann@example.com")
    }

    fn code(&self, seed_hex: &str) -> String {
        oathtool::code(&oathtool::base32(seed_hex), self.hash, self.digits, self.period, AT)
    }
}

/// A random seed as key URIs have it.
fn secret_of(bytes: usize) -> String {
    data_encoding::BASE32_NOPAD.encode(&random(bytes))
}

fn recipe(kinds: &[Kind]) -> String {
    let mut text =
        "name = \"all\"\nlabel = \"All\"\nmodels = [\"yubikey-5\"]\ndisplay_timeout_s = 30\n".to_owned();
    for (number, kind) in kinds.iter().enumerate() {
        let Kind { hash, digits, period, touch } = kind;
        let touch = if *touch { "required" } else { "free" };
        text += &format!(
            "\n[[profile]]\nnumber = {number}\nhash = \"{hash}\"\ndigits = {digits}\nperiod = {period}\n\
             title = \"Issuer{number}:ann@example.com\"\nseed = \"random\"\nseed_bytes = 32\ntouch = \"{touch}\"\n"
        );
    }
    text
}

/// Adds a password to the vault: its UTF-8, which a person who types ASCII only would write out.
fn add_password(scene: &Scene, name: &str, password: &str) {
    let hex = data_encoding::HEXLOWER.encode(password.as_bytes());
    let file = scene.kiln.write(&format!("{name}.password"), hex);
    scene.run(&["key", "add", name, "--hex", "--key-file", &file.display().to_string()]);
}

#[test]
fn what_kiln_wrote_yubikit_reads_and_computes() {
    isolated("what_kiln_wrote_yubikit_reads_and_computes", LIMIT, || written(None));
}

#[test]
fn what_kiln_wrote_under_a_password_yubikit_reads_with_it() {
    isolated("what_kiln_wrote_under_a_password_yubikit_reads_with_it", LIMIT, || written(Some("Grüße 7!")));
}

fn written(password: Option<&str>) {
    let pcscd = Pcscd::start(&["Kiln A"]);
    let scene = Scene::new();
    let kinds = kinds();
    let station = scene.start_with_recipe(&recipe(&kinds), &[]);
    let mut new = vec!["batch", "new", "keys", "--count", "1", "--model", "yubikey-5", "--recipe", "all"];
    if let Some(password) = password {
        add_password(&scene, "office", password);
        new.extend(["--key", "office"]);
    }
    scene.run(&new);
    scene.run(&["batch", "start", "keys"]);
    let watch = Watch::start(&scene.kiln);
    let reader = &pcscd.readers()[0];
    let mut key = Token::place_new("yubikey-5", SERIAL, reader, &[]);
    key.touch();
    watch.until_taken(&[SERIAL.to_owned()]);
    drop(watch);
    let job = scene.job_of("keys", SERIAL).expect("the key's serial was read from it");
    assert_eq!((&job["state"], &job["proof"]), (&json!("burned"), &json!("computed")), "{job}");

    // A second batch: a counter-based credential from a file, beside what is there.
    let seed = random(20);
    let secret = data_encoding::BASE32_NOPAD.encode(&seed);
    let uris = scene.kiln.write(
        "uris.txt",
        format!("otpauth://hotp/Bank:ann?secret={secret}&issuer=Bank&digits=6&counter=5\n"),
    );
    let uris = uris.display().to_string();
    let mut import = vec!["import", &uris, "--batch", "bank", "--recipe", "key-as-file"];
    if password.is_some() {
        import.extend(["--key", "office"]);
    }
    scene.run(&import);
    // The same for a time-based one, whose line would fit every other token as well.
    let uris = scene
        .kiln
        .write("more.txt", format!("otpauth://totp/Shop:ann?secret={}&issuer=Shop\n", secret_of(20)));
    scene.run(&["import", &uris.display().to_string(), "--batch", "shop", "--recipe", "key-as-file"]);
    let shop = scene.json(&["batch", "show", "shop"]);
    assert!(shop.to_string().contains("key-as-file"), "by the recipe that was named: {shop}");
    key.take();
    pcscd.await_removal(reader);
    scene.run(&["batch", "start", "bank"]);
    let watch = Watch::start(&scene.kiln);
    key.place();
    watch.until_taken(&[SERIAL.to_owned()]);
    drop(watch);
    let bank = scene.job_of("bank", SERIAL).expect("it goes to the key that lies there");
    assert_eq!((&bank["state"], &bank["proof"]), (&json!("burned"), &json!("read_back")), "{bank}");
    let view = scene.json(&["token", SERIAL]);
    let mappings = view["mappings"].as_array().expect("mappings are a list");
    let now: Vec<&Value> = mappings.iter().filter(|mapping| mapping["to"].is_null()).collect();
    assert_eq!(now.len(), 33, "nothing that the first batch wrote was replaced on record: {view}");
    station.stop(&scene.kiln);

    let seeds = key.seeds();
    assert_eq!(seeds.len(), 33);
    let touchy: Vec<String> =
        kinds.iter().enumerate().filter(|(_, kind)| kind.touch).map(|(n, kind)| kind.name(n)).collect();
    let request = json!({ "at": AT, "touch": touchy, "count": true, "password": password });
    let reader_too = reader.clone();
    let asked = std::thread::spawn(move || yubikit::ask(&reader_too, &request));
    key.touch();
    let read = asked.join().expect("yubikit reads the key");
    assert_eq!(read["has_password"], password.is_some());
    assert_eq!(read["listed"].as_array().map(Vec::len), Some(33));
    for (number, (kind, seed)) in kinds.iter().zip(&seeds).enumerate() {
        let found = code_of(&read, &kind.name(number));
        assert_eq!(found["code"], kind.code(seed), "{number}");
        assert_eq!(
            (&found["period"], &found["touch"]),
            (&json!(kind.period), &json!(kind.touch)),
            "{number}"
        );
        assert_eq!(
            (&found["issuer"], &found["name"]),
            (&json!(format!("Issuer{number}")), &json!("ann@example.com"))
        );
    }
    assert_eq!(code_of(&read, "Bank:ann")["code"], oathtool::counted(&secret, 6, 5));
}

#[test]
fn what_yubikit_wrote_kiln_reads() {
    isolated("what_yubikit_wrote_kiln_reads", LIMIT, || read_back(None));
}

#[test]
fn what_yubikit_wrote_under_a_password_kiln_reads_with_it() {
    isolated("what_yubikit_wrote_under_a_password_kiln_reads_with_it", LIMIT, || read_back(Some("Grüße 7!")));
}

fn read_back(password: Option<&str>) {
    let pcscd = Pcscd::start(&["Kiln A"]);
    let scene = Scene::new();
    let kinds = kinds();
    let seeds: Vec<String> = kinds
        .iter()
        .map(|kind| data_encoding::HEXLOWER.encode(&random(if kind.digits == 6 { 10 } else { 70 })))
        .collect();
    let mut put: Vec<Value> = kinds
        .iter()
        .zip(&seeds)
        .enumerate()
        .map(|(number, (kind, seed))| {
            json!({
                "type": "TOTP", "issuer": format!("Issuer{number}"), "name": "ann@example.com", "secret": seed,
                "hash": kind.hash, "digits": kind.digits, "period": kind.period, "touch": kind.touch,
            })
        })
        .collect();
    let counted = data_encoding::HEXLOWER.encode(&random(20));
    put.push(json!({
        "type": "HOTP", "issuer": "Bank", "name": "ann", "secret": counted, "hash": "SHA1", "digits": 6, "counter": 3,
    }));
    let reader = &pcscd.readers()[0];
    let mut key = Token::place_new("yubikey-5", SERIAL, reader, &[]);
    pcscd.await_insertion(reader);
    let mut request = json!({ "at": AT, "put": put });
    if let Some(password) = password {
        request["set_password"] = json!(password);
    }
    yubikit::ask(reader, &request);

    let _station = scene.start(&[]);
    until("the station to see the key", LONG, || {
        let slots = scene.json(&["slots"]);
        slots.as_array()?.iter().find(|slot| slot["serial"] == SERIAL).map(drop)
    });
    let mut with = Vec::new();
    if let Some(password) = password {
        let refused = scene.kiln.run(&["otp", "read"]).expect(1);
        assert!(refused.stderr.contains("has a password"), "{}", refused.stderr);
        add_password(&scene, "office", password);
        with = vec!["--key", "office"];
    }
    let all = scene.json(&[&["otp", "read"][..], &with].concat());
    let at = all["at"].as_u64().expect("a moment");
    assert_eq!(all["codes"].as_array().map(Vec::len), Some(33));
    for (number, (kind, seed)) in kinds.iter().zip(&seeds).enumerate() {
        let found = code_of(&all, &kind.name(number));
        if kind.touch {
            assert_eq!((&found["code"], &found["wants"]), (&Value::Null, &json!("touch")), "{number}");
            continue;
        }
        let code = oathtool::code(&oathtool::base32(seed), kind.hash, kind.digits, kind.period, at);
        assert_eq!(found["code"], code, "{number}");
        let until = found["until"].as_u64().expect("a moment");
        let period = u64::from(kind.period);
        assert!(until > at && until - at <= period && until.is_multiple_of(period));
    }
    assert_eq!(code_of(&all, "Bank:ann")["wants"], "asking", "a counter is not used up by looking");

    let bank = scene.json(&[&["otp", "read", "Bank:ann"][..], &with].concat());
    assert_eq!(code_of(&bank, "Bank:ann")["code"], oathtool::counted(&oathtool::base32(&counted), 6, 3));
    let (number, kind) = kinds.iter().enumerate().find(|(_, kind)| kind.touch).expect("there is one");
    let name = kind.name(number);
    let touched = std::thread::scope(|scope| {
        let kiln = &scene.kiln;
        let asked = scope
            .spawn(|| kiln.run(&[&["otp", "read", &name, "--json"][..], &with].concat()).expect(0).json());
        key.touch();
        asked.join().expect("the code is read")
    });
    let at = touched["at"].as_u64().expect("a moment");
    let code = oathtool::code(&oathtool::base32(&seeds[number]), kind.hash, kind.digits, kind.period, at);
    assert_eq!(code_of(&touched, &name)["code"], code);
    let log = scene.run(&["audit", "show"]);
    assert!(log.contains("codes read"), "{log}");
}

#[test]
fn what_others_put_on_a_key_stays_and_its_name_is_taken_only_with_a_persons_word() {
    isolated("what_others_put_on_a_key_stays_and_its_name_is_taken_only_with_a_persons_word", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let reader = &pcscd.readers()[0];
        let mut key = Token::place_new("yubikey-5", SERIAL, reader, &[]);
        pcscd.await_insertion(reader);
        let theirs = ["Login", "Theirs:ann"].map(|name| {
            json!({"type": "TOTP", "name": name, "secret": "31".repeat(20), "hash": "SHA1", "digits": 6})
        });
        yubikit::ask(reader, &json!({ "at": AT, "put": theirs }));
        let before = key.seeds();

        let _station = scene.start(&[]);
        let watch = Watch::start(&scene.kiln);
        scene.random_batch("keys", 1, "yubikey-5", "key-random");
        let slot = scene.slot_says("not on record here");
        assert!(slot["says"].as_str().is_some_and(|says| says.contains("\"Login\"")), "{slot}");
        assert_eq!(key.seeds(), before, "nothing was touched");
        assert!(scene.job_of("keys", SERIAL).is_none(), "and nothing claimed");
        scene.run(&["token", "allow", SERIAL, "--replace", "--last-four", "5678"]);
        watch.until_taken(&[SERIAL.to_owned()]);
        let after = key.seeds();
        assert_eq!(after.len(), 2);
        assert!(
            after.contains(&before[1]) && after[1] != before[0],
            "theirs stays, the allowed one is replaced"
        );

        // Ours by name: another batch asks again.
        key.take();
        pcscd.await_removal(reader);
        scene.random_batch("more", 1, "yubikey-5", "key-random");
        key.place();
        scene.slot_says("a seed on record here");
        assert_eq!(key.seeds(), after);
    });
}

#[test]
fn one_visit_burns_all_that_is_for_a_key() {
    isolated("one_visit_burns_all_that_is_for_a_key", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let _station = scene.start(&[]);
        let import = |batch: &str, issuers: &[&str]| {
            let lines: String =
                issuers.iter().map(|issuer| format!("{SERIAL},{},{issuer},ann\n", secret_of(20))).collect();
            let text = format!("serial,base32,issuer,account\n{lines}");
            let file = scene.kiln.write(&format!("{batch}.csv"), text).display().to_string();
            let said = scene.run(&["import", &file, "--batch", batch, "--recipe", "key-as-file"]);
            scene.run(&["batch", "start", batch]);
            said
        };
        let said = import("several", &["Mail", "Bank", "Shop"]);
        assert!(said.contains("3 lines taken, 1 job in batch several"), "{said}");
        import("more", &["Door"]);
        let watch = Watch::start(&scene.kiln);
        let key = Token::place_new("yubikey-5", SERIAL, &pcscd.readers()[0], &[]);
        watch.until_taken(&[SERIAL.to_owned()]);
        assert_eq!(key.seeds().len(), 4);
        for (batch, profiles) in [("several", 3), ("more", 1)] {
            let job = scene.job_of(batch, SERIAL).expect("it has its job");
            assert_eq!(
                (&job["state"], &job["proof"], &job["profiles"]),
                (&json!("burned"), &json!("computed"), &json!(profiles)),
                "{job}"
            );
        }
        let nothing = scene.run(&["batch", "retry", "several"]);
        assert!(
            nothing.contains("no job of it has failed") && nothing.contains("1 burned job: done"),
            "{nothing}"
        );
    });
}

#[test]
fn a_wrong_password_is_tried_once_and_then_a_person_is_asked() {
    isolated("a_wrong_password_is_tried_once_and_then_a_person_is_asked", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let _station = scene.start(&[]);
        add_password(&scene, "office", "not its password");
        scene.run(&[
            "batch",
            "new",
            "keys",
            "--count",
            "2",
            "--model",
            "yubikey-5",
            "--recipe",
            "key-random",
            "--key",
            "office",
        ]);
        scene.run(&["batch", "start", "keys"]);
        let password = scene.kiln.write("password.hex", data_encoding::HEXLOWER.encode(b"its password"));
        let password = password.display().to_string();
        let mut key = Token::place_new("yubikey-5", SERIAL, &pcscd.readers()[0], &["--key-file", &password]);
        scene.slot_says("refused the password");
        assert_eq!((key.stat("auth_attempts"), key.stat("wrong_answers")), (1, 1));
        assert!(scene.job_of("keys", SERIAL).is_none(), "no job was claimed for it");
        // The first key that a batch's password was tried on: the batch waits for a person. Then the key itself does.
        let batch = scene.json(&["batch", "show", "keys"]);
        assert!(batch.to_string().contains("paused"), "{batch}");
        scene.run(&["batch", "start", "keys"]);
        scene.slot_says("refused this key before");
        assert_eq!(key.stat("auth_attempts"), 1, "not twice on the same evidence");
        scene.run(&["token", "allow", SERIAL, "--try-key", "--last-four", "5678"]);
        until("the one more attempt", LONG, || (key.stat("auth_attempts") == 2).then_some(()));
    });
}

#[test]
fn a_key_without_a_serial_goes_by_the_one_that_it_is_given_or_by_a_random_one() {
    isolated("a_key_without_a_serial_goes_by_the_one_that_it_is_given_or_by_a_random_one", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "Kiln B"]);
        let scene = Scene::new();
        let _station = scene.start(&[]);
        scene.random_batch("given", 1, "solo-2", "key-random");
        let watch = Watch::start(&scene.kiln);
        let mut key = Token::place_new("solo-2", "unseen-1", &pcscd.readers()[0], &[]);
        let slot = scene.slot_says("tells no serial");
        let slot = slot["slot"].as_str().expect("a name").to_owned();
        scene.run(&["slots", "serial", &slot, "SOLO-17"]);
        watch.until_taken(&["SOLO-17".to_owned()]);
        assert_eq!(scene.job_of("given", "SOLO-17").expect("it has its job")["proof"], "computed");
        // It is known when it comes back.
        key.take();
        pcscd.await_removal(&pcscd.readers()[0]);
        key.place();
        scene.slot_says("there is nothing more for it");
        key.take();

        scene.run(&[
            "batch",
            "new",
            "random",
            "--count",
            "1",
            "--model",
            "solo-2",
            "--recipe",
            "key-random",
            "--serials",
            "random",
        ]);
        scene.run(&["batch", "start", "random"]);
        let _other = Token::place_new("solo-2", "unseen-2", &pcscd.readers()[2], &[]);
        let serial = until("a burned job", LONG, || {
            let jobs = scene.jobs("random");
            let burned = jobs.iter().find(|job| job["state"] == "burned")?;
            burned["serial"].as_str().map(str::to_owned)
        });
        assert!(serial.starts_with("R-") && serial.len() == 14, "{serial}");
        let log = scene.run(&["audit", "show"]);
        assert!(log.contains("serial lent"), "{log}");
    });
}

#[test]
fn a_password_is_set_and_a_key_wiped_on_a_persons_order() {
    isolated("a_password_is_set_and_a_key_wiped_on_a_persons_order", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let _station = scene.start(&[]);
        add_password(&scene, "office", "correct horse");
        let reader = &pcscd.readers()[0];
        let mut key = Token::place_new("yubikey-5", SERIAL, reader, &[]);
        scene.random_batch("keys", 1, "yubikey-5", "key-random");
        let watch = Watch::start(&scene.kiln);
        watch.until_taken(&[SERIAL.to_owned()]);
        scene.run(&["device", "set-key", SERIAL, "--key", "office", "--last-four", "5678"]);
        until("the password", LONG, || (key.sim.ask("stats")["locked"] == true).then_some(()));
        assert_eq!(key.seeds().len(), 1);
        scene.run(&["device", "reset", SERIAL, "--last-four", "5678"]);
        until("the reset", LONG, || (key.sim.ask("stats")["filled"] == 0).then_some(()));
        assert_eq!(key.sim.ask("stats")["locked"], false);
        let view = scene.json(&["token", SERIAL]);
        let mappings = view["mappings"].as_array().expect("mappings are a list");
        assert!(mappings.iter().all(|mapping| !mapping["to"].is_null()), "{view}");
    });
}

#[test]
fn a_key_taken_away_instead_of_touched_goes_on_when_it_comes_back() {
    isolated("a_key_taken_away_instead_of_touched_goes_on_when_it_comes_back", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let _station = scene.start(&[]);
        scene.random_batch("keys", 1, "yubikey-5", "key-three-random");
        let watch = Watch::start(&scene.kiln);
        let reader = &pcscd.readers()[0];
        let mut key = Token::place_new("yubikey-5", SERIAL, reader, &[]);
        let asked = watch.until("a slot that says touch", |event| {
            (event["event"] == "slot" && event["doing"] == "touch").then(|| event.clone())
        });
        assert!(asked["remedy"].as_str().is_some_and(|remedy| remedy.contains("seconds")), "{asked}");
        until("the key to wait for its touch", LONG, || {
            (key.sim.ask("show")["display"] == "asks").then_some(())
        });
        let before = key.seeds();
        key.take();
        until("the burn to be recorded as cut short", LONG, || {
            (scene.job_of("keys", SERIAL)?["state"] == "unfinished").then_some(())
        });
        pcscd.await_removal(reader);
        key.place();
        key.touch();
        watch.until_taken(&[SERIAL.to_owned()]);
        let job = scene.job_of("keys", SERIAL).expect("it has its job");
        assert_eq!((&job["state"], &job["proof"]), (&json!("burned"), &json!("computed")), "{job}");
        assert_eq!(key.seeds(), before, "the same seeds");
    });
}
