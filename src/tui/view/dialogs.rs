//! Dialogs, in boxes over the view.

use super::{
    activate,
    boxes::{COLUMNS, Styled, caret, choices, failure_lines, lines_box, open_box, room, wrapped},
    codes, forms, large,
    paint::{first_line, fit, put, width, wrap},
    reveal, station, token,
};
use crate::{
    face::{Doing, Verdict},
    tui::{
        dialog::{Dialog, Unlock},
        input::Input,
        keys::KEYS,
        look::{BAD, FRAME, GOOD, PLAIN, SELECTED, STRONG},
        model::Model,
        palette,
        spots::{Spot, Spots},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws `dialog` over what is in `buf`.
pub fn draw(model: &Model, dialog: &Dialog, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    match dialog {
        Dialog::Help(scroll) => {
            lines_box("keys (Esc closes)", help(model), *scroll, area, buf);
        }
        Dialog::Palette { input, selected } => draw_palette(model, input, *selected, area, buf, spots),
        Dialog::Alarms(scroll) => {
            lines_box("alarms (r: read, Esc: later)", alarms(model, area), *scroll, area, buf);
        }
        Dialog::Init(init) => forms::init(init, area, buf, spots),
        Dialog::Unlock(unlock) => draw_unlock(unlock, area, buf, spots),
        Dialog::Import(import) => forms::import(import, area, buf, spots),
        Dialog::Making(making) => forms::making(making, area, buf, spots),
        Dialog::Sweep(sweeping) => forms::sweep(sweeping, area, buf, spots),
        Dialog::Resync(resyncing) => forms::resync(resyncing, area, buf, spots),
        Dialog::Activating(activating) => activate::draw(activating, model.now, area, buf),
        Dialog::Codes(shown) => codes::draw(shown, model.now, area, buf, spots),
        Dialog::Export(export) => forms::export(export, area, buf, spots),
        Dialog::Reveal(shown) => reveal::draw(model, shown, buf),
        Dialog::Sure(sure) => {
            let (question, meaning) = sure.words();
            let mut lines = wrapped(&meaning, area, PLAIN);
            lines.push((String::new(), PLAIN));
            lines.push(("press y for yes, n for no".into(), STRONG));
            lines_box(&question, lines, 0, area, buf);
        }
        Dialog::Typed { what, input, problem } => {
            let (title, meaning, ask) = what.words();
            let mut lines = wrapped(meaning, area, PLAIN);
            lines.push((String::new(), PLAIN));
            lines.push((format!("{ask}, then Enter (Esc leaves it)"), STRONG));
            lines.push((format!("> {}", input.text()), PLAIN));
            lines.extend(problem.map(|problem| (problem.to_owned(), BAD)));
            let cursor = (lines.len() - 1 - usize::from(problem.is_some()), width(input.text()) + 2);
            let inside = lines_box(&title, lines, 0, area, buf);
            caret(inside, cursor, buf);
        }
        Dialog::Slot(name) => {
            let lines = match model.station.slots.iter().find(|slot| slot.slot == *name) {
                Some(slot) => slot_lines(model, slot, area),
                None => vec![("the reader is gone".into(), BAD)],
            };
            lines_box(&format!("{name} (o: codes of a key, Esc closes)"), lines, 0, area, buf);
        }
        Dialog::Token { serial, view, scroll } => {
            let lines = match view {
                Some(token) => token::lines(token, area),
                None => vec![("asking the station".into(), PLAIN)],
            };
            lines_box(
                &format!("token {serial} (v verify, Q QR code, Esc closes)"),
                lines,
                *scroll,
                area,
                buf,
            );
        }
        Dialog::Verdict { serial, profile, code, verdict } => {
            let title = match profile.number() {
                0 => format!("token {serial}: {code}"),
                _ => format!("token {serial}, profile {profile}: {code}"),
            };
            draw_verdict(&title, verdict, area, buf);
        }
        Dialog::Failure(failure) => {
            lines_box("that did not work (any key closes)", failure_lines(failure, area), 0, area, buf);
        }
    }
}

fn help(model: &Model) -> Vec<Styled> {
    let mut lines = vec![
        (format!("On {}:", model.view.name()), STRONG),
        (format!("{:<12} {}", "digits Enter", "a scan: a serial, or the code on a display"), PLAIN),
    ];
    let here = |specific: bool| {
        KEYS.iter().filter(move |entry| {
            entry.is_on(model.view) && !entry.keys.is_empty() && entry.views.is_empty() != specific
        })
    };
    let line = |entry: &crate::tui::keys::Entry| {
        let only = if model.may(entry.action) { "" } else { " (operators only)" };
        (format!("{:<12} {}{only}", entry.shown, entry.name), PLAIN)
    };
    lines.extend(here(true).map(line));
    lines.push((String::new(), PLAIN));
    if model.view == crate::tui::model::View::Station {
        lines.extend(hands());
        lines.push((String::new(), PLAIN));
    }
    lines.push(("Everywhere:".into(), STRONG));
    lines.extend(here(false).map(line));
    lines
}

/// What the words at the slots mean.
fn hands() -> Vec<Styled> {
    let mut lines = vec![("At a slot:".into(), STRONG)];
    for (doing, means) in [
        (Doing::Place, "put a token down"),
        (Doing::Wait, "leave it alone"),
        (Doing::Touch, "press the token's button"),
        (Doing::Take, "it is done: take it away"),
        (Doing::Look, "read what the slot says"),
    ] {
        lines.push((format!("{} {:<10} {means}", doing.glyph(), doing.word()), PLAIN));
    }
    lines
}

fn alarms(model: &Model, area: Rect) -> Vec<Styled> {
    let mut lines = Vec::new();
    let unread: Vec<_> = model.station.unread().map(|alarm| alarm.id).collect();
    for alarm in model.station.alarms.iter().rev() {
        let new = unread.contains(&alarm.id);
        let (mark, style) = if new { ("! ", BAD) } else { ("  ", PLAIN) };
        let at = alarm.at.floor_second().to_string().replace('T', " ");
        lines.extend(wrapped(&format!("{mark}{at} {}", alarm.message), area, style));
        lines.extend(wrapped(&format!("-> {}", alarm.remedy), area, PLAIN));
    }
    lines
}

fn draw_palette(
    model: &Model,
    input: &Input,
    selected: usize,
    area: Rect,
    buf: &mut Buffer,
    spots: &mut Spots,
) {
    let found = palette::lines(model, input.text());
    let inside =
        open_box("all actions (type a few letters, Enter does it)", COLUMNS, area.height.min(20), area, buf);
    put(buf, inside, inside.x, inside.y, &format!(": {}", input.text()), STRONG);
    caret(inside, (0, width(input.text()) + 2), buf);
    let list = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
    let selected = selected.min(found.len().saturating_sub(1));
    let first = first_line(selected as u64, found.len() as u64, list.height);
    let first = usize::try_from(first).unwrap_or(0);
    for (y, (n, line)) in (list.y..list.bottom()).zip(found.iter().enumerate().skip(first)) {
        let mark = if n == selected { "▸" } else { " " };
        let style = if n == selected { SELECTED } else { PLAIN };
        spots.line(list, y, Spot::Choice(n));
        put(buf, list, list.x, y, &format!("{mark} {}", line.name), style);
        if !line.key.is_empty() {
            let x = list.right().saturating_sub(width(line.key));
            put(buf, list, x, y, line.key, FRAME);
        }
    }
    if found.is_empty() {
        put(buf, list, list.x, list.y, "nothing is called like that", BAD);
    }
}

fn draw_unlock(unlock: &Unlock, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let mut lines = Vec::new();
    let mut cursor = None;
    match unlock.holders.as_deref() {
        None => lines.push(("asking the station who can open it".to_owned(), PLAIN)),
        Some([]) => {
            lines.extend(wrapped("No passphrase opens this vault, only keys.", area, PLAIN));
            lines.extend(wrapped("-> leave (q) and run kiln unlock --identity FILE", area, STRONG));
        }
        Some(holders) => {
            for (n, holder) in holders.iter().enumerate() {
                let (mark, style) = if n == unlock.chosen { ("▸", STRONG) } else { (" ", PLAIN) };
                lines.push((format!("{mark} {}", holder.name), style));
            }
            if holders.len() > 1 {
                lines.push(("Down chooses whose passphrase it is".into(), FRAME));
            }
            lines.push((String::new(), PLAIN));
            let typed = unlock.input.text().chars().count();
            // How many letters says whether the keyboard works, and what they are stays unsaid.
            let dots = "*".repeat(typed.min(usize::from(room(area)).saturating_sub(16)));
            cursor = (!unlock.busy).then(|| (lines.len(), width("passphrase: ") + width(&dots)));
            lines.push((format!("passphrase: {dots}"), STRONG));
            lines.push(if unlock.busy {
                ("opening: this takes a second or two by design".into(), PLAIN)
            } else {
                ("Enter opens, Esc leaves it locked".into(), FRAME)
            });
            if let Some(problem) = &unlock.problem {
                lines.extend(failure_lines(problem, area));
            }
        }
    }
    // The box must not grow with the passphrase.
    let wide = "─".repeat(44);
    lines.push((wide, FRAME));
    let last = lines.len() - 1;
    lines[last].0 = " ".repeat(44);
    let inside = lines_box("unlock the vault", lines, 0, area, buf);
    choices(inside, 0, unlock.holders.as_ref().map_or(0, Vec::len), spots);
    if let Some(cursor) = cursor {
        caret(inside, cursor, buf);
    }
}

fn slot_lines(model: &Model, slot: &crate::face::SlotView, area: Rect) -> Vec<Styled> {
    let mut lines = vec![(format!("{} {}", slot.doing.glyph(), slot.doing.word()), STRONG)];
    let mut fact = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| (format!("{name:<8} {value}"), PLAIN)));
    };
    fact("token", slot.serial.as_ref().map(ToString::to_string));
    fact("model", slot.model.clone());
    fact("clock", slot.drift.map(|drift| format!("{drift} against the station's")));
    fact("job", slot.job.map(|job| format!("#{job}")));
    fact("step", slot.progress.map(|(done, of)| format!("{done} of {of}")));
    if let Some(says) = &slot.says {
        lines.push((String::new(), PLAIN));
        let style = if slot.doing == Doing::Look { BAD } else { PLAIN };
        lines.extend(wrapped(says, area, style));
    }
    if let Some(remedy) = station::remedy(model, slot) {
        lines.extend(wrapped(&format!("-> {remedy}"), area, PLAIN));
    }
    lines
}

fn draw_verdict(title: &str, verdict: &Verdict, area: Rect, buf: &mut Buffer) {
    let (word, style) = if verdict.right { ("RIGHT", GOOD) } else { ("WRONG", BAD) };
    let mut lines = wrap(&verdict.advice, room(area));
    if let Some(steps) = verdict.steps_off.filter(|steps| *steps != 0) {
        lines.push(format!("It was {steps:+} steps off, within the {} that are allowed.", verdict.window));
    }
    if let Some(proof) = verdict.proof {
        lines.push(format!("Proof on record: {proof}"));
    }
    let high = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(large::ROWS + 6);
    let inside =
        open_box(&fit(title, area.width.saturating_sub(6)), area.width.min(COLUMNS), high, area, buf);
    let large = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
    large::draw(word, style, large, buf);
    for (y, line) in (inside.y + large::ROWS + 2..).zip(&lines) {
        put(buf, inside, inside.x, y, line, PLAIN);
    }
    put(
        buf,
        inside,
        inside.x,
        inside.bottom().saturating_sub(1),
        "any key closes; the next scan may follow at once",
        FRAME,
    );
}
