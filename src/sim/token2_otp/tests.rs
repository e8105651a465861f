use super::*;
use crate::sim::{
    device::Challenges,
    fault::Fault,
    token::{Outcome, VirtualToken},
    vectors::{HandClock, bytes, hex, token2_otp as vectors},
};
use serde_json::Value;

const NOW: i64 = 1_767_225_600;
const SERIAL: &str = "72102935780528";

fn settings() -> Settings {
    let number = bytes("c0ffee0000000000000000000000000000000000000000000000000000000001");
    Settings {
        private_key: Some(number.try_into().unwrap()),
        patience: Duration::ZERO,
        ..Settings::new(SERIAL.parse().unwrap())
    }
}

fn key(settings: Settings) -> VirtualToken {
    let key = VirtualToken::token2_otp(settings, Surroundings::new(HandClock::at(NOW), Challenges::random()));
    key.plugged_in();
    key
}

fn ask(key: &VirtualToken, command: &[u8]) -> (Vec<u8>, u16) {
    match key.exchange(command) {
        Outcome::Answer(mut bytes) => {
            let status = bytes.split_off(bytes.len() - 2);
            (bytes, u16::from_be_bytes([status[0], status[1]]))
        }
        Outcome::Torn | Outcome::Silence => panic!("no fault is armed"),
    }
}

fn say(key: &VirtualToken, command: &str) -> (Vec<u8>, u16) {
    ask(key, &bytes(command))
}

fn sealed<'v>(file: &'v Value, name: &str) -> &'v Value {
    file["sealed"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()
}

const ERASE: &str = "80c50502";
const LIST: &str = "80c505000903000000006955b900";

#[test]
fn every_sealed_payload_of_the_vectors_is_opened() {
    let file = vectors();
    let mut seen = 0;
    for one in file["sealed"].as_array().unwrap() {
        let own = PrivateKey::new(Some(hex(&one["device_private_key"]).try_into().unwrap()), "");
        assert_eq!(own.public()[..], hex(&one["device_public_xy"]), "{}", one["name"]);
        let plain = own.open(&hex(&one["payload"]), hex(&one["iv"]).try_into().unwrap()).unwrap();
        assert_eq!(*plain, hex(&one["plaintext"]), "{}", one["name"]);
        let mut broken = hex(&one["payload"]);
        broken.pop();
        assert!(own.open(&broken, crypt::ENTRY_VECTOR).is_none());
        broken[3] ^= 1;
        broken.push(0);
        assert!(own.open(&broken, crypt::ENTRY_VECTOR).is_none(), "no point of the curve");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn every_entry_of_the_vectors_is_written_listed_and_computed() {
    let file = vectors();
    let key = key(settings());
    for form in ["command_short", "command_extended"] {
        for one in file["sealed"].as_array().unwrap() {
            let name = one["name"].as_str().unwrap();
            if name.contains("delete") {
                continue;
            }
            let Some(command) = one.get(form).and_then(Value::as_str) else { continue };
            assert_eq!(say(&key, command), (vec![], 0x9000), "{name}");
        }
    }
    let (page, status) = say(&key, LIST);
    assert_eq!(status, 0x9000);
    assert!(page.windows(13).any(|w| w == b"\x04Kiln\x07rfc6238"), "{page:02x?}");
    // RFC 6238 appendix B, at 59 s, six digits of it.
    let (told, status) = say(&key, "80c505001601000000000000003b044b696c6e0772666336323338");
    assert_eq!((told.ends_with(b"\x06287082"), status), (true, 0x9000));
}

#[test]
fn a_deletion_deletes_once_and_a_bare_header_everything() {
    let file = vectors();
    let key = key(settings());
    let write = sealed(&file, "reference entry")["command_short"].as_str().unwrap();
    assert_eq!(say(&key, LIST).1, NO_ENTRY, "an empty list");
    say(&key, write);
    let delete = sealed(&file, "delete Test/alice")["command_short"].as_str().unwrap();
    assert_eq!((say(&key, delete).1, say(&key, delete).1), (0x9000, NO_ENTRY));
    say(&key, write);
    assert_eq!(say(&key, ERASE).1, UNTOUCHED);
    assert_eq!(key.standing().filled, 1);
    let touched = VirtualToken::token2_otp(
        Settings { patience: Duration::from_secs(60), ..settings() },
        Surroundings::new(HandClock::at(NOW), Challenges::random()),
    );
    touched.plugged_in();
    say(&touched, write);
    std::thread::scope(|scope| {
        let erased = scope.spawn(|| say(&touched, ERASE).1);
        assert!(touched.touch_within(Duration::from_secs(60)));
        assert_eq!(erased.join().unwrap(), 0x9000);
    });
    assert_eq!(touched.standing().filled, 0);
}

#[test]
fn what_doesnt_fit_or_isnt_offered_is_refused_with_the_words_of_the_page() {
    let file = vectors();
    let reference = sealed(&file, "reference entry")["command_short"].as_str().unwrap();
    let other = sealed(&file, "RFC 6238 SHA-1")["command_short"].as_str().unwrap();
    let counted = sealed(&file, "HOTP")["command_short"].as_str().unwrap();
    let full = key(Settings { capacity: 1, ..settings() });
    assert_eq!((say(&full, reference).1, say(&full, other).1), (0x9000, FULL));
    assert_eq!(say(&full, reference).1, 0x9000, "over itself it fits");
    let plain = key(Settings { counts: false, types: false, ..settings() });
    assert_eq!(say(&plain, counted).1, NO_COUNTERS);
    let button = file["sealed"].as_array().unwrap().iter().find(|one| {
        one["name"].as_str().is_some_and(|name| name.starts_with("button") && !name.contains("delete"))
    });
    assert_eq!(say(&plain, button.unwrap()["command_short"].as_str().unwrap()).1, NO_KEYBOARD);
    let wary = key(Settings { touch_to_write: true, ..settings() });
    assert_eq!((say(&wary, reference).1, wary.standing().filled), (UNTOUCHED, 0));
    let short = key(Settings { short_only: true, ..settings() });
    let extended = sealed(&file, "reference entry")["command_extended"].as_str().unwrap();
    assert_eq!((say(&short, extended).1, say(&short, reference).1), (sw::WRONG_LENGTH, 0x9000));
}

#[test]
fn pages_follow_each_other_for_the_same_moment_only() {
    let file = vectors();
    let key = key(Settings { page_bytes: 40, ..settings() });
    for name in ["reference entry", "HOTP", "RFC 6238 SHA-1"] {
        say(&key, sealed(&file, name)["command_short"].as_str().unwrap());
    }
    let (first, _) = say(&key, LIST);
    assert_eq!(first[0], 0x81, "another page follows");
    assert_eq!(say(&key, "80c50501080000000000000000").1, sw::BAD_DATA, "another moment");
    let (second, _) = say(&key, "80c5050108000000006955b900");
    assert_eq!(second[0], 0x01);
    assert_eq!(first.len() + second.len(), 24 + 10 + 26);
    assert_eq!(say(&key, "80c5050108000000006955b900").1, sw::BAD_DATA, "there is no third");
}

#[test]
fn a_counter_is_used_up_by_looking_at_it() {
    let file = vectors();
    let key = key(settings());
    say(&key, sealed(&file, "HOTP")["command_short"].as_str().unwrap());
    // RFC 4226 appendix D.
    for code in ["755224", "287082", "359152"] {
        let (told, _) = say(&key, "80c505000d01000000000000000001480178");
        assert_eq!(told[told.len() - 6..], *code.as_bytes());
    }
}

#[test]
fn over_a_reader_the_applet_must_be_selected_and_the_serial_may_want_a_prelude() {
    let key = key(Settings { prelude: true, ..settings() });
    key.activate();
    const SERIAL_OF: &str = "8033000012d11000000000000000000000000000000000";
    assert_eq!(say(&key, "80c5010000").1, sw::UNKNOWN_INS);
    assert_eq!(say(&key, "00a4040008f00000014f747001").1, 0x9000);
    assert_eq!(say(&key, SERIAL_OF).1, sw::UNKNOWN_INS);
    assert_eq!(say(&key, "80c503000104").1, 0x9000);
    assert_eq!(say(&key, SERIAL_OF), ([b"\xd1\x0e", SERIAL.as_bytes()].concat(), 0x9000));
    let file = vectors();
    let answer = hex(&file["configuration_responses"][0]["response"]);
    assert_eq!(say(&key, "80c5020040").0.len(), answer.len() - 2);
}

#[test]
fn a_memory_that_forgets_says_yes_and_a_key_survives_being_put_away() {
    let file = vectors();
    let write = sealed(&file, "reference entry")["command_short"].as_str().unwrap();
    let first = key(settings());
    first.arm(Fault::Forget);
    assert_eq!((say(&first, write).1, first.standing().filled), (0x9000, 0));
    first.clear_faults();
    say(&first, write);
    let second = key(settings());
    second.restore(&first.save()).unwrap();
    assert_eq!(second.display(Profile::ZERO), first.display(Profile::ZERO));
    assert!(second.display(Profile::ZERO).code().is_some());
}
