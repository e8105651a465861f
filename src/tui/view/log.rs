//! What happened: since this screen was opened, or the station's audit log.

use super::paint::{first_line, put, put_right, rule, select};
use crate::{
    domain::UnixMillis,
    tui::{
        look::{BAD, FRAME, PLAIN, STRONG},
        model::{Model, Which},
        spots::{Pane, Spot, Spots},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the view.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    spots.note(area, Spot::Pane(Pane::Lines));
    if area.height < 2 {
        return;
    }
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    match model.log.which {
        Which::Events => {
            rule(buf, area, area.y, "since this screen was opened (f: only trouble)");
            events(model, body, buf);
        }
        Which::Trouble => {
            rule(buf, area, area.y, "what went wrong since this screen was opened (f: audit log)");
            events(model, body, buf);
        }
        Which::Audit => {
            rule(buf, area, area.y, &audit_heading(model));
            let total = model.log.audit.total;
            put_right(
                buf,
                Rect { width: area.width.saturating_sub(1), ..area },
                area.y,
                &format!(" {total} "),
                PLAIN,
            );
            audit(model, body, buf, spots);
        }
    }
}

fn audit_heading(model: &Model) -> String {
    match model.log.filter.text() {
        "" => "audit log, newest first (f: events)".into(),
        text => format!("audit log, entries that hold \"{text}\" (f: events)"),
    }
}

/// Date and time in UTC to the second; the time alone where the date is today's.
fn moment(at: UnixMillis, now: UnixMillis) -> String {
    let (at, now) = (at.floor_second().to_string(), now.floor_second().to_string());
    match (at.split_once('T'), now.split_once('T')) {
        (Some((day, time)), Some((today, _))) if day == today => time.to_owned(),
        _ => at.replace('T', " "),
    }
}

fn events(model: &Model, area: Rect, buf: &mut Buffer) {
    let found = model.log.found(&model.station.log);
    if found.is_empty() {
        let text = if !model.log.filter.text().is_empty() {
            "nothing (Esc shows all)"
        } else if model.log.which == Which::Trouble {
            "nothing went wrong; f shows the audit log"
        } else {
            "nothing yet; f shows more"
        };
        put(buf, area, area.x + 1, area.y, text, PLAIN);
        return;
    }
    let rows = usize::from(area.height);
    let end = found.len().saturating_sub(model.log.back).max(rows.min(found.len()));
    let start = end.saturating_sub(rows);
    for (y, said) in (area.y..area.bottom()).zip(&found[start..end]) {
        let x = put(buf, area, area.x + 1, y, &moment(said.at, model.now), FRAME);
        let mark = if said.bad { "! " } else { "  " };
        let style = if said.bad { BAD } else { PLAIN };
        let x = put(buf, area, x + 1, y, mark, style);
        put(buf, area, x, y, &said.text, style);
    }
    if end < found.len() {
        let text = format!(" {} newer below (G) ", found.len() - end);
        put_right(buf, area, area.bottom() - 1, &text, STRONG);
    }
}

fn audit(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let list = &model.log.audit;
    if list.total == 0 {
        put(buf, area, area.x + 1, area.y, "nothing here", PLAIN);
        return;
    }
    let first = first_line(list.selected, list.total, area.height);
    for (y, place) in (area.y..area.bottom()).zip(first..list.total) {
        spots.line(area, y, Spot::Line(place));
        let Some(entry) = list.at(place) else {
            put(buf, area, area.x + 1, y, "…", FRAME);
            continue;
        };
        let serial = entry.serial.as_deref().map(|serial| format!(" {serial}")).unwrap_or_default();
        let text = format!("{}{serial} by {} {}", entry.what, entry.who, entry.detail);
        let x = put(
            buf,
            area,
            area.x + 1,
            y,
            &format!("{:>6} {}", entry.seq, moment(entry.at, model.now)),
            FRAME,
        );
        put(buf, area, x + 1, y, &text, PLAIN);
        if place == list.selected {
            select(buf, area, y);
        }
    }
}
