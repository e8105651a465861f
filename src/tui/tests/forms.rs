//! Forms, a token in full, and a seed on the screen.

use super::*;
use crate::{
    domain::{DriftSeconds, Parameters, Profile, SeedId},
    envelope::question::Question,
    face::{
        BatchView, ImportLine, ImportReport, JobCounts, JobView, KeyWants, MappingView, ReadingView,
        ResyncView, Revealed, SecretBytes, SweepView, SweptCounts,
    },
    tui::{dialog::Dialog, input::Passphrase, sample::catalog},
};

/// RFC 6238 appendix B.
const URI: &str = "otpauth://totp/ann%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=6&period=30";

fn vault(model: &mut Model, state: VaultState) {
    model.station.read_alarms();
    hear(model, Event::Vault { state });
}

fn answer(model: &mut Model, asked: Asked, reply: Reply) -> Vec<Effect> {
    update(model, Msg::Answer(asked, Ok(reply)))
}

#[test]
fn the_vault_is_made_from_the_screen() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Absent);
        assert!(press(&mut model, KeyCode::Char('u')).is_empty());
        type_in(&mut model, "blue horse");
        assert!(!text(&model).contains("horse") && !format!("{model:?}").contains("horse"));
        is_golden("init", &model);
        press(&mut model, KeyCode::Enter);
        let effects = type_in(&mut model, "blue horse\n");
        assert!(matches!(&effects[..], [Effect::Init(name, Passphrase(typed))]
            if name == "passphrase" && **typed == "blue horse"));
        update(&mut model, Msg::Made(Err(no("the disk is full"))));
        assert!(text(&model).contains("the disk is full"));
        update(&mut model, Msg::Made(Ok(())));
        assert!(model.dialogs.is_empty());
    }
}

fn report() -> ImportReport {
    let line = |line, problem: &str, remedy: &str| ImportLine {
        line,
        place: format!("line {line}"),
        field: Some("serial number".into()),
        problem: problem.into(),
        remedy: remedy.into(),
        refused: true,
    };
    let mut lines = vec![line(
        3,
        "a spreadsheet turned it into 8.65962E+13, and its last digits are lost",
        "read the serial from the token again, and format the column as text",
    )];
    lines.extend((5..30).map(|n| line(n, "this serial is in batch \"spring\" already", "take the line out")));
    ImportReport {
        dry_run: true,
        format: "Entra ID CSV".into(),
        batch: Some("autumn-24".into()),
        taken: 98,
        left_out: 26,
        jobs: 98,
        missing: Vec::new(),
        lines,
        notes: vec!["the file starts with a byte order mark".into()],
    }
}

#[test]
fn a_file_is_imported_by_keys_alone() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Open);
        let effects = press(&mut model, KeyCode::Char('i'));
        assert!(matches!(asked(&effects)[..], [Command::Catalog, Command::Keys]));
        answer(&mut model, Asked::Catalog, Reply::Catalog(catalog()));
        type_in(&mut model, "~/");
        let effects = press(&mut model, KeyCode::Tab);
        assert!(matches!(&effects[..], [Effect::Complete(typed)] if typed == "~/"));
        let found = ["~/autumn-24.csv", "~/spring.csv", "~/tokens/"].map(str::to_owned).to_vec();
        update(&mut model, Msg::Completed("~/".into(), found));
        is_golden("import-file", &model);
        type_in(&mut model, "autumn-24.csv\n");
        is_golden("import", &model);
        let effects = type_in(&mut model, "\n");
        assert!(matches!(&effects[..], [Effect::Import { path, options, .. }]
            if path == "~/autumn-24.csv" && options.dry_run));
        answer(&mut model, Asked::Import, Reply::Imported(report()));
        is_golden("import-report", &model);
        for _ in 0..3 {
            press(&mut model, KeyCode::PageDown);
        }
        assert!(text(&model).contains("line 14"));
        press(&mut model, KeyCode::Esc);
        assert!(text(&model).contains("import a seed file"), "Esc goes back to what was filled in");
        type_in(&mut model, "\n");
        answer(&mut model, Asked::Import, Reply::Imported(report()));
        let effects = type_in(&mut model, "y");
        assert!(matches!(&effects[..], [Effect::Import { options, .. }] if !options.dry_run));
        let done = ImportReport { dry_run: false, ..report() };
        answer(&mut model, Asked::Import, Reply::Imported(done));
        assert_eq!((model.view, model.batches.selected.as_deref()), (View::Batches, Some("autumn-24")));
        assert!(model.dialogs.is_empty() && text(&model).contains("still holds the seeds"));
    }
}

#[test]
fn a_wrapped_file_asks_for_what_opens_it() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Open);
        type_in(&mut model, "iseeds.zip\n\n");
        update(&mut model, Msg::Wrapped(Question::Secret("password of the archive".into())));
        assert!(type_in(&mut model, "\n").is_empty(), "nothing was said");
        // A scanner types digits; here they are text.
        type_in(&mut model, "Horse4242");
        is_golden("import-wrapped", &model);
        assert!(!text(&model).contains("Horse"));
        let effects = type_in(&mut model, "\n");
        assert!(matches!(&effects[..], [Effect::Import { answers, .. }]
            if matches!(&answers[..], [one] if *one.text == "Horse4242")));
        update(&mut model, Msg::Wrapped(Question::Entry(vec!["a.csv".into(), "b.csv".into()])));
        press(&mut model, KeyCode::Right);
        let effects = type_in(&mut model, "\n");
        assert!(matches!(&effects[..], [Effect::Import { answers, .. }]
            if matches!(&answers[..], [_, two] if *two.text == "b.csv")));
        answer(&mut model, Asked::Import, Reply::Imported(report()));
        let effects = type_in(&mut model, "y");
        assert!(matches!(&effects[..], [Effect::Import { answers, .. }] if answers.len() == 2));
    }
}

#[test]
fn what_did_not_open_a_file_is_asked_for_again() {
    let mut model = model(80, 24);
    vault(&mut model, VaultState::Open);
    type_in(&mut model, "iseeds.zip\n\n");
    update(&mut model, Msg::Wrapped(Question::Secret("password of the archive".into())));
    type_in(&mut model, "wrong\n");
    update(&mut model, Msg::Answer(Asked::Import, Err(no("the password does not open the archive"))));
    press(&mut model, KeyCode::Esc);
    let effects = type_in(&mut model, "\n");
    assert!(matches!(&effects[..], [Effect::Import { answers, .. }] if answers.is_empty()));
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let mut model = model(80, 24);
    vault(&mut model, VaultState::Open);
    type_in(&mut model, "ibad.csv\n\n");
    let mut refused = no("bad.csv: 2 bad lines, 0 good ones; nothing was imported");
    refused.details = vec!["line 2: not base32; ask for the file again".into(), "line 3: no serial".into()];
    update(&mut model, Msg::Answer(Asked::Import, Err(refused)));
    is_golden("import-refused", &model);
    press(&mut model, KeyCode::Char('n'));
    assert!(text(&model).contains("import a seed file"));
}

#[test]
fn without_an_open_vault_that_comes_first() {
    let mut model = model(80, 24);
    vault(&mut model, VaultState::Locked);
    let effects = press(&mut model, KeyCode::Char('i'));
    assert!(matches!(asked(&effects)[..], [Command::Holders]));
    press(&mut model, KeyCode::Esc);
    vault(&mut model, VaultState::Absent);
    press(&mut model, KeyCode::Char('n'));
    assert!(matches!(model.dialogs.last(), Some(Dialog::Init(_))));
}

#[test]
fn a_batch_is_made_of_what_fits() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Open);
        press(&mut model, KeyCode::Char('n'));
        answer(&mut model, Asked::Catalog, Reply::Catalog(catalog()));
        type_in(&mut model, "spare");
        for _ in 0..4 {
            press(&mut model, KeyCode::Tab);
        }
        let effects = type_in(&mut model, "2");
        assert!(matches!(asked(&effects)[..], [Command::BatchNew(batch)] if batch.dry_run));
        update(&mut model, Msg::Answer(Asked::Look, Err(no("Duo does not accept 8 digits: 6 would fit"))));
        is_golden("new-batch-misfit", &model);
        type_in(&mut model, "00");
        let fits = ImportReport { jobs: 20, taken: 20, lines: Vec::new(), left_out: 0, ..report() };
        answer(&mut model, Asked::Look, Reply::Imported(fits.clone()));
        answer(&mut model, Asked::Look, Reply::Imported(ImportReport { jobs: 200, ..fits }));
        is_golden("new-batch", &model);
        let effects = type_in(&mut model, "\n");
        assert!(
            matches!(asked(&effects)[..], [Command::BatchNew(batch)] if !batch.dry_run && batch.count == 200)
        );
        answer(&mut model, Asked::Make("spare".into()), Reply::Done);
        assert_eq!((model.view, model.dialogs.len()), (View::Batches, 0));
    }
}

fn in_full() -> TokenView {
    let day = |n: i64| NOW.plus(-n * 86_400_000);
    let mapping = |since: i64, to: Option<i64>| MappingView {
        profile: Profile::ZERO,
        seed: SeedId([0; 16]),
        parameters: Parameters::standard(),
        title: None,
        upn: Some("ann@example.com".into()),
        origin: if to.is_some() { "delivered".into() } else { "burned".into() },
        from: day(since),
        to: to.map(day),
        ended_by: to.map(|_| "replaced".into()),
        proof: to.is_none().then_some(Proof::Seen),
    };
    TokenView {
        mappings: vec![mapping(200, None), mapping(240, Some(200))],
        readings: (0..9)
            .map(|n| ReadingView {
                at: day(n * 25),
                drift: DriftSeconds(f64::from(8 - i32::try_from(n).unwrap()) * 0.7),
                uncertainty_ms: 510,
                clock: ClockState::Synchronised { max_error_ms: 3 },
                kind: crate::domain::ReadingKind::Clock,
            })
            .collect(),
        ..token("8659610000003")
    }
}

#[test]
fn a_token_in_full_with_its_clock_as_a_plot() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Open);
        type_in(&mut model, "t8659610000099\n");
        let serial = || "8659610000003".parse().unwrap();
        answer(&mut model, Asked::Token(serial()), Reply::Token(Box::new(in_full())));
        is_golden("token", &model);
        if columns == 100 {
            model.look = Look { colour: false, unicode: false };
            is_golden("token-ascii", &model);
        }
    }
}

#[test]
fn a_seed_is_shown_on_its_last_four_and_hides_at_any_key_and_by_itself() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Open);
        press(&mut model, KeyCode::Char('t'));
        answer(&mut model, Asked::Token("8659610000003".parse().unwrap()), Reply::Token(Box::new(in_full())));
        press(&mut model, KeyCode::Char('Q'));
        assert!(asked(&type_in(&mut model, "0004\n")).is_empty());
        for _ in 0..4 {
            press(&mut model, KeyCode::Backspace);
        }
        let effects = type_in(&mut model, "0003\n");
        assert!(matches!(asked(&effects)[..], [Command::Reveal { last_four, profile, .. }]
            if last_four == "0003" && *profile == Profile::ZERO));
        let asked_for = || Asked::Reveal("8659610000003".parse().unwrap(), Profile::ZERO);
        let reveal = |model: &mut Model| {
            let revealed = Revealed { key_uri: SecretBytes::new(URI.as_bytes()) };
            answer(model, asked_for(), Reply::Revealed(revealed));
        };
        reveal(&mut model);
        assert_eq!(scanned(&model), URI);
        is_golden("reveal", &model);
        press(&mut model, KeyCode::Char('i'));
        assert_eq!(scanned(&model), URI, "inverted, too");
        assert!(model.wants_time() && !format!("{model:?}").contains("GEZD"));
        // Nothing of it can be copied: the key only hides it.
        assert!(press(&mut model, KeyCode::Char('y')).is_empty());
        assert!(!text(&model).contains('▀'));
        reveal(&mut model);
        assert!(press(&mut model, KeyCode::Char('7')).is_empty());
        assert_eq!((model.scan.text(), model.dialogs.len()), ("", 1), "not even a scan");
        reveal(&mut model);
        update(&mut model, Msg::Tick(NOW.plus(44_000)));
        assert_eq!(scanned(&model), URI);
        update(&mut model, Msg::Tick(NOW.plus(45_000)));
        assert!(!text(&model).contains('▀'));
    }
}

#[test]
fn without_letters_for_it_a_code_is_drawn_large_or_told_as_text() {
    let mut model = model(160, 60);
    model.look = Look { colour: false, unicode: false };
    let revealed = || Revealed { key_uri: SecretBytes::new(URI.as_bytes()) };
    let asked_for = || Asked::Reveal("17".parse().unwrap(), Profile::ZERO);
    answer(&mut model, asked_for(), Reply::Revealed(revealed()));
    assert!(text(&model).matches("##").count() > 300 && text(&model).is_ascii());
    model.size = (80, 24);
    assert!(text(&model).contains("GEZD GNBV GY3T QOJQ"));
}

/// What a phone reads from the screen.
fn scanned(model: &Model) -> String {
    let buf = buffer(model);
    let (columns, rows) = (usize::from(buf.area.width), usize::from(buf.area.height) * 2);
    let light = |x: usize, y: usize| {
        let cell = &buf.content()[(y / 2) * columns + x];
        let ink = match cell.symbol() {
            "█" => true,
            "▀" => y.is_multiple_of(2),
            "▄" => !y.is_multiple_of(2),
            _ => false,
        };
        // The rest of the screen is a dark terminal.
        (if ink { cell.fg } else { cell.bg }) == Color::Gray
    };
    // Inverted codes are read by phones; by this reader only after they are turned round.
    let inverted = matches!(model.dialogs.last(), Some(Dialog::Reveal(reveal)) if reveal.inverted);
    let grey = |x: usize, y: usize| if light(x / 4, y / 4) != inverted { 255 } else { 0 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(columns * 4, rows * 4, grey);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "codes found");
    grids[0].decode().unwrap().1
}

#[test]
fn the_mouse_is_left_alone_until_it_is_wanted() {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    let mut model = model(80, 24);
    let effects = type_in(&mut model, ":mouse\n");
    assert!(matches!(effects[..], [Effect::Mouse(true)]));
    let mouse = |kind, column| Msg::Mouse(MouseEvent { kind, column, row: 0, modifiers: KeyModifiers::NONE });
    update(&mut model, mouse(MouseEventKind::ScrollDown, 40));
    assert_eq!(model.slot_at(), 1);
    let at = u16::try_from(text(&model).lines().next().unwrap().find("tokens").unwrap()).unwrap();
    update(&mut model, mouse(MouseEventKind::Down(MouseButton::Left), at));
    assert_eq!(model.view, View::Tokens);
    assert!(matches!(update(&mut model, Msg::Continued)[..], [Effect::Redraw, Effect::Mouse(true), ..]));
}

/// A sweep that is under way, with a slot in the middle of a token and one that has done with another.
fn sweeping(columns: u16, rows: u16) -> Model {
    let mut model = model(columns, rows);
    vault(&mut model, VaultState::Open);
    let sweep = SweepView {
        threshold_ms: Some(5_000),
        swept: SweptCounts { set: 12, right: 30, refused: 1, ..SweptCounts::default() },
        ..SweepView::default()
    };
    let jobs = JobCounts { burned: 12, claimed: 1, ..JobCounts::default() };
    hear(
        &mut model,
        Event::Batch(BatchView { sweep: Some(Box::new(sweep)), jobs, ..batch("june", "running") }),
    );
    let on = |slot: &str, doing, serial: &str| SlotView {
        slot: SlotName(slot.into()),
        doing,
        occupied: true,
        serial: Some(serial.parse().unwrap()),
        model: Some("C301-i".into()),
        job: Some(40),
        progress: None,
        drift: Some(DriftSeconds(-75.2)),
        says: None,
        remedy: None,
    };
    hear(
        &mut model,
        Event::Slot(SlotView {
            progress: Some((2, 4)),
            says: Some("setting its clock: -75.2 s off; the same seed again".into()),
            ..on("Reader 01", Doing::Wait, "8659610000001")
        }),
    );
    hear(
        &mut model,
        Event::Slot(SlotView {
            says: Some("clock set: -12.0 s before, +0.4 s now".into()),
            drift: Some(DriftSeconds(0.4)),
            ..on("Reader 03", Doing::Take, "8659610000003")
        }),
    );
    model
}

#[test]
fn a_sweep_shows_on_slots_among_batches_and_in_its_jobs() {
    for (columns, rows) in SIZES {
        let mut model = sweeping(columns, rows);
        is_golden("sweep-station", &model);
        model.batches.selected = Some("june".into());
        type_in(&mut model, "b");
        let set = |n: i64, before_ms, after_ms| JobView {
            batch: "june".into(),
            resync: Some(ResyncView { before_ms: Some(before_ms), after_ms }),
            proof: after_ms.is_some().then_some(Proof::Written),
            ..job(n, if after_ms.is_some() { JobState::Burned } else { JobState::Unfinished })
        };
        let items = vec![set(40, -75_200, None), set(41, -12_000, Some(400)), set(42, 31_900, Some(-100))];
        let of = model.batches.of.clone();
        answer(&mut model, Asked::Jobs(of, 0), Reply::Jobs(PageOf { total: 3, items }));
        is_golden("sweep-batches", &model);
    }
}

#[test]
fn a_sweep_is_started_by_a_small_form_from_views_and_palette() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Open);
        press(&mut model, KeyCode::Char('r'));
        is_golden("sweep-form", &model);
    }
    let mut model = model(80, 24);
    vault(&mut model, VaultState::Open);
    type_in(&mut model, ":clocks of tokens\n");
    assert!(matches!(model.dialogs.last(), Some(Dialog::Sweep(_))));
    let effects = type_in(&mut model, "\t5\n");
    assert!(asked(&effects).iter().any(|command| matches!(command, Command::Resync(sweep)
        if sweep.threshold_s == Some(5) && sweep.of_batch.is_none() && sweep.serials.is_empty())));
    assert!(model.dialogs.is_empty());
}

#[test]
fn the_clock_of_the_token_in_question_is_set_with_one_key() {
    let mut model = model(80, 24);
    vault(&mut model, VaultState::Open);
    type_in(&mut model, "d86596100000001\n");
    let effects = press(&mut model, KeyCode::Char('r'));
    assert!(asked(&effects).iter().any(|command| matches!(command, Command::Resync(sweep)
        if sweep.serials == ["86596100000001".parse().unwrap()] && sweep.threshold_s == Some(0))));
    model.role = Role::Observer;
    assert!(asked(&press(&mut model, KeyCode::Char('r'))).is_empty(), "who looks on sets nothing");
}

#[test]
fn the_codes_of_a_key_are_shown_while_they_are_good() {
    let code = |name: &str, code: Option<&str>, wants| crate::face::KeyCode {
        name: name.into(),
        issuer: None,
        account: name.into(),
        period_s: Some(30),
        code: code.map(str::to_owned),
        until: code.map(|_| NOW.floor_second().plus(12)),
        wants,
    };
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        model.slot = Some(SlotName("Reader 02".into()));
        assert!(press(&mut model, KeyCode::Char('o')).is_empty(), "nothing lies there");
        hear(&mut model, Event::Slot(slot("Reader 01", Doing::Take, Some("12345678"))));
        model.slot = Some(SlotName("Reader 01".into()));
        let effects = press(&mut model, KeyCode::Char('o'));
        assert!(matches!(asked(&effects)[..], [Command::OtpRead { .. }, Command::Keys]));
        let codes = crate::face::KeyCodes {
            serial: "12345678".parse().unwrap(),
            model: Some("yubikey-5".into()),
            at: NOW.floor_second(),
            codes: vec![
                code("Acme:ann@example.com", Some("012345"), None),
                code("Acme:touchy", None, Some(KeyWants::Touch)),
                code("Bank:ann", None, Some(KeyWants::Asking)),
            ],
        };
        answer(&mut model, Asked::Codes(SlotName("Reader 01".into())), Reply::Codes(codes));
        assert!(model.wants_time(), "the seconds run");
        is_golden("codes", &model);
        update(&mut model, Msg::Tick(NOW.plus(12_000)));
        assert!(!text(&model).contains("012345"), "it is over");
        assert!(!model.wants_time());
    }
}

#[test]
fn a_batch_is_exported_from_the_screen() {
    use crate::{
        face::{AuditHead, Exported},
        tui::{export::Exporting, msg::Msg},
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
        let look = Exported {
            content: SecretBytes::new([]),
            tokens: 7,
            left_out: vec!["token 8659610000009: nobody has seen its code yet".into()],
            cannot_carry: vec!["all lines: the profile's title has no place in this format".into()],
            login_target: Some("Entra ID (CSV upload)".into()),
            lint: vec![],
            anchor: AuditHead { entries: 17, hash: "c0ffee".into() },
        };
        update(&mut model, Msg::Exported(Ok(Exporting::Looked(Reply::Exported(look)))));
        is_golden("export-look", &model);
        let effects = press(&mut model, KeyCode::Char('y'));
        assert!(matches!(&effects[..], [Effect::Export { options, to }]
            if !options.dry_run && to.file == "upload.csv"));
        update(&mut model, Msg::Exported(Err(no("2 of 7 lines would not come through"))));
        assert!(text(&model).contains("g: good lines only"));
        press(&mut model, KeyCode::Char('g'));
        update(&mut model, Msg::Exported(Ok(Exporting::Written("7 tokens written to upload.csv".into()))));
        assert!(model.dialogs.is_empty() && text(&model).contains("7 tokens written"));
    }
}

#[test]
fn a_batch_is_activated_code_by_code() {
    for (columns, rows) in SIZES {
        let mut model = model(columns, rows);
        vault(&mut model, VaultState::Open);
        press(&mut model, KeyCode::Char('b'));
        let effects = press(&mut model, KeyCode::Char('A'));
        assert!(matches!(asked(&effects)[..], [Command::ActivationCodes(_)]));
        let code = crate::face::ActivationCode {
            serial: "8659610000001".parse().unwrap(),
            profile: Profile::ZERO,
            user: Some("user01@example.com".into()),
            code: "012345".into(),
            until: NOW.floor_second().plus(19),
        };
        let codes = crate::face::ActivationCodes {
            at: NOW.floor_second(),
            login_target: "Entra ID (CSV upload)".into(),
            codes: vec![code],
            waiting: 8,
            more_at: None,
            left_out: vec![],
        };
        answer(&mut model, Asked::Activation, Reply::ActivationCodes(codes.clone()));
        is_golden("activate", &model);
        let effects = press(&mut model, KeyCode::Char('y'));
        assert!(matches!(asked(&effects)[..], [Command::Activated { .. }]));
        let effects = update(&mut model, Msg::Answer(Asked::Activated, Ok(Reply::Done)));
        assert!(matches!(asked(&effects)[..], [Command::ActivationCodes(_)]));
        let none = crate::face::ActivationCodes {
            codes: vec![],
            more_at: Some(NOW.floor_second().plus(120)),
            ..codes
        };
        answer(&mut model, Asked::Activation, Reply::ActivationCodes(none));
        assert!(text(&model).contains("no more codes for 120 s") && text(&model).contains("1 activated"));
        press(&mut model, KeyCode::Esc);
        assert!(model.dialogs.is_empty());
    }
}
