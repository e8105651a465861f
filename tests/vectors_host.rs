//! Every known answer that concerns the host: what `wire` builds and reads, against `tests/vectors/`. Their commands
//! were made by two independent SM4 implementations, their replies by the vendor's firmware core (single-profile) or
//! taken from documents and captures (Molto2); each file says which.

#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy only exempts the tests themselves")]

use kiln::domain::{CustomerKey, Digits, Hash, Mode, Parameters, Period, Profile, Seed, UnixTime};
use kiln::link::{Apdu, Response, StatusWord};
use kiln::wire::{Configuration, ReplyError, molto2, sm4, token2_single};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn single() -> Value {
    vectors(include_str!("vectors/token2-single.json"))
}

fn molto() -> Value {
    vectors(include_str!("vectors/molto2.json"))
}

fn list(value: &Value) -> &[Value] {
    let list = value.as_array().unwrap();
    assert!(!list.is_empty());
    list
}

fn bytes(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn hex(apdu: &Apdu) -> String {
    data_encoding::HEXLOWER.encode(apdu.bytes())
}

fn number(value: &Value) -> u8 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn time(value: &Value) -> UnixTime {
    UnixTime(value.as_i64().unwrap())
}

fn reply(value: &Value) -> Response {
    Response::from_bytes(bytes(value)).unwrap()
}

fn key(value: &Value) -> sm4::Key {
    sm4::Key::new(&bytes(value).try_into().unwrap())
}

fn device_key() -> sm4::Key {
    token2_single::session_key(&token2_single::device_key()).unwrap()
}

fn default_key() -> sm4::Key {
    molto2::session_key(&molto2::default_key()).unwrap()
}

fn configuration(entry: &Value) -> Configuration {
    let hash = match number(&entry["algorithm"]) {
        1 => Hash::Sha1,
        2 => Hash::Sha256,
        other => panic!("algorithm {other}"),
    };
    let digits =
        entry.get("digits").map_or(Digits::SIX, |digits| Digits::new(digits.as_u64().unwrap()).unwrap());
    let period = Period::from_secs(entry["time_step"].as_u64().unwrap()).unwrap();
    let display_timeout_s = [15, 30, 60, 120][usize::from(number(&entry["display_timeout"]))];
    Configuration { parameters: Parameters::totp(hash, digits, period), display_timeout_s }
}

#[test]
fn sm4_and_both_macs_agree() {
    let file = single();
    assert_eq!(token2_single::device_key().expose(), bytes(&file["device_key"]));
    for entry in list(&file["sm4"]) {
        let block = bytes(&entry["plaintext"]).try_into().unwrap();
        assert_eq!(key(&entry["key"]).encrypt_block(block).to_vec(), bytes(&entry["ciphertext"]));
    }
    for entry in list(&file["mac"]) {
        assert_eq!(device_key().mac(&bytes(&entry["message"])).to_vec(), bytes(&entry["mac"]), "{entry}");
    }
    for entry in list(&molto()["mac"]) {
        assert_eq!(
            key(&entry["key"]).mac(&bytes(&entry["message"])).to_vec(),
            bytes(&entry["mac"]),
            "{entry}"
        );
    }
}

#[test]
fn single_info_blocks_are_read() {
    let file = single();
    assert_eq!(hex(&token2_single::get_info()), file["info"][0]["command"].as_str().unwrap());
    for entry in list(&file["info"]) {
        let reply = reply(&entry["response"]);
        assert_eq!(reply.status, StatusWord::OK);
        let serial = entry["serial"].as_str().unwrap();
        // The core stores serials of any length; no token with fewer than 13 digits was ever delivered.
        if serial.len() < 13 {
            assert_eq!(token2_single::parse_info(&reply.data), Err(ReplyError::SerialLength(serial.len())));
            continue;
        }
        let info = token2_single::parse_info(&reply.data).unwrap();
        assert_eq!((info.serial.as_str(), info.clock), (serial, time(&entry["clock"])));
    }
}

#[test]
fn single_challenges_are_answered() {
    for entry in list(&single()["auth"]) {
        assert_eq!(hex(&token2_single::get_challenge()), entry["challenge_command"].as_str().unwrap());
        let challenge = token2_single::parse_challenge(&reply(&entry["challenge_response"]).data).unwrap();
        assert_eq!(challenge.0.to_vec(), bytes(&entry["challenge"]));
        let answer = token2_single::answer(&device_key(), &challenge);
        assert_eq!(hex(&answer), entry["auth_command"].as_str().unwrap());
    }
}

#[test]
fn single_configurations_and_seeds_agree() {
    let file = single();
    for entry in list(&file["config"]) {
        let built =
            token2_single::write_configuration(&device_key(), &configuration(entry), time(&entry["utc"]))
                .unwrap();
        assert_eq!(hex(&built), entry["command"].as_str().unwrap());
    }
    for entry in list(&file["seeds"]) {
        let seed = Seed::new(bytes(&entry["seed"]));
        assert_eq!(sm4::pad_always(seed.expose()).as_slice(), bytes(&entry["padded"]));
        let built = token2_single::write_seed(&device_key(), &seed).unwrap();
        assert_eq!(hex(&built), entry["seed_command"].as_str().unwrap());
    }
}

#[test]
fn single_divergent_encodings_are_never_built() {
    for entry in list(&single()["divergent_encodings"]) {
        let Ok(built) = token2_single::write_seed(&device_key(), &Seed::new(bytes(&entry["intended_seed"])))
        else {
            assert!(matches!(bytes(&entry["intended_seed"]).len(), 0 | 64..), "{entry}");
            continue;
        };
        // Where the bytes agree, the core must have stored the seed whole.
        if hex(&built) == entry["command"].as_str().unwrap() {
            assert_eq!(entry["stored_seed"], entry["intended_seed"], "{entry}");
        }
    }
}

#[test]
fn molto2_keys_and_answers_agree() {
    let file = molto();
    let keys = list(&file["keys"]);
    assert_eq!(molto2::default_key().expose(), bytes(&keys[0]["customer_key"]));
    for entry in keys {
        let derived = molto2::session_key(&CustomerKey::new(bytes(&entry["customer_key"]))).unwrap();
        let block = [7; 16];
        assert_eq!(derived.encrypt_block(block), key(&entry["sm4_key"]).encrypt_block(block), "{entry}");
    }
    for entry in list(&file["auth"]) {
        assert_eq!(hex(&molto2::get_challenge()), entry["challenge_command"].as_str().unwrap());
        let challenge = molto2::parse_challenge(&reply(&entry["challenge_response"]).data).unwrap();
        let answer = molto2::answer(&key(&entry["sm4_key"]), &challenge);
        assert_eq!(hex(&answer), entry["auth_command"].as_str().unwrap());
    }
    for entry in list(&file["auth_failures"]) {
        let status = reply(&entry["response"]).status;
        assert_eq!(molto2::tries_left(status), Some(number(&entry["attempts_left"])));
    }
}

#[test]
fn molto2_seeds_and_titles_agree() {
    let file = molto();
    for entry in list(&file["seeds"]) {
        let seed = Seed::new(bytes(&entry["seed"]));
        let profile = Profile::new(number(&entry["profile"]));
        let built = molto2::write_seed(&default_key(), profile, &seed);
        if seed.is_all_zero() {
            assert!(built.is_err(), "{entry}");
        } else {
            assert_eq!(hex(&built.unwrap()), entry["command"].as_str().unwrap());
        }
    }
    for entry in list(&file["titles"]) {
        let profile = Profile::new(number(&entry["profile"]));
        let built = molto2::write_title(&default_key(), profile, entry["title"].as_str().unwrap()).unwrap();
        assert_eq!(hex(&built), entry["command"].as_str().unwrap());
    }
}

#[test]
fn molto2_configurations_and_clocks_agree() {
    let file = molto();
    for entry in list(&file["config"]) {
        let profile = Profile::new(number(&entry["profile"]));
        let (configuration, at) = (configuration(entry), time(&entry["utc"]));
        let built = molto2::write_configuration(&default_key(), profile, &configuration, at).unwrap();
        assert_eq!(hex(&built), entry["command"].as_str().unwrap());
    }
    for entry in list(&file["time_sync"]) {
        let profile = Profile::new(number(&entry["profile"]));
        let built = molto2::sync_time(&default_key(), profile, time(&entry["utc"])).unwrap();
        assert_eq!(hex(&built), entry["command"].as_str().unwrap());
    }
    let all = &file["time_sync_all"];
    let mut hash = Sha256::new();
    for profile in 0..number(&all["commands"]) {
        let built = molto2::sync_time(&default_key(), Profile::new(profile), time(&all["utc"])).unwrap();
        hash.update(built.bytes());
    }
    assert_eq!(hash.finalize().to_vec(), bytes(&all["sha256_of_all_commands_concatenated"]));
}

#[test]
fn molto2_key_changes_agree() {
    for entry in list(&molto()["customer_key_change"]) {
        let new = CustomerKey::new(bytes(&entry["new_customer_key"]));
        let built = molto2::change_key(&key(&entry["current_sm4_key"]), &new).unwrap();
        assert_eq!(hex(&built), entry["command"].as_str().unwrap());
        assert_eq!(reply(&entry["expected_response"]).status, molto2::AWAITS_BUTTON);
    }
}

#[test]
fn molto2_plain_commands_agree() {
    for entry in list(&molto()["plain_commands"]) {
        let name = entry["name"].as_str().unwrap();
        let built = match name {
            "get info" => molto2::get_info(),
            "profile public block, profile 99" => molto2::get_public_block(Profile::new(99)).unwrap(),
            "profile public block, never written" => molto2::get_public_block(Profile::ZERO).unwrap(),
            "delete seed, profile 7" => molto2::delete_seed(Profile::new(7)).unwrap(),
            "factory reset" => molto2::factory_reset(),
            "screen lock" => molto2::lock_screen(),
            "screen unlock" => molto2::unlock_screen(),
            "public block with a Le byte appended" => {
                let built = molto2::get_public_block(Profile::new(99)).unwrap();
                assert_ne!(hex(&built), entry["command"].as_str().unwrap(), "the device wants it without Le");
                continue;
            }
            other => panic!("no command for {other}"),
        };
        assert_eq!(hex(&built), entry["command"].as_str().unwrap(), "{name}");
        if let Some(layout) = entry.get("response_layout_example") {
            let info = molto2::parse_info(&reply(layout).data).unwrap();
            assert_eq!(info.serial.as_str(), entry["serial"].as_str().unwrap());
            assert_eq!(info.clock, time(&entry["clock"]));
        }
        let Some(present) = entry.get("seed_present") else { continue };
        let block = molto2::parse_public_block(&reply(&entry["response"]).data).unwrap();
        assert_eq!(block.seed_present, present.as_bool().unwrap());
        assert_eq!(block.title, entry["title"].as_str().unwrap_or_default().as_bytes());
        if block.seed_present {
            assert_eq!(u64::from(block.flag), entry["flag"].as_u64().unwrap());
            assert_eq!(u64::from(block.times[0]), entry["time_a"].as_u64().unwrap());
            assert_eq!(u64::from(block.times[1]), entry["time_b"].as_u64().unwrap());
            let parameters = block.parameters().unwrap();
            assert_eq!((parameters.hash, parameters.digits), (Hash::Sha1, Digits::SIX));
            assert_eq!(parameters.mode, Mode::Totp { period: Period::THIRTY, t0: UnixTime(0) });
        }
    }
}

#[test]
fn the_whole_molto2_exchange_agrees() {
    let file = molto();
    let story = &file["full_exchange"];
    let profile = Profile::new(number(&story["profile"]));
    let key = key(&story["sm4_key"]);
    let challenge = molto2::parse_challenge(&bytes(&story["challenge"])).unwrap();
    let configuration = Configuration { parameters: Parameters::standard(), display_timeout_s: 30 };
    let built = [
        molto2::get_info(),
        molto2::get_public_block(profile).unwrap(),
        molto2::get_challenge(),
        molto2::answer(&key, &challenge),
        molto2::write_configuration(&key, profile, &configuration, time(&story["utc"])).unwrap(),
        molto2::write_seed(&key, profile, &Seed::new(bytes(&story["seed"]))).unwrap(),
        molto2::write_title(&key, profile, story["title"].as_str().unwrap()).unwrap(),
    ];
    let expected: Vec<&str> =
        list(&story["commands"]).iter().map(|step| step["command"].as_str().unwrap()).collect();
    assert_eq!(built.each_ref().map(hex).to_vec(), expected);
}

mod keys {
    //! The OATH applet: commands of Yubico's host library, replies that it took.

    use super::{bytes, hex, list, reply, vectors};
    use kiln::domain::{
        CredentialName, CustomerKey, Digits, Hash, Mode, Parameters, Period, Seed, StepCount, Touch,
        UnixTime, credential::Kind,
    };
    use kiln::wire::{Challenge, ykoath as wire};
    use serde_json::Value;

    fn file() -> Value {
        vectors(include_str!("vectors/ykoath.json"))
    }

    fn challenge(value: &Value) -> Challenge {
        Challenge(bytes(value).try_into().unwrap())
    }

    fn name(entry: &Value) -> CredentialName {
        CredentialName::told(entry["id"].as_str().unwrap().to_owned())
    }

    fn parameters(entry: &Value) -> Parameters {
        let period = Period::from_secs(entry["period"].as_u64().unwrap()).unwrap();
        Parameters {
            hash: entry["algorithm"].as_str().unwrap().parse::<Hash>().unwrap(),
            digits: Digits::new(entry["digits"].as_u64().unwrap()).unwrap(),
            mode: match entry["type"].as_str().unwrap() {
                "TOTP" => Mode::Totp { period, t0: UnixTime(0) },
                _ => Mode::Hotp { counter: entry["counter"].as_u64().unwrap() },
            },
        }
    }

    fn access_key(file: &Value) -> wire::AccessKey {
        let entry = &file["set_code"];
        let password = CustomerKey::new(entry["password"].as_str().unwrap().as_bytes());
        wire::AccessKey::derive(&password, &bytes(&entry["salt"]).try_into().unwrap()).unwrap()
    }

    #[test]
    fn selections_agree() {
        let file = file();
        for entry in list(&file["select"]) {
            assert_eq!(hex(&wire::select()), entry["command"]);
            let selected = wire::parse_selected(&reply(&entry["response"]).data).unwrap();
            assert_eq!(selected.version, [5, 7, 4]);
            assert_eq!(selected.salt.unwrap().as_slice(), bytes(&file["select"][0]["salt"]));
            assert_eq!(selected.challenge, entry.get("card_challenge").map(challenge));
            assert_eq!((selected.serial, selected.pin_tries_left), (None, None));
        }
    }

    #[test]
    fn every_credential_is_written_as_yubikit_writes_it() {
        let file = file();
        for entry in list(&file["put"]) {
            let touch = if entry["touch"] == true { Touch::Required } else { Touch::Free };
            let put = wire::put(&name(entry), &parameters(entry), touch, &Seed::new(bytes(&entry["secret"])));
            assert_eq!(hex(&put.unwrap()), entry["command"], "{}", entry["name"]);
        }
    }

    #[test]
    fn the_list_and_all_codes_are_read() {
        let file = file();
        assert_eq!(hex(&wire::list()), file["list"]["command"]);
        let listed = wire::parse_list(&reply(&file["list"]["response"]).data).unwrap();
        let written = list(&file["put"]);
        assert_eq!(listed.len(), written.len());
        for (listed, written) in listed.iter().zip(written) {
            let parameters = parameters(written);
            assert_eq!(listed.name, name(written));
            assert_eq!((listed.hash, listed.kind), (parameters.hash, Kind::from(parameters.mode)));
        }

        let all = &file["calculate_all"];
        let step = StepCount(all["time"].as_u64().unwrap() / 30);
        assert_eq!(hex(&wire::calculate_all(step)), all["command"]);
        let read = wire::parse_all(&reply(&all["response"]).data).unwrap();
        let codes = list(&all["codes"]);
        assert_eq!(read.len(), codes.len());
        for ((told, calculated), expected) in read.iter().zip(codes) {
            assert_eq!(*told, name(expected));
            match calculated {
                // The list of codes holds the right ones; a period other than that of the challenge is asked again.
                wire::Calculated::Code(code) if told.parts(Kind::Totp).period_s == 30 => {
                    assert_eq!(expected["code"], code.as_str())
                }
                wire::Calculated::Code(_) => {}
                wire::Calculated::Touch(_) => assert_eq!(expected["touch"], true),
                wire::Calculated::Counter(_) => assert_eq!(expected["type"], "HOTP"),
            }
        }
    }

    #[test]
    fn every_code_is_calculated_and_read() {
        let file = file();
        let again = &file["calculate_all"]["follow_up_calculates"][0];
        assert_eq!(reply(&again["response"]).status.0, 0x9000);
        for entry in list(&file["calculate"]) {
            let moving = match entry.get("time") {
                Some(time) => {
                    wire::Moving::Step(StepCount(time.as_u64().unwrap() / entry["period"].as_u64().unwrap()))
                }
                None => wire::Moving::Counter,
            };
            assert_eq!(hex(&wire::calculate(&name(entry), moving)), entry["command"], "{entry}");
            let code = wire::parse_code(&reply(&entry["response"]).data).unwrap();
            assert_eq!(code.as_str(), entry["code"]);
        }
    }

    #[test]
    fn the_password_is_set_proven_and_cleared_as_yubikit_does_it() {
        let file = file();
        let key = access_key(&file);
        let ours = challenge(&file["set_code"]["host_challenge"]);
        assert_eq!(hex(&wire::set_code(&key, &ours)), file["set_code"]["command"]);
        let entry = &file["validate"];
        let theirs = challenge(&entry["card_challenge"]);
        assert_eq!(hex(&wire::validate(&key, &theirs, &ours)), entry["command"]);
        assert_eq!(wire::parse_validated(&reply(&entry["response"]).data, &key, &ours), Ok(true));
        assert_eq!(hex(&wire::clear_code()), file["clear_code"]["command"]);
        assert_eq!(reply(&file["locked"]["response"]).status, wire::LOCKED_OR_UNTOUCHED);
        assert_eq!(reply(&file["validate_wrong_password"]["response"]).status, wire::BAD_DATA);
    }

    #[test]
    fn what_remains_is_fetched_and_put_together() {
        let file = file();
        let parts = list(&file["send_remaining"]);
        let mut whole = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let command = if at == 0 { wire::list() } else { wire::send_remaining() };
            assert_eq!(hex(&command), part["command"]);
            let part = reply(&part["response"]);
            assert_eq!(wire::has_more(part.status), at + 1 < parts.len());
            whole.extend(part.data);
        }
        let names: Vec<String> =
            wire::parse_list(&whole).unwrap().iter().map(|listed| listed.name.to_string()).collect();
        assert_eq!(names.len(), 4);
        assert_eq!(names[2], "Issuer2:user2@example.com");
    }

    #[test]
    fn deletion_renaming_and_reset_agree() {
        let file = file();
        for entry in list(&file["delete"]) {
            assert_eq!(hex(&wire::delete(&name(entry))), entry["command"]);
        }
        let told = |text: &Value| CredentialName::told(text.as_str().unwrap().to_owned());
        let entry = &file["rename"];
        let rename = wire::rename(&told(&entry["old"]), &told(&entry["new"])).unwrap();
        assert_eq!(hex(&rename), entry["command"]);
        assert_eq!(hex(&wire::reset()), file["reset"]["command"]);
        let after = wire::parse_selected(&reply(&file["reset"]["select_after"]).data).unwrap();
        assert_ne!(after.salt.unwrap().as_slice(), bytes(&file["select"][0]["salt"]));
    }
}

mod otp_keys {
    //! The OTP applet of Token2's keys: commands as two hosts' sources build them, sealed by other implementations.

    use super::{bytes, hex, list, reply, vectors};
    use kiln::domain::{Digits, Hash, Mode, Parameters, Period, Seed, Touch, UnixTime, credential::TwoNames};
    use kiln::link::{Apdu, Report};
    use kiln::wire::token2_otp::{self as wire, frame};
    use serde_json::Value;

    fn file() -> Value {
        vectors(include_str!("vectors/token2-otp.json"))
    }

    fn named<'v>(list: &'v Value, name: &str) -> &'v Value {
        super::list(list).iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn names(application: &str, account: &str) -> TwoNames {
        TwoNames { application: application.into(), account: account.into() }
    }

    #[test]
    fn selections_and_plain_commands_agree() {
        let file = file();
        assert_eq!(hex(&wire::select()), named(&file["select"], "OTP applet")["command"]);
        assert_eq!(hex(&wire::select_fido()), file["select"][1]["command"]);
        let at = UnixTime(1_767_225_600);
        let alice = names("Test", "alice");
        let built: Vec<(&str, Apdu)> = vec![
            ("read ECDH public key", wire::read_public_key()),
            ("read configuration, Le form (keyroost, T2F2)", wire::read_configuration()),
            ("read configuration, ten zero bytes as data (go token2)", wire::read_configuration_by_data()),
            ("serial-read prelude on R3.1 firmware (go token2)", wire::serial_prelude()),
            ("list all at time 0", wire::list(UnixTime(0)).unwrap()),
            ("list all", wire::list(at).unwrap()),
            ("list, next page", wire::list_next(at).unwrap()),
            ("read one Test/alice", wire::read_one(&alice, at).unwrap()),
            ("read one, empty application name", wire::read_one(&names("", "alice"), at).unwrap()),
            ("erase all (no body, no length)", wire::erase_all()),
            ("enable TOTP", wire::set_time_based(true)),
            ("disable TOTP", wire::set_time_based(false)),
            ("button HOTP: suppress Enter", wire::set_button_option(wire::ButtonOption::NoEnter, true)),
            ("button HOTP: long touch", wire::set_button_option(wire::ButtonOption::LongTouch, true)),
            ("button HOTP: numeric keypad", wire::set_button_option(wire::ButtonOption::Keypad, true)),
            ("read serial", wire::read_serial()),
        ];
        for (name, command) in &built {
            let entry = named(&file["commands"], name);
            let expected = entry.get("command").unwrap_or(&entry["command_short"]);
            assert_eq!(hex(command), *expected, "{name}");
        }
        // The one that is left is never sent.
        let rest: Vec<&str> = list(&file["commands"])
            .iter()
            .map(|entry| entry["name"].as_str().unwrap())
            .filter(|name| built.iter().all(|(built, _)| built != name))
            .collect();
        assert_eq!(rest, ["interface disable mask 02 (keyboard off)"]);
    }

    /// The entry that a plaintext of the vectors writes.
    fn entry(of: &Value) -> wire::Entry {
        let text = |field: &str| of[field].as_str().unwrap();
        let period = of["period"].as_u64().unwrap();
        let parameters = Parameters {
            hash: text("algorithm").parse::<Hash>().unwrap(),
            digits: Digits::new(of["digits"].as_u64().unwrap()).unwrap(),
            mode: match text("type") {
                "totp" => Mode::Totp { period: Period::from_secs(period).unwrap(), t0: UnixTime(0) },
                _ => Mode::Hotp { counter: 0 },
            },
        };
        let touch = if of["touch"] == true { Touch::Required } else { Touch::Free };
        let names = names(text("application"), text("account"));
        wire::Entry::new(&names, &parameters, touch, &Seed::new(bytes(&of["seed"]))).unwrap()
    }

    #[test]
    fn everything_is_sealed_as_others_seal_it() {
        let file = file();
        let mut seen = 0;
        for sealed in list(&file["sealed"]) {
            let name = sealed["name"].as_str().unwrap();
            let device = wire::parse_public_key(&bytes(&sealed["device_public_xy"])).unwrap();
            let host = wire::HostKey::from_random(&bytes(&sealed["host_private_key"]).try_into().unwrap());
            let host = host.unwrap();
            let plain = bytes(&sealed["plaintext"]);
            let command = match name {
                "delete Test/alice" => {
                    wire::Entry::deletion(&names("Test", "alice")).unwrap().seal(&device, host)
                }
                "button HOTP delete" => wire::ButtonSeed::deletion().seal(&device, host),
                "plaintext of exactly 32 bytes (gets a whole extra block)" => {
                    let standard = Parameters::standard();
                    let entry = wire::Entry::new(
                        &names("Block", "exact"),
                        &standard,
                        Touch::Free,
                        &Seed::new(&plain[plain.len() - 13..]),
                    );
                    entry.unwrap().seal(&device, host)
                }
                button if button.starts_with("button") => {
                    let seed = Seed::new(&plain[2..]);
                    wire::ButtonSeed::new(Digits::SIX, &seed).unwrap().seal(&device, host)
                }
                _ => entry(named(&file["entries"], name)).seal(&device, host),
            };
            assert_eq!(hex(&command), sealed["command_short"], "{name}");
            let reports: Vec<String> = frame::cut(command.bytes())
                .iter()
                .map(|report| data_encoding::HEXLOWER.encode(&report.numbered()))
                .collect();
            let expected: Vec<&str> =
                list(&sealed["hid_reports_short_form"]).iter().map(|r| r.as_str().unwrap()).collect();
            assert_eq!(reports, expected, "{name}");
            seen += 1;
        }
        assert_eq!(seen, 10);
    }

    fn joined(reports: &Value) -> Vec<u8> {
        let mut joiner = frame::Joiner::default();
        let mut whole = None;
        for report in list(reports) {
            if let frame::Joined::Whole(answer) = joiner.take(&Report::read(&bytes(report)).unwrap()).unwrap()
            {
                whole = Some(answer);
            }
        }
        whole.unwrap()
    }

    #[test]
    fn frames_are_cut_and_joined_at_every_length() {
        let file = file();
        for one in list(&file["hid_frames"]) {
            let apdu = bytes(&one["apdu"]);
            assert_eq!(u64::try_from(apdu.len()).unwrap(), one["apdu_length"].as_u64().unwrap());
            let cut: Vec<Vec<u8>> =
                frame::cut(&apdu).iter().map(|report| report.numbered().to_vec()).collect();
            let expected: Vec<Vec<u8>> = list(&one["reports"]).iter().map(bytes).collect();
            assert_eq!(cut, expected);
            assert_eq!(joined(&one["reports"]), apdu);
        }
        let busy = &file["busy_sequence"];
        assert_eq!(joined(&busy["reports"]), [bytes(&busy["data"]), bytes(&busy["status"])].concat());
    }

    #[test]
    fn every_page_is_read() {
        let file = file();
        for page in list(&file["list_pages"]) {
            let response = reply(&page["response"]);
            assert_eq!(joined(&page["hid_reports"]), bytes(&page["response"]));
            let read = wire::parse_page(&response.data).unwrap();
            assert_eq!(read.records.len(), usize::try_from(page["entries"].as_u64().unwrap()).unwrap());
            assert_eq!(page["more"], read.more, "{}", page["name"]);
            for record in &read.records {
                let silent =
                    record.touch == Touch::Required || matches!(record.parameters.mode, Mode::Hotp { .. });
                assert_eq!(record.code.is_none(), silent);
            }
        }
    }

    #[test]
    fn serials_and_configurations_are_read() {
        let file = file();
        for one in list(&file["serial_responses"]) {
            let serial = wire::parse_serial(&reply(&one["response"]).data).unwrap();
            assert_eq!(one["serial"], serial.as_str());
        }
        for one in list(&file["configuration_responses"]) {
            let read = wire::parse_configuration(&reply(&one["response"]).data).unwrap();
            let told = [
                ("keyboard_disabled", read.keyboard_off()),
                ("hotp_supported", read.counts()),
                ("button_hotp_supported", read.types_codes()),
                ("totp", read.keeps_time_based()),
            ];
            for (field, told) in told {
                assert_eq!(one["decoded"].get(field).and_then(Value::as_bool), told, "{field}");
            }
        }
    }
}
