//! The codes of a key, with the time that each is good for.

use super::boxes::{Styled, failure_lines, lines_box, wrapped};
use crate::{
    domain::UnixMillis,
    face::{KeyCode, KeyWants},
    tui::{
        codes::{Codes, Stage, left},
        look::{BAD, FRAME, PLAIN, STRONG},
        spots::{Spot, Spots},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the dialog.
pub fn draw(codes: &Codes, now: UnixMillis, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let mut lines: Vec<Styled> = Vec::new();
    let mut title = format!("codes of the key on {}", codes.slot);
    if let Some(read) = &codes.read {
        title = format!("key {} on {}", read.serial, codes.slot);
        if read.codes.is_empty() {
            lines.push(("it holds no credentials".into(), PLAIN));
        }
        for (at, code) in read.codes.iter().enumerate() {
            let mark = if at == codes.at { "▸" } else { " " };
            let style = if at == codes.at { STRONG } else { PLAIN };
            let text = format!("{mark} {:<10}{:<9}{}", shown(code, now), time(code, now), code.name);
            lines.push((text, style));
        }
        lines.push((String::new(), PLAIN));
    }
    match &codes.stage {
        Stage::Reading => lines.push(("the key is read".into(), PLAIN)),
        Stage::Touch(name) => {
            lines.extend(wrapped(
                &format!("{name}: touch the key when it blinks (x gives the wait up)"),
                area,
                STRONG,
            ));
        }
        Stage::Sure(name) => {
            let text = format!(
                "{name} counts: reading a code moves its counter on, and a server that is left too far behind \
                 rejects it. Press y to read one, any other key to leave it."
            );
            lines.extend(wrapped(&text, area, BAD));
        }
        Stage::Failed(failure) => lines.extend(failure_lines(failure, area)),
        Stage::Shown => {}
    }
    if codes.has_passwords() {
        let password = codes.password().unwrap_or("none");
        lines.push((format!("password of the key: {password} (p: another of the vault's)"), PLAIN));
    }
    lines.push(("r reads again, Enter reads one that wants a touch, Esc closes".into(), FRAME));
    // So that the selected line is in sight however many there are.
    let room = usize::from(area.height.saturating_sub(10)).max(1);
    let scroll = u16::try_from(codes.at.saturating_sub(room)).unwrap_or(u16::MAX);
    let count = lines.len();
    let inside = lines_box(&title, lines, scroll, area, buf);
    // As many lines were passed over as the box does.
    let above = usize::from(scroll).min(count.saturating_sub(usize::from(inside.height)));
    let read = codes.read.as_ref().map_or(0, |read| read.codes.len());
    for (y, at) in (inside.y..inside.bottom()).zip(above..read) {
        spots.line(inside, y, Spot::Choice(at));
    }
}

fn shown(code: &KeyCode, now: UnixMillis) -> String {
    match (&code.code, code.wants) {
        (Some(_), _) if code.until.is_some() && left(code, now).is_none() => "over".into(),
        (Some(code), _) => code.clone(),
        (None, Some(KeyWants::Touch)) => "touch".into(),
        (None, Some(KeyWants::Asking)) => "counts".into(),
        (None, None) => "-".into(),
    }
}

fn time(code: &KeyCode, now: UnixMillis) -> String {
    left(code, now).map_or_else(String::new, |left| format!("{left:>3} s"))
}
