//! Screens as they are: every view at three sizes, made by the real `update` and `view`, kept under `screens/` as text
//! with marks for their styles. `INSTA_UPDATE=always` writes them anew; what changed is then reviewed like code.

mod diagnose;
mod drift;
mod forms;
mod mouse;

use super::{
    ansi::Ansi,
    look::Look,
    model::{Link, Model, View},
    msg::{Asked, Effect, Msg},
    run::{Handled, drive},
    sample::{NOW, attached, batch, failure as no, greeting, job, job_event, model, slot, snapshot},
    update::update,
    view::view,
};
use crate::{
    domain::{Clock, ClockState, JobState, Proof, SlotName, UnixMillis},
    face::{
        AuditEntry, ClockView, Command, Doing, Event, HolderFile, Numbered, PageOf, Reply, Role, SlotView,
        TokenLine, TokenView, VaultState, Verdict,
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    backend::{Backend, TestBackend},
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};
use std::sync::mpsc::channel;

const SIZES: [(u16, u16); 3] = [(80, 24), (100, 30), (160, 45)];

fn buffer(model: &Model) -> Buffer {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buf = Buffer::empty(area);
    view(model, area, &mut buf);
    buf
}

/// The screen as lines, blanks at their ends left out.
fn text(model: &Model) -> String {
    let buf = buffer(model);
    let lines = buf.content().chunks(usize::from(buf.area.width)).map(|cells| {
        let mut skip = 0;
        let mut line = String::new();
        for cell in cells {
            if skip == 0 {
                line.push_str(cell.symbol());
            }
            let wide = ratatui::text::Span::raw(cell.symbol()).width();
            skip = if skip > 0 { skip - 1 } else { wide.saturating_sub(1) };
        }
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

/// What each letter stands for in the marks below a screen; a blank is plain text.
const MARKS: &str = "s bold, v reversed, V both; f F n N the same in blue (plain first), r R x X in red, g G k K in green; \
                     q other colours";

fn mark(cell: &ratatui::buffer::Cell) -> char {
    let bold = cell.modifier.contains(Modifier::BOLD);
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    let letters = match (cell.fg, cell.bg) {
        (Color::Reset, Color::Reset) => [' ', 's', 'v', 'V'],
        (Color::Blue, Color::Reset) => ['f', 'F', 'n', 'N'],
        (Color::Red, Color::Reset) => ['r', 'R', 'x', 'X'],
        (Color::Green, Color::Reset) => ['g', 'G', 'k', 'K'],
        _ => ['q'; 4],
    };
    letters[usize::from(bold) + 2 * usize::from(reversed)]
}

/// The marks of the lines that have any, with the lines' numbers.
fn marks(model: &Model) -> String {
    let buf = buffer(model);
    let lines = buf.content().chunks(usize::from(buf.area.width)).enumerate();
    let lines = lines.map(|(n, cells)| (n, cells.iter().map(mark).collect::<String>()));
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(n, line)| format!("{n:02} {}\n", line.trim_end()))
        .collect()
}

#[track_caller]
fn is_golden(name: &str, model: &Model) {
    let (columns, rows) = model.size;
    let shown = format!("{}\n({MARKS})\n{}", text(model), marks(model));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("screens");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("{name}-{columns}x{rows}"), shown));
}

fn press(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

/// Types letters; the last key's effects.
fn type_in(model: &mut Model, text: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for c in text.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            c => KeyCode::Char(c),
        };
        effects = press(model, code);
    }
    effects
}

fn hear(model: &mut Model, event: Event) -> Vec<Effect> {
    let number = model.station.last_event + 1;
    update(model, Msg::News(Numbered { number, at: NOW, event }))
}

fn asked(effects: &[Effect]) -> Vec<&Command> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ask(_, command) => Some(command),
            _ => None,
        })
        .collect()
}

fn wants_eyes(model: &mut Model, serial: &str) {
    let mut event = job_event(3, JobState::Burned, serial);
    if let Event::Job { wants_eyes, proof, .. } = &mut event {
        (*wants_eyes, *proof) = (true, Some(Proof::Written));
    }
    hear(model, event);
}

fn token(serial: &str) -> TokenView {
    TokenView {
        line: TokenLine {
            serial: serial.parse().unwrap(),
            model: Some("C301-i".into()),
            upn: Some("ann@example.com".into()),
            profiles: 1,
            proof: Some(Proof::Written),
            last_seen: Some(NOW),
            scrapped: None,
            batch: None,
        },
        mappings: Vec::new(),
        readings: Vec::new(),
        clock_set: None,
        jobs: vec![job(3, JobState::Burned)],
        clock: None,
    }
}

fn verdict(right: bool) -> Verdict {
    Verdict {
        right,
        steps_off: right.then_some(0),
        window: 2,
        next_counter: None,
        proof: Some(if right { Proof::Seen } else { Proof::Written }),
        advice: if right {
            "token 8659610000003 shows the right code".into()
        } else {
            "switch the token off and on (until then it shows a code from before the burn) and type the new code; \
             if it is wrong again, put the token aside"
                .into()
        },
        diagnosis: None,
    }
}

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
    let mut model = Model::new(Look::FULL, (80, 24), NOW);
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

#[test]
fn nothing_is_said_by_colour_alone() {
    // Without colours and without Unicode the same words and marks are there.
    let mut model = model(100, 30);
    wants_eyes(&mut model, "8659610000003");
    let with: String = text(&model);
    model.look = Look::BARE;
    let buf = buffer(&model);
    assert!(buf.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(buf.content().iter().all(|cell| cell.symbol().is_ascii()));
    assert!(buf.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
    let without = text(&model);
    assert_eq!(with.lines().count(), without.lines().count());
    for word in ["PLACE", "WAIT", "TAKE", "LOOK", "ALARM", "EYES", "burned"] {
        assert!(without.contains(word), "{word}");
    }
    is_golden("station-ascii", &model);
}

#[test]
fn no_size_is_too_small_and_none_panics() {
    for columns in [0, 1, 2, 5, 12, 20, 40, 300] {
        for rows in [0, 1, 2, 3, 5, 8, 12, 100] {
            let mut model = model(columns, rows);
            for keys in ["", "b\n", "t/x", "\nl", "?", ":", ""] {
                type_in(&mut model, keys);
                buffer(&model);
                press(&mut model, KeyCode::Esc);
            }
        }
    }
}

#[test]
fn what_a_device_says_cannot_move_the_cursor() {
    let mut model = model(80, 24);
    let evil = SlotView { says: Some("\u{1b}[2Jx\u{202e}y".into()), ..slot("Reader 01", Doing::Look, None) };
    hear(&mut model, Event::Slot(evil));
    assert!(!text(&model).contains(['\u{1b}', '\u{202e}']));
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        NOW
    }

    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

/// Runs the real loop over `messages` on a screen in memory; what it wanted done, and the screen in the end.
fn looped(messages: Vec<Msg>) -> (Vec<String>, TestBackend) {
    let (out, inbox) = channel();
    for msg in messages {
        out.send(msg).unwrap();
    }
    drop(out);
    let mut backend = TestBackend::new(80, 24);
    let mut effects = Vec::new();
    let look = Look::FULL;
    drive(&mut backend, look, &inbox, &Still, &mut |effect, _: &mut TestBackend| {
        effects.push(format!("{effect:?}"));
        Ok(match effect {
            Effect::Suspend => Handled::Not("there is no shell here to go back to"),
            Effect::Redraw => Handled::Redraw,
            _ => Handled::Done,
        })
    })
    .unwrap();
    (effects, backend)
}

fn key(code: KeyCode) -> Msg {
    Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn the_loop_takes_keys_and_leaves_on_q_alone() {
    let keys = [KeyCode::Esc, KeyCode::Char('b'), KeyCode::Char('P'), KeyCode::Char('q'), KeyCode::Char('S')];
    let (effects, _) = looped([attached()].into_iter().chain(keys.map(key)).collect());
    assert!(effects.iter().any(|effect| effect.contains("BatchPause")), "{effects:?}");
    assert_eq!(effects.last().map(String::as_str), Some("Quit"), "nothing is taken after it");
}

#[test]
fn ctrl_z_without_a_shell_says_so_and_goes_on() {
    let stop = Msg::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL));
    let (effects, _) = looped(vec![attached(), stop, key(KeyCode::Char('q'))]);
    assert_eq!(effects, ["Suspend", "Quit"]);
}

/// Counts what reaches the terminal.
#[derive(Default)]
struct Counting {
    writes: usize,
    bytes: usize,
}

impl std::io::Write for &mut Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writes += 1;
        self.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn written(before: &Model, after: &Model) -> Counting {
    let mut counting = Counting::default();
    let mut ansi = Ansi::new(&mut counting, || Ok((120, 40)));
    let (before, after) = (buffer(before), buffer(after));
    ansi.draw(before.diff(&after).into_iter()).unwrap();
    ansi.flush().unwrap();
    counting
}

#[test]
fn a_gauge_costs_at_most_80_bytes_a_frame_9_kilobytes_and_nothing_nothing() {
    let before = model(120, 40);
    let mut after = model(120, 40);
    let nothing = written(&before, &after);
    assert_eq!((nothing.writes, nothing.bytes), (0, 0));
    let mut moved = snapshot().slots.into_iter().find(|slot| slot.slot.0 == "Reader 01").unwrap();
    moved.progress = Some((2, 7));
    hear(&mut after, Event::Slot(moved));
    let gauge = written(&before, &after);
    assert!(gauge.writes == 1 && gauge.bytes <= 80, "{} bytes in {} writes", gauge.bytes, gauge.writes);
    let mut blank = model(120, 40);
    blank.link = Link::Connecting;
    blank.station = Default::default();
    let frame = written(&blank, &before);
    assert!(frame.writes == 1 && frame.bytes <= 9_000, "{} bytes in {} writes", frame.bytes, frame.writes);
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
