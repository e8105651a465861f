//! The inventory: what the filter finds, a page at a time.

use super::paint::{cells, first_line, put, put_right, rule, select};
use crate::tui::{
    look::{BAD, FRAME, PLAIN, STRONG},
    model::Model,
    spots::{Pane, Spot, Spots},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the view.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    spots.note(area, Spot::Pane(Pane::Lines));
    let list = &model.tokens.list;
    let filter = model.tokens.filter.text();
    let heading = if filter.is_empty() {
        "all tokens on record".to_owned()
    } else {
        format!("tokens that hold \"{filter}\"")
    };
    rule(buf, area, area.y, &heading);
    put_right(
        buf,
        Rect { width: area.width.saturating_sub(1), ..area },
        area.y,
        &format!(" {} ", list.total),
        PLAIN,
    );
    let area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if area.height == 0 {
        return;
    }
    if list.total == 0 {
        let text = if filter.is_empty() { "none yet" } else { "none (Esc shows all)" };
        put(buf, area, area.x + 1, area.y, text, PLAIN);
        return;
    }
    let head = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
    line(["serial", "model", "profiles", "proof", "last seen", "batch", "user"], false, head, area.y, buf);
    buf.set_style(Rect { height: 1, ..head }, FRAME);
    let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..head };
    let first = first_line(list.selected, list.total, rows.height);
    for (y, place) in (rows.y..rows.bottom()).zip(first..list.total) {
        match list.at(place) {
            Some(token) => {
                let profiles = token.profiles.to_string();
                let proof = match (token.scrapped, token.proof) {
                    (Some(_), _) => "scrapped".to_owned(),
                    (None, Some(proof)) => proof.to_string(),
                    (None, None) => "-".to_owned(),
                };
                let seen = token.last_seen.map(|at| day(at.floor_second().to_string())).unwrap_or_default();
                let texts = [
                    token.serial.as_str(),
                    token.model.as_deref().unwrap_or("-"),
                    profiles.as_str(),
                    proof.as_str(),
                    seen.as_str(),
                    token.batch.as_deref().unwrap_or("-"),
                    token.upn.as_deref().unwrap_or("-"),
                ];
                line(texts, token.scrapped.is_some(), rows, y, buf);
            }
            None => {
                put(buf, rows, rows.x, y, "…", FRAME);
            }
        }
        spots.line(area, y, Spot::Line(place));
        if place == list.selected {
            select(buf, rows, y);
            put(buf, area, area.x, y, "▸", STRONG);
        }
    }
}

/// `2026-11-21` of a whole moment.
fn day(moment: String) -> String {
    moment.chars().take(10).collect()
}

fn line(texts: [&str; 7], bad: bool, area: Rect, y: u16, buf: &mut Buffer) {
    let [serial, model, profiles, proof, seen, batch, user] = texts;
    let proof_style = if bad { BAD } else { PLAIN };
    let mut columns = vec![
        (serial, 15, PLAIN),
        (model, 12, PLAIN),
        (profiles, 8, PLAIN),
        (proof, 9, proof_style),
        (seen, 10, PLAIN),
        (batch, 16, PLAIN),
        (user, 0, PLAIN),
    ];
    if area.width < 99 {
        columns.remove(5);
    }
    cells(buf, area, y, &columns);
}
