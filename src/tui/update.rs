//! From what happened to what is shown next: no terminal, no clock, no socket.

use super::{
    act, dialog,
    dialog::Dialog,
    keys,
    model::{Link, Model, View, Which},
    msg::{Asked, Effect, Msg},
    scan,
    state::Eyes,
};
use crate::{
    domain::JobState,
    face::{Command, Failure, JobFilter, Page, Reply, Snapshot},
};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// The server gives no longer pages.
const EYES_PAGE: u32 = 1000;

/// Takes `msg` in.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Key(pressed) => key(model, &pressed),
        Msg::Paste(text) => {
            paste(model, &text);
            Vec::new()
        }
        Msg::Resize(columns, rows) => {
            // The loop draws everything anew on a screen of another size.
            model.size = (columns, rows);
            Vec::new()
        }
        Msg::Tick(now) => {
            tick(model, now);
            Vec::new()
        }
        Msg::Attached { greeting, role, snapshot } => {
            if matches!(model.link, Link::Lost(_)) {
                model.say("the connection is back");
            }
            model.link = Link::Up;
            model.greeting = Some(greeting);
            model.role = role;
            model.state_asked = false;
            model.batches.jobs.reconnected();
            model.batches.of.batch.clear();
            model.tokens.list.reconnected();
            model.log.audit.reconnected();
            snapshot_taken(model, *snapshot)
        }
        Msg::Lagged(snapshot) => snapshot_taken(model, *snapshot),
        Msg::News(numbered) => {
            model.now = model.now.max(numbered.at);
            let alarms = model.station.alarms.len();
            let lines = model.station.log.len();
            if let crate::face::Event::Job { batch, .. } = &numbered.event
                && *batch == model.batches.of.batch
            {
                model.batches.jobs.stale();
            }
            model.station.hear(numbered);
            // Who reads further up must not lose the place.
            if model.log.back > 0 {
                model.log.back += model.station.log.len().saturating_sub(lines);
            }
            if model.station.alarms.len() > alarms { vec![Effect::Bell] } else { Vec::new() }
        }
        Msg::Lost(failure) => {
            model.link = Link::Lost(failure);
            Vec::new()
        }
        Msg::Answer(asked, result) => answered(model, asked, result),
        Msg::Unlocked(result) => {
            unlocked(model, result);
            Vec::new()
        }
        Msg::Continued => vec![Effect::Redraw],
        Msg::Stop => vec![Effect::Suspend],
        Msg::End => {
            model.quit = true;
            vec![Effect::Quit]
        }
    };
    effects.extend(wanted(model));
    effects
}

/// What the view that is shown lacks.
fn wanted(model: &mut Model) -> Vec<Effect> {
    if !matches!(model.link, Link::Up) {
        return Vec::new();
    }
    match (model.view, model.log.which) {
        (View::Batches, _) => model.batches.wants(&model.station.batches),
        (View::Tokens, _) => model.tokens.list.want().map_or_else(Vec::new, |page| {
            let query = model.tokens.filter.text().to_owned();
            vec![Effect::Ask(Asked::Tokens(query.clone(), page.offset), Command::Tokens { query, page })]
        }),
        (View::Log, Which::Audit) => model.log.audit.want().map_or_else(Vec::new, |page| {
            vec![Effect::Ask(Asked::Audit(page.offset), Command::AuditShow { query: String::new(), page })]
        }),
        (View::Station, _) if model.station.queue_is_stale && !model.state_asked => {
            model.state_asked = true;
            vec![Effect::Ask(Asked::State, Command::Snapshot)]
        }
        (View::Station | View::Log, _) => Vec::new(),
    }
}

fn tick(model: &mut Model, now: crate::domain::UnixMillis) {
    model.now = now;
    if model.toast.as_ref().is_some_and(|toast| toast.until <= now) {
        model.toast = None;
    }
    // At most once a second, however fast jobs move.
    model.state_asked = false;
}

fn snapshot_taken(model: &mut Model, snapshot: Snapshot) -> Vec<Effect> {
    model.now = model.now.max(snapshot.at);
    model.station.take(snapshot);
    model.station.eyes.clear();
    let waiting = model.station.batches.iter().filter(|batch| batch.proofs.waiting_for_eyes > 0);
    waiting.map(|batch| ask_for_eyes(batch.name.clone(), 0)).collect()
}

fn ask_for_eyes(batch: String, offset: u32) -> Effect {
    let filter = JobFilter { state: Some(JobState::Burned) };
    let page = Page { offset, limit: EYES_PAGE };
    Effect::Ask(Asked::Eyes(batch.clone(), offset), Command::Jobs { batch, filter, page })
}

fn key(model: &mut Model, pressed: &KeyEvent) -> Vec<Effect> {
    if pressed.kind == KeyEventKind::Release {
        return Vec::new();
    }
    // These work wherever one is; in a raw terminal they come as keys.
    if pressed.modifiers.contains(KeyModifiers::CONTROL)
        && let KeyCode::Char('c' | 'z' | 'l') = pressed.code
        && let Some(action) = keys::action(model.view, pressed)
    {
        return act::perform(model, action);
    }
    if model.filtering {
        return filter_key(model, pressed);
    }
    if model.dialogs.last().is_some_and(Dialog::takes_text) {
        return dialog::key(model, pressed);
    }
    if let Some(effects) = scan_key(model, pressed) {
        return effects;
    }
    if !model.dialogs.is_empty() {
        return dialog::key(model, pressed);
    }
    keys::action(model.view, pressed).map_or_else(Vec::new, |action| act::perform(model, action))
}

/// Digits begin a scan wherever no text is taken; once begun, it has letters, too.
fn scan_key(model: &mut Model, pressed: &KeyEvent) -> Option<Vec<Effect>> {
    let begun = !model.scan.text().is_empty();
    match pressed.code {
        KeyCode::Char('0'..='9')
            if !pressed.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
        {
            // The answer to the last one has been seen when the next one comes.
            if matches!(model.dialogs.last(), Some(Dialog::Verdict { .. } | Dialog::Failure(_))) {
                model.dialogs.pop();
            }
            model.scan.edit(pressed);
        }
        KeyCode::Enter | KeyCode::Tab if begun => {
            let text = model.scan.take();
            return Some(scan::taken(model, &text));
        }
        KeyCode::Esc if begun => drop(model.scan.take()),
        _ if begun => {
            model.scan.edit(pressed);
        }
        _ => return None,
    }
    Some(Vec::new())
}

fn filter_key(model: &mut Model, pressed: &KeyEvent) -> Vec<Effect> {
    match pressed.code {
        KeyCode::Enter => model.filtering = false,
        KeyCode::Esc => {
            model.filtering = false;
            if let Some(filter) = model.filter() {
                drop(filter.take());
            }
            act::refilter(model);
        }
        KeyCode::Down | KeyCode::Up | KeyCode::PageDown | KeyCode::PageUp => {
            return keys::action(model.view, pressed)
                .map_or_else(Vec::new, |action| act::perform(model, action));
        }
        _ => {
            if model.filter().is_some_and(|filter| filter.edit(pressed)) {
                act::refilter(model);
            }
        }
    }
    Vec::new()
}

/// A paste goes where text is taken, else it is a scan that waits for Enter: nothing pasted is ever taken for keys.
fn paste(model: &mut Model, text: &str) {
    if model.filtering {
        if let Some(filter) = model.filter() {
            filter.paste(text);
        }
        act::refilter(model);
    } else if let Some(input) = model.dialogs.last_mut().and_then(Dialog::input) {
        input.paste(text);
    } else {
        model.scan.paste(text.trim());
    }
}

fn answered(model: &mut Model, asked: Asked, result: Result<Reply, Failure>) -> Vec<Effect> {
    match (asked, result) {
        (Asked::Act(said), Ok(_)) => {
            model.say(said);
            model.batches.jobs.stale();
        }
        (Asked::State, Ok(Reply::Snapshot(snapshot))) => {
            model.station.take_queue(snapshot.queue);
        }
        (Asked::Eyes(batch, offset), Ok(Reply::Jobs(page))) => {
            let more = u64::from(offset) + (page.items.len() as u64) < page.total && !page.items.is_empty();
            for job in page.items.into_iter().filter(|job| job.wants_eyes) {
                if let Some(serial) = job.serial {
                    model.station.wants_eyes(Eyes { serial, batch: job.batch, profiles: job.profiles });
                }
            }
            if more {
                return vec![ask_for_eyes(batch, offset + EYES_PAGE)];
            }
        }
        (Asked::Jobs(of, offset), Ok(Reply::Jobs(page))) => {
            let page = Some(page).filter(|_| of == model.batches.of);
            model.batches.jobs.answered(offset, page);
        }
        (Asked::Batch(name), Ok(Reply::Batch(detail))) if name == model.batches.of.batch => {
            model.batches.detail = Some(*detail);
        }
        (Asked::Tokens(query, offset), Ok(Reply::Tokens(page))) => {
            let page = Some(page).filter(|_| query == model.tokens.filter.text());
            model.tokens.list.answered(offset, page);
        }
        (Asked::Audit(offset), Ok(Reply::Audit(page))) => model.log.audit.answered(offset, Some(page)),
        (Asked::Token(serial), Ok(Reply::Token(token))) => match model.dialogs.last_mut() {
            Some(Dialog::Token { serial: shown, view, .. }) if *shown == serial => *view = Some(token),
            _ => model.dialogs.push(Dialog::Token { serial, view: Some(token), scroll: 0 }),
        },
        (Asked::Token(serial), Err(failure)) => scan::unknown(model, &serial, failure),
        (Asked::Profiles(_, code), Ok(Reply::Token(token))) => return scan::verify(&token, code),
        (Asked::Verify(serial, profile, code), Ok(Reply::Verdict(verdict))) => {
            if verdict.right {
                model.station.eyes.retain(|eyes| eyes.serial != serial);
                model.aim = None;
            } else {
                // The next code is for the same token, whoever else waits.
                model.aim = Some(serial.clone());
            }
            model.dialogs.push(Dialog::Verdict { serial, profile, code, verdict });
            return vec![Effect::Bell];
        }
        (Asked::Holders, Ok(Reply::Holders(holders))) => {
            for dialog in &mut model.dialogs {
                if let Dialog::Unlock(unlock) = dialog {
                    unlock.take(holders.clone());
                }
            }
        }
        (asked, Err(failure)) => failed(model, &asked, failure),
        (_, Ok(_)) => {}
    }
    Vec::new()
}

fn failed(model: &mut Model, asked: &Asked, failure: Failure) {
    match asked {
        // Shown by the banner of the lost connection, or asked again by itself.
        Asked::State | Asked::Eyes(..) | Asked::Batch(_) => return,
        Asked::Jobs(..) => model.batches.jobs.failed(),
        Asked::Tokens(..) => model.tokens.list.failed(),
        Asked::Audit(_) => model.log.audit.failed(),
        Asked::Holders => {
            model.dialogs.retain(|dialog| !matches!(dialog, Dialog::Unlock(_)));
        }
        Asked::Act(_) | Asked::Token(_) | Asked::Profiles(..) | Asked::Verify(..) => {}
    }
    if matches!(model.link, Link::Up) {
        model.dialogs.push(Dialog::Failure(failure));
    }
}

fn unlocked(model: &mut Model, result: Result<(), Failure>) {
    let Some(at) = model.dialogs.iter().position(|dialog| matches!(dialog, Dialog::Unlock(_))) else {
        if result.is_ok() {
            model.say("the vault is open");
        }
        return;
    };
    match (result, &mut model.dialogs[at]) {
        (Err(failure), Dialog::Unlock(unlock)) => {
            unlock.busy = false;
            unlock.problem = Some(failure);
        }
        (Ok(()) | Err(_), _) => {
            model.dialogs.remove(at);
            model.say("the vault is open");
        }
    }
}
