//! From what happened to what is shown next: no terminal, no clock, no socket.

use super::{
    act, diagnose, dialog,
    dialog::Dialog,
    export::Exporting,
    keys,
    model::{Link, Model, View, Which},
    mouse,
    msg::{Asked, Effect, Msg},
    resync::{self, Resyncing},
    reveal::Reveal,
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
        Msg::Paste(text) => paste(model, &text),
        Msg::Mouse(event) => mouse::mouse(model, event),
        Msg::Completed(typed, found) => {
            if let Some(Dialog::Import(import)) = model.dialogs.last_mut() {
                import.complete(&typed, found);
            }
            Vec::new()
        }
        Msg::Wrapped(question) => {
            let import = model.dialogs.iter_mut().find_map(|dialog| match dialog {
                Dialog::Import(import) => Some(import),
                _ => None,
            });
            if let Some(import) = import {
                import.asks(question);
            }
            Vec::new()
        }
        Msg::Exported(result) => {
            exported(model, result);
            Vec::new()
        }
        Msg::Made(result) => {
            made(model, result);
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
            model.drift.reconnected();
            model.diagnose.reconnected();
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
            model.drift.heard(&numbered.event);
            diagnose::act::heard(model, &numbered.event);
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
        Msg::Continued if model.mouse => vec![Effect::Redraw, Effect::Mouse(true)],
        Msg::Continued => vec![Effect::Redraw],
        Msg::Stop => vec![Effect::Suspend],
        Msg::End => {
            model.quit = true;
            vec![Effect::Quit]
        }
    };
    diagnose::act::left(model);
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
        (View::Drift, _) => model.drift.wants(model.now),
        (View::Diagnose, _) => diagnose::act::wants(model),
        (View::Log, Which::Audit) => model.log.audit.want().map_or_else(Vec::new, |page| {
            let query = model.log.filter.text().to_owned();
            vec![Effect::Ask(Asked::Audit(query.clone(), page.offset), Command::AuditShow { query, page })]
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
    model.dialogs.retain(|dialog| !matches!(dialog, Dialog::Reveal(reveal) if reveal.until <= now));
    // At most once a second, however fast jobs move.
    model.state_asked = false;
    diagnose::act::tick(model);
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
    model.diagnose.awake_until = model.now.plus(diagnose::AWAKE_MS);
    // A seed that is shown hides at any key, whatever else the key does.
    if let Some(Dialog::Reveal(reveal)) = model.dialogs.last_mut() {
        if matches!(pressed.code, KeyCode::Char('i')) {
            reveal.inverted = !reveal.inverted;
            return Vec::new();
        }
        model.dialogs.pop();
        if !pressed.modifiers.contains(KeyModifiers::CONTROL) {
            return Vec::new();
        }
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
        KeyCode::Enter => {
            model.filtering = false;
            if model.view == View::Diagnose {
                return diagnose::act::open(model);
            }
        }
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
fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if matches!(model.dialogs.last(), Some(Dialog::Reveal(_))) {
        model.dialogs.pop();
    } else if model.filtering {
        if let Some(filter) = model.filter() {
            filter.paste(text);
        }
        act::refilter(model);
    } else if let Some(input) = model.dialogs.last_mut().and_then(Dialog::input) {
        input.paste(text);
        if let Some(Dialog::Making(making)) = model.dialogs.last_mut() {
            return making.look();
        }
    } else {
        model.scan.paste(text.trim());
    }
    Vec::new()
}

fn answered(model: &mut Model, asked: Asked, result: Result<Reply, Failure>) -> Vec<Effect> {
    match (asked, result) {
        (Asked::Diagnose(asked), result) => return diagnose::answers::answered(model, asked, result),
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
        (Asked::Drift(wanted, offset), Ok(Reply::Drift(report))) => {
            model.drift.take(&wanted, offset, *report);
        }
        (Asked::Plot(_), result) => model.drift.plotted(result),
        (Asked::Audit(query, offset), Ok(Reply::Audit(page))) => {
            let page = Some(page).filter(|_| query == model.log.filter.text());
            model.log.audit.answered(offset, page);
        }
        (Asked::Catalog, Ok(Reply::Catalog(catalog))) => match model.dialogs.last_mut() {
            Some(Dialog::Import(import)) => import.take_catalog(&catalog),
            Some(Dialog::Export(export)) => export.take_catalog(&catalog),
            Some(Dialog::Making(making)) => {
                making.take_catalog(&catalog);
                return making.look();
            }
            _ => {}
        },
        (Asked::Keys, Ok(Reply::Keys(keys))) => {
            let names: Vec<String> = keys.into_iter().map(|key| key.name).collect();
            match model.dialogs.last_mut() {
                Some(Dialog::Import(import)) => import.take_keys(&names),
                Some(Dialog::Making(making)) => making.take_keys(&names),
                Some(Dialog::Codes(codes)) => codes.take_keys(&names),
                _ => {}
            }
        }
        (Asked::Look, result) => {
            if let Some(Dialog::Making(making)) = model.dialogs.last_mut() {
                return making.answered(result);
            }
        }
        (Asked::Make(name), Ok(_)) => {
            model.dialogs.retain(|dialog| !matches!(dialog, Dialog::Making(_)));
            show_batch(model, name.clone());
            model.say(format!("batch {name} is made: S starts it"));
        }
        (Asked::Make(_), Err(failure)) => {
            if let Some(Dialog::Making(making)) = model.dialogs.last_mut() {
                making.busy = false;
                making.looked = Some(Err(failure));
            } else {
                model.dialogs.push(Dialog::Failure(failure));
            }
        }
        (Asked::Import, result) => imported(model, result),
        (Asked::Activation | Asked::Activated, result) => {
            if let Some(Dialog::Activating(activating)) = model.dialogs.last_mut() {
                return activating.answered(result);
            }
        }
        (Asked::Codes(slot), result) => {
            if let Some(Dialog::Codes(codes)) = model.dialogs.last_mut()
                && codes.slot == slot
            {
                codes.answered(result);
            }
        }
        (Asked::Reveal(serial, profile, shape), Ok(Reply::Revealed(revealed))) => {
            match Reveal::new(serial, profile, shape, &revealed, model.now) {
                Some(reveal) => model.dialogs.push(Dialog::Reveal(reveal)),
                None => model.complain("the station's answer is no key URI"),
            }
        }
        (Asked::Token(serial), Ok(Reply::Token(token))) => match model.dialogs.last_mut() {
            Some(Dialog::Token { serial: shown, view, .. }) if *shown == serial => *view = Some(token),
            _ => model.dialogs.push(Dialog::Token { serial, view: Some(token), scroll: 0 }),
        },
        (Asked::Token(serial), Err(failure)) => scan::unknown(model, &serial, failure),
        (Asked::Resync(which), Ok(Reply::Token(token))) => match Resyncing::new(which.clone(), &token) {
            Some(resyncing) => model.dialogs.push(Dialog::Resync(Box::new(resyncing))),
            None => return vec![resync::ask(which, None)],
        },
        // Why its clock can't be set is said best by who should set it.
        (Asked::Resync(which), Err(_)) => return vec![resync::ask(which, None)],
        (Asked::Profiles(_, code), Ok(Reply::Token(token))) => return scan::verify(&token, code),
        (Asked::Verify(serial, profile, code), Ok(Reply::Verdict(verdict))) => {
            if verdict.right {
                model.station.eyes.retain(|eyes| eyes.serial != serial);
                model.aim = None;
                diagnose::act::right_code(model, &serial);
            } else {
                // The next code is for the same token, whoever else waits.
                model.aim = Some(serial.clone());
                diagnose::act::wrong_code(model, serial.clone(), profile, code.clone());
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
        Asked::Drift(..) => model.drift.list.failed(),
        Asked::Audit(..) => model.log.audit.failed(),
        Asked::Holders => {
            model.dialogs.retain(|dialog| !matches!(dialog, Dialog::Unlock(_)));
        }
        Asked::Act(_)
        | Asked::Token(_)
        | Asked::Resync(_)
        | Asked::Plot(_)
        | Asked::Profiles(..)
        | Asked::Verify(..)
        | Asked::Catalog
        | Asked::Keys
        | Asked::Look
        | Asked::Make(_)
        | Asked::Import
        | Asked::Activation
        | Asked::Activated
        | Asked::Codes(_)
        | Asked::Reveal(..)
        | Asked::Diagnose(_) => {}
    }
    if matches!(model.link, Link::Up) {
        model.dialogs.push(Dialog::Failure(failure));
    }
}

/// What came of an import, or of the look before it.
/// An export that somebody has left in the meantime is told all the same: it is on record.
fn exported(model: &mut Model, result: Result<Exporting, Failure>) {
    let at = model.dialogs.iter().position(|dialog| matches!(dialog, Dialog::Export(_)));
    let said = match (at.and_then(|at| model.dialogs.get_mut(at)), result) {
        (Some(Dialog::Export(export)), result) => export.answered(result),
        (_, Ok(Exporting::Written(said))) => Some(said),
        (_, Ok(Exporting::Looked(_))) => None,
        (_, Err(failure)) => {
            model.dialogs.push(Dialog::Failure(failure));
            None
        }
    };
    if let Some(said) = said {
        if let Some(at) = at {
            model.dialogs.remove(at);
        }
        model.say(said);
    }
}

fn imported(model: &mut Model, result: Result<Reply, Failure>) {
    let at = model.dialogs.iter().position(|dialog| matches!(dialog, Dialog::Import(_)));
    let (report, file) = match at.and_then(|at| model.dialogs.get_mut(at)) {
        Some(Dialog::Import(import)) => {
            let Some(report) = import.answered(result) else { return };
            (report, import.file_name().to_owned())
        }
        _ => match result {
            Ok(Reply::Imported(report)) if !report.dry_run => (report, "the file".into()),
            Ok(_) => return,
            Err(failure) => return model.dialogs.push(Dialog::Failure(failure)),
        },
    };
    if let Some(at) = at {
        model.dialogs.remove(at);
    }
    let keep_safe = format!("{file} still holds the seeds: keep it safe, or destroy it");
    match report.batch {
        Some(name) => {
            show_batch(model, name.clone());
            model.say(format!("{} jobs in {name}, S starts it; {keep_safe}", report.jobs));
        }
        None => model.say(format!("{} tokens are on record; {keep_safe}", report.taken)),
    }
}

/// Shows a batch that is new.
fn show_batch(model: &mut Model, name: String) {
    model.batches.selected = Some(name);
    model.batches.in_jobs = false;
    drop(model.batches.filter.take());
    model.view = View::Batches;
    model.batches.jobs.stale();
}

fn made(model: &mut Model, result: Result<(), Failure>) {
    let at = model.dialogs.iter().position(|dialog| matches!(dialog, Dialog::Init(_)));
    match (result, at) {
        (Ok(()), at) => {
            if let Some(at) = at {
                model.dialogs.remove(at);
            }
            model.say("the vault is made and open; add a second holder soon: kiln holder add NAME");
        }
        (Err(failure), Some(at)) => {
            if let Some(Dialog::Init(init)) = model.dialogs.get_mut(at) {
                init.busy = false;
                init.failure = Some(failure);
            }
        }
        (Err(failure), None) => model.dialogs.push(Dialog::Failure(failure)),
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
