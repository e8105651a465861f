use super::*;
use crate::sim::{
    Outcome, VirtualToken,
    vectors::{self, HandClock, bytes, hex},
};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::VecDeque;

const NOW: i64 = 1_767_225_600;
const SELECT: &str = "00a4040007a0000005272101";

/// Long enough for a test to fail by, short enough to wait for nothing.
const SOON: Duration = Duration::from_millis(20);

struct Lab {
    token: Token,
    counters: Counters,
}

impl Lab {
    /// `drawn` are what the key draws: its salt, then challenges and new salts.
    fn drawing(make: Make, drawn: &[&str], settle: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new("12345678".parse().unwrap(), make);
        settings.patience = SOON;
        settle(&mut settings);
        let mut drawn: VecDeque<[u8; 8]> = drawn.iter().map(|hex| bytes(hex).try_into().unwrap()).collect();
        let draw = move || drawn.pop_front().or(Some([0x5A; 8]));
        let surroundings = Surroundings::new(HandClock::at(NOW), Challenges::from_source(draw));
        let mut lab = Self { token: Token::new(settings, surroundings), counters: Counters::default() };
        lab.send(SELECT);
        lab
    }

    fn new(make: Make) -> Self {
        Self::drawing(make, &["0102030405060708"], |_| {})
    }

    /// What the commands of the vectors were sent to.
    fn of_vectors() -> Self {
        Self::new(Make::YubiKey)
    }

    fn send(&mut self, command: &str) -> Vec<u8> {
        self.token.answer(&bytes(command), Quirks::default(), &mut self.counters)
    }

    /// The same with a finger on the key.
    fn touch(&mut self, command: &str) -> Vec<u8> {
        self.token.awaits_touch(&bytes(command));
        self.token.press_button(&mut self.counters);
        self.send(command)
    }

    fn put_all(&mut self, file: &Value) {
        for entry in list(file, "put") {
            assert_eq!(self.send(text(&entry["command"])), hex(&entry["response"]), "{}", entry["name"]);
        }
    }

    /// A whole answer, however many parts it takes.
    fn whole(&mut self, command: &str) -> (Vec<u8>, usize) {
        let (mut answer, mut parts) = (self.send(command), 1);
        let mut data = Vec::new();
        while answer[answer.len() - 2] == 0x61 {
            data.extend(&answer[..answer.len() - 2]);
            answer = self.send("00a5000000");
            parts += 1;
        }
        data.extend(answer);
        (data, parts)
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v Vec<Value> {
    value[name].as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn put(name: &str, more: &str) -> String {
    let named = data_encoding::HEXLOWER.encode(name.as_bytes());
    let key = "2106".to_owned() + &"31".repeat(20);
    let body = format!("71{:02x}{named}7316{key}{more}", name.len());
    format!("00010000{:02x}{body}", body.len() / 2)
}

fn ask(ins: &str, name: &str, more: &str) -> String {
    let named = data_encoding::HEXLOWER.encode(name.as_bytes());
    let body = format!("71{:02x}{named}{more}", name.len());
    format!("00{ins}{:02x}{body}", body.len() / 2)
}

#[test]
fn every_exchange_of_the_vectors_comes_out() {
    let file = vectors::ykoath();
    let mut lab = Lab::of_vectors();
    assert_eq!(lab.send(SELECT), hex(&file["select"][0]["response"]));
    lab.put_all(&file);
    let listed = &file["list"];
    assert_eq!(lab.whole(text(&listed["command"])).0, hex(&listed["response"]));
    for entry in list(&file, "calculate") {
        let command = text(&entry["command"]);
        let answer = if text(&entry["id"]) == "Acme:touchy" { lab.touch(command) } else { lab.send(command) };
        assert_eq!(answer, hex(&entry["response"]), "{entry}");
    }
    let full = &file["calculate_full"];
    assert_eq!(lab.send(text(&full["command"])), hex(&full["response"]));
    let all = &file["calculate_all"];
    assert_eq!(lab.whole(text(&all["command"])).0, hex(&all["response"]));
    for part in list(all, "follow_up_calculates") {
        assert_eq!(lab.send(text(&part["command"])), hex(&part["response"]));
    }
    assert_eq!(lab.send(text(&file["rename"]["command"])), hex(&file["rename"]["response"]));
    for entry in list(&file, "delete") {
        assert_eq!(lab.send(text(&entry["command"])), hex(&entry["response"]));
    }
}

#[test]
fn the_password_of_the_vectors_locks_and_unlocks() {
    let file = vectors::ykoath();
    let drawn = ["0102030405060708", "a0a1a2a3a4a5a6a7", "1112131415161718"];
    let mut lab = Lab::drawing(Make::YubiKey, &drawn, |_| {});
    assert_eq!(lab.send(text(&file["set_code"]["command"])), [0x90, 0]);
    assert_eq!(lab.send(text(&file["list"]["command"])), [0x90, 0], "it was set by who is in");
    let select = &file["select"][1];
    assert_eq!(lab.send(text(&select["command"])), hex(&select["response"]));
    assert_eq!(lab.send(text(&file["locked"]["command"])), hex(&file["locked"]["response"]));
    let wrong = &file["validate_wrong_password"];
    assert_eq!(lab.send(text(&wrong["command"])), hex(&wrong["response"]));
    assert_eq!(lab.counters.wrong_answers, 1);
    assert_eq!(lab.send(text(&file["validate"]["command"])), hex(&file["validate"]["response"]));
    assert_eq!(lab.send(text(&file["list"]["command"])), [0x90, 0]);
    assert_eq!(lab.send(text(&file["clear_code"]["command"])), [0x90, 0]);
    assert_eq!(lab.send(text(&file["reset"]["command"])), [0x90, 0]);
    assert_eq!(lab.send(SELECT), hex(&file["reset"]["select_after"]));
}

#[test]
fn a_password_from_the_factory_is_the_one_that_hosts_derive() {
    let file = vectors::ykoath();
    let drawn = ["0102030405060708", "a0a1a2a3a4a5a6a7"];
    let mut lab = Lab::drawing(Make::YubiKey, &drawn, |settings| {
        settings.password = Some(CustomerKey::new(*b"hunter2"));
    });
    assert_eq!(lab.send(text(&file["validate"]["command"])), hex(&file["validate"]["response"]));
}

#[test]
fn the_extended_form_gets_its_answer_whole() {
    let file = vectors::ykoath();
    let mut lab = Lab::of_vectors();
    for entry in list(&file, "usb_extended_form") {
        assert_eq!(lab.send(text(&entry["command"])), hex(&entry["response"]));
    }
    for number in 0..40 {
        lab.send(&put(&format!("Issuer{number}:account"), ""));
    }
    let answer = lab.send("00a10000000000");
    assert!(answer.len() > 700 && answer.ends_with(&[0x90, 0]));
}

#[test]
fn a_touch_lets_one_calculation_through() {
    let mut lab = Lab::new(Make::YubiKey);
    lab.send(&put("touchy", "7802"));
    let calculate = ask("a20001", "touchy", "74080000000000000001");
    assert_eq!(lab.send(&calculate), [0x69, 0x82]);
    assert_eq!(lab.touch(&calculate)[..2], [0x76, 5]);
    assert_eq!(lab.send(&calculate), [0x69, 0x82], "a touch is used up");
    // With a length byte the bits are another property, and the key says nothing about it.
    lab.send(&put("trap", "7801"));
    assert_eq!(lab.send(&ask("a20001", "trap", "74080000000000000005"))[..2], [0x76, 5]);
    assert_eq!(lab.send(&ask("a20001", "trap", "74080000000000000004")), [0x69, 0x82]);
}

#[test]
fn a_command_waits_for_its_touch_and_no_longer_than_it_may() {
    let mut settings = Settings::new("1".parse().unwrap(), Make::YubiKey);
    settings.patience = SOON;
    let surroundings = Surroundings::new(HandClock::at(NOW), Challenges::random());
    let token = VirtualToken::ykoath(settings, surroundings);
    token.exchange(&bytes(SELECT));
    token.exchange(&bytes(&put("touchy", "7802")));
    let calculate = bytes(&ask("a20001", "touchy", "74080000000000000001"));
    assert_eq!(token.exchange(&calculate), Outcome::Answer(vec![0x69, 0x82]), "nobody came");

    let answer = std::thread::scope(|scope| {
        let finger = scope.spawn(|| token.touch_within(Duration::from_secs(60)));
        // Before the finger is there, a command waits in vain.
        let answer = loop {
            match token.exchange(&calculate) {
                Outcome::Answer(refused) if refused == [0x69, 0x82] => {}
                other => break other,
            }
        };
        assert!(finger.join().unwrap(), "it was waited for");
        answer
    });
    assert!(matches!(answer, Outcome::Answer(code) if code.starts_with(&[0x76, 5])));
}

#[test]
fn storage_is_full_at_its_capacity_and_overwriting_needs_none() {
    let mut lab = Lab::drawing(Make::YubiKey, &[], |settings| settings.capacity = 2);
    for name in ["a", "b"] {
        assert_eq!(lab.send(&put(name, "")), [0x90, 0]);
    }
    assert_eq!(lab.send(&put("c", "")), [0x6A, 0x84]);
    assert_eq!(lab.send(&put("b", "")), [0x90, 0]);
    assert_eq!((lab.token.standing().filled, lab.counters.writes), (2, 3));
}

#[test]
fn makes_differ_as_their_sources_say() {
    for (make, twice, missing, all, digits_4) in [
        (Make::YubiKey, 0x9000_u16, 0x6984_u16, true, 0x6A80_u16),
        (Make::Solo, 0x9000, 0x6A82, true, 0x6A80),
        (Make::Nitrokey, 0x6983, 0x6A82, false, 0x6A80),
        (Make::CanoKey, 0x6985, 0x6984, true, 0x9000),
    ] {
        let mut lab = Lab::new(make);
        assert_eq!(lab.send(&put("x", "")), [0x90, 0], "{make:?}");
        assert_eq!(lab.send(&put("x", "")), twice.to_be_bytes(), "{make:?}");
        let absent = ask("a20001", "absent", "74080000000000000001");
        assert_eq!(lab.send(&absent), missing.to_be_bytes(), "{make:?}");
        assert_eq!(lab.send("00a400010a74080000000000000001").ends_with(&[0x90, 0]), all, "{make:?}");
        let four = put("four", "").replace("73162106", "73162104");
        assert_eq!(lab.send(&four), digits_4.to_be_bytes(), "{make:?}");
    }
}

#[test]
fn a_canokey_counts_before_it_calculates() {
    let file = vectors::ykoath();
    let hotp0 = list(&file, "put").iter().find(|entry| entry["id"] == "RFC:hotp0").unwrap();
    let first = |make| {
        let mut lab = Lab::new(make);
        lab.send(text(&hotp0["command"]));
        let answer = lab.send("00a200010d71095246433a686f7470307400");
        code::decimal(u32::from_be_bytes(answer[3..7].try_into().unwrap()), 6)
    };
    assert_eq!((first(Make::YubiKey).as_str(), first(Make::CanoKey).as_str()), ("755224", "287082"));
}

#[test]
fn a_nitrokey_deletes_and_resets_only_when_touched() {
    let mut lab = Lab::new(Make::Nitrokey);
    lab.send(&put("x", ""));
    let delete = ask("020000", "x", "");
    assert_eq!(lab.send(&delete), [0x69, 0x82]);
    assert_eq!(lab.touch(&delete), [0x90, 0]);
    assert_eq!(lab.send("0004dead00"), [0x69, 0x82]);
    assert_eq!(lab.touch("0004dead00"), [0x90, 0]);
    assert!(lab.send(SELECT).windows(6).any(|w| w == [0x8F, 4, 0x12, 0x34, 0x56, 0x78]), "its serial");
}

#[test]
fn serials_are_told_by_the_applet_that_has_them() {
    let mut yubikey = Lab::new(Make::YubiKey);
    assert!(yubikey.send("00a4040008a000000527471117").ends_with(&[0x90, 0]));
    let told = yubikey.send("001d000000");
    assert!(told.windows(6).any(|w| w == [2, 4, 0, 0xBC, 0x61, 0x4E]), "{told:02x?}");
    assert_eq!(usize::from(told[0]), told.len() - 3);
    let mut canokey = Lab::new(Make::CanoKey);
    assert_eq!(canokey.send("00a4040005f000000000"), [0x90, 0]);
    assert_eq!(canokey.send("0032000004"), [0x12, 0x34, 0x56, 0x78, 0x90, 0]);
    let mut solo = Lab::new(Make::Solo);
    assert_eq!(solo.send("00a4040008a000000527471117"), [0x6A, 0x82]);
}

#[test]
fn long_lists_come_in_parts_cut_as_the_make_cuts_them() {
    for make in [Make::YubiKey, Make::CanoKey, Make::Nitrokey] {
        let mut lab = Lab::new(make);
        for number in 0..32 {
            assert_eq!(lab.send(&put(&format!("Issuer{number:02}:account"), "")), [0x90, 0]);
        }
        let first = lab.send("00a1000000");
        let mut left = &first[..first.len() - 2];
        let whole_records = loop {
            match take(&mut left) {
                Ok(_) if left.is_empty() => break true,
                Ok(_) => {}
                Err(_) => break false,
            }
        };
        assert_eq!(whole_records, make != Make::YubiKey, "{make:?}");
        let (whole, parts) = lab.whole("00a1000000");
        assert_eq!((whole.len(), parts > 2), (32 * 19 + 2, true), "{make:?}");
        assert_ne!(lab.send("00a5000000"), [0x90, 0], "nothing is left");
    }
}

#[test]
fn contactless_check_bytes_are_right() {
    for make in [Make::Nitrokey, Make::Solo] {
        let lab = Lab::new(make);
        let sum = lab.token.answer_to_reset()[1..].iter().fold(0, |sum, byte| sum ^ byte);
        assert_eq!(sum, 0, "{make:?}");
    }
}

#[test]
fn a_key_survives_being_put_away_and_one_that_forgets_says_yes() {
    let mut first = Lab::new(Make::YubiKey);
    first.send(&put("kept", ""));
    let command = bytes(&put("lost", ""));
    let quirks = Quirks { forgets: true, ..Quirks::default() };
    assert_eq!(first.token.answer(&command, quirks, &mut first.counters), [0x90, 0]);
    let mut second = Lab::new(Make::YubiKey);
    assert!(second.token.restore(first.token.save()));
    second.send(SELECT);
    assert_eq!(second.token.standing().filled, 1);
    assert_eq!(second.token.display(Profile::ZERO), first.token.display(Profile::ZERO));
    assert!(!second.token.restore(Saved::Foreign));
}

proptest! {
    #[test]
    fn no_command_panics_a_key(
        commands in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..8), at in 0usize..4
    ) {
        let make = [Make::YubiKey, Make::Nitrokey, Make::Solo, Make::CanoKey][at];
        let mut lab = Lab::new(make);
        for mut command in commands {
            // Most random bytes fail at the class; these reach further.
            if let Some(class) = command.first_mut() {
                *class = 0;
            }
            lab.token.awaits_touch(&command);
            let answer = lab.token.answer(&command, Quirks::default(), &mut lab.counters);
            prop_assert!(answer.len() >= 2);
        }
    }
}
