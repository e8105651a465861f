//! From the model to cells. Nothing here changes anything; what the terminal can't show is taken away at the end.

mod activate;
mod batches;
mod boxes;
mod codes;
mod diagnose;
mod dialogs;
mod drift;
mod forms;
mod large;
mod log;
pub(super) mod paint;
mod plot;
mod reveal;
mod station;
mod timing;
mod token;
mod tokens;

use super::{
    dialog::Dialog,
    keys::{self, Action, KEYS},
    look::{self, BAD, BANNER, FRAME, NOTE, PLAIN, SELECTED, STRONG},
    model::{Link, Model, View},
    pace,
    spots::{Spot, Spots},
};
use crate::face::{Role, TokenView, VaultState};
use paint::{fit, put, put_right, width};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// What is on record about a token, in lines for a terminal that is not painted.
pub fn token_sentences(token: &TokenView) -> Vec<String> {
    let wide = Rect::new(0, 0, 200, 1);
    token::facts(token, wide).into_iter().map(|(line, _)| line).filter(|line| !line.is_empty()).collect()
}

/// Draws the whole screen.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    draw(model, area, buf, &mut Spots::default());
}

/// What lies where on it.
pub fn spots(model: &Model) -> Spots {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut spots = Spots::default();
    draw(model, area, &mut Buffer::empty(area), &mut spots);
    spots
}

fn draw(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    if area.is_empty() {
        return;
    }
    header(model, area, buf, spots);
    let mut y = area.y + 1;
    // However much is wrong, most of the screen stays for the work.
    let most = usize::from(area.height / 4).max(1);
    for (text, style) in banners(model).into_iter().take(most) {
        let text = fit(&text, area.width.saturating_sub(2));
        let rest = usize::from(area.width.saturating_sub(width(&text) + 1));
        put(buf, area, area.x, y, &format!(" {text}{}", " ".repeat(rest)), style);
        y += 1;
    }
    let bottom = area.bottom() - 1;
    let body = Rect { y, height: bottom.saturating_sub(y), ..area };
    match model.view {
        View::Station => station::draw(model, body, buf, spots),
        View::Batches => batches::draw(model, body, buf, spots),
        View::Tokens => tokens::draw(model, body, buf, spots),
        View::Drift => drift::draw(model, body, buf, spots),
        View::Diagnose => diagnose::draw(model, body, buf, spots),
        View::Log => log::draw(model, body, buf, spots),
    }
    for dialog in &model.dialogs {
        spots.cover(area);
        dialogs::draw(model, dialog, Rect { height: area.height.saturating_sub(1), ..area }, buf, spots);
    }
    // A seed that is shown has the screen to itself.
    if area.height > 1 && !matches!(model.dialogs.last(), Some(Dialog::Reveal(_))) {
        footer(model, Rect { y: bottom, height: 1, ..area }, buf);
    }
    model.look.apply(area, buf);
    if let Some(Dialog::Reveal(shown)) = model.dialogs.last() {
        reveal::picture(model.look, shown, buf);
    }
}

/// Where each view's name begins in the first line.
fn tabs() -> impl Iterator<Item = (u16, View)> {
    View::ALL.into_iter().scan(width(" kiln ") + 1, |x, view| {
        let at = *x;
        *x += width(view.name()) + 3;
        Some((at, view))
    })
}

fn header(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    put(buf, area, area.x, area.y, " kiln ", STRONG);
    let mut end = area.x;
    for (x, view) in tabs() {
        // The brackets say it where reverse video doesn't.
        let (text, style) = if view == model.view {
            (format!("[{}]", view.name()), SELECTED.patch(STRONG))
        } else {
            (format!(" {} ", view.name()), PLAIN)
        };
        end = put(buf, area, area.x + x, area.y, &text, style);
        spots.line(Rect { x: area.x + x, width: width(&text), ..area }, area.y, Spot::Tab(view));
    }
    let mut right = Vec::new();
    if model.greeting.as_ref().is_some_and(|greeting| greeting.demo) {
        right.push("DEMO, virtual tokens".to_owned());
    }
    if model.greeting.is_some() && model.role == Role::Observer {
        right.push("looking on only".to_owned());
    }
    if model.station.attached.len() > 1 {
        right.push(format!("{} attached", model.station.attached.len()));
    }
    // What matters less goes first where there is no room.
    while width(&right.join(" · ")) + 2 > area.right().saturating_sub(end) && right.pop().is_some() {}
    put_right(buf, Rect { width: area.width.saturating_sub(1), ..area }, area.y, &right.join(" · "), STRONG);
}

/// What everybody must know whatever they look at, worst first.
fn banners(model: &Model) -> Vec<(String, Style)> {
    let station = &model.station;
    let mut all = Vec::new();
    match &model.link {
        Link::Connecting => all.push(("connecting to the station".into(), NOTE)),
        Link::Lost(failure) => all.push((
            format!("NO CONNECTION, trying again: {} -> {}", failure.message, failure.remedy),
            BANNER,
        )),
        Link::Up => {}
    }
    if station.stopping {
        all.push(("THE STATION ENDS after the burns in hand".into(), BANNER));
    }
    match station.vault {
        Some(VaultState::Absent) => {
            all.push(("NO VAULT YET: nothing can be burned -> press u to make it".into(), BANNER));
        }
        Some(VaultState::Locked) => {
            all.push(("VAULT LOCKED: nothing is burned -> press u to unlock it".into(), BANNER));
        }
        Some(VaultState::Open) | None => {}
    }
    if let Some(clock) = station.clock {
        match clock.override_until {
            Some(until) if until > model.now => {
                let left = u64::try_from((until.0 - model.now.0) / 1000).unwrap_or(0);
                let left = pace::span(left);
                all.push((
                    format!("CLOCK NOT TRUSTED: burns go on for {left} by override ({})", clock.state),
                    BANNER,
                ));
            }
            _ if !clock.burns_allowed => all.push((
                format!("CLOCK NOT TRUSTED: nothing is burned -> get it synchronised ({})", clock.state),
                BANNER,
            )),
            _ => {}
        }
    }
    for batch in &station.batches {
        if let Some(reason) = batch.reason.as_ref().filter(|reason| !reason.starts_with("paused by"))
            && batch.state == "paused"
        {
            all.push((format!("BATCH {} PAUSED ITSELF (S starts it): {reason}", batch.name), BANNER));
        }
    }
    let unread = station.unread().count();
    if let Some(last) = station.unread().last() {
        let several = if unread == 1 { "ALARM".to_owned() } else { format!("{unread} ALARMS") };
        all.push((format!("{several} (a reads): {} -> {}", last.message, last.remedy), BANNER));
    }
    if let Some(eyes) = station.eyes.first().filter(|_| model.aim.is_none() && model.role == Role::Operator) {
        let more = match station.eyes.len() {
            1 => "type the code it shows".to_owned(),
            several => format!("type serial, then code ({several} wait)"),
        };
        all.push((format!("EYES on {}: switch it off and on, {more}", eyes.serial), NOTE));
    }
    all
}

/// The last line: what is being typed, else what came of the last act, else what can be done here.
fn footer(model: &Model, area: Rect, buf: &mut Buffer) {
    let y = area.y;
    let typing = if model.filtering {
        Some(("filter: ", model.filter_text(), "Enter keeps it, Esc clears it"))
    } else if !model.scan.text().is_empty() {
        Some(("scan: ", model.scan.text(), "Enter takes it, Esc drops it"))
    } else {
        None
    };
    if let Some((label, text, hint)) = typing {
        let x = put(buf, area, area.x + 1, y, label, STRONG);
        let x = put(buf, area, x, y, text, PLAIN);
        let x = put(buf, area, x, y, " ", SELECTED);
        put(buf, area, x + 2, y, hint, FRAME);
        return;
    }
    if let Some(toast) = &model.toast {
        put(buf, area, area.x + 1, y, &toast.text, if toast.bad { BAD } else { STRONG });
        return;
    }
    if let Some(serial) = &model.aim {
        let text = format!("type the code that token {serial} shows, then Enter (Esc: another token)");
        put(buf, area, area.x + 1, y, &text, STRONG);
        return;
    }
    // The keys of the view do something else, or nothing, under a dialog.
    if !model.dialogs.is_empty() {
        put(buf, area, area.x + 1, y, "Esc goes back", FRAME);
        return;
    }
    let mut x = area.x + 1;
    let offered = KEYS
        .iter()
        .filter(|entry| entry.is_on(model.view) && !entry.hint.is_empty() && model.may(entry.action));
    // Help and leaving have their places at both ends, whatever else there is room for.
    let leave = keys::entry_of(Action::Quit);
    let leave_room = leave.map_or(0, |entry| width(entry.hint) + width("q ") + 1);
    for entry in offered.filter(|entry| entry.action != Action::Quit) {
        let key = entry.shown.split(' ').next().unwrap_or_default();
        if x + width(key) + width(entry.hint) + 3 + leave_room > area.right() {
            break;
        }
        x = put(buf, area, x, y, key, look::STRONG);
        x = put(buf, area, x + 1, y, entry.hint, FRAME) + 2;
    }
    if let Some(entry) = leave {
        let start = area.right().saturating_sub(leave_room);
        let x = put(buf, area, start, y, "q", look::STRONG);
        put(buf, area, x + 1, y, entry.hint, FRAME);
    }
}
