//! What keys do to the dialog that exports, and what it asks for.

use super::*;
use crate::{
    face::{AuditHead, Exported, SecretBytes},
    tui::sample::catalog,
};
use crossterm::event::KeyModifiers;

fn press(export: &mut Export, code: KeyCode) -> Vec<Effect> {
    export.key(&KeyEvent::new(code, KeyModifiers::NONE))
}

fn type_in(export: &mut Export, text: &str) {
    for c in text.chars() {
        press(export, KeyCode::Char(c));
    }
}

fn looked() -> Result<Exporting, Failure> {
    Ok(Exporting::Looked(Reply::Exported(Exported {
        content: SecretBytes::new([]),
        tokens: 3,
        left_out: vec!["token 4: nobody has seen its code yet".into()],
        cannot_carry: vec![],
        login_target: None,
        lint: vec![],
        anchor: AuditHead { entries: 1, hash: "00".into() },
    })))
}

fn filled() -> Export {
    let mut export = Export::of("spring".into());
    export.take_catalog(&catalog());
    for _ in 0..3 {
        press(&mut export, KeyCode::Down);
    }
    type_in(&mut export, "out.csv");
    export
}

#[test]
fn nothing_is_written_before_it_was_looked_at_and_answered_with_yes() {
    let mut export = filled();
    let effects = press(&mut export, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Export { options, to }]
        if options.dry_run && options.batch.as_deref() == Some("spring")
            && to.place == Place::File("out.csv".into()) && matches!(to.protect, Protect::Private)));
    assert!(press(&mut export, KeyCode::Enter).is_empty(), "one look at a time");
    assert!(export.answered(looked()).is_none());
    for code in [KeyCode::Enter, KeyCode::Char(' '), KeyCode::Char('g')] {
        assert!(press(&mut export, code).is_empty());
    }
    let effects = press(&mut export, KeyCode::Char('y'));
    assert!(matches!(&effects[..], [Effect::Export { options, .. }]
        if !options.dry_run && options.on_lint == OnLint::Refuse));
    assert_eq!(export.answered(Ok(Exporting::Written("done".into()))).as_deref(), Some("done"));
}

/// Two profiles on one line, which Entra ID would not take.
fn linted() -> Result<Exporting, Failure> {
    let Ok(Exporting::Looked(Reply::Exported(look))) = looked() else { return looked() };
    let line = |profile| ExportLine {
        place: "line 2".into(),
        serial: "8659610000001".parse().unwrap(),
        profile: Profile::new(profile),
        target: "entra".into(),
        lint: crate::face::Lint::Refused,
        problem: "Entra ID takes no period of 45 s".into(),
        remedy: "burn it with 30 s or 60 s".into(),
    };
    Ok(Exporting::Looked(Reply::Exported(Exported { lint: vec![line(0), line(1)], ..look })))
}

#[test]
fn what_the_server_would_refuse_stays_out_on_a_persons_word() {
    let mut export = filled();
    let effects = press(&mut export, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Export { options, .. }]
        if options.dry_run && options.on_lint == OnLint::Tell));
    export.answered(linted());
    assert!(matches!(&export.stage, Stage::Report(look, _) if look.bad_lines() == 1));
    assert!(press(&mut export, KeyCode::Char('y')).is_empty(), "a plain yes is not enough");
    let effects = press(&mut export, KeyCode::Char('g'));
    assert!(matches!(&effects[..], [Effect::Export { options, .. }]
        if options.dry_run && options.on_lint == OnLint::GoodLinesOnly));
    export.answered(looked());
    let effects = press(&mut export, KeyCode::Char('y'));
    assert!(matches!(&effects[..], [Effect::Export { options, .. }]
        if !options.dry_run && options.on_lint == OnLint::GoodLinesOnly));
}

#[test]
fn it_is_written_all_the_same_once_the_targets_name_is_typed() {
    let mut export = filled();
    press(&mut export, KeyCode::Enter);
    export.answered(linted());
    assert!(press(&mut export, KeyCode::Char('w')).is_empty());
    for wrong in ["", "duo"] {
        type_in(&mut export, wrong);
        assert!(press(&mut export, KeyCode::Enter).is_empty(), "{wrong:?}");
        assert!(matches!(&export.stage, Stage::Naming(_, naming) if naming.is_wrong));
    }
    for _ in 0..3 {
        press(&mut export, KeyCode::Backspace);
    }
    type_in(&mut export, "entra");
    let effects = press(&mut export, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Export { options, .. }]
        if !options.dry_run && options.on_lint == OnLint::Despite("entra".into())));

    // Left before it was typed to its end, nothing is written.
    let mut export = filled();
    press(&mut export, KeyCode::Enter);
    export.answered(linted());
    press(&mut export, KeyCode::Char('w'));
    export.back();
    assert!(matches!(&export.stage, Stage::Report(look, _) if !look.lint.is_empty()));
}

#[test]
fn a_pskc_container_takes_a_password_that_was_typed_twice_and_shows_nowhere() {
    let mut export = filled();
    export.form.choose(PROTECT, WITH_PASSWORD);
    assert_eq!(export.form.text(PROTECT), PRIVATE, "Entra's table takes none");
    export.form.at = FORMAT;
    for _ in 0..2 {
        press(&mut export, KeyCode::Right);
    }
    assert_eq!(export.form.text(FORMAT), "pskc");
    export.form.choose(PROTECT, WITH_PASSWORD);
    assert!(press(&mut export, KeyCode::Enter).is_empty());
    assert_eq!((export.problem, export.form.at), (Some("which password?"), PASSWORD));
    type_in(&mut export, "blue horse");
    assert!(press(&mut export, KeyCode::Enter).is_empty());
    assert_eq!(export.form.at, AGAIN);
    type_in(&mut export, "blue horst");
    assert!(press(&mut export, KeyCode::Enter).is_empty());
    assert_eq!(export.problem, Some("it was typed in two different ways"));
    press(&mut export, KeyCode::Backspace);
    type_in(&mut export, "e");
    let effects = press(&mut export, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Export { to, .. }]
        if matches!(&to.protect, Protect::Password { password, for_privacyidea: false }
            if *password.0 == "blue horse")));
    assert!(!format!("{export:?}{effects:?}").contains("horse"));
    // Another format has no place for it.
    export.back();
    export.form.at = FORMAT;
    press(&mut export, KeyCode::Left);
    assert_eq!(export.form.text(PROTECT), PRIVATE);
    assert!(export.is_idle(PASSWORD) && export.is_idle(AGAIN));
}

#[test]
fn pictures_go_into_a_directory() {
    let mut export = filled();
    export.form.choose(FORMAT, PICTURES);
    export.fit();
    let effects = press(&mut export, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Export { options, to }]
        if options.format == ExportFormat::QrCodes && to.place == Place::Pictures("out.csv".into())));
    assert_eq!(export.form.fields[FILE].label, "directory");
}

#[test]
fn an_encrypted_file_wants_to_know_to_whom() {
    let mut export = filled();
    press(&mut export, KeyCode::Down);
    press(&mut export, KeyCode::Right);
    assert!(press(&mut export, KeyCode::Enter).is_empty());
    assert_eq!((export.problem, export.form.at), (Some("to whom is it encrypted?"), TO));
    type_in(&mut export, "age1xyz");
    let effects = press(&mut export, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Export { to, .. }]
        if matches!(&to.protect, Protect::Age(to) if to == "age1xyz")));
}

#[test]
fn the_report_for_an_auditor_is_written_at_once() {
    let mut export = filled();
    export.form.choose(FORMAT, AUDIT);
    let effects = press(&mut export, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Report { batch, to }]
        if batch == "spring" && to.place.path() == "out.csv"));
}

#[test]
fn every_format_on_offer_is_one() {
    for (word, _) in FORMATS.iter().skip(1).filter(|(word, _)| *word != AUDIT) {
        assert_ne!(format(word), ExportFormat::EntraCsv { old_interval_column: false }, "{word}");
    }
}
