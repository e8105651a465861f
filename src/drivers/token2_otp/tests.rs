use super::*;
use crate::domain::{Hash, Period};
use crate::drivers::transcript::{Transcript, vectors};
use crate::drivers::{Found, Token, identify, identify_hid};
use std::time::Duration;

const SELECT: (&str, &str) = ("00a4040008f00000014f747001", "9000");
const PUBLIC_KEY: &str = "80c5010000";
const LIST: &str = "80c505000903000000006955b900";
const NEXT: &str = "80c5050108000000006955b900";
const AT: UnixTime = UnixTime(1_767_225_600);
/// Contacts, T=0 only.
const SHORT: &str = "3bff1800001080868e00166166003335373830353238";
/// T=0 and T=1.
const LONG: &str = "3b8f8001544b0050495604023838383838383860";
const SERIAL: (&str, &str) =
    ("8033000012d11000000000000000000000000000000000", "d10e37323130323933353738303532389000");

fn serial() -> Serial {
    "72102935780528".parse().unwrap()
}

fn point() -> String {
    format!("{}9000", vectors("token2-otp")["sealed"][0]["device_public_xy"].as_str().unwrap())
}

/// A key on a reader that carries long commands or only short ones, and says this of itself.
fn on_reader(atr: &str, configuration: &str, story: &[(&str, &str)]) -> (Transcript, Session<Transcript>) {
    let mut all = vec![SELECT, ("80c5020040", configuration), SERIAL];
    if atr == LONG {
        all.splice(0..0, [("80410000020211", "6d00"), ("00a4040007a0000005272101", "6a82")]);
    }
    all.extend(story);
    let link = Transcript::new(&all).with_answer_to_reset(atr);
    match identify(link.clone(), "a reader") {
        Ok(Found::Token(Token::OtpKey(session), None)) => (link, session),
        other => panic!("no key: {other:?}"),
    }
}

const ALL: &str = "000486011000020102119000";

fn names(application: &str, account: &str) -> TwoNames {
    TwoNames { application: application.to_owned(), account: account.to_owned() }
}

#[test]
fn a_list_is_read_to_its_last_page_and_an_empty_one_is_no_error() {
    let file = vectors("token2-otp");
    let page = |at: usize| file["list_pages"][at]["response"].as_str().unwrap().to_owned();
    let (first, second) = (page(3), page(5));
    let (link, mut session) = on_reader(LONG, ALL, &[SELECT, (LIST, &first), (NEXT, &second)]);
    let listed = session.list(AT).unwrap();
    let accounts: Vec<&str> = listed.iter().map(|record| record.names.account.as_str()).collect();
    assert_eq!((accounts, link.left()), (vec!["alice", "x", "bob", "y"], 0));
    for empty in ["6a80", "6a83", "9000"] {
        let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (LIST, empty)]);
        assert_eq!(session.list(AT), Ok(vec![]), "{empty}");
    }
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (LIST, "6f00")]);
    assert!(matches!(session.list(AT), Err(ReadError::Status { status: StatusWord(0x6F00), .. })));
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (LIST, "01c29000")]);
    assert!(matches!(session.list(AT), Err(ReadError::Malformed { .. })));
}

#[test]
fn what_a_key_keeps_back_is_asked_for() {
    let file = vectors("token2-otp");
    let page = file["list_pages"][0]["data"].as_str().unwrap();
    let (head, rest) = page.split_at(20);
    let (first, last) = (format!("{head}610e"), format!("{rest}9000"));
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (LIST, &first), ("00c000000e", &last)]);
    assert_eq!(session.list(AT).unwrap().len(), 1);
}

#[test]
fn a_code_is_that_of_the_entry_that_was_asked_for() {
    const ASK: &str = "80c505001401000000006955b900045465737405616c696365";
    let alice = names("Test", "alice");
    let answer = "01c1001e0600045465737405616c696365063132333435369000";
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (ASK, answer)]);
    assert_eq!(session.calculate(&alice, AT).unwrap().as_str(), "123456");
    let other = "01c1001e06000454657374056d616c6c79063132333435369000";
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (ASK, other)]);
    assert!(matches!(session.calculate(&alice, AT), Err(ReadError::Malformed { .. })));
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (ASK, "6ff9")]);
    assert_eq!(session.calculate(&alice, AT), Err(ReadError::Untouched { serial: serial() }));
}

fn put(session: &mut Session<Transcript>, mode: Mode, account: usize) -> Result<(), WriteError> {
    let parameters = Parameters { hash: Hash::Sha1, mode, ..Parameters::standard() };
    let names = names(&"T".repeat(40), &"a".repeat(account));
    session.enter().put(Profile::ZERO, &names, &parameters, Touch::Free, &Seed::new([7; 64]))
}

const TIME: Mode = Mode::Totp { period: Period::THIRTY, t0: UnixTime(0) };
const CHANGE: Change = Change::Credential(Profile::ZERO);

#[test]
fn what_a_key_says_it_cannot_it_is_not_asked_for() {
    let counted = Mode::Hotp { counter: 0 };
    // Neither counter-based entries nor, in the second, time-based ones.
    let (link, mut session) = on_reader(LONG, "000086011000020102119000", &[]);
    let refused = put(&mut session, counted, 5);
    assert_eq!(refused, Err(WriteError::NoCounters { serial: serial(), change: CHANGE }));
    let (_, mut session) = on_reader(LONG, "000486011000020102109000", &[]);
    let refused = put(&mut session, TIME, 5);
    assert_eq!(refused, Err(WriteError::ListOff { serial: serial(), change: CHANGE }));
    assert_eq!(link.left(), 0);
}

#[test]
fn a_reader_that_carries_short_commands_only_is_sent_no_long_one() {
    let point = point();
    let story = [SELECT, (PUBLIC_KEY, point.as_str())];
    let (link, mut session) = on_reader(SHORT, ALL, &story);
    let refused = put(&mut session, TIME, 64);
    assert!(
        matches!(refused, Err(WriteError::Cannot { cause: EncodeError::ReaderTooShort(len), .. }) if len > 260),
        "{refused:?}"
    );
    assert_eq!(link.left(), 0, "the write itself was not sent");
}

#[test]
fn a_public_key_that_is_none_is_sealed_for_by_nobody() {
    let none = format!("{}9000", "01".repeat(64));
    let (link, mut session) = on_reader(LONG, ALL, &[SELECT, (PUBLIC_KEY, &none)]);
    let refused = put(&mut session, TIME, 5);
    assert!(matches!(refused, Err(WriteError::OddKey { cause: ReplyError::Point, .. })), "{refused:?}");
    assert_eq!(link.left(), 0);
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (PUBLIC_KEY, "6d00")]);
    assert!(matches!(put(&mut session, TIME, 5), Err(WriteError::Refused { .. })));
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, (PUBLIC_KEY, "")]);
    assert!(put(&mut session, TIME, 5).unwrap_err().outcome_is_unknown());
}

#[test]
fn erasing_is_a_bare_header_and_nothing_else_is() {
    const ERASE: &str = "80c50502";
    let erase = |answer: &str| {
        let (link, mut session) = on_reader(LONG, ALL, &[SELECT, (ERASE, answer)]);
        let erased = session.enter().erase_all();
        assert_eq!(link.left(), 0);
        erased
    };
    assert_eq!(erase("9000"), Ok(()));
    let untouched = WriteError::Untouched { serial: serial(), change: Change::Erasure };
    assert_eq!(erase("6ff9"), Err(untouched));
}

#[test]
fn on_usb_nothing_is_selected() {
    let point = point();
    let story =
        [(PUBLIC_KEY, point.as_str()), ("80c5020040", ALL), SERIAL, (LIST, "6a83"), ("80c50502", "9000")];
    let link = Transcript::new(&story);
    let Ok(Found::Token(Token::OtpKey(mut session), None)) = identify_hid(link.clone(), Duration::ZERO)
    else {
        panic!("no key")
    };
    assert_eq!((session.reached(), session.list(AT)), (Reached::Hid, Ok(vec![])));
    session.enter().erase_all().unwrap();
    assert_eq!(link.left(), 0);
}

#[test]
fn what_types_no_codes_says_so() {
    let option = ("80c502020101", "6a81");
    let (_, mut session) = on_reader(LONG, ALL, &[SELECT, option]);
    let refused = session.enter().set_button_option(ButtonOption::NoEnter, true);
    assert_eq!(refused, Err(WriteError::NoButtonCodes { serial: serial() }));
}

/// The same story over a reader and over USB, with a virtual key at the other end.
mod story {
    use super::*;
    use crate::domain::otp::code_at;
    use crate::link::{HidLink, LinkSource, Opened, Report};
    use crate::sim::{Bench, Challenges, Surroundings, VirtualToken, token2_otp as sim};
    use std::sync::Arc;

    struct Still;

    impl crate::domain::Clock for Still {
        fn now(&self) -> crate::domain::UnixMillis {
            AT.to_millis()
        }

        fn state(&self) -> crate::domain::ClockState {
            crate::domain::ClockState::Simulated
        }
    }

    type Link = Box<dyn ApduLink>;

    /// A key of these settings in a place of this kind.
    fn placed(settings: sim::Settings, place: &str) -> (Bench, VirtualToken, Session<Link>) {
        let key =
            VirtualToken::token2_otp(settings, Surroundings::new(Arc::new(Still), Challenges::random()));
        let bench = Bench::new(["reader"]);
        bench.add_usb_port("port");
        bench.place(place, &key).unwrap();
        let found = match bench.open_port(place).unwrap().open() {
            Ok(Opened::Card(link)) => identify(link as Link, "a reader"),
            Ok(Opened::Hid(link)) => identify_hid(Box::new(Framed::new(link, ())) as Link, Duration::ZERO),
            Err(error) => panic!("{error}"),
        };
        match found {
            Ok(Found::Token(Token::OtpKey(session), None)) => (bench, key, session),
            other => panic!("no key: {other:?}"),
        }
    }

    fn settings() -> sim::Settings {
        sim::Settings { patience: Duration::ZERO, ..sim::Settings::new(serial()) }
    }

    fn parameters(hash: Hash, mode: Mode) -> Parameters {
        Parameters { hash, mode, ..Parameters::standard() }
    }

    #[test]
    fn entries_are_written_listed_computed_deleted_and_erased() {
        for place in ["reader", "port"] {
            let (_bench, key, mut session) = placed(sim::Settings { page_bytes: 90, ..settings() }, place);
            assert_eq!(*session.serial(), serial(), "{place}");
            assert_eq!(session.list(AT), Ok(vec![]), "{place}");
            let mut meant = Vec::new();
            for number in 0..6u8 {
                let names = names(if number == 0 { "" } else { "Acme" }, &format!("ann{number}"));
                let hash = if number % 2 == 0 { Hash::Sha1 } else { Hash::Sha256 };
                let parameters = parameters(hash, TIME);
                let seed = Seed::new(vec![number + 1; 20 + usize::from(number)]);
                let put = session.enter().put(Profile::new(number), &names, &parameters, Touch::Free, &seed);
                assert_eq!(put, Ok(()), "{place} {number}");
                meant.push((names, parameters, seed));
            }
            let listed = session.list(AT).unwrap();
            assert_eq!(listed.len(), 6, "over several pages");
            for (record, (names, parameters, seed)) in listed.iter().zip(&meant) {
                let code = code_at(seed, parameters, AT).unwrap();
                assert_eq!((&record.names, &record.parameters), (names, parameters));
                assert!(record.code.as_ref().unwrap().same_as(&code));
                assert!(session.calculate(names, AT).unwrap().same_as(&code));
            }
            let (first, ..) = &meant[0];
            let mut key_to_write = session.enter();
            assert_eq!(key_to_write.delete(Profile::ZERO, first), Ok(Deleted::Removed));
            assert_eq!(key_to_write.delete(Profile::ZERO, first), Ok(Deleted::WasEmpty));
            let untouched = WriteError::Untouched { serial: serial(), change: Change::Erasure };
            assert_eq!(key_to_write.erase_all(), Err(untouched));
            assert_eq!(key.standing().filled, 5);
        }
    }

    #[test]
    fn the_longest_entry_goes_over_usb_and_over_a_reader_that_carries_it() {
        let longest = names(&"A".repeat(64), &"a".repeat(64));
        let put = |settings, place| {
            let (_bench, _, mut session) = placed(settings, place);
            let parameters = parameters(Hash::Sha256, TIME);
            session.enter().put(Profile::ZERO, &longest, &parameters, Touch::Free, &Seed::new([7; 64]))
        };
        assert_eq!((put(settings(), "port"), put(settings(), "reader")), (Ok(()), Ok(())));
        let short = put(sim::Settings { short_only: true, ..settings() }, "reader");
        assert!(matches!(short, Err(WriteError::Cannot { cause: EncodeError::ReaderTooShort(_), .. })));
    }

    #[test]
    fn full_without_counters_untouched_and_prelude_are_told_apart() {
        let acme = names("Acme", "ann");
        let put = |settings, mode| {
            let (_bench, _, mut session) = placed(settings, "port");
            let seed = Seed::new([7; 20]);
            session.enter().put(Profile::ZERO, &acme, &parameters(Hash::Sha1, mode), Touch::Free, &seed)
        };
        let counted = Mode::Hotp { counter: 0 };
        let full = WriteError::Full { serial: serial(), change: CHANGE };
        assert_eq!(put(sim::Settings { capacity: 0, ..settings() }, TIME), Err(full));
        let plain = WriteError::NoCounters { serial: serial(), change: CHANGE };
        assert_eq!(put(sim::Settings { counts: false, ..settings() }, counted), Err(plain));
        let untouched = WriteError::Untouched { serial: serial(), change: CHANGE };
        assert_eq!(put(sim::Settings { touch_to_write: true, ..settings() }, TIME), Err(untouched));
        assert_eq!(put(sim::Settings { prelude: true, ..settings() }, counted), Ok(()));
    }

    #[test]
    fn a_counter_goes_on_with_each_question_and_a_button_has_a_seed_of_its_own() {
        let (_bench, key, mut session) = placed(settings(), "port");
        let (bank, seed) = (names("Bank", "ann"), Seed::new(*b"12345678901234567890"));
        let counted = parameters(Hash::Sha1, Mode::Hotp { counter: 0 });
        session.enter().put(Profile::ZERO, &bank, &counted, Touch::Free, &seed).unwrap();
        // RFC 4226 appendix D.
        for code in ["755224", "287082"] {
            assert_eq!(session.calculate(&bank, AT).unwrap().as_str(), code);
        }
        let mut key_to_write = session.enter();
        key_to_write.write_button(Digits::SIX, &seed).unwrap();
        key_to_write.set_button_option(ButtonOption::Keypad, true).unwrap();
        key_to_write.delete_button().unwrap();
        assert_eq!(key.standing().filled, 1, "the list is another matter");
        let (_bench, _, mut mute) = placed(sim::Settings { types: false, ..settings() }, "port");
        let refused = mute.enter().write_button(Digits::SIX, &seed);
        assert_eq!(refused, Err(WriteError::NoButtonCodes { serial: serial() }));
    }

    #[test]
    fn a_touch_that_comes_lets_the_key_go_on() {
        let (_bench, key, mut session) =
            placed(sim::Settings { patience: Duration::from_secs(60), ..settings() }, "port");
        let finger = std::thread::spawn(move || key.touch_within(Duration::from_secs(60)));
        assert_eq!(session.enter().erase_all(), Ok(()));
        assert!(finger.join().unwrap());
    }

    /// A key whose function is off on USB.
    struct Silent;

    impl HidLink for Silent {
        fn send(&mut self, _: &Report) -> Result<(), LinkError> {
            Ok(())
        }

        fn receive(&mut self, _: Duration) -> Result<Option<Report>, LinkError> {
            Ok(None)
        }
    }

    #[test]
    fn a_port_can_find_out_whether_the_function_answers_there() {
        let soon = Limits { silence: Duration::ZERO, ..Limits::default() };
        assert_eq!(answers_on(Silent, soon), Ok(false), "it is off");
        let silent = identify_hid(Framed::new(Silent, ()).with_limits(soon), Duration::ZERO).unwrap();
        assert!(matches!(silent, Found::Other(crate::drivers::OtherDevice::SilentOtpKey)), "{silent:?}");
        let (bench, _, session) = placed(settings(), "port");
        drop(session);
        let Ok(Opened::Hid(link)) = bench.open_port("port").unwrap().open() else { panic!("a USB port") };
        assert_eq!(answers_on(link, Limits::default()), Ok(true));
    }
}
