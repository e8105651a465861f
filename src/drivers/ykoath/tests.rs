use super::*;
use crate::domain::{Digits, Hash, Mode, Period, UnixTime};
use crate::drivers::transcript::{Transcript, bytes, vectors};
use crate::wire::EncodeError;
use serde_json::Value;

const YUBIKEY: &str = "3bfd1300008131fe158073c021c057597562694b657940";
const SELECT: &str = "00a4040007a0000005272101";

/// What a YubiKey of serial 12345678 says until it is known; `selected` is what its applet says when it is selected.
fn introduction(selected: &str) -> Vec<(&str, &str)> {
    vec![
        ("00a4040008a000000527471117", "5669727475616c9000"),
        ("001d000000", "0a0102023f020400bc614e9000"),
        (SELECT, selected),
    ]
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn yubikey(selected: &str, rest: &[(&str, &str)]) -> (Transcript, Session<Transcript>) {
    let mut story = introduction(selected);
    story.extend(rest);
    let link = Transcript::new(&story).with_answer_to_reset(YUBIKEY);
    let session = Session::open(link.clone(), "ACS ACR122U 00 00").unwrap();
    (link, session)
}

fn open_yubikey(rest: &[(&str, &str)]) -> (Transcript, Session<Transcript>) {
    let file = vectors("ykoath");
    yubikey(text(&file["select"][0]["response"]), rest)
}

fn serial() -> Serial {
    "12345678".parse().unwrap()
}

fn name(value: &str) -> CredentialName {
    CredentialName::told(value.to_owned())
}

fn challenge(value: &Value) -> Challenge {
    Challenge(bytes(text(value)).try_into().unwrap())
}

fn password() -> CustomerKey {
    CustomerKey::new(*b"hunter2")
}

#[test]
fn the_serial_comes_from_the_applet_that_has_it() {
    let (link, session) = open_yubikey(&[]);
    assert_eq!((session.serial(), link.left()), (&serial(), 0));
    let about = session.about();
    assert_eq!((about.maker, about.version), (KeyMaker::YubiKey, [5, 7, 4]));
    assert_eq!(about.serial_from, SerialFrom::Device);

    let nitrokey = Transcript::new(&[(SELECT, "7903040e00710801020304050607088f04a1b2c3d49000")]);
    let session = Session::open(nitrokey, "a reader").unwrap();
    assert_eq!((session.serial().as_str(), session.about().maker), ("A1B2C3D4", KeyMaker::Nitrokey));

    let plain = "7903060000710801020304050607089000";
    let canokey =
        Transcript::new(&[("00a4040005f000000000", "9000"), ("0032000004", "000012349000"), (SELECT, plain)])
            .with_answer_to_reset("3bf711000081 31fe6543616e6f6b657999".replace(' ', "").as_str());
    let session = Session::open(canokey, "a reader").unwrap();
    assert_eq!((session.serial().as_str(), session.about().maker), ("00001234", KeyMaker::CanoKey));
}

#[test]
fn a_key_that_tells_no_serial_goes_by_its_salt() {
    let plain = "7903040404710801020304050607089000";
    let solo = Transcript::new(&[(SELECT, plain)]);
    let mut session = Session::open(solo, "SoloKeys Solo 2 [CCID/ICCD Interface] 00 00").unwrap();
    assert_eq!(session.serial().as_str(), "salt-0102030405060708");
    assert_eq!((session.about().maker, session.about().serial_from), (KeyMaker::Solo, SerialFrom::Salt));
    session.call("S-17".parse().unwrap());
    assert_eq!(session.serial().as_str(), "S-17");

    // A YubiKey that hides its serial, and one too old to be asked.
    for told in ["030102ff9000", "6d00"] {
        let file = vectors("ykoath");
        let selected = text(&file["select"][0]["response"]);
        let mut story = introduction(selected);
        story[1].1 = told;
        let link = Transcript::new(&story).with_answer_to_reset(YUBIKEY);
        let session = Session::open(link, "a reader").unwrap();
        assert_eq!(session.about().serial_from, SerialFrom::Salt, "{told}");
    }
}

#[test]
fn a_credential_is_written_listed_and_calculated() {
    let file = vectors("ykoath");
    let put = &file["put"][6];
    let calculate = &file["calculate"][9];
    let (link, mut session) = open_yubikey(&[
        (text(&put["command"]), "9000"),
        (text(&file["list"]["command"]), "720c2141636d653a746f756368799000"),
        (text(&calculate["command"]), "6982"),
        (text(&calculate["command"]), text(&calculate["response"])),
    ]);
    let mut key = session.enter().unwrap();
    let named = name(text(&put["id"]));
    let seed = Seed::new(bytes(text(&put["secret"])));
    key.put(Profile::ZERO, &named, &Parameters::standard(), Touch::Required, &seed).unwrap();
    let listed = key.list().unwrap();
    assert_eq!((&listed[0].name, listed[0].kind, listed[0].hash), (&named, Kind::Totp, Hash::Sha1));
    let moving = Moving::Step(StepCount(calculate["time"].as_u64().unwrap() / 30));
    assert_eq!(key.calculate(&named, moving).unwrap_err(), ReadError::Untouched { serial: serial() });
    assert_eq!(key.calculate(&named, moving).unwrap().as_str(), text(&calculate["code"]));
    assert_eq!(link.left(), 0);
}

#[test]
fn the_password_is_proven_once_and_both_ways() {
    let file = vectors("ykoath");
    let (validate, wrong) = (&file["validate"], &file["validate_wrong_password"]);
    let ours = challenge(&validate["host_challenge"]);
    let locked = text(&file["select"][1]["response"]);

    let list = (text(&file["list"]["command"]), "9000");
    let (link, mut session) =
        yubikey(locked, &[(text(&validate["command"]), text(&validate["response"])), list]);
    assert!(session.is_locked() && session.enter().is_none());
    session.unlock_with(&password(), ours).unwrap();
    // From here on it is open, for any password, without another word.
    assert_eq!(session.unlock_with(&CustomerKey::new(*b"x"), ours).unwrap().list(), Ok(vec![]));
    assert_eq!(link.left(), 0);

    let other = CustomerKey::new(*b"not hunter2");
    let theirs = challenge(&validate["card_challenge"]);
    let answer =
        wire::validate(&AccessKey::derive(&other, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap(), &theirs, &ours);
    let sent = data_encoding::HEXLOWER.encode(answer.bytes());
    let (link, mut session) = yubikey(locked, &[(&sent, text(&wrong["response"]))]);
    let tried = session.unlock_with(&other, ours).map(|_| ());
    assert_eq!(tried, Err(UnlockError::WrongPassword { serial: serial() }));
    assert!(session.is_locked());
    assert_eq!(link.left(), 0);

    let lie = "75140000000000000000000000000000000000000000 9000".replace(' ', "");
    let (_, mut session) = yubikey(locked, &[(text(&validate["command"]), &lie)]);
    let tried = session.unlock_with(&password(), ours).map(|_| ());
    assert_eq!(tried, Err(UnlockError::NotProven { serial: serial() }));

    let (_, mut session) = yubikey(locked, &[(text(&validate["command"]), "")]);
    let tried = session.unlock_with(&password(), ours).map(|_| ());
    assert!(matches!(tried, Err(UnlockError::AnswerLost { cause: LinkError::Gone, .. })));
    let (_, mut session) = yubikey(locked, &[]);
    let tried = session.unlock_with(&CustomerKey::new([]), ours).map(|_| ());
    assert!(matches!(tried, Err(UnlockError::Key { cause: EncodeError::KeyLength(0), .. })));
}

#[test]
fn a_password_is_set_and_taken_off() {
    let file = vectors("ykoath");
    let set = &file["set_code"];
    let (link, mut session) =
        open_yubikey(&[(text(&set["command"]), "9000"), (text(&file["clear_code"]["command"]), "9000")]);
    let mut key = session.enter().unwrap();
    let salt = bytes(text(&set["salt"])).try_into().unwrap();
    key.set_password_with(&password(), &salt, challenge(&set["host_challenge"])).unwrap();
    key.clear_password().unwrap();
    assert_eq!(link.left(), 0);
}

#[test]
fn long_answers_are_put_together_and_endless_ones_are_given_up() {
    let file = vectors("ykoath");
    let parts: Vec<(&str, &str)> = file["send_remaining"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| (text(&part["command"]), text(&part["response"])))
        .collect();
    let (link, mut session) = open_yubikey(&parts);
    assert_eq!(session.enter().unwrap().list().unwrap().len(), 4);
    assert_eq!(link.left(), 0);

    let mut endless = vec![(parts[0].0, "61ff")];
    endless.extend(vec![("00a5000000", "61ff"); crate::drivers::session::MOST_PARTS - 1]);
    let (link, mut session) = open_yubikey(&endless);
    assert!(matches!(session.enter().unwrap().list(), Err(ReadError::Status { .. })));
    assert_eq!(link.left(), 0);
}

fn of_maker(maker: KeyMaker, story: &[(&str, &str)]) -> Session<Transcript> {
    let identity = Identity {
        serial: serial(),
        about: About { maker, version: [4, 4, 4], serial_from: SerialFrom::Device },
        salt: Some([7; 8]),
        access: Access::Open,
    };
    Session::identified(Transcript::new(story), identity)
}

#[test]
fn every_makers_refusals_mean_the_same() {
    let put = "000100001b710161731621060000000000000000000000000000000000000000";
    let (delete, list) = ("0002000003710161", "00a1000000");
    let seed = Seed::new([0; 20]);
    let standard = Parameters::standard();
    for (maker, exists) in [(KeyMaker::Nitrokey, "6983"), (KeyMaker::CanoKey, "6985")] {
        let mut session = of_maker(maker, &[(put, exists)]);
        let refused = session.enter().unwrap().put(Profile::ZERO, &name("a"), &standard, Touch::Free, &seed);
        assert!(matches!(refused, Err(WriteError::Refused { status: EXISTS, .. })), "{maker:?}: {refused:?}");
    }
    for (maker, missing) in [
        (KeyMaker::YubiKey, "6984"),
        (KeyMaker::CanoKey, "6984"),
        (KeyMaker::Nitrokey, "6a82"),
        (KeyMaker::Solo, "6a82"),
    ] {
        let mut session = of_maker(maker, &[(delete, missing)]);
        assert_eq!(session.enter().unwrap().delete(Profile::ZERO, &name("a")), Ok(Deleted::WasEmpty));
    }
    let change = Change::Deletion(Profile::ZERO);
    let deleted = |maker, status| {
        of_maker(maker, &[(delete, status)]).enter().unwrap().delete(Profile::ZERO, &name("a"))
    };
    assert_eq!(deleted(KeyMaker::Nitrokey, "6982"), Err(WriteError::Untouched { serial: serial(), change }));
    for (maker, status) in [(KeyMaker::YubiKey, "6982"), (KeyMaker::Solo, "6985")] {
        assert_eq!(deleted(maker, status), Err(WriteError::LockedAgain { serial: serial(), change }));
    }
    let mut session = of_maker(KeyMaker::Solo, &[(list, "6985")]);
    let locked = session.enter().unwrap().list();
    assert!(matches!(locked, Err(ReadError::Status { status: wire::LOCKED_OR_UNTOUCHED, .. })));
}

#[test]
fn a_full_key_and_a_lost_one_are_told_apart() {
    let put = "000100001b710161731621060000000000000000000000000000000000000000";
    let change = Change::Credential(Profile::new(3));
    let write = |status| {
        let mut session = of_maker(KeyMaker::YubiKey, &[(put, status)]);
        let seed = Seed::new([0; 20]);
        session.enter().unwrap().put(Profile::new(3), &name("a"), &Parameters::standard(), Touch::Free, &seed)
    };
    assert_eq!(write("6a84"), Err(WriteError::Full { serial: serial(), change }));
    assert!(write("").unwrap_err().outcome_is_unknown());
}

#[test]
fn where_all_codes_cannot_be_calculated_each_is() {
    let (all, list) = ("00a400010a74080000000000000001", "00a1000000");
    let mut session = of_maker(
        KeyMaker::Nitrokey,
        &[
            (all, "6d00"),
            (list, "7202216172021162 9000".replace(' ', "").as_str()),
            ("00a200010d71016174080000000000000001", "7605064c93cf189000"),
        ],
    );
    let codes = session.enter().unwrap().calculate_all(StepCount(1)).unwrap();
    let code = Code::parse("755224").unwrap();
    assert_eq!(codes, [(name("a"), Calculated::Code(code))], "a counter is not used up");
}

#[test]
fn a_reset_needs_no_password_and_a_nitrokey_a_touch() {
    let mut session = of_maker(KeyMaker::YubiKey, &[("0004dead00", "9000")]);
    assert_eq!(session.factory_reset(), Ok(()));
    let mut session = of_maker(KeyMaker::Nitrokey, &[("0004dead00", "6982")]);
    assert!(matches!(session.factory_reset(), Err(WriteError::Untouched { .. })));
    let mut session = of_maker(KeyMaker::CanoKey, &[("0004dead00", "6d00")]);
    assert!(matches!(session.factory_reset(), Err(WriteError::Refused { .. })));
}

#[test]
fn every_parameter_reaches_the_key() {
    let parameters = Parameters {
        hash: Hash::Sha256,
        digits: Digits::EIGHT,
        mode: Mode::Totp { period: Period::SIXTY, t0: UnixTime(0) },
    };
    let named = CredentialName::new("x", parameters.mode);
    let command = "000100001e710436302f78731622080101010101010101010101010101010101010101";
    let mut session = of_maker(KeyMaker::YubiKey, &[(command, "9000")]);
    let seed = Seed::new([1; 20]);
    session.enter().unwrap().put(Profile::ZERO, &named, &parameters, Touch::Free, &seed).unwrap();
}
