//! The dialog that exports a batch: its screens, from the form to the file.

use super::{
    forms::{answer, vault},
    *,
};
use crate::{
    domain::Profile,
    face::{AuditHead, ExportLine, Exported, Lint, OnLint, SecretBytes},
    tui::{export::Exporting, sample::catalog},
};

#[test]
fn a_batch_is_exported_from_the_screen() {
    let linted = || {
        let line = |n: u32, lint, problem: &str, remedy: &str| ExportLine {
            place: format!("line {n}"),
            serial: format!("865961000000{n}").parse().unwrap(),
            profile: Profile::ZERO,
            target: "entra".into(),
            lint,
            problem: problem.into(),
            remedy: remedy.into(),
        };
        vec![
            line(2, Lint::Refused, "Entra ID takes no period of 45 s", "burn it again with 30 s or 60 s"),
            line(
                5,
                Lint::Changed,
                "Entra ID takes a seed of 32 bytes for SHA-256",
                "burn a seed of 20 bytes",
            ),
        ]
    };
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Open);
        press(&mut model, KeyCode::Char('b'));
        let effects = press(&mut model, KeyCode::Char('e'));
        assert!(matches!(&effects[..], [Effect::Ask(Asked::Catalog, _)]));
        answer(&mut model, Asked::Catalog, Reply::Catalog(catalog()));
        for _ in 0..3 {
            press(&mut model, KeyCode::Down);
        }
        type_in(&mut model, "upload.csv");
        is_golden("export-form", &model);
        let effects = press(&mut model, KeyCode::Enter);
        assert!(matches!(&effects[..], [Effect::Export { options, .. }] if options.dry_run));
        let look = |lint| Exported {
            content: SecretBytes::new([]),
            tokens: 7,
            left_out: vec!["token 8659610000009: nobody has seen its code yet".into()],
            cannot_carry: vec!["all lines: the profile's title has no place in this format".into()],
            login_target: Some("Entra ID (CSV upload)".into()),
            lint,
            anchor: AuditHead { entries: 17, hash: "c0ffee".into() },
        };
        update(&mut model, Msg::Exported(Ok(Exporting::Looked(Reply::Exported(look(vec![]))))));
        is_golden("export-look", &model);
        let effects = press(&mut model, KeyCode::Char('y'));
        assert!(matches!(&effects[..], [Effect::Export { options, to }]
            if !options.dry_run && to.place.path() == "upload.csv"));
        update(&mut model, Msg::Exported(Err(no("the disk is full"))));
        assert!(text(&model).contains("not so (n goes back)"));
        press(&mut model, KeyCode::Char('n'));
        press(&mut model, KeyCode::Enter);
        update(&mut model, Msg::Exported(Ok(Exporting::Looked(Reply::Exported(look(linted()))))));
        is_golden("export-lint", &model);
        press(&mut model, KeyCode::Char('w'));
        type_in(&mut model, "entr");
        press(&mut model, KeyCode::Enter);
        is_golden("export-naming", &model);
        type_in(&mut model, "a");
        let effects = press(&mut model, KeyCode::Enter);
        assert!(matches!(&effects[..], [Effect::Export { options, .. }]
            if !options.dry_run && options.on_lint == OnLint::Despite("entra".into())));
        update(&mut model, Msg::Exported(Ok(Exporting::Written("7 tokens written to upload.csv".into()))));
        assert!(model.dialogs.is_empty() && text(&model).contains("7 tokens written"));
    }
}
