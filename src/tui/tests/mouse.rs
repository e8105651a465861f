//! Clicks and the wheel: what is hit is what is seen, and nothing but the selection moves.

use super::{SIZES, asked, hear, is_golden, no, press, text, token, type_in};
use crate::{
    domain::JobState,
    face::{Command, Doing, Event, PageOf, Reply, VaultState},
    tui::{
        dialog::Dialog,
        export::Stage,
        keys::Action,
        look::Look,
        model::{Model, View, Which},
        msg::{Asked, Effect, Msg},
        sample::{NOW, job, model as at_work, slot},
        update::update,
    },
};
use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

const CLICK: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

fn mouse(model: &mut Model, kind: MouseEventKind, (column, row): (u16, u16)) -> Vec<Effect> {
    update(model, Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

/// Where `words` stand on the screen, the first time.
#[track_caller]
fn place(model: &Model, words: &str) -> (u16, u16) {
    let screen = text(model);
    let found = screen.lines().enumerate().find_map(|(row, line)| {
        let column = line.find(words)?;
        Some((line[..column].chars().count(), row))
    });
    let (column, row) = found.unwrap_or_else(|| panic!("no {words:?} in\n{screen}"));
    (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
}

#[track_caller]
fn click(model: &mut Model, words: &str) -> Vec<Effect> {
    let place = place(model, words);
    mouse(model, CLICK, place)
}

#[track_caller]
fn turn(model: &mut Model, kind: MouseEventKind, words: &str) -> Vec<Effect> {
    let place = place(model, words);
    mouse(model, kind, place)
}

fn answer(model: &mut Model, asked: Asked, reply: Reply) {
    update(model, Msg::Answer(asked, Ok(reply)));
}

#[test]
fn a_click_selects_a_slot_as_card_and_as_row_and_a_view_by_its_name() {
    for (columns, rows) in SIZES {
        let mut model = at_work(columns, rows);
        model.station.read_alarms();
        for name in ["Reader 03", "Reader 01"] {
            assert!(asked(&click(&mut model, name)).is_empty());
            assert_eq!(model.station.slots[model.slot_at()].slot.0, name, "{columns}x{rows}");
        }
        turn(&mut model, MouseEventKind::ScrollDown, "Reader 01");
        assert_eq!(model.slot_at(), 1);
        turn(&mut model, MouseEventKind::ScrollUp, "Reader 01");
        assert_eq!(model.slot_at(), 0);
        turn(&mut model, MouseEventKind::ScrollDown, " queue ");
        assert_eq!(model.slot_at(), 0, "the queue does not scroll, and the slots are elsewhere");
        click(&mut model, "tokens");
        assert_eq!(model.view, View::Tokens);
    }
}

#[test]
fn batches_and_jobs_are_selected_where_they_stand_and_the_wheel_turns_what_is_under_it() {
    let mut model = at_work(80, 24);
    model.station.read_alarms();
    press(&mut model, KeyCode::Char('b'));
    let names: Vec<String> = model.station.batches.iter().map(|batch| batch.name.clone()).collect();
    assert!(names.len() > 1);
    click(&mut model, &names[1]);
    assert_eq!(model.batches.selected.as_ref(), Some(&names[1]));
    let items = (0..40).map(|n| job(1000 + n, JobState::Queued)).collect();
    let of = model.batches.of.clone();
    answer(&mut model, Asked::Jobs(of, 0), Reply::Jobs(PageOf { total: 40, items }));
    click(&mut model, "#1004");
    assert!(model.batches.in_jobs);
    assert_eq!(model.batches.jobs.current().unwrap().job, 1004);
    turn(&mut model, MouseEventKind::ScrollDown, "#1002");
    assert_eq!(model.batches.jobs.selected, 7);
    turn(&mut model, MouseEventKind::ScrollUp, &names[1]);
    assert!(!model.batches.in_jobs, "the keys move there now, too");
    assert_eq!(model.batches.selected.as_ref(), Some(&names[0]));
}

#[test]
fn lines_of_the_inventory_and_the_log_are_selected_however_far_it_was_scrolled() {
    let mut model = at_work(100, 30);
    model.station.read_alarms();
    press(&mut model, KeyCode::Char('t'));
    let items = (10..90).map(|n| token(&format!("86596100000{n}")).line).collect();
    answer(&mut model, Asked::Tokens(String::new(), 0), Reply::Tokens(PageOf { total: 80, items }));
    click(&mut model, "8659610000015");
    assert_eq!(model.tokens.list.selected, 5);
    for _ in 0..20 {
        turn(&mut model, MouseEventKind::ScrollDown, "last seen");
    }
    assert_eq!(model.tokens.list.selected, 65);
    click(&mut model, "8659610000070");
    assert_eq!(model.tokens.list.selected, 60);

    press(&mut model, KeyCode::Char('l'));
    model.log.which = Which::Audit;
    let entry = |seq| crate::face::AuditEntry {
        seq,
        at: NOW,
        who: "ann".into(),
        what: format!("thing {seq}"),
        serial: None,
        detail: String::new(),
        clock: "simulated".into(),
        hash: String::new(),
    };
    let items = (0..80).map(entry).collect();
    answer(&mut model, Asked::Audit(String::new(), 0), Reply::Audit(PageOf { total: 80, items }));
    click(&mut model, "thing 7 ");
    assert_eq!(model.log.audit.selected, 7);
}

#[test]
fn in_a_diagnosis_the_token_the_symptom_and_the_explanation_are_selected() {
    let mut model = at_work(80, 24);
    model.station.read_alarms();
    model.station.slots.clear();
    hear(&mut model, Event::Slot(slot("Reader 08", Doing::Take, Some("86596100000077"))));
    press(&mut model, KeyCode::Char('d'));
    let list = super::super::diagnose::act::Asked::List(String::new(), 0);
    let items = (10..40).map(|n| token(&format!("865961000000{n}")).line).collect();
    answer(&mut model, Asked::Diagnose(list), Reply::Tokens(PageOf { total: 30, items }));
    click(&mut model, "86596100000012");
    assert_eq!((model.diagnose.pick, model.diagnose.list.selected), (3, 2), "the one on the reader is first");
    click(&mut model, "86596100000077");
    assert_eq!(model.diagnose.pick, 0);
    press(&mut model, KeyCode::Char('e'));
    click(&mut model, "an error");
    assert_eq!(model.diagnose.choosing, Some(2));
}

#[test]
fn a_dialog_takes_the_mouse_alone_and_questions_are_not_answered_by_it() {
    let mut model = at_work(80, 24);
    model.station.read_alarms();
    hear(&mut model, Event::Vault { state: VaultState::Open });
    press(&mut model, KeyCode::Char('b'));
    press(&mut model, KeyCode::Char('e'));
    click(&mut model, "protection");
    assert!(matches!(model.dialogs.last(), Some(Dialog::Export(export))
        if export.form.at == 4 && matches!(export.stage, Stage::Filling)));
    click(&mut model, "once more");
    assert!(
        matches!(model.dialogs.last(), Some(Dialog::Export(export)) if export.form.at == 4),
        "it is idle"
    );
    mouse(&mut model, CLICK, (10, 0));
    assert_eq!(model.view, View::Batches, "the tabs are covered");
    press(&mut model, KeyCode::Esc);

    press(&mut model, KeyCode::Char(':'));
    click(&mut model, "make a batch with random seeds");
    assert!(matches!(model.dialogs.last(), Some(Dialog::Palette { .. })), "selected, not done");
    type_in(&mut model, "\n");
    assert!(matches!(model.dialogs[..], [Dialog::Making(_)]), "Enter did it");
    press(&mut model, KeyCode::Esc);

    super::super::act::perform(&mut model, Action::StopStation);
    for kind in [CLICK, MouseEventKind::ScrollDown, MouseEventKind::ScrollUp] {
        assert!(turn(&mut model, kind, "press y for yes").is_empty());
    }
    assert_eq!(model.dialogs.len(), 1);
    press(&mut model, KeyCode::Char('n'));

    model.dialogs.push(Dialog::Failure(no("it did not work")));
    turn(&mut model, MouseEventKind::ScrollDown, "it did not work");
    assert_eq!(model.dialogs.len(), 1, "a wheel that turns by itself closes nothing");
    click(&mut model, "it did not work");
    assert!(model.dialogs.is_empty());
    press(&mut model, KeyCode::Char('?'));
    turn(&mut model, MouseEventKind::ScrollDown, "Everywhere");
    assert!(matches!(model.dialogs.last(), Some(Dialog::Help(3))));
}

#[test]
fn the_mouse_is_left_to_the_terminal_with_one_key_and_taken_again_after_a_stop() {
    let mut model = Model::new(Look { mouse: true, ..Look::FULL }, (80, 24), NOW);
    assert!(matches!(update(&mut model, Msg::Continued)[..], [Effect::Redraw, Effect::Mouse(true), ..]));
    assert!(matches!(press(&mut model, KeyCode::Char('M'))[..], [Effect::Mouse(false)]));
    assert!(matches!(update(&mut model, Msg::Continued)[..], [Effect::Redraw]));
    assert!(matches!(press(&mut model, KeyCode::Char('M'))[..], [Effect::Mouse(true)]));
}

#[test]
fn the_wait_for_a_touch_is_given_up_at_the_slot_that_says_touch() {
    for (columns, rows) in SIZES {
        let mut model = at_work(columns, rows);
        model.station.read_alarms();
        let waits = crate::face::SlotView {
            says: Some("touch the key: it waits for that".into()),
            remedy: Some("within 25 seconds; \"kiln slots give-up left\" gives the wait up".into()),
            ..slot("Reader 01", Doing::Touch, Some("96105000000017"))
        };
        hear(&mut model, Event::Slot(waits));
        model.slot = None;
        is_golden("touch", &model);
        // From its dialog as well.
        press(&mut model, KeyCode::Enter);
        assert!(text(&model).contains("x gives the wait up"));
        let effects = press(&mut model, KeyCode::Char('x'));
        assert!(
            model.dialogs.is_empty()
                && matches!(asked(&effects)[..], [Command::SlotGiveUp { slot }] if slot == "Reader 01")
        );
        let effects = press(&mut model, KeyCode::Char('x'));
        update(&mut model, Msg::Answer(first(effects), Ok(Reply::Done)));
        assert!(text(&model).contains("unplug the key without touching it"));
        click(&mut model, "Reader 02");
        assert!(asked(&press(&mut model, KeyCode::Char('x'))).is_empty());
        assert!(text(&model).contains("select the slot that says touch"));
    }
}

fn first(effects: Vec<Effect>) -> Asked {
    match effects.into_iter().next() {
        Some(Effect::Ask(asked, _)) => asked,
        other => panic!("{other:?}"),
    }
}
