//! The diagnose view: its screens at three sizes, and what keys, scans, taps and answers do to it.

use super::{SIZES, asked, is_golden, no, press, text, type_in, verdict};
use crate::{
    diagnose::{
        Cause, Offset, Token,
        when::{Collisions, Shown, Times},
        whose::{Match, Owners},
    },
    domain::{Parameters, Profile, Serial, UnixTime},
    face::{Command, Doing, Event, Examined, Numbered, PageOf, Reply, Role, SlotView, VaultState},
    tui::{
        diagnose::{
            AWAKE_MS, How, Pane,
            act::Asked as Of,
            sample::{diagnosis, finding, found, picked, token},
            steps,
        },
        model::{Model, View},
        msg::{Asked, Effect, Msg},
        sample::{NOW, model as at_work, slot},
        update::update,
    },
};
use crossterm::event::KeyCode;

pub(super) const SERIAL: &str = "86596100000001";

/// A calm station whose operator looks at the diagnose view.
pub(super) fn model(columns: u16, rows: u16) -> Model {
    let mut model = at_work(columns, rows);
    model.station.read_alarms();
    model.station.slots.retain(|slot| slot.serial.is_none());
    press(&mut model, KeyCode::Char('d'));
    model
}

/// The same, with this token picked.
fn on_call(columns: u16, rows: u16, profiles: u8) -> Model {
    let mut model = model(columns, rows);
    type_in(&mut model, &format!("{SERIAL}\n"));
    answer(&mut model, Of::Token(serial()), Reply::Token(Box::new(token(SERIAL, profiles))));
    let round = model.diagnose.round;
    let nothing_seen = Examined { diagnosis: None, report: None, ..examined(&[]) };
    answer(&mut model, Of::Examine(round), Reply::Examined(Box::new(nothing_seen)));
    model
}

pub(super) fn serial() -> Serial {
    SERIAL.parse().unwrap()
}

pub(super) fn answer(model: &mut Model, of: Of, reply: Reply) -> Vec<Effect> {
    update(model, Msg::Answer(Asked::Diagnose(of), Ok(reply)))
}

fn hear(model: &mut Model, event: Event) -> Vec<Effect> {
    let number = model.station.last_event + 1;
    update(model, Msg::News(Numbered { number, at: model.now, event }))
}

/// What the station would say of these findings: the first digits each shows now, and its odds.
fn examined(shown: &[(&str, f64)]) -> Examined {
    let found = found(shown);
    Examined {
        at: NOW,
        recorded: Parameters::standard(),
        reading: found.reading,
        diagnosis: found.diagnosis.map(|diagnosis| serde_json::to_value(diagnosis).unwrap()),
        report: found.report,
        rows: found.rows,
        until: found.until,
    }
}

fn explain(model: &mut Model, shown: &[(&str, f64)]) -> Vec<Effect> {
    let round = model.diagnose.round;
    answer(model, Of::Examine(round), Reply::Examined(Box::new(examined(shown))))
}

pub(super) fn is_reviewed(name: &str, model: &Model) {
    is_golden(&format!("diagnose-{name}"), model);
}

/// The line with the next step.
pub(super) fn next(model: &Model) -> String {
    text(model).lines().nth(1).unwrap().to_owned()
}

#[test]
fn a_token_is_picked_from_readers_and_inventory() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        model.station.slots.push(slot("Reader 08", Doing::Take, Some("86596100000077")));
        type_in(&mut model, "/86");
        let items = (10..40).map(|n| token(&format!("865961000000{n}"), 1).line).collect();
        let page = PageOf { total: 1200, items };
        answer(&mut model, Of::List("86".into(), 0), Reply::Tokens(page));
        press(&mut model, KeyCode::Down);
        is_reviewed("pick", &model);
        let effects = press(&mut model, KeyCode::Enter);
        assert!(
            matches!(asked(&effects)[..], [Command::Token { serial }] if serial.as_str() == "86596100000010")
        );
        assert!(!model.filtering);
    }
}

#[test]
fn rivals_with_a_question() {
    for (columns, rows) in SIZES {
        let mut model = on_call(columns, rows, 1);
        type_in(&mut model, "123456\n");
        explain(&mut model, &[("12", 0.55), ("47", 0.3), ("90", 0.1)]);
        is_reviewed("question", &model);
        assert!(next(&model).contains("does it begin with 1, 4 or 9?"), "{}", next(&model));
        type_in(&mut model, "4\n");
        is_reviewed("answered", &model);
    }
}

#[test]
fn a_cause_with_its_remedy() {
    for (columns, rows) in SIZES {
        let mut model = on_call(columns, rows, 10);
        type_in(&mut model, "123456\n");
        model.now = NOW.plus(31_000);
        type_in(&mut model, "654321\n");
        explain(&mut model, &[("12", 0.99)]);
        is_reviewed("cause", &model);
        assert!(next(&model).contains("do: write the seed"), "{}", next(&model));
        press(&mut model, KeyCode::Char('c'));
        is_reviewed("searched", &model);
    }
}

#[test]
fn what_the_display_shows_instead() {
    for (columns, rows) in SIZES {
        let mut model = on_call(columns, rows, 1);
        press(&mut model, KeyCode::Char('e'));
        press(&mut model, KeyCode::Down);
        is_reviewed("no-code", &model);
    }
}

#[test]
fn whose_and_when() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        type_in(&mut model, "123456\n");
        assert!(next(&model).contains("w: whose code is this?"), "{}", next(&model));
        let effects = press(&mut model, KeyCode::Char('w'));
        assert!(
            matches!(asked(&effects)[..], [Command::Whose { codes, at: Some(_), .. }] if codes == &["123456"])
        );
        let found = |serial: &str, posterior| Match {
            token: Token { serial: serial.parse().unwrap(), profile: Profile::ZERO },
            parameters: Parameters::standard(),
            offset: Some(Offset { steps: 1, seconds: 30 }),
            posterior,
        };
        let owners = Owners {
            matches: vec![found("86596100000012", 0.49), found("86596100000044", 0.49)],
            ask_another_code: true,
            tokens: 100_000,
            candidates: 4_100_000,
            accidental: 4.1,
            unreadable: 0,
            withheld: 0,
        };
        let round = model.diagnose.round;
        answer(&mut model, Of::Owners(round), Reply::Findings(serde_json::to_value(&owners).unwrap()));
        is_reviewed("whose", &model);
        press(&mut model, KeyCode::Down);
        let effects = press(&mut model, KeyCode::Enter);
        assert!(
            matches!(asked(&effects)[..], [Command::Token { serial }] if serial.as_str() == "86596100000044")
        );
        assert_eq!(model.diagnose.seen.len(), 1, "what was typed is what it is asked about");

        let of = Of::Token("86596100000044".parse().unwrap());
        answer(&mut model, of, Reply::Token(Box::new(token("86596100000044", 1))));
        let effects = press(&mut model, KeyCode::Char('W'));
        assert!(matches!(asked(&effects)[..], [Command::When { since: None, until: None, .. }]));
        let shown = |from| Shown {
            step: 1,
            from: UnixTime(from),
            until: UnixTime(from + 30),
            uncertainty_s: 3,
            replaced: None,
        };
        let now = NOW.floor_second().0;
        let times = Times {
            since: UnixTime(now - 86_400),
            until: UnixTime(now),
            times: vec![shown(now - 40_020), shown(now - 30)],
            cut: false,
            collisions: Collisions {
                steps: 2_880,
                expected: 0.003,
                chance: 0.003,
                with_eight_digits_and_sixty_seconds: None,
                advice: None,
            },
        };
        let round = model.diagnose.round;
        answer(&mut model, Of::Times(round), Reply::Findings(serde_json::to_value(&times).unwrap()));
        is_reviewed("when", &model);
        press(&mut model, KeyCode::Esc);
        assert!(matches!(model.diagnose.pane, Pane::Findings) && model.view == View::Diagnose);
    }
}

#[test]
fn changes_are_timed_without_a_seed() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        model.role = Role::Observer;
        press(&mut model, KeyCode::Char('m'));
        is_reviewed("timing-begun", &model);
        for after_ms in [7_400, 37_500, 67_300] {
            update(&mut model, Msg::Tick(NOW.plus(after_ms)));
            let effects = press(&mut model, KeyCode::Enter);
            assert!(asked(&effects).is_empty(), "nothing is asked: {effects:?}");
        }
        is_reviewed("timing", &model);
        let shown = text(&model);
        assert!(shown.contains("a new code every 30 s"), "{shown}");
        // 12:00:07.4 less 0.4 s of reaction: the token's clock stood at a half minute.
        assert!(shown.contains("-7.0 s off"), "{shown}");
        let effects = press(&mut model, KeyCode::Char('y'));
        assert!(matches!(&effects[..], [Effect::Copy(text)] if text.contains("every 30 s")));
        press(&mut model, KeyCode::Backspace);
        assert_eq!(model.diagnose.timing.as_ref().unwrap().len(), 2);
    }
}

/// The changes of a code that goes every 30 s, of a clock that is 7 s behind.
fn time_three_changes(model: &mut Model) {
    for after_ms in [7_400, 37_500, 67_300] {
        update(model, Msg::Tick(NOW.plus(after_ms)));
        press(model, KeyCode::Enter);
    }
}

#[test]
fn what_was_timed_is_kept_as_a_reading_of_the_token_in_question() {
    let mut model = on_call(80, 24, 1);
    press(&mut model, KeyCode::Char('m'));
    assert!(asked(&press(&mut model, KeyCode::Char('K'))).is_empty(), "nothing was timed yet");
    assert!(model.toast.as_ref().unwrap().text.contains("press Enter at more changes"));
    time_three_changes(&mut model);
    is_reviewed("timing-of-a-token", &model);
    let effects = press(&mut model, KeyCode::Char('K'));
    let [Command::ClockTimed { serial: of, period_s: 30, offset_ms: -7_000, within_ms: 1..=1_000 }] =
        asked(&effects)[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(*of, serial());
    assert!(asked(&press(&mut model, KeyCode::Char('K'))).is_empty(), "once");

    // Whole periods are told by a code alone: refused, with what to do, and nothing is lost.
    let refused = Err(no("a timing can't tell whole periods"));
    let refused = Msg::Answer(Asked::Diagnose(Of::Keep(serial())), refused);
    update(&mut model, refused);
    assert!(text(&model).contains("can't tell whole periods"));
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.diagnose.timing.as_ref().unwrap().len(), 3);

    assert_eq!(asked(&press(&mut model, KeyCode::Char('K'))).len(), 1);
    let effects = answer(&mut model, Of::Keep(serial()), Reply::Done);
    assert!(model.diagnose.timing.is_none() && text(&model).contains("kept as a reading"));
    assert!(matches!(asked(&effects)[..], [Command::Examine { .. }]), "the next answer reckons with it");
}

#[test]
fn what_was_timed_of_nobody_knows_whom_is_kept_nowhere() {
    let mut unknown = model(80, 24);
    press(&mut unknown, KeyCode::Char('m'));
    time_three_changes(&mut unknown);
    assert!(asked(&press(&mut unknown, KeyCode::Char('K'))).is_empty());
    assert!(text(&unknown).contains("first the token"), "{}", text(&unknown));

    let mut looking_on = on_call(80, 24, 1);
    looking_on.role = Role::Observer;
    press(&mut looking_on, KeyCode::Char('m'));
    time_three_changes(&mut looking_on);
    assert!(!text(&looking_on).contains("K keeps"));
    assert!(asked(&press(&mut looking_on, KeyCode::Char('K'))).is_empty());
}

#[test]
fn codes_are_asked_about_at_once_and_a_second_one_with_the_first() {
    let mut model = model(80, 24);
    type_in(&mut model, "123456\n");
    // Code first, token after: the phone does not wait for an order.
    let effects = type_in(&mut model, &format!("{SERIAL}\n"));
    assert!(matches!(asked(&effects)[..], [Command::Token { .. }]));
    let effects = answer(&mut model, Of::Token(serial()), Reply::Token(Box::new(token(SERIAL, 1))));
    assert!(matches!(asked(&effects)[..], [Command::Examine { seen, .. }]
        if seen.len() == 1 && seen[0].code == "123456" && seen[0].at == NOW.floor_second()));
    model.now = NOW.plus(29_000);
    // While that is on its way nothing more is asked; its answer is an old one then.
    assert!(asked(&type_in(&mut model, "654321\n")).is_empty());
    let round = model.diagnose.round;
    let effects =
        answer(&mut model, Of::Examine(round - 1), Reply::Examined(Box::new(examined(&[("12", 0.9)]))));
    assert!(model.diagnose.found.is_none());
    assert!(matches!(asked(&effects)[..], [Command::Examine { seen, .. }]
        if seen.len() == 2 && seen[1].at == NOW.floor_second().plus(29)));
    explain(&mut model, &[("12", 0.99)]);
    // The same code again says nothing new, or that the display stands still.
    assert!(asked(&type_in(&mut model, "654321\n")).is_empty());
    assert!(model.toast.as_ref().unwrap().text.contains("same code"));
    let effects = press(&mut model, KeyCode::Backspace);
    assert!(matches!(asked(&effects)[..], [Command::Examine { seen, .. }] if seen.len() == 1));
}

#[test]
fn where_nothing_explains_the_codes_the_token_is_doubted() {
    let mut model = on_call(80, 24, 1);
    type_in(&mut model, "123456\n");
    explain(&mut model, &[]);
    assert!(next(&model).contains("compare the serial"), "{}", next(&model));
}

#[test]
fn an_answer_sharpens_without_asking_the_station_and_can_be_taken_back() {
    let mut model = on_call(80, 24, 1);
    type_in(&mut model, "123456\n");
    explain(&mut model, &[("12", 0.5), ("47", 0.49)]);
    assert!(asked(&type_in(&mut model, "47\n")).is_empty());
    assert!(next(&model).contains("do: set its clock (r, then"), "{}", next(&model));
    assert!(text(&model).contains("ruled out"));
    // The displays go on, and with them the answer.
    explain(&mut model, &[("12", 0.5), ("47", 0.49)]);
    assert_eq!(model.diagnose.found.as_ref().unwrap().answers.len(), 1);
    press(&mut model, KeyCode::Backspace);
    assert!(next(&model).contains("does it begin with 1 or 4?"), "{}", next(&model));
    type_in(&mut model, "9\n");
    assert!(next(&model).contains("none of these begins so"), "{}", next(&model));
    // Another code is another question: what was said before is in the past.
    type_in(&mut model, "654321\n");
    explain(&mut model, &[("12", 0.9)]);
    assert!(model.diagnose.found.as_ref().unwrap().answers.is_empty());
}

#[test]
fn one_code_that_chance_explains_as_well_is_not_called_the_cause() {
    let mut model = on_call(80, 24, 1);
    type_in(&mut model, "123456\n");
    let mut far = finding(Cause::Drift, 0.95);
    far.accidental = 0.2;
    let mut examined = examined(&[("12", 0.95)]);
    examined.diagnosis = Some(serde_json::to_value(diagnosis(vec![far])).unwrap());
    let round = model.diagnose.round;
    answer(&mut model, Of::Examine(round), Reply::Examined(Box::new(examined)));
    assert!(next(&model).contains("ask for the next code"), "{}", next(&model));
    // Two digits of two displays make chance a thousand times less likely.
    for _ in 0..2 {
        type_in(&mut model, "12\n");
    }
    assert!(next(&model).contains("do: "), "{}", next(&model));
}

#[test]
fn displays_hide_when_the_view_is_left_and_when_nobody_is_there() {
    let mut model = on_call(80, 24, 1);
    type_in(&mut model, "123456\n");
    explain(&mut model, &[("12", 0.6), ("47", 0.3)]);
    assert!(text(&model).contains("[12····]") && model.wants_time());
    press(&mut model, KeyCode::Char('s'));
    assert!(model.diagnose.found.as_ref().unwrap().rows.is_empty() && !model.diagnose.tells_displays());
    let effects = press(&mut model, KeyCode::Char('d'));
    assert!(matches!(asked(&effects)[..], [Command::Examine { .. }]), "asked anew, and so on record anew");
    explain(&mut model, &[("12", 0.6), ("47", 0.3)]);

    // Before they run out they are asked for again; that needs no key.
    let effects = update(&mut model, Msg::Tick(NOW.plus(100_000)));
    assert!(matches!(asked(&effects)[..], [Command::Examine { .. }]));
    explain(&mut model, &[("12", 0.6), ("47", 0.3)]);
    let effects = update(&mut model, Msg::Tick(NOW.plus(AWAKE_MS)));
    assert!(asked(&effects).is_empty() && !text(&model).contains("[12"));
    assert!(asked(&update(&mut model, Msg::Tick(NOW.plus(AWAKE_MS + 5_000)))).is_empty());
    let effects = press(&mut model, KeyCode::Char('j'));
    assert!(matches!(asked(&effects)[..], [Command::Examine { .. }]));
}

#[test]
fn a_token_that_is_tapped_is_taken_with_its_clock_and_burns_are_left_alone() {
    let mut model = model(80, 24);
    let tapped =
        |serial: &str, job| Event::Slot(SlotView { job, ..slot("Reader 02", Doing::Take, Some(serial)) });
    hear(&mut model, tapped("86596100000055", Some(3)));
    assert!(model.diagnose.picked.is_none(), "a token that was burned is not on the phone");
    let effects = hear(&mut model, tapped(SERIAL, None));
    assert!(matches!(asked(&effects)[..], [Command::Token { serial }] if serial.as_str() == SERIAL));
    answer(&mut model, Of::Token(serial()), Reply::Token(Box::new(token(SERIAL, 1))));
    explain(&mut model, &[("12", 0.9)]);
    let shown = text(&model);
    assert!(shown.contains("clock    +0.4 s just read on Reader 02; reckoned with"), "{shown}");
    // Another one does not push it away.
    hear(&mut model, tapped("86596100000056", None));
    assert_eq!(model.diagnose.picked.as_ref().unwrap().serial.as_str(), SERIAL);
    assert!(model.toast.as_ref().unwrap().text.contains("n begins anew"));
    // On another view nobody is on the phone.
    press(&mut model, KeyCode::Char('n'));
    press(&mut model, KeyCode::Char('s'));
    hear(&mut model, tapped(SERIAL, None));
    assert!(model.diagnose.picked.is_none());
}

#[test]
fn a_wrong_code_at_the_bench_opens_it_with_everything_filled_in() {
    for (columns, rows) in SIZES {
        let mut model = at_work(columns, rows);
        model.station.read_alarms();
        let verify = |code: &str| Asked::Verify(serial(), Profile::new(1), code.to_owned());
        let wrong = Msg::Answer(verify("123456"), Ok(Reply::Verdict(verdict(false))));
        let effects = update(&mut model, wrong);
        assert_eq!(model.view, View::Diagnose);
        assert!(matches!(asked(&effects)[..], [Command::Token { .. }]));
        let effects = answer(&mut model, Of::Token(serial()), Reply::Token(Box::new(token(SERIAL, 2))));
        assert!(matches!(asked(&effects)[..], [Command::Examine { serial, profile, seen, .. }]
            if serial.as_str() == SERIAL && profile.number() == 1 && seen.len() == 1 && seen[0].code == "123456"));
        explain(&mut model, &[("12", 0.6), ("47", 0.3)]);
        // The verdict is large, and behind it the search is made.
        assert!(text(&model).contains("any key closes"));
        press(&mut model, KeyCode::Char('x'));
        is_reviewed("bench", &model);
        // The next code is verified, since a right one is the proof that is wanted.
        let effects = type_in(&mut model, "654321\n");
        assert!(matches!(&effects[0], Effect::Ask(Asked::Profiles(of, _), _) if *of == serial()));
        update(&mut model, Msg::Answer(verify("654321"), Ok(Reply::Verdict(verdict(true)))));
        assert_eq!((model.view, &model.aim), (View::Station, &None));
    }
}

#[test]
fn two_wrong_codes_at_the_bench_are_searched_together() {
    let mut model = at_work(80, 24);
    for (n, code) in (0..).zip(["123456", "654321"]) {
        model.now = NOW.plus(n * 31_000);
        let verify = Asked::Verify(serial(), Profile::ZERO, code.to_owned());
        update(&mut model, Msg::Answer(verify, Ok(Reply::Verdict(verdict(false)))));
    }
    assert_eq!(model.diagnose.seen.len(), 2);
    assert_eq!(model.diagnose.picked.as_ref().unwrap().how, How::Verified);
}

#[test]
fn another_profile_is_another_question() {
    let mut model = on_call(80, 24, 3);
    type_in(&mut model, "123456\n");
    explain(&mut model, &[("12", 0.9)]);
    let effects = press(&mut model, KeyCode::Char('p'));
    assert!(matches!(asked(&effects)[..], [Command::Examine { profile, seen, .. }]
        if profile.number() == 1 && seen.len() == 1));
    assert!(text(&model).contains("profile  1 of 3 (p: the next)"));
}

#[test]
fn a_symptom_is_asked_about_instead_of_codes() {
    let mut model = on_call(80, 24, 1);
    press(&mut model, KeyCode::Char('e'));
    press(&mut model, KeyCode::Down);
    let effects = press(&mut model, KeyCode::Enter);
    assert!(matches!(asked(&effects)[..], [Command::Examine { shows: Some(shows), .. }] if shows == "blank"));
    explain(&mut model, &[("12", 0.6)]);
    let effects = type_in(&mut model, "123456\n");
    assert!(matches!(asked(&effects)[..], [Command::Examine { shows: None, seen, .. }] if seen.len() == 1));
}

#[test]
fn a_locked_vault_and_a_refusal_are_said_and_not_asked_again() {
    let mut model = on_call(160, 45, 1);
    hear(&mut model, Event::Vault { state: VaultState::Locked });
    assert!(asked(&type_in(&mut model, "123456\n")).is_empty());
    assert!(next_step(&model).contains("u: unlock the vault"));
    let effects = hear(&mut model, Event::Vault { state: VaultState::Open });
    assert!(matches!(asked(&effects)[..], [Command::Examine { .. }]));
    let of = Of::Examine(model.diagnose.round);
    update(&mut model, Msg::Answer(Asked::Diagnose(of), Err(no("no seed is on record for this profile"))));
    assert!(asked(&update(&mut model, Msg::Tick(NOW.plus(1_000)))).is_empty());
    assert!(text(&model).contains("no seed is on record") && next_step(&model).contains("do something else"));
    let unknown = Asked::Diagnose(Of::Token(serial()));
    update(&mut model, Msg::Answer(unknown, Err(no("it is not on record"))));
    assert!(model.diagnose.picked.is_none() && text(&model).contains("press w to find whose it is"));
}

/// The next step where banners push it down.
fn next_step(model: &Model) -> String {
    steps::next(model)
}

#[test]
fn the_report_goes_to_the_clipboard_without_a_code() {
    let mut model = on_call(80, 24, 1);
    type_in(&mut model, "123456\n");
    explain(&mut model, &[("12", 0.55), ("47", 0.4)]);
    type_in(&mut model, "47\n");
    let effects = press(&mut model, KeyCode::Char('y'));
    let [Effect::Copy(report)] = &effects[..] else { panic!("{effects:?}") };
    assert!(report.contains("kiln diagnosis") && report.contains("the first 2 digits"), "{report}");
    for hidden in ["123456", "47", SERIAL] {
        assert!(!report.contains(hidden), "{hidden} in {report}");
    }
}

#[test]
fn a_new_call_knows_nothing_of_the_last_one() {
    let mut model = on_call(80, 24, 1);
    type_in(&mut model, "123456\n");
    let round = model.diagnose.round;
    press(&mut model, KeyCode::Char('n'));
    assert!(model.diagnose.picked.is_none() && model.diagnose.seen.is_empty());
    answer(&mut model, Of::Examine(round), Reply::Examined(Box::new(examined(&[("12", 0.9)]))));
    assert!(model.diagnose.found.is_none(), "an answer to the last call");
}

#[test]
fn every_step_that_is_ours_to_word_fits_a_line_of_eighty() {
    let mut model = model(80, 24);
    let fits = |model: &Model| {
        let line = next(model);
        assert!(!line.contains('…'), "{line}");
    };
    fits(&model);
    type_in(&mut model, "123456\n");
    fits(&model);
    press(&mut model, KeyCode::Char('m'));
    fits(&model);
    let mut model = on_call(80, 24, 1);
    fits(&model);
    type_in(&mut model, "123456\n");
    fits(&model);
    explain(&mut model, &[("12", 0.3), ("13", 0.3), ("19", 0.3)]);
    fits(&model);
    type_in(&mut model, "77\n");
    fits(&model);
    press(&mut model, KeyCode::Char('e'));
    fits(&model);
    model.role = Role::Observer;
    press(&mut model, KeyCode::Esc);
    fits(&model);
}

#[test]
fn no_size_is_too_small_and_without_colour_or_unicode_the_same_is_said() {
    for columns in [0, 1, 5, 20, 40, 300] {
        for rows in [0, 1, 2, 3, 5, 8, 100] {
            let mut model = on_call(columns, rows, 3);
            type_in(&mut model, "123456\n");
            explain(&mut model, &[("12", 0.55), ("47", 0.3), ("90", 0.1)]);
            for keys in ["", "c", "e", "m\n\n", ""] {
                type_in(&mut model, keys);
                super::buffer(&model);
            }
        }
    }
    let mut model = on_call(80, 24, 1);
    type_in(&mut model, "123456\n");
    explain(&mut model, &[("12", 0.55), ("47", 0.3)]);
    model.look = crate::tui::Look::BARE;
    let shown = text(&model);
    assert!(
        shown.is_ascii() && shown.contains("[12....]") && shown.contains("does it begin with"),
        "{shown}"
    );
}

#[test]
fn a_picked_sample_holds_its_profiles_in_order() {
    let picked = picked(SERIAL, 3);
    let numbers: Vec<u8> = picked.held().iter().map(|mapping| mapping.profile.number()).collect();
    assert_eq!(numbers, [0, 1, 2]);
}
