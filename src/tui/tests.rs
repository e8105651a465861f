//! Screens as they are: every view at three sizes, made by the real `update` and `view`, kept under `screens/` as text
//! with marks for their styles. `INSTA_UPDATE=always` writes them anew; what changed is then reviewed like code.

mod diagnose;
mod drawing;
mod drift;
mod forms;
mod hands;
mod screens;

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
