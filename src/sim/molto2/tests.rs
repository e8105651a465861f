use super::*;
use crate::sim::vectors::{self, HandClock, bytes, hex};
use serde_json::Value;
use std::sync::Arc;

const NOW: i64 = 1_767_225_600;
const CHALLENGE: [u8; 8] = [0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18];
const OK: [u8; 2] = [0x90, 0x00];
const WAITS: [u8; 2] = [0x90, 0x60];

struct Lab {
    clock: Arc<HandClock>,
    token: Token,
    counters: Counters,
}

impl Lab {
    fn new(settle: impl FnOnce(&mut Settings)) -> Self {
        let clock = HandClock::at(NOW);
        let mut settings = Settings::new("12345678".parse().unwrap(), Generation::V2);
        settings.filled = false;
        settle(&mut settings);
        let token = Token::new(settings, Surroundings::new(clock.clone(), Challenges::fixed(CHALLENGE)));
        Self { clock, token, counters: Counters::default() }
    }

    fn send(&mut self, command: &[u8]) -> Vec<u8> {
        self.token.answer(command, Quirks::default(), &mut self.counters)
    }

    fn send_hex(&mut self, command: &str) -> Vec<u8> {
        self.send(&bytes(command))
    }

    /// Answers with the token's own key, whatever it is.
    fn authenticate(&mut self) {
        assert_eq!(self.try_key(&Kept(self.token.memory.key.0.clone())), OK);
    }

    fn try_key(&mut self, derived: &Kept) -> Vec<u8> {
        let challenge = self.send_hex("804b080000");
        let key: [u8; 16] = derived.0[..].try_into().unwrap();
        let mut command = bytes("80ce000010");
        command.extend(Cipher::new(&key).answer_to(challenge[..8].try_into().unwrap()));
        self.send(&command)
    }

    fn ready() -> Self {
        let mut lab = Self::new(|_| {});
        lab.authenticate();
        lab
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v Vec<Value> {
    value[name].as_array().unwrap()
}

fn number(value: &Value, name: &str) -> u8 {
    value[name].as_u64().unwrap().try_into().unwrap()
}

#[test]
fn every_key_takes_its_answers() {
    let vectors = vectors::molto2();
    for vector in list(&vectors, "auth") {
        let key = list(&vectors, "keys").iter().find(|key| key["name"] == vector["key"]).unwrap();
        let mut lab = Lab::new(|settings| {
            settings.customer_key = CustomerKey::new(hex(&key["customer_key"]));
        });
        assert_eq!(lab.token.memory.key.0[..], hex(&vector["sm4_key"]));
        lab.token.challenges = Challenges::fixed(hex(&vector["challenge"]).try_into().unwrap());
        assert_eq!(lab.send(&hex(&vector["challenge_command"])), hex(&vector["challenge_response"]));
        assert_eq!(lab.send(&hex(&vector["auth_command"])), hex(&vector["success_response"]));
    }
}

#[test]
fn customer_keys_are_derived_as_published() {
    let vectors = vectors::molto2();
    for vector in list(&vectors, "keys") {
        assert_eq!(derived(&hex(&vector["customer_key"])).0[..], hex(&vector["sm4_key"]));
    }
}

#[test]
fn every_seed_is_stored_whole() {
    let vectors = vectors::molto2();
    for vector in list(&vectors, "seeds") {
        let mut lab = Lab::ready();
        let profile = usize::from(number(vector, "profile"));
        assert_eq!(lab.send(&hex(&vector["command"])), OK, "{}", vector["seed"]);
        let seed = hex(&vector["seed"]);
        let stored = if seed.iter().all(|byte| *byte == 0) { Vec::new() } else { seed };
        assert_eq!(lab.token.memory.places[profile].seed.0[..], stored);
    }
}

#[test]
fn zeros_alone_clear_a_profile_and_behind_a_marker_they_are_a_seed() {
    let vectors = vectors::molto2();
    let zeros = list(&vectors, "seeds").iter().find(|v| v["seed"] == "00".repeat(20)).unwrap();
    let mut lab = Lab::ready();
    assert_eq!(lab.send(&hex(&zeros["keyroost_command"])), OK);
    let profile = usize::from(number(zeros, "profile"));
    assert_eq!(lab.token.memory.places[profile].seed.0[..], [0; 20]);
    assert_eq!(lab.send(&hex(&zeros["command"])), OK);
    assert!(lab.token.memory.places[profile].seed.0.is_empty());
}

#[test]
fn a_filled_profile_takes_no_other_seed_or_parameters() {
    let vectors = vectors::molto2();
    let seed = hex(&list(&vectors, "seeds")[1]["command"]);
    let config = hex(&list(&vectors, "config")[1]["command"]);
    let mut lab = Lab::ready();
    assert_eq!((lab.send(&config), lab.send(&seed)), (OK.to_vec(), OK.to_vec()));
    assert_eq!((lab.send(&config), lab.send(&seed)), (vec![0x69, 0x85], vec![0x69, 0x85]));
    assert_eq!(lab.send_hex("80e6000000"), OK);
    assert_eq!((lab.send(&config), lab.send(&seed)), (OK.to_vec(), OK.to_vec()));
}

#[test]
fn every_title_is_kept_and_told() {
    let vectors = vectors::molto2();
    for vector in list(&vectors, "titles") {
        let mut lab = Lab::ready();
        let profile = number(vector, "profile");
        assert_eq!(lab.send(&hex(&vector["command"])), OK);
        let block = lab.send(&[0x80, 0x41, 0, profile, 1, 0x70]);
        let mut title = hex(&vector["utf8"]);
        title.resize(16, 0);
        assert_eq!(block[5..21], title);
    }
}

#[test]
fn every_configuration_is_read_back() {
    let vectors = vectors::molto2();
    for vector in list(&vectors, "config") {
        let mut lab = Lab::ready();
        let profile = number(vector, "profile");
        assert_eq!(lab.send(&hex(&vector["command"])), OK);
        let block = lab.send(&[0x80, 0x41, 0, profile, 1, 0x70]);
        let expected =
            [number(vector, "algorithm"), number(vector, "time_step"), number(vector, "digits"), 0];
        assert_eq!(block[29..33], expected);
        assert_eq!(lab.token.memory.display_timeout, number(vector, "display_timeout"));
        assert_eq!(vector["utc"], lab.token.clock().0);
    }
}

#[test]
fn time_alone_keeps_the_seed() {
    let vectors = vectors::molto2();
    for vector in list(&vectors, "time_sync") {
        let mut lab = Lab::new(|settings| settings.filled = true);
        lab.authenticate();
        assert_eq!(lab.send(&hex(&vector["command"])), OK);
        assert_eq!(vector["utc"], lab.token.clock().0);
        assert_eq!(lab.token.standing().filled, 1);
    }
    let all = &vectors["time_sync_all"];
    let mut lab = Lab::ready();
    assert_eq!(lab.send(&hex(&all["first"])), OK);
    assert_eq!(lab.send(&hex(&all["last"])), OK);
}

#[test]
fn a_new_customer_key_counts_from_the_button_on() {
    let vectors = vectors::molto2();
    for vector in list(&vectors, "customer_key_change") {
        let (old, new) =
            (Kept(hex(&vector["current_sm4_key"]).into()), Kept(hex(&vector["new_sm4_key"]).into()));
        let mut lab = Lab::new(|_| {});
        lab.token.memory.key = old.clone();
        lab.authenticate();
        assert_eq!(lab.send(&hex(&vector["command"])), hex(&vector["expected_response"]));
        let asks = Display::Asks { question: Question::NewCustomerKey };
        assert_eq!(lab.token.display(Profile::ZERO), asks);
        // The host lets go before the person presses.
        lab.token.activate();
        assert_eq!(lab.try_key(&old), OK);
        lab.token.press_button(&mut lab.counters);
        assert_eq!(lab.try_key(&new), OK);
        assert_eq!(lab.try_key(&old), [0x63, 0x09]);
    }
}

#[test]
fn plain_commands_are_answered_as_captured() {
    let vectors = vectors::molto2();
    let mut lab = Lab::ready();
    // The vectors' block of profile 99, as captured; its time fields are synthetic.
    lab.token.memory.places[99] = Place {
        seed: Kept::from_slice(&[1]),
        flag: 0x20,
        title: b"KRPROBE99".to_vec(),
        time_a: 3_600,
        time_b: 86_400,
        algorithm: 1,
        period_s: 30,
        digits: 6,
    };
    lab.token.memory.places[7].seed = Kept::from_slice(&[1]);
    for vector in list(&vectors, "plain_commands") {
        let command = hex(&vector["command"]);
        if let Some(example) = vector["response_layout_example"].as_str() {
            assert_eq!(lab.send(&command), bytes(example));
        } else if let Some(both) = vector["responses"].as_object() {
            assert_eq!(lab.send(&command), hex(&both["populated"]));
            assert_eq!(lab.send(&command), hex(&both["already_empty"]));
        } else if let Some(response) = vector["response"].as_str().or(vector["expected_response"].as_str()) {
            assert_eq!(lab.send(&command), bytes(response), "{}", vector["name"]);
        } else {
            assert_eq!(lab.send(&command), OK, "{}", vector["name"]);
            lab.token.pending = None;
            let locked = lab.token.display(Profile::ZERO) == Display::Locked;
            assert_eq!(locked, vector["name"] == "screen lock");
        }
    }
}

#[test]
fn wrong_answers_count_down_to_a_lock_that_only_a_reset_lifts() {
    let vectors = vectors::molto2();
    let wrong = Kept::from_slice(&[0; 16]);
    for vector in list(&vectors, "auth_failures") {
        let left = number(vector, "attempts_left");
        let mut lab = Lab::new(|settings| settings.attempts = left + 1);
        assert_eq!(lab.try_key(&wrong), hex(&vector["response"]));
    }
    let mut lab = Lab::new(|settings| {
        settings.attempts = 2;
        settings.filled = true;
        settings.customer_key = CustomerKey::new(*b"another");
    });
    let right = Kept(lab.token.memory.key.0.clone());
    lab.try_key(&wrong);
    assert_eq!(lab.try_key(&right), OK);
    assert_eq!(lab.try_key(&wrong), [0x63, 0x01]);
    assert_eq!(lab.try_key(&wrong), [0x63, 0x00]);
    assert_eq!(lab.try_key(&right), [0x63, 0x00]);
    assert_eq!((lab.counters.auth_attempts, lab.counters.wrong_answers), (5, 4));
    assert_eq!(lab.send_hex("8056000000"), WAITS);
    assert_eq!(lab.token.standing().filled, 1);
    lab.token.press_button(&mut lab.counters);
    assert_eq!(lab.token.standing().filled, 0);
    assert_eq!(lab.try_key(&derived(DEFAULT_CUSTOMER_KEY)), OK);
}

#[test]
fn pulling_the_plug_is_a_no_to_the_button() {
    let mut lab = Lab::new(|settings| settings.filled = true);
    assert_eq!(lab.send_hex("8056000000"), WAITS);
    lab.token.taken_off();
    lab.token.press_button(&mut lab.counters);
    assert_eq!(lab.token.standing().filled, 1);
}

#[test]
fn nothing_is_written_without_authentication_but_anyone_may_delete() {
    let vectors = vectors::molto2();
    let mut lab = Lab::new(|settings| settings.filled = true);
    for group in ["seeds", "titles", "config", "time_sync"] {
        let command = hex(&list(&vectors, group)[0]["command"]);
        assert_eq!(lab.send(&command), [0x69, 0x83], "{group}");
    }
    assert_eq!(lab.send_hex("80d80c0200"), [0x69, 0x83]);
    let titled = |lab: &mut Lab| lab.send_hex("804100000170")[5..11] == *b"Token2";
    assert!(titled(&mut lab));
    assert_eq!(lab.send_hex("80e6000000"), OK);
    assert!(titled(&mut lab), "the title survives a deletion");
}

#[test]
fn the_first_generation_has_fifty_profiles_and_no_screen_lock() {
    let mut lab = Lab::new(|settings| settings.generation = Generation::V1);
    assert!(lab.send_hex("804100310170").ends_with(&OK));
    assert_eq!(lab.send_hex("804100320170"), [0x6A, 0x86]);
    lab.authenticate();
    assert_eq!(lab.send_hex("80d80c0200"), [0x6D, 0x00]);
}

#[test]
fn a_whole_burn_shows_its_codes() {
    let vectors = vectors::molto2();
    let story = &vectors["full_exchange"];
    let mut lab = Lab::new(|_| {});
    for command in list(story, "commands") {
        assert!(lab.send(&hex(&command["command"])).ends_with(&OK), "{}", command["step"]);
    }
    let profile = Profile::new(number(story, "profile"));
    for code in list(story, "codes") {
        let by = code["time"].as_i64().unwrap() - lab.token.clock().0;
        lab.clock.advance_secs(by);
        let Display::Code(shown) = lab.token.display(profile) else { panic!("no code") };
        assert_eq!(shown.code, code["code"].as_str().unwrap());
        assert_eq!(shown.title.as_deref(), story["title"].as_str());
    }
}

#[test]
fn parameters_decide_the_code_that_is_shown() {
    let vectors = vectors::molto2();
    // RFC 6238 appendix B at step 1: second 59 of 30, or second 60 of 60.
    let (sha1, sha256) = ("94287082", "46119246");
    for (profile, seed, at, expected) in [
        (1, &b"12345678901234567890123456789012"[..], 60, sha256),
        (50, &b"12345678901234567890"[..], 60, &sha1[4..]),
        (99, &b"12345678901234567890123456789012"[..], 59, sha256),
    ] {
        let config = list(&vectors, "config").iter().find(|config| config["profile"] == profile).unwrap();
        let mut lab = Lab::ready();
        assert_eq!(lab.send(&hex(&config["command"])), OK);
        lab.token.memory.places[usize::from(profile)].seed = Kept::from_slice(seed);
        let by = at - lab.token.clock().0;
        lab.clock.advance_secs(by);
        let display = lab.token.display(Profile::new(profile));
        let code = display.code().unwrap();
        assert!(code.ends_with(expected), "{code}");
        assert_eq!(code.len(), usize::from(number(config, "digits")));
    }
    assert_eq!(Lab::ready().token.display(Profile::new(100)), Display::Nothing);
}
