//! Whole screens, at three sizes; and what the documents show of them.

use super::*;

#[test]
fn the_station_at_work() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        model.station.read_alarms();
        for ago in (0..9).rev() {
            model.station.pace.burned(NOW.plus(-30_000 * ago));
        }
        is_golden("station", &model);
    }
}

#[test]
fn the_station_with_everything_wrong_at_once() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        let clock = ClockView {
            now: NOW,
            state: ClockState::Unsynchronised { max_error_ms: 16_000 },
            burns_allowed: false,
            override_until: None,
            keeper: None,
        };
        hear(&mut model, Event::Clock(clock));
        hear(&mut model, Event::Vault { state: VaultState::Locked });
        let mut spring = batch("spring", "paused");
        spring.reason = Some("three burns in a row failed".into());
        hear(&mut model, Event::Batch(spring));
        wants_eyes(&mut model, "8659610000003");
        update(&mut model, Msg::Lost(no("the connection to the server broke")));
        is_golden("station-trouble", &model);
    }
}

#[test]
fn sixteen_slots_are_in_sight_at_every_size() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        for n in 9..=16 {
            hear(&mut model, Event::Slot(slot(&format!("Reader {n:02}"), Doing::Place, None)));
        }
        model.station.read_alarms();
        is_golden("station-16", &model);
        for n in 1..=16 {
            assert!(text(&model).contains(&format!("Reader {n:02}")), "{n} at {columns}x{rows}");
        }
    }
}

#[test]
fn batches_with_their_jobs() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        model.station.read_alarms();
        let effects = press(&mut model, KeyCode::Char('b'));
        assert_eq!(asked(&effects).len(), 2);
        let mut failed = job(4, JobState::Failed);
        failed.reason = Some("the token refused the customer key".into());
        let mut items = vec![job(1, JobState::Claimed), job(2, JobState::Unfinished), failed];
        items.extend((5..=24).map(|n| job(n, JobState::Queued)));
        let of = model.batches.of.clone();
        let page = PageOf { total: items.len() as u64, items };
        update(&mut model, Msg::Answer(Asked::Jobs(of, 0), Ok(Reply::Jobs(page))));
        let detail = crate::face::BatchDetail {
            batch: batch("spring", "running"),
            policy: crate::domain::Policy::default(),
            recipe: None,
            login_target: Some("entra-id".into()),
            key: None,
            source: Some(crate::face::Source { name: "tokens.csv".into(), sha256: String::new() }),
        };
        update(&mut model, Msg::Answer(Asked::Batch("spring".into()), Ok(Reply::Batch(Box::new(detail)))));
        press(&mut model, KeyCode::Enter);
        press(&mut model, KeyCode::Char('j'));
        is_golden("batches", &model);
    }
}

#[test]
fn the_inventory_with_a_filter() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        model.station.read_alarms();
        press(&mut model, KeyCode::Char('t'));
        type_in(&mut model, "/ann");
        let items: Vec<TokenLine> = (10..90).map(|n| token(&format!("86596100000{n}")).line).collect();
        let page = || PageOf { total: 1200, items: items.clone() };
        // The first answer belongs to what was asked before the filter was typed.
        let again =
            update(&mut model, Msg::Answer(Asked::Tokens(String::new(), 0), Ok(Reply::Tokens(page()))));
        assert!(matches!(asked(&again)[..], [Command::Tokens { query, .. }] if query == "ann"));
        update(&mut model, Msg::Answer(Asked::Tokens("ann".into(), 0), Ok(Reply::Tokens(page()))));
        is_golden("tokens", &model);
    }
}

#[test]
fn the_log_of_both_kinds() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        model.station.read_alarms();
        press(&mut model, KeyCode::Char('l'));
        hear(&mut model, job_event(4, JobState::Claimed, "8659610000004"));
        hear(&mut model, job_event(4, JobState::Failed, "8659610000004"));
        hear(&mut model, Event::SlotGone { slot: SlotName("Reader 08".into()) });
        is_golden("log", &model);
        press(&mut model, KeyCode::Char('f'));
        is_golden("trouble", &model);
        let effects = press(&mut model, KeyCode::Char('f'));
        assert!(matches!(asked(&effects)[..], [Command::AuditShow { .. }]));
        let entry = |seq| AuditEntry {
            seq,
            at: NOW.plus(-86_400_000),
            who: "ann".into(),
            what: "job claimed".into(),
            serial: Some("8659610000004".into()),
            clock: "synchronised".into(),
            detail: "{\"job\":4}".into(),
            hash: "00".into(),
        };
        let page = PageOf { total: 2, items: vec![entry(2), entry(1)] };
        update(&mut model, Msg::Answer(Asked::Audit(String::new(), 0), Ok(Reply::Audit(page))));
        is_golden("audit", &model);
    }
}

#[test]
fn help_and_palette() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        press(&mut model, KeyCode::Char('?'));
        is_golden("help", &model);
        press(&mut model, KeyCode::Esc);
        type_in(&mut model, ":batch");
        is_golden("palette", &model);
    }
}

#[test]
fn a_right_and_a_wrong_code_are_shown_large() {
    for (columns, rows) in SIZES {
        for (name, right) in [("right", true), ("wrong", false)] {
            let mut model = model(columns, rows);
            let asked = Asked::Verify(
                "8659610000003".parse().unwrap(),
                crate::domain::Profile::ZERO,
                "123456".into(),
            );
            let effects = update(&mut model, Msg::Answer(asked, Ok(Reply::Verdict(verdict(right)))));
            assert!(matches!(effects[0], Effect::Bell));
            is_golden(name, &model);
        }
    }
}

#[test]
fn the_vault_is_opened_with_a_passphrase_that_does_not_show() {
    let mut model = model(80, 24);
    hear(&mut model, Event::Vault { state: VaultState::Locked });
    let effects = press(&mut model, KeyCode::Char('u'));
    assert!(matches!(asked(&effects)[..], [Command::Holders]));
    let holder = |name: &str, kind: &str| HolderFile {
        name: name.into(),
        kind: kind.into(),
        recipient: None,
        file: String::new(),
    };
    let holders = vec![holder("ann", "passphrase"), holder("safe", "age"), holder("bob", "passphrase")];
    update(&mut model, Msg::Answer(Asked::Holders, Ok(Reply::Holders(holders))));
    assert!(type_in(&mut model, "\n").is_empty(), "Enter on nothing does nothing");
    press(&mut model, KeyCode::Down);
    type_in(&mut model, "1 blue horse");
    assert!(!text(&model).contains("horse") && !format!("{model:?}").contains("horse"));
    is_golden("unlock", &model);
    let effects = type_in(&mut model, "\n");
    assert!(matches!(&effects[..], [Effect::Unlock(holder, passphrase)]
        if holder.name == "bob" && *passphrase.0 == "1 blue horse"));
    assert!(type_in(&mut model, "x\n").is_empty(), "one try at a time");
    update(&mut model, Msg::Unlocked(Err(no("that passphrase does not open it"))));
    assert!(text(&model).contains("does not open it"));
    update(&mut model, Msg::Unlocked(Ok(())));
    assert!(model.dialogs.is_empty());
}

/// The text of a kept screen.
fn kept(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/tui/screens/{name}.snap"));
    let file = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, screen) = file.split_once("\n---\n").unwrap();
    screen.split("\n(s bold").next().unwrap().trim_end().to_owned()
}

#[test]
fn what_the_documents_show_is_what_the_screen_shows() {
    let mut captures = 0;
    for document in ["README.md", "docs/day-at-the-bench.md"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let text = std::fs::read_to_string(path).unwrap();
        for part in text.split("<!-- screen ").skip(1) {
            let (name, rest) = part.split_once(" -->\n\n").unwrap();
            let shown: String = rest
                .lines()
                .take_while(|line| line.is_empty() || line.starts_with("    "))
                .map(|line| line.strip_prefix("    ").unwrap_or_default().to_owned() + "\n")
                .collect();
            assert_eq!(shown.trim_end(), kept(name), "{name} in {document}");
            captures += 1;
        }
    }
    assert!(captures >= 5, "{captures}");
}
