//! The diagnose view of those who only look on: each search is counted, and no digit of a display is shown.

use super::{
    SIZES, asked,
    diagnose::{SERIAL, answer, is_reviewed, model, next, serial},
    no, press, text, type_in,
};
use crate::{
    diagnose::{Cause, Diagnosis},
    face::{Command, Failure, Reply, Role},
    tui::{
        diagnose::{
            act::Asked as Of,
            sample::{diagnosis, finding, token},
        },
        model::Model,
        msg::{Asked, Effect, Msg},
        sample::NOW,
        update::update,
    },
};
use crossterm::event::KeyCode;

/// The answers that those who only look on get, which say no more than these findings.
fn told(model: &mut Model, diagnosis: Diagnosis) -> Vec<Effect> {
    let round = model.diagnose.round;
    answer(model, Of::Explain(round), Reply::Findings(serde_json::to_value(diagnosis).unwrap()))
}

#[test]
fn those_who_look_on_search_once_for_each_code_and_see_no_digit_of_a_display() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        model.role = Role::Observer;
        type_in(&mut model, &format!("{SERIAL}\n"));
        let effects = answer(&mut model, Of::Token(serial()), Reply::Token(Box::new(token(SERIAL, 1))));
        assert!(asked(&effects).is_empty(), "nothing is searched for before there is a code");
        assert!(next(&model).contains("ask for the code"), "{}", next(&model));
        let effects = type_in(&mut model, "123456\n");
        assert!(matches!(asked(&effects)[..], [Command::Diagnose { codes, typed, at: None, wider: 1, .. }]
            if codes == &["123456"] && typed == &[NOW.floor_second()]));
        let kept = Diagnosis {
            ask_another_code: true,
            why_ask: Some("so few digits are explained by chance too often".into()),
            also_affected: vec![],
            withheld: 2,
            ..diagnosis(vec![])
        };
        told(&mut model, kept);
        is_reviewed("kept-back", &model);
        // What is asked for again by itself would be counted: nothing is.
        update(&mut model, Msg::Tick(NOW.plus(5_000)));
        model.diagnose.reconnected();
        assert!(asked(&update(&mut model, Msg::Tick(NOW.plus(31_000)))).is_empty());

        model.now = NOW.plus(41_000);
        let effects = type_in(&mut model, "654321\n");
        assert!(matches!(asked(&effects)[..], [Command::Diagnose { typed, .. }]
            if typed == &[NOW.floor_second(), NOW.plus(41_000).floor_second()]));
        told(&mut model, diagnosis(vec![finding(Cause::Drift, 0.99)]));
        is_reviewed("told", &model);
        assert!(!model.wants_time(), "there is no display to hide");
        assert!(matches!(&press(&mut model, KeyCode::Char('y'))[..], [Effect::Copy(report)]
            if !report.contains("654321") && !report.contains(SERIAL)));
        let effects = press(&mut model, KeyCode::Char('w'));
        assert!(matches!(asked(&effects)[..], [Command::Whose { codes, .. }] if codes.len() == 2));
        let effects = press(&mut model, KeyCode::Char('W'));
        assert!(matches!(asked(&effects)[..], [Command::When { until: None, .. }]));
        assert!(asked(&press(&mut model, KeyCode::Char('r'))).is_empty(), "who looks on sets no clock");
    }
}

#[test]
fn a_search_that_is_refused_says_when_to_ask_again_and_is_made_again_on_enter_alone() {
    let mut model = model(80, 24);
    model.role = Role::Observer;
    type_in(&mut model, &format!("{SERIAL}\n"));
    answer(&mut model, Of::Token(serial()), Reply::Token(Box::new(token(SERIAL, 1))));
    type_in(&mut model, "123456\n");
    let refused = Failure {
        message: "bob has made 10 searches in the last 10 minutes".into(),
        remedy: "ask again in 4 min (from 2026-11-21T12:04:00Z), or have an operator ask".into(),
        ..no("")
    };
    let round = model.diagnose.round;
    let refuse = |model: &mut Model| {
        let asked = Asked::Diagnose(Of::Explain(round));
        update(model, Msg::Answer(asked, Err(refused.clone())))
    };
    assert!(asked(&refuse(&mut model)).is_empty());
    let shown = text(&model);
    assert!(shown.contains("10 searches") && shown.contains("ask again in 4 min"), "{shown}");
    assert!(asked(&update(&mut model, Msg::Tick(NOW.plus(60_000)))).is_empty());
    assert!(matches!(asked(&press(&mut model, KeyCode::Enter))[..], [Command::Diagnose { .. }]));
    refuse(&mut model);
    assert!(asked(&press(&mut model, KeyCode::Esc)).is_empty());
    assert!(next(&model).contains("Enter asks"), "{}", next(&model));
    assert!(matches!(asked(&press(&mut model, KeyCode::Enter))[..], [Command::Diagnose { .. }]));
    // A code that is taken back costs no search.
    told(&mut model, diagnosis(vec![]));
    type_in(&mut model, "654321\n");
    told(&mut model, diagnosis(vec![]));
    assert!(asked(&press(&mut model, KeyCode::Backspace)).is_empty());
    assert_eq!(model.diagnose.seen.len(), 1);
}
