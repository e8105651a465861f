//! Timing: when the code changed, and what that tells.

use super::{
    diagnose::clock,
    paint::{put, rule, wrap},
};
use crate::{
    diagnose::timing::timing,
    domain::UnixMillis,
    remedy::Remedy,
    tui::{
        diagnose::{act::Act, timed::timed},
        keys::Action,
        look::{BAD, PLAIN, STRONG},
        model::Model,
    },
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// Draws it below the line with the next step.
pub fn draw(model: &Model, presses: &[UnixMillis], area: Rect, buf: &mut Buffer) {
    rule(buf, area, area.y, "timing the changes of the code (m ends it, Backspace takes a press back)");
    let mut texts: Vec<(String, Style)> = Vec::new();
    match timing(presses) {
        Ok(found) => {
            texts.push((found.what(), STRONG));
            for (other, share) in &found.others {
                texts.push((format!("or a new code every {other} ({:.0} %)", share * 100.0), PLAIN));
            }
            texts.push((found.cannot_tell(), PLAIN));
            texts.push((found.assumed(), PLAIN));
        }
        Err(error) if presses.len() > 1 => {
            texts.push((error.to_string(), BAD));
            texts.push((format!("-> {}", error.remedy()), PLAIN));
        }
        Err(_) => texts.push((
            "Two changes give the period and how far the clock is off within it, three and more are better. No seed \
             and no code is needed: \"say now when the code changes\"."
                .into(),
            PLAIN,
        )),
    }
    if let Some((picked, _)) = timed(model).filter(|_| model.may(Action::Diagnose(Act::Keep))) {
        texts.push((format!("K keeps this as a reading of the clock of {}", picked.serial), PLAIN));
    }
    if let Some(state) = model.station.clock.map(|clock| clock.state).filter(|state| !state.is_trusted()) {
        texts.push((format!("measured against a clock that is {state}"), BAD));
    }
    let room = area.width.saturating_sub(2);
    let mut y = area.y + 1;
    for (text, style) in &texts {
        for line in wrap(text, room) {
            put(buf, area, area.x + 1, y, &line, *style);
            y += 1;
        }
    }
    y += 1;
    // The last ones, if there isn't room for all.
    let rows = usize::from(area.bottom().saturating_sub(y));
    let skip = presses.len().saturating_sub(rows);
    for (y, (n, press)) in (y..area.bottom()).zip(presses.iter().enumerate().skip(skip)) {
        let after = n.checked_sub(1).and_then(|before| presses.get(before)).map(|before| {
            format!(", {:.1} s after the one before", press.0.saturating_sub(before.0) as f64 / 1000.0)
        });
        let tenths = press.0.rem_euclid(1000) / 100;
        let at = clock(press.floor_second());
        let text = format!("change {:>2} at {at}.{tenths}{}", n + 1, after.unwrap_or_default());
        put(buf, area, area.x + 1, y, &text, PLAIN);
    }
}
