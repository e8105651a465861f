//! What clicks and the wheel do: they select, and act on nothing. Keys do that.

use super::{
    act,
    diagnose::{self, AWAKE_MS},
    dialog::{self, Dialog},
    keys::Action,
    model::{Model, View},
    msg::Effect,
    spots::{Pane, Spot},
    view,
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// Lines that a notch of the wheel goes through in a long list.
const NOTCH: i64 = 3;

/// Takes a press of a button or a turn of the wheel.
pub fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    let notch = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => None,
        MouseEventKind::ScrollDown => Some(1),
        MouseEventKind::ScrollUp => Some(-1),
        _ => return Vec::new(),
    };
    model.diagnose.awake_until = model.now.plus(AWAKE_MS);
    let spot = view::spots(model).at(event.column, event.row).cloned();
    match (notch, spot) {
        (None, spot) => click(model, spot),
        (Some(by), Some(spot)) => spot.pane().map_or_else(Vec::new, |pane| turn(model, pane, by)),
        (Some(_), None) => Vec::new(),
    }
}

fn click(model: &mut Model, spot: Option<Spot>) -> Vec<Effect> {
    // What any key closes, a click closes.
    if matches!(model.dialogs.last(), Some(Dialog::Verdict { .. } | Dialog::Failure(_) | Dialog::Reveal(_))) {
        model.dialogs.pop();
        return Vec::new();
    }
    match spot {
        Some(Spot::Tab(view)) => return act::perform(model, Action::Show(view)),
        Some(Spot::Slot(name)) => model.slot = Some(name),
        Some(Spot::Batch(name)) => {
            model.batches.selected = Some(name);
            model.batches.in_jobs = false;
        }
        Some(Spot::Job(place)) => {
            model.batches.in_jobs = true;
            model.batches.jobs.selected = place;
        }
        Some(Spot::Line(place)) => match model.view {
            View::Tokens => model.tokens.list.selected = place,
            View::Drift => model.drift.list.selected = place,
            View::Log => model.log.audit.selected = place,
            View::Diagnose => diagnose::act::select(model, place),
            View::Station | View::Batches => {}
        },
        Some(Spot::Choice(line)) => {
            if let Some(dialog) = model.dialogs.last_mut() {
                dialog.choose(line);
            }
        }
        Some(Spot::Pane(_)) | None => {}
    }
    Vec::new()
}

fn turn(model: &mut Model, pane: Pane, by: i64) -> Vec<Effect> {
    let by = match pane {
        Pane::Slots | Pane::Batches => by,
        Pane::Jobs | Pane::Lines | Pane::Dialog => by * NOTCH,
    };
    match pane {
        Pane::Batches | Pane::Jobs => model.batches.in_jobs = pane == Pane::Jobs,
        Pane::Dialog => return turn_dialog(model, by),
        Pane::Slots | Pane::Lines => {}
    }
    act::step(model, by);
    Vec::new()
}

/// Long texts and lists go on as by the arrow keys; forms and questions stay as they are.
fn turn_dialog(model: &mut Model, by: i64) -> Vec<Effect> {
    if !model.dialogs.last().is_some_and(Dialog::is_long) {
        return Vec::new();
    }
    let code = if by < 0 { KeyCode::Up } else { KeyCode::Down };
    let key = KeyEvent::new(code, KeyModifiers::NONE);
    (0..by.abs()).flat_map(|_| dialog::key(model, &key)).collect()
}
