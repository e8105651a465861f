//! Forms: the vault's first holder, a file to import and what would come of it, a batch with random seeds, an export.

use super::{
    boxes::{Styled, caret, choices, failure_lines, lines_box, room, wrapped},
    paint::width,
};
use crate::{
    face::{ImportLine, ImportReport},
    tui::{
        export::{Export, Look, Naming, Stage as ExportStage},
        form::{Form, Kind},
        import::{FILE, Import, Stage},
        init::Init,
        look::{BAD, FRAME, GOOD, PLAIN, STRONG},
        new_batch::Making,
        resync::Resyncing,
        spots::Spots,
        sweep::Sweeping,
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// How wide the fields' labels are, with a blank behind.
const LABEL: u16 = 14;
/// So many of the names that a path could become are shown.
const NAMES: usize = 6;

/// The form's lines, where its caret is, and what the field that has the keys wants.
fn form_lines(
    form: &Form,
    is_idle: impl Fn(usize) -> bool,
    area: Rect,
) -> (Vec<Styled>, Option<(usize, u16)>) {
    let room = room(area).saturating_sub(LABEL + 3);
    let mut lines = Vec::new();
    let mut cursor = None;
    for (at, field) in form.fields.iter().enumerate() {
        let has_keys = at == form.at;
        let mark = if has_keys { "▸" } else { " " };
        let shown = if is_idle(at) { "-".to_owned() } else { end(&field.kind.shown(), room) };
        let shown = match field.kind {
            Kind::Choice { .. } if has_keys => format!("< {shown} >"),
            _ => shown,
        };
        if has_keys && !matches!(field.kind, Kind::Choice { .. }) {
            cursor = Some((lines.len(), 2 + LABEL + width(&shown)));
        }
        lines.push((format!("{mark} {:<14}{shown}", field.label), if has_keys { STRONG } else { PLAIN }));
    }
    lines.push((String::new(), PLAIN));
    if let Some(field) = form.fields.get(form.at) {
        lines.extend(wrapped(&field.hint, area, FRAME));
    }
    (lines, cursor)
}

/// The end of a text that is too long: there the next letter goes.
fn end(text: &str, room: u16) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let skip = text.chars().count().saturating_sub(usize::from(room.saturating_sub(1)));
    std::iter::once('…').chain(text.chars().skip(skip)).collect()
}

/// A line as wide as the box may be, so that it doesn't grow while somebody types.
fn full_width(area: Rect) -> Styled {
    (" ".repeat(usize::from(room(area))), PLAIN)
}

/// Draws the box; tells where its text is.
fn show(
    title: &str,
    mut lines: Vec<Styled>,
    cursor: Option<(usize, u16)>,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    lines.push(full_width(area));
    let inside = lines_box(title, lines, 0, area, buf);
    if let Some(cursor) = cursor {
        caret(inside, cursor, buf);
    }
    inside
}

/// The dialog that starts a sweep.
pub fn sweep(sweeping: &Sweeping, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let (mut lines, cursor) = form_lines(&sweeping.form, |_| false, area);
    lines.extend(sweeping.problem.map(|problem| (problem.to_owned(), BAD)));
    lines.push(("Enter starts it: nobody is asked again; Esc leaves it".into(), FRAME));
    let inside = show("set clocks right", lines, cursor, area, buf);
    choices(inside, 0, sweeping.form.fields.len(), spots);
}

/// The dialog that asks how long a display stays on.
pub fn resync(resyncing: &Resyncing, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let about = "kiln did not burn this token, and its clock can only be set together with the time that its display stays \
                 on. It is kept on record, and asked once.";
    let mut lines = wrapped(about, area, PLAIN);
    lines.push((String::new(), PLAIN));
    let first = lines.len();
    lines.extend(form_lines(&resyncing.form, |_| false, area).0);
    lines.extend(resyncing.problem.map(|problem| (problem.to_owned(), BAD)));
    lines.push(("Enter goes on; Esc leaves the clock as it is".into(), FRAME));
    let inside = show(&format!("set the clock of {}", resyncing.serial()), lines, None, area, buf);
    choices(inside, first, resyncing.form.fields.len(), spots);
}

/// The dialog that makes the vault.
pub fn init(init: &Init, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let about = "Seeds rest encrypted in the vault. Whoever has this passphrase can open it; if it is lost, so are the \
                 seeds.";
    let before = wrapped(about, area, PLAIN);
    let (form, cursor) = form_lines(&init.form, |_| false, area);
    let first = before.len() + 1;
    let cursor = cursor.map(|(line, column)| (line + first, column));
    let mut lines = before;
    lines.push((String::new(), PLAIN));
    lines.extend(form);
    lines.extend(init.warning().map(|warning| (warning.to_owned(), BAD)));
    lines.extend(init.problem.map(|problem| (problem.to_owned(), BAD)));
    if let Some(failure) = &init.failure {
        lines.extend(failure_lines(failure, area));
    }
    lines.push(if init.busy {
        ("making it: this takes a second or two by design".into(), STRONG)
    } else {
        ("Enter goes on and, from the last line, makes it; Esc leaves it".into(), FRAME)
    });
    let inside = show("make the vault", lines, cursor.filter(|_| !init.busy), area, buf);
    choices(inside, first, init.form.fields.len(), spots);
}

/// The dialog that imports a file.
pub fn import(import: &Import, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    match &import.stage {
        Stage::Filling => {
            let (mut lines, cursor) = form_lines(&import.form, |field| import.is_idle(field), area);
            if import.form.at == FILE {
                lines.extend(names(&import.found).into_iter().map(|name| (format!("  {name}"), PLAIN)));
            }
            lines.extend(import.problem.map(|problem| (problem.to_owned(), BAD)));
            lines.push(("Enter shows what would happen, nothing more; Esc leaves it".into(), FRAME));
            let inside = show("import a seed file", lines, cursor, area, buf);
            choices(inside, 0, import.form.fields.len(), spots);
        }
        Stage::Asked(_, form) => {
            let (mut lines, cursor) = form_lines(form, |_| false, area);
            lines.push(("Enter goes on; Esc goes back".into(), FRAME));
            show(&format!("{} is wrapped", import.file_name()), lines, cursor, area, buf);
        }
        Stage::Looking => busy(import.file_name(), "the station looks at it", area, buf),
        Stage::Importing => busy(import.file_name(), "the seeds are being sealed", area, buf),
        Stage::Report(report, scroll) => {
            let title = format!("{}: {}", import.file_name(), yes(report));
            lines_box(&title, report_lines(report, area), *scroll, area, buf);
        }
        Stage::Refused(failure, scroll) => {
            let title = format!("{}: nothing can be imported (n goes back)", import.file_name());
            lines_box(&title, failure_lines(failure, area), *scroll, area, buf);
        }
    }
}

fn busy(file: &str, what: &str, area: Rect, buf: &mut Buffer) {
    lines_box(file, vec![(what.to_owned(), PLAIN)], 0, area, buf);
}

/// Some names without their folders, and how many more there are.
fn names(found: &[String]) -> Vec<String> {
    let name = |path: &String| {
        let at = path.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1);
        path[at..].to_owned()
    };
    let mut names: Vec<String> = found.iter().take(NAMES).map(name).collect();
    if found.len() > NAMES {
        names.push(format!("… and {} more", found.len() - NAMES));
    }
    names
}

/// What can be answered to a report.
fn yes(report: &ImportReport) -> String {
    match (report.taken, report.left_out) {
        (0, _) => "nothing can be imported (n goes back)".to_owned(),
        (_, 0) => "y imports, n goes back".to_owned(),
        (taken, 1) => format!("y imports {taken} and leaves 1 bad line out, n goes back"),
        (taken, bad) => format!("y imports {taken} and leaves {bad} bad lines out, n goes back"),
    }
}

fn report_lines(report: &ImportReport, area: Rect) -> Vec<Styled> {
    let into = report.batch.as_ref().map_or_else(
        || "recorded in the inventory".to_owned(),
        |batch| format!("jobs of the new batch {batch}, which starts nothing yet"),
    );
    let all_good = format!("{}: {} tokens would be taken: {into}.", report.format, report.taken);
    let mut lines = wrapped(&all_good, area, GOOD);
    for note in &report.notes {
        lines.extend(wrapped(note, area, PLAIN));
    }
    if report.left_out > 0 {
        let text = format!("{} bad lines are left out, or correct the file and try again:", report.left_out);
        lines.extend(wrapped(&text, area, STRONG));
    }
    for line in &report.lines {
        lines.push((String::new(), PLAIN));
        lines.extend(line_lines(line, area));
    }
    lines
}

fn line_lines(line: &ImportLine, area: Rect) -> Vec<Styled> {
    let field = line.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
    let (mark, style) = if line.refused { ("! ", BAD) } else { ("", PLAIN) };
    let mut lines = wrapped(&format!("{mark}{}{field}: {}", line.place, line.problem), area, style);
    lines.extend(wrapped(&format!("-> {}", line.remedy), area, PLAIN));
    lines
}

/// The dialog that makes a batch.
pub fn making(making: &Making, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let (mut lines, cursor) = form_lines(&making.form, |_| false, area);
    match (making.missing(), &making.looked) {
        (Some(missing), _) => lines.push((missing.to_owned(), PLAIN)),
        (None, Some(Err(failure))) => lines.extend(failure_lines(failure, area)),
        (None, Some(Ok(_))) if making.busy => lines.push(("drawing the seeds".into(), STRONG)),
        (None, Some(Ok(report))) if making.is_good() => {
            let text =
                format!("this fits: {} tokens; Enter makes the batch, which starts nothing yet", report.jobs);
            lines.extend(wrapped(&text, area, GOOD));
        }
        (None, _) => lines.push(("the station looks at it".into(), PLAIN)),
    }
    lines.push(("Tab goes on, Esc leaves it".into(), FRAME));
    let inside = show("a batch with random seeds", lines, cursor.filter(|_| !making.busy), area, buf);
    choices(inside, 0, making.form.fields.len(), spots);
}

/// The dialog that exports a batch.
pub fn export(export: &Export, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let title = format!("export batch {}", export.batch);
    match &export.stage {
        ExportStage::Filling => {
            let (mut lines, cursor) = form_lines(&export.form, |field| export.is_idle(field), area);
            lines.extend(export.problem.map(|problem| (problem.to_owned(), BAD)));
            lines.push(("Enter shows what would be written, nothing more; Esc leaves it".into(), FRAME));
            let inside = show(&title, lines, cursor, area, buf);
            choices(inside, 0, export.form.fields.len(), spots);
        }
        ExportStage::Looking => busy(&title, "the station looks at it", area, buf),
        ExportStage::Writing => busy(&title, "it is being written", area, buf),
        ExportStage::Report(look, scroll) => {
            let answer = match (look.tokens, look.lint.is_empty()) {
                (_, false) if look.breaks().is_some() => "g good lines only, w all the same, n back",
                (_, false) => "g good lines only, n back",
                (0, true) => "nothing to write (n goes back)",
                (_, true) => "y writes it, n goes back",
            };
            let title =
                format!("{}: {answer}", end(export.file(), room(area).saturating_sub(width(answer) + 6)));
            lines_box(&title, look_lines(look, area), *scroll, area, buf);
        }
        ExportStage::Naming(look, naming) => name_target(look, naming, area, buf),
        ExportStage::Refused(failure, scroll) => {
            let title = format!("{title}: not so (n goes back)");
            lines_box(&title, failure_lines(failure, area), *scroll, area, buf);
        }
    }
}

/// Whether what the server would refuse is written all the same: what that is, and the word for it.
fn name_target(look: &Look, naming: &Naming, area: Rect, buf: &mut Buffer) {
    let name = look.breaks().unwrap_or_default();
    let mut lines = wrapped(&format!("{}.", bad_lines(look)), area, BAD);
    lines.extend(wrapped("The file is written with them, and the record says on whose word.", area, PLAIN));
    lines.push((String::new(), PLAIN));
    lines.extend(wrapped(
        &format!("Type the target's name, {name}, then Enter (Esc goes back)"),
        area,
        STRONG,
    ));
    let cursor = (lines.len(), 2 + width(naming.input.text()));
    lines.push((format!("> {}", naming.input.text()), PLAIN));
    if naming.is_wrong {
        lines.push(("that is not its name".into(), BAD));
    }
    show("write them all the same?", lines, Some(cursor), area, buf);
}

fn bad_lines(look: &Look) -> String {
    let lines = match look.bad_lines() {
        1 => "1 line".to_owned(),
        several => format!("{several} lines"),
    };
    format!("{lines} would not come through at {}", look.target.as_deref().unwrap_or("the server"))
}

fn look_lines(look: &Look, area: Rect) -> Vec<Styled> {
    let by = look.target.as_ref().map(|target| format!(", by the rules of {target}")).unwrap_or_default();
    let tokens = if look.tokens == 1 { "1 token".to_owned() } else { format!("{} tokens", look.tokens) };
    let mut lines = wrapped(&format!("{tokens} would be written{by}."), area, GOOD);
    if !look.lint.is_empty() {
        lines.extend(wrapped(&format!("{}:", bad_lines(look)), area, BAD));
        for line in &look.lint {
            lines.extend(wrapped(&format!("! {}", line.words()), area, PLAIN));
        }
    }
    for (what, sentences) in [("left out", &look.left_out), ("not in the file", &look.cannot_carry)] {
        for sentence in sentences {
            lines.extend(wrapped(&format!("! {what}: {sentence}"), area, PLAIN));
        }
    }
    lines
}
