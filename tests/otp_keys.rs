//! Token2's FIDO keys by their OTP applet, behind a real `pcscd`: what a burn puts on them, what stands in its way, and the
//! codes that they calculate. The same keys over USB HID are in `mixed.rs` and in the bench.

mod support;

use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    process::Stdio,
    time::Duration,
};
use support::{
    LONG,
    hand::Token,
    kiln::Kiln,
    namespace::isolated,
    oathtool,
    pcscd::Pcscd,
    scene::{Scene, Watch, code_of},
    until,
};

const LIMIT: Duration = Duration::from_secs(240);

const MODEL: &str = "token2-pin-plus";
const SERIAL: &str = "96105000000017";

/// A time-based, a touchy and a counter-based one, and one of the longest names.
fn recipe() -> String {
    let long = "x".repeat(60);
    format!(
        r#"
name = "four"
label = "One of each kind"
models = ["token2-pin-plus"]
display_timeout_s = 30

[[profile]]
number = 0
hash = "SHA1"
digits = 6
period = 30
title = "Mail:ann"
seed = "random"
seed_bytes = 20

[[profile]]
number = 1
hash = "SHA256"
digits = 8
period = 60
title = "Door:ann"
seed = "random"
seed_bytes = 32
touch = "required"

[[profile]]
number = 2
hash = "SHA256"
digits = 8
period = 60
title = "{long}:{long}"
seed = "random"
seed_bytes = 64
"#
    )
}

#[test]
fn a_token2_key_is_filled_proven_by_its_own_codes_and_read() {
    isolated("a_token2_key_is_filled_proven_by_its_own_codes_and_read", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let _station = scene.start_with_recipe(&recipe(), &[]);
        scene.random_batch("keys", 1, MODEL, "four");
        let watch = Watch::start(&scene.kiln);
        let reader = &pcscd.readers()[0];
        let mut key = Token::place_new(MODEL, SERIAL, reader, &[]);
        key.touch();
        watch.until_taken(&[SERIAL.to_owned()]);
        drop(watch);
        let job = scene.job_of("keys", SERIAL).expect("the key told its serial");
        assert_eq!((&job["state"], &job["proof"]), (&json!("burned"), &json!("computed")), "{job}");
        let seeds = key.seeds();
        assert_eq!(seeds.len(), 3);

        // What its codes are, oathtool says too.
        let all = scene.json(&["otp", "read"]);
        let at = all["at"].as_u64().expect("a moment");
        assert_eq!(
            code_of(&all, "Mail:ann")["code"],
            oathtool::code(&oathtool::base32(&seeds[0]), "sha1", 6, 30, at)
        );
        let touchy = code_of(&all, "Door:ann");
        assert_eq!((&touchy["code"], &touchy["wants"]), (&Value::Null, &json!("touch")));
        let long = "x".repeat(60);
        let longest = code_of(&all, &format!("{long}:{long}"));
        assert_eq!(longest["code"], oathtool::code(&oathtool::base32(&seeds[2]), "sha256", 8, 60, at));
        assert_eq!((&longest["period_s"], &longest["issuer"]), (&json!(60), &json!(long)));
        let one = std::thread::scope(|scope| {
            let asked = scope.spawn(|| scene.kiln.run(&["otp", "read", "ann", "--json"]).expect(1).stderr);
            let several = asked.join().expect("it is told");
            assert!(several.contains("2 credentials"), "{several}");
            let asked =
                scope.spawn(|| scene.kiln.run(&["otp", "read", "Door:ann", "--json"]).expect(0).json());
            key.touch();
            asked.join().expect("the code is read")
        });
        let at = one["at"].as_u64().expect("a moment");
        let code = oathtool::code(&oathtool::base32(&seeds[1]), "sha256", 8, 60, at);
        assert_eq!(code_of(&one, "Door:ann")["code"], code);

        // A counter-based one from a file, beside them: listed, not used up.
        key.take();
        pcscd.await_removal(reader);
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let uri = format!("otpauth://hotp/Bank:ann?secret={secret}&issuer=Bank&digits=6&counter=0\n");
        let file = scene.kiln.write("uris.txt", uri).display().to_string();
        scene.run(&["import", &file, "--batch", "bank", "--recipe", "key-as-file"]);
        scene.run(&["batch", "start", "bank"]);
        let watch = Watch::start(&scene.kiln);
        key.place();
        watch.until_taken(&[SERIAL.to_owned()]);
        drop(watch);
        let bank = scene.job_of("bank", SERIAL).expect("it goes to the key that lies there");
        assert_eq!((&bank["state"], &bank["proof"]), (&json!("burned"), &json!("read_back")), "{bank}");
        let read = scene.json(&["otp", "read", "Bank:ann"]);
        assert_eq!(code_of(&read, "Bank:ann")["code"], oathtool::counted(secret, 6, 0), "the first one");

        // Erased on a person's order, with a touch.
        let mut order = scene.kiln.command(&["device", "reset", SERIAL, "--last-four", "0017"]);
        let mut order = order
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        key.touch();
        assert!(order.wait().expect("it ends").success());
        until("the erasure", LONG, || (key.sim.ask("stats")["filled"] == 0).then_some(()));
        let view = scene.json(&["token", SERIAL]);
        let mappings = view["mappings"].as_array().expect("mappings are a list");
        assert!(mappings.iter().all(|mapping| !mapping["to"].is_null()), "{view}");
    });
}

#[test]
fn what_stands_in_the_way_of_a_token2_key_is_each_its_own_matter() {
    isolated("what_stands_in_the_way_of_a_token2_key_is_each_its_own_matter", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let _station = scene.start(&[]);
        let reader = &pcscd.readers()[0];
        let place = |number: u32, more: &[&str]| {
            let serial = format!("961050000{number:05}");
            if number > 1 {
                pcscd.await_removal(reader);
            }
            Token::place_new(MODEL, &serial, reader, more)
        };
        scene.random_batch("keys", 9, MODEL, "key-random");

        // It says itself that there is no more room, though the model would have some.
        let mut full = place(1, &["--capacity", "0"]);
        let slot = scene.slot_says("is full");
        assert!(slot["remedy"].as_str().is_some_and(|remedy| remedy.contains("use another key")), "{slot}");
        full.take();

        // It waits for a touch to be written to, and gets none.
        let mut untouched = place(2, &["--touch-to-write", "--patience-ms", "300"]);
        let slot = scene.slot_says("was not touched in time");
        assert!(slot["remedy"].as_str().is_some_and(|remedy| remedy.contains("touch it when")), "{slot}");
        untouched.take();

        // Counter-based codes, where it keeps none: nothing is claimed.
        scene.run(&["batch", "pause", "keys"]);
        let uri = "otpauth://hotp/Bank:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Bank&digits=6&counter=0\n";
        let file = scene.kiln.write("uris.txt", uri).display().to_string();
        scene.run(&["import", &file, "--batch", "bank", "--recipe", "key-as-file"]);
        scene.run(&["batch", "start", "bank"]);
        let mut plain = place(3, &["--no-counters"]);
        let slot = scene.slot_says("keeps no counter-based codes");
        assert!(slot["remedy"].as_str().is_some_and(|remedy| remedy.contains("TOTP")), "{slot}");
        assert_eq!(scene.jobs("bank")[0]["state"], "queued");
        plain.take();
    });
}

#[test]
fn a_card_in_a_contact_reader_is_sent_no_long_entry() {
    isolated("a_card_in_a_contact_reader_is_sent_no_long_entry", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let scene = Scene::new();
        let long = "x".repeat(60);
        let recipe = format!(
            "name = \"long\"\nlabel = \"Long\"\nmodels = [\"token2-fido-card\"]\ndisplay_timeout_s = 30\n\n\
             [[profile]]\nnumber = 0\ntitle = \"{long}:{long}\"\nseed = \"random\"\nseed_bytes = 64\n"
        );
        let _station = scene.start_with_recipe(&recipe, &[]);
        scene.random_batch("cards", 1, "token2-fido-card", "long");
        let mut card = Token::place_new("token2-fido-card", "86202000000017", &pcscd.readers()[0], &[]);
        let slot = scene.slot_says("its reader carries 260");
        assert!(slot["remedy"].as_str().is_some_and(|remedy| remedy.contains("over USB or NFC")), "{slot}");
        assert_eq!(card.stat("writes"), 0);
    });
}

#[test]
fn a_key_on_standard_input_and_output_answers_in_reports() {
    let kiln = Kiln::new();
    let mut command =
        kiln.command(&["simulate", "--model", MODEL, "--serial", SERIAL, "--stdio", "--touch", "at-once"]);
    let mut key = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("kiln simulate starts");
    let mut question = [0; 64];
    question[..3].copy_from_slice(&[0x21, 0x00, 0x17]);
    question[3..26].copy_from_slice(
        &data_encoding::HEXLOWER.decode(b"8033000012d11000000000000000000000000000000000").expect("hex"),
    );
    let mut input = key.stdin.take().expect("it was piped");
    input.write_all(&question).expect("it listens");
    let mut answer = [0; 64];
    key.stdout.as_mut().expect("it was piped").read_exact(&mut answer).expect("it answers");
    assert_eq!(answer[..5], [0x21, 0x00, 18, 0xD1, 14]);
    assert_eq!(&answer[5..19], SERIAL.as_bytes());
    // A finger is there at once: erasing waits for nothing.
    let mut erase = [0; 64];
    erase[..7].copy_from_slice(&[0x21, 0x00, 4, 0x80, 0xC5, 0x05, 0x02]);
    input.write_all(&erase).expect("it listens");
    loop {
        key.stdout.as_mut().expect("it was piped").read_exact(&mut answer).expect("it answers");
        if answer[1] != 0xC0 {
            break;
        }
    }
    assert_eq!(answer[..5], [0x21, 0x00, 2, 0x90, 0x00]);
    drop(input);
    assert!(key.wait().expect("it ends").success());
    let wrong = kiln.run(&["simulate", "--model", "c301-i", "--serial", "1", "--stdio"]).expect(3);
    assert!(wrong.stderr.contains("does not speak USB HID"), "{}", wrong.stderr);
}
