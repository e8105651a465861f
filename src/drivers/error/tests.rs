use super::*;

fn serial() -> Serial {
    "86596220001234".parse().unwrap()
}

const STATUS: StatusWord = StatusWord(0x6A80);

/// Each error with its remedy, its retry and what it says; a remedy is a sentence without a full stop.
fn check<E: Remedy + fmt::Display>(error: E, retry: Retry, names: &str) {
    assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}: {}", error.remedy());
    assert_eq!(error.retry(), retry, "{error}");
    assert!(error.to_string().contains(names), "{error}");
}

#[test]
fn opening_has_a_remedy_for_everything() {
    check(OpenError::Link(LinkError::Mute), Retry::AfterOperator, "does not answer");
    check(OpenError::Status(STATUS), Retry::Never, "6A80");
    check(OpenError::Malformed(ReplyError::SerialText), Retry::Never, "not made of digits");
}

#[test]
fn reading_has_a_remedy_for_everything() {
    let (reading, serial) = (Reading::Info, serial());
    let cause = LinkError::Gone;
    check(ReadError::Link { serial: serial.clone(), reading, cause }, Retry::AfterOperator, "1234");
    let late = Reading::PublicBlock(Profile::new(50));
    let beyond = ReadError::Status { serial: serial.clone(), reading: late, status: STATUS };
    assert!(beyond.remedy().contains("0 to 49"));
    check(beyond, Retry::AfterOperator, "6A80");
    let status = ReadError::Status { serial: serial.clone(), reading, status: STATUS };
    assert_eq!(status.remedy(), SET_ASIDE);
    check(status, Retry::AfterOperator, "6A80");
    let cause = ReplyError::SerialLength(3);
    check(ReadError::Malformed { serial: serial.clone(), reading, cause }, Retry::AfterOperator, "3");
    check(ReadError::Untouched { serial: serial.clone() }, Retry::AfterOperator, "not touched");
    let missed = ReadError::ButtonMissed { serial: serial.clone(), waited_s: 25 };
    check(missed, Retry::AfterOperator, "its button was missed");
    let given_up = ReadError::GivenUp { serial: serial.clone() };
    assert!(given_up.remedy().contains("without touching it"));
    check(given_up, Retry::AfterOperator, "was given up");
    let cause = EncodeError::Clock(crate::domain::UnixTime(-1));
    check(ReadError::Cannot { reading: Reading::Code, cause }, Retry::AfterOperator, "cannot be asked");
    let found = "7".parse().unwrap();
    check(ReadError::OtherToken { expected: serial, found }, Retry::AfterOperator, "token 7 answered");
    check(ReadError::NotOffered { family: Family::Token2Single, reading: late }, Retry::Never, "profile 50");
}

#[test]
fn unlocking_has_a_remedy_for_everything_and_knows_what_cost_a_try() {
    let serial = serial();
    let asked = UnlockError::Challenge { serial: serial.clone(), status: STATUS };
    let lost = UnlockError::Link { serial: serial.clone(), cause: LinkError::Busy };
    let key = UnlockError::Key { serial: serial.clone(), cause: EncodeError::KeyLength(3) };
    let odd = UnlockError::Malformed {
        serial: serial.clone(),
        cause: ReplyError::Length { expected: 8, found: 0 },
    };
    let broken = UnlockError::SelfTest(SelfTestFailed("SM4"));
    for (error, retry, names) in [
        (asked, Retry::AfterOperator, "6A80"),
        (lost, Retry::Soon, "before the customer key was tried"),
        (key, Retry::Never, "3 bytes"),
        (odd, Retry::AfterOperator, "0 bytes instead of 8"),
        (broken, Retry::Never, "SM4"),
    ] {
        assert!(!error.may_have_cost_a_try(), "{error}");
        check(error, retry, names);
    }

    let answer_lost = UnlockError::AnswerLost { serial: serial.clone(), cause: LinkError::NoService };
    let single = UnlockError::WrongKeyOrLocked { serial: serial.clone() };
    let odd = UnlockError::Status { serial: serial.clone(), status: STATUS };
    let password = UnlockError::WrongPassword { serial: serial.clone() };
    let fake = UnlockError::NotProven { serial: serial.clone() };
    for (error, names) in [
        (answer_lost, "being tried"),
        (single, "or it is locked"),
        (odd, "6A80"),
        (password, "the password"),
        (fake, "could not prove"),
    ] {
        assert!(error.may_have_cost_a_try(), "{error}");
        check(error, Retry::AfterOperator, names);
    }
    for (tries_left, remedy) in [(0, "factory reset"), (1, "stop"), (2, "stop"), (3, "do not guess")] {
        let error = UnlockError::WrongKey { serial: serial.clone(), tries_left };
        assert!(error.may_have_cost_a_try() && error.remedy().contains(remedy), "{error}");
        check(error, Retry::AfterOperator, &format!("{tries_left} tries left"));
    }
}

#[test]
fn writing_has_a_remedy_for_everything_and_knows_what_is_unknown() {
    let (serial, change) = (serial(), Change::Seed(Profile::new(7)));
    let cannot = WriteError::Cannot { serial: serial.clone(), change, cause: EncodeError::SeedLength(64) };
    let lacking = WriteError::NotOffered { family: Family::Token2Single, change };
    let locked = WriteError::LockedAgain { serial: serial.clone(), change };
    let refused = WriteError::Refused { serial: serial.clone(), change, status: STATUS };
    let full = WriteError::Full { serial: serial.clone(), change };
    let untouched = WriteError::Untouched { serial: serial.clone(), change };
    check(WriteError::NoRandomness { serial: serial.clone() }, Retry::AfterOperator, "random numbers");
    for (error, retry) in [
        (full, Retry::AfterOperator),
        (untouched, Retry::AfterOperator),
        (cannot, Retry::Never),
        (lacking, Retry::Never),
        (locked, Retry::AfterOperator),
        (refused, Retry::AfterOperator),
    ] {
        assert!(!error.outcome_is_unknown(), "{error}");
        check(error, retry, "the seed of profile 7");
    }
    let odd = WriteError::OddKey { serial: serial.clone(), change, cause: ReplyError::Point };
    check(odd, Retry::AfterOperator, "does not lie on its curve");
    let counts = WriteError::NoCounters { serial: serial.clone(), change };
    check(counts, Retry::Never, "no counter-based codes");
    check(WriteError::ListOff { serial: serial.clone(), change }, Retry::Never, "switched off");
    check(WriteError::NoButtonCodes { serial: serial.clone() }, Retry::Never, "types no codes");
    check(WriteError::SelfTest(SelfTestFailed("SM4")), Retry::Never, "SM4");
    let missed = WriteError::ButtonMissed { serial: serial.clone(), change, waited_s: 25 };
    assert!(missed.outcome_is_unknown());
    check(missed, Retry::AfterOperator, "waited 25 s");
    let given_up = WriteError::GivenUp { serial: serial.clone(), change };
    assert!(given_up.outcome_is_unknown() && given_up.remedy().contains("without touching it"));
    check(given_up, Retry::AfterOperator, "was given up");
    let unknown = WriteError::Unknown { serial, change, cause: LinkError::Gone };
    assert!(unknown.outcome_is_unknown());
    check(unknown, Retry::AfterOperator, "before it confirmed");
}

#[test]
fn every_change_is_named() {
    let profile = Profile::new(3);
    let named: std::collections::BTreeSet<String> = [
        Change::Configuration(profile),
        Change::Seed(profile),
        Change::Title(profile),
        Change::Deletion(profile),
        Change::Clock(profile),
        Change::CustomerKey,
        Change::FactoryReset,
        Change::ScreenLock,
        Change::ScreenUnlock,
        Change::Credential(profile),
        Change::Password,
        Change::Erasure,
        Change::Button,
    ]
    .iter()
    .map(Change::to_string)
    .collect();
    assert_eq!(named.len(), 13);
}
