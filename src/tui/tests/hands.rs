//! What keys, scans and pastes do, and what they must not.

use super::*;

#[test]
fn digits_and_enter_are_a_scan_on_every_view() {
    // On the diagnose view a code is one to be explained.
    for view in View::ALL.into_iter().filter(|view| *view != View::Diagnose) {
        let mut model = model(80, 24);
        model.view = view;
        wants_eyes(&mut model, "8659610000003");
        let effects = type_in(&mut model, "123456\n");
        let questions = asked(&effects);
        assert!(
            questions
                .iter()
                .any(|c| matches!(c, Command::Token { serial } if serial.as_str() == "8659610000003")),
            "{view:?}: {questions:?}"
        );
        let asked_for = Asked::Profiles("8659610000003".parse().unwrap(), "123456".into());
        let token = Box::new(token("8659610000003"));
        let effects = update(&mut model, Msg::Answer(asked_for, Ok(Reply::Token(token))));
        assert!(matches!(asked(&effects)[..], [Command::Verify { codes, .. }] if codes[0] == "123456"));
    }
}

#[test]
fn a_wrong_code_keeps_its_token_and_the_next_scan_closes_the_verdict() {
    let mut model = model(80, 24);
    for serial in ["8659610000003", "8659610000004"] {
        wants_eyes(&mut model, serial);
    }
    assert!(asked(&type_in(&mut model, "123456\n")).is_empty(), "whose code it is can't be known");
    type_in(&mut model, "8659610000004\n");
    assert_eq!(model.aim.as_ref().map(|serial| serial.as_str()), Some("8659610000004"));
    let serial = || "8659610000004".parse().unwrap();
    let verify = || Asked::Verify(serial(), crate::domain::Profile::ZERO, "123456".into());
    update(&mut model, Msg::Answer(verify(), Ok(Reply::Verdict(verdict(false)))));
    assert_eq!(model.dialogs.len(), 1);
    let effects = type_in(&mut model, "654321\n");
    assert!(model.dialogs.is_empty());
    assert!(
        matches!(&effects[0], Effect::Ask(Asked::Profiles(of, code), _) if *of == serial() && code == "654321")
    );
    update(&mut model, Msg::Answer(verify(), Ok(Reply::Verdict(verdict(true)))));
    assert_eq!((model.aim, model.station.eyes.len()), (None, 1));
}

#[test]
fn enter_and_single_keys_confirm_nothing() {
    let mut model = model(80, 24);
    press(&mut model, KeyCode::Char('S'));
    for code in [KeyCode::Enter, KeyCode::Char(' '), KeyCode::Char('S'), KeyCode::Tab] {
        assert!(press(&mut model, code).is_empty());
    }
    assert!(text(&model).contains("Start batch autumn?"));
    let effects = press(&mut model, KeyCode::Char('y'));
    assert!(matches!(asked(&effects)[..], [Command::BatchStart { name }] if name == "autumn"));

    press(&mut model, KeyCode::Char('b'));
    press(&mut model, KeyCode::Char('X'));
    assert!(asked(&type_in(&mut model, "y\n")).is_empty());
    assert!(text(&model).contains("that is not its name"));
    press(&mut model, KeyCode::Backspace);
    let effects = type_in(&mut model, "spring\n");
    assert!(matches!(asked(&effects)[..], [Command::BatchCancel { name }, ..] if name == "spring"));
}

#[test]
fn what_cannot_be_undone_wants_the_serials_last_four() {
    let mut model = model(80, 24);
    model.slot = Some(SlotName("Reader 03".into()));
    type_in(&mut model, ":scrap\n");
    assert!(asked(&type_in(&mut model, "0004\n")).is_empty());
    for _ in 0..4 {
        press(&mut model, KeyCode::Backspace);
    }
    let effects = type_in(&mut model, "0003\n");
    assert!(matches!(asked(&effects)[..], [Command::Scrap { last_four, .. }] if last_four == "0003"));
}

#[test]
fn escape_leaves_nothing_but_what_lies_on_top() {
    let mut model = model(80, 24);
    for _ in 0..10 {
        assert!(press(&mut model, KeyCode::Esc).is_empty());
    }
    assert!(!model.quit);
    press(&mut model, KeyCode::Char('q'));
    assert!(model.quit);
}

#[test]
fn an_observer_is_told_and_nothing_is_asked() {
    let mut model = model(80, 24);
    model.role = Role::Observer;
    wants_eyes(&mut model, "8659610000003");
    for keys in ["S", "P", "u", "v", "123456\n"] {
        assert!(asked(&type_in(&mut model, keys)).is_empty(), "{keys}");
        assert!(model.toast.take().is_some_and(|toast| toast.bad), "{keys}");
    }
}

#[test]
fn a_paste_is_never_taken_for_keys() {
    let mut model = model(80, 24);
    assert!(update(&mut model, Msg::Paste("qPS\r\n".into())).is_empty());
    assert_eq!((model.quit, model.scan.text()), (false, "qPS"));
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::Char('/'));
    press(&mut model, KeyCode::Char('t'));
    type_in(&mut model, "/");
    update(&mut model, Msg::Paste("ann\n".into()));
    assert_eq!(model.filter_text(), "ann");
}

#[test]
fn a_new_alarm_rings_and_stays_until_read() {
    let mut model = model(80, 24);
    model.station.read_alarms();
    let alarm = Event::Alarm {
        id: 91,
        message: "the reader is held by another program".into(),
        remedy: "end it".into(),
        slot: None,
        doing: None,
    };
    assert!(matches!(hear(&mut model, alarm)[..], [Effect::Bell]));
    press(&mut model, KeyCode::Char('a'));
    press(&mut model, KeyCode::Esc);
    assert!(text(&model).contains("ALARM"));
    press(&mut model, KeyCode::Char('a'));
    let effects = press(&mut model, KeyCode::Char('r'));
    assert!(matches!(asked(&effects)[..], [Command::AlarmsRead { ids }] if ids.contains(&91)));
    assert!(!text(&model).contains("ALARM"));
    hear(&mut model, Event::AlarmsOver { ids: vec![90, 91], read_by: Some("ann".into()) });
    assert!(model.station.alarms.is_empty());
}

#[test]
fn a_lost_server_shows_and_its_return_asks_again() {
    let mut model = model(80, 24);
    press(&mut model, KeyCode::Char('t'));
    update(&mut model, Msg::Lost(no("the server ended before it answered")));
    update(&mut model, Msg::Answer(Asked::Tokens(String::new(), 0), Err(no("gone"))));
    assert!(text(&model).contains("NO CONNECTION"));
    assert!(model.dialogs.is_empty(), "the banner says it already");
    let effects = update(&mut model, attached());
    assert!(matches!(asked(&effects)[..], [Command::Tokens { .. }]));
    assert!(!text(&model).contains("NO CONNECTION"));
}

#[test]
fn jobs_that_want_eyes_are_found_again_after_attaching() {
    let mut model = Model::new(Look { colour: true, unicode: true }, (80, 24), NOW);
    let mut snapshot = snapshot();
    snapshot.batches[0].proofs.waiting_for_eyes = 1;
    let attached = Msg::Attached { greeting: greeting(), role: Role::Operator, snapshot: Box::new(snapshot) };
    let effects = update(&mut model, attached);
    assert!(matches!(asked(&effects)[..], [Command::Jobs { batch, .. }] if batch == "spring"));
    let mut seen = job(3, JobState::Burned);
    seen.wants_eyes = true;
    let page = PageOf { total: 1001, items: vec![job(2, JobState::Burned), seen] };
    let effects = update(&mut model, Msg::Answer(Asked::Eyes("spring".into(), 0), Ok(Reply::Jobs(page))));
    assert!(matches!(asked(&effects)[..], [Command::Jobs { page, .. }] if page.offset == 1000));
    assert!(text(&model).contains("EYES on 8659610000003"));
}
