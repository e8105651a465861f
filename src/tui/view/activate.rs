//! A code to be typed at the server, and how long it is good for.

use super::boxes::{Styled, failure_lines, lines_box, wrapped};
use crate::{
    domain::UnixMillis,
    face::COMPUTED_PROVES_LITTLE,
    tui::{
        activate::{Activating, Stage},
        look::{BAD, FRAME, PLAIN, STRONG},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the dialog.
pub fn draw(activating: &Activating, now: UnixMillis, area: Rect, buf: &mut Buffer) {
    let server = activating.codes.as_ref().map_or("its server", |codes| codes.login_target.as_str());
    let title = format!("activate {} at {server}", activating.batch);
    let mut lines: Vec<Styled> = wrapped(&format!("Note: {COMPUTED_PROVES_LITTLE}."), area, PLAIN);
    lines.push((String::new(), PLAIN));
    match (&activating.stage, activating.code()) {
        (Stage::Asking, _) => lines.push(("asking the station".into(), PLAIN)),
        (Stage::Telling, _) => lines.push(("it goes on record".into(), PLAIN)),
        (Stage::Failed(failure), _) => lines.extend(failure_lines(failure, area)),
        (Stage::Shown, Some(code)) => {
            lines.push((format!("token  {}", code.serial), PLAIN));
            lines.extend(code.user.as_ref().map(|user| (format!("user   {user}"), PLAIN)));
            lines.push(match activating.left(now) {
                Some(left) => (format!("code   {}   good for {left} s", code.code), STRONG),
                None => ("code   over: r gives another".into(), BAD),
            });
        }
        (Stage::Shown, None) => lines.extend(nothing(activating, now, area)),
    }
    lines.push((String::new(), PLAIN));
    let waiting = activating.codes.as_ref().map_or(0, |codes| codes.waiting);
    let passed = activating.passed.len();
    let sums = format!("{} activated, {passed} not taken, {waiting} more wait", activating.taken);
    lines.push((sums, PLAIN));
    lines.push(("y: the server took it, n: it did not, r: another code, Esc leaves".into(), FRAME));
    lines_box(&title, lines, 0, area, buf);
}

fn nothing(activating: &Activating, now: UnixMillis, area: Rect) -> Vec<Styled> {
    let Some(codes) = &activating.codes else { return Vec::new() };
    let mut lines = match codes.more_at {
        Some(at) => {
            let wait = at.0.saturating_sub(now.floor_second().0).max(1);
            wrapped(&format!("the server takes no more codes for {wait} s; then r goes on"), area, STRONG)
        }
        None => vec![("no token waits for its activation".into(), STRONG)],
    };
    for sentence in &codes.left_out {
        lines.extend(wrapped(sentence, area, PLAIN));
    }
    lines
}
