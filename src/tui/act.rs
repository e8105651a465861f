//! What each action does to the model, and what it asks of the station.

use super::{
    activate::Activating,
    codes::Codes,
    diagnose,
    dialog::{Dialog, Sure, Typed, Unlock},
    export::Export,
    init::Init,
    input::Input,
    keys::{self, Action},
    model::{Link, Model, View, Which},
    msg::{Asked, Effect},
    resync,
    sweep::Sweeping,
};
use crate::{
    domain::SlotName,
    face::{BatchView, Command, Consent, Doing, VaultState},
};

/// Does it.
pub fn perform(model: &mut Model, action: Action) -> Vec<Effect> {
    if !model.may(action) {
        let name = keys::entry_of(action).map_or("do that", |entry| entry.name);
        model.complain(format!("you may look on only: an operator may {name}"));
        return Vec::new();
    }
    let page = i64::from(model.size.1.saturating_sub(8).max(1));
    match action {
        Action::Show(view) => show(model, view),
        Action::NextView => show(model, model.view.step(1)),
        Action::PreviousView => show(model, model.view.step(View::ALL.len() - 1)),
        Action::Down => step(model, 1),
        Action::Up => step(model, -1),
        Action::PageDown => step(model, page),
        Action::PageUp => step(model, -page),
        Action::First => step(model, i64::MIN / 2),
        Action::Last => step(model, i64::MAX / 2),
        Action::Open => return open(model),
        Action::Back => back(model),
        Action::Help => model.dialogs.push(Dialog::Help(0)),
        Action::Palette => {
            model.dialogs.push(Dialog::Palette { input: Input::default(), selected: 0 });
        }
        Action::Filter if model.filter().is_some() => {
            model.filtering = true;
            if model.view == View::Diagnose {
                diagnose::act::pick_anew(model);
            }
        }
        Action::Filter => model.say("nothing to narrow here: t shows the tokens, b the batches"),
        Action::Alarms if model.station.alarms.is_empty() => model.say("there are no alarms"),
        Action::Alarms => model.dialogs.push(Dialog::Alarms(0)),
        Action::Unlock => return unlock(model),
        Action::Lock => model.dialogs.push(Dialog::Sure(Sure::Lock)),
        Action::StartBatch | Action::PauseBatch | Action::RetryBatch | Action::CancelBatch => {
            return on_selected_batch(model, action);
        }
        Action::Import | Action::NewBatch => return make(model, action),
        Action::Sweep => {
            let sweeping = Sweeping::new(&model.station.batches);
            model.dialogs.push(Dialog::Sweep(Box::new(sweeping)));
        }
        Action::Resync => return set_clock(model),
        Action::Export => return export(model),
        Action::Activate => return activate(model),
        Action::Which => which(model),
        Action::Diagnose(what) => return diagnose::act::perform(model, what),
        Action::Verify | Action::AllowReplace | Action::AllowTry | Action::Scrap | Action::Reveal => {
            on_token(model, action);
        }
        Action::Codes => return codes(model),
        Action::GiveUp => return give_up(model),
        Action::Mouse => {
            model.mouse = !model.mouse;
            model.say(if model.mouse {
                "the mouse selects here: the terminal's own selection wants Shift"
            } else {
                "the mouse is left to the terminal"
            });
            return vec![Effect::Mouse(model.mouse)];
        }
        Action::OverrideClock => typed(model, Typed::Override),
        Action::Copy => return copy(model),
        Action::StartStation => {
            if matches!(model.link, Link::Up) {
                model.say("the station runs");
            } else {
                return vec![Effect::Start];
            }
        }
        Action::StopStation => model.dialogs.push(Dialog::Sure(Sure::Stop)),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => {
            model.quit = true;
            return vec![Effect::Quit];
        }
    }
    Vec::new()
}

fn show(model: &mut Model, view: View) {
    model.view = view;
    model.filtering = false;
    match view {
        // Lists of the server are asked for again each time they come into view.
        View::Batches => model.batches.jobs.stale(),
        View::Tokens => model.tokens.list.stale(),
        View::Drift => model.drift.stale(),
        View::Diagnose => model.diagnose.list.stale(),
        View::Log => model.log.audit.stale(),
        // A glance at it shows the queue as it is.
        View::Station => model.station.queue_is_stale = true,
    }
}

/// Selects what is `by` lines on, in the list that has the keys.
pub fn step(model: &mut Model, by: i64) {
    match model.view {
        View::Station => {
            let last = model.station.slots.len().saturating_sub(1) as u64;
            let to = (model.slot_at() as u64).saturating_add_signed(by).min(last);
            let to = usize::try_from(to).unwrap_or(0);
            model.slot = model.station.slots.get(to).map(|slot| slot.slot.clone());
        }
        View::Batches if model.batches.in_jobs => model.batches.jobs.step(by),
        View::Batches => model.batches.step(&model.station.batches, by),
        View::Tokens => model.tokens.list.step(by),
        View::Drift => model.drift.list.step(by),
        View::Diagnose => diagnose::act::step(model, by),
        View::Log => match model.log.which {
            Which::Events | Which::Trouble => {
                let most = model.log.found(&model.station.log).len().saturating_sub(1) as u64;
                let back = (model.log.back as u64).saturating_add_signed(by.saturating_neg()).min(most);
                model.log.back = usize::try_from(back).unwrap_or(0);
            }
            Which::Audit => model.log.audit.step(by),
        },
    }
}

/// Reads the key on the selected slot.
fn codes(model: &mut Model) -> Vec<Effect> {
    match model.station.slots.get(model.slot_at()) {
        Some(slot) if slot.occupied => {
            let (codes, effects) = Codes::begin(slot.slot.clone());
            model.dialogs.push(Dialog::Codes(codes));
            return effects;
        }
        Some(slot) => {
            let said = format!("nothing lies on {}: put the key there, or select its slot", slot.slot);
            model.complain(said);
        }
        None => model.complain("there is no slot: plug a reader in"),
    }
    Vec::new()
}

/// Gives up the wait for a touch on the selected slot. Nobody is asked whether: the job keeps its seed and goes on later.
fn give_up(model: &mut Model) -> Vec<Effect> {
    match model.station.slots.get(model.slot_at()) {
        Some(slot) if slot.doing == Doing::Touch => return vec![touch_given_up(&slot.slot)],
        Some(slot) => {
            let said = format!("nothing on {} waits for a touch: select the slot that says touch", slot.slot);
            model.complain(said);
        }
        None => model.complain("there is no slot: plug a reader in"),
    }
    Vec::new()
}

/// The wait at this slot is given up.
pub fn touch_given_up(slot: &SlotName) -> Effect {
    let said = format!("the wait at {slot} is given up: unplug the key without touching it");
    Effect::Ask(Asked::Act(said), Command::SlotGiveUp { slot: slot.0.clone() })
}

fn open(model: &mut Model) -> Vec<Effect> {
    match model.view {
        View::Station => {
            if let Some(slot) = model.station.slots.get(model.slot_at()) {
                model.dialogs.push(Dialog::Slot(slot.slot.clone()));
            }
            Vec::new()
        }
        View::Batches if !model.batches.in_jobs => {
            model.batches.in_jobs = true;
            Vec::new()
        }
        View::Batches | View::Tokens | View::Drift => match model.selected_serial() {
            Some(serial) => {
                model.dialogs.push(Dialog::Token { serial: serial.clone(), view: None, scroll: 0 });
                vec![Effect::Ask(Asked::Token(serial.clone()), Command::Token { serial })]
            }
            None => Vec::new(),
        },
        View::Diagnose => diagnose::act::open(model),
        View::Log => Vec::new(),
    }
}

fn back(model: &mut Model) {
    if model.aim.take().is_some() || model.toast.take().is_some() {
        return;
    }
    if model.view == View::Diagnose && diagnose::act::back(model) {
        return;
    }
    if model.view == View::Batches && model.batches.in_jobs {
        model.batches.in_jobs = false;
    } else if model.filter().is_some_and(|filter| !filter.take().is_empty()) {
        refilter(model);
    } else {
        model.view = View::Station;
    }
}

/// The filter of the view says something else now.
pub fn refilter(model: &mut Model) {
    match model.view {
        View::Tokens => model.tokens.list.restart(),
        View::Drift => model.drift.list.restart(),
        View::Diagnose => {
            model.diagnose.list.restart();
            model.diagnose.pick = 0;
        }
        View::Log => {
            model.log.back = 0;
            model.log.audit.restart();
        }
        View::Batches | View::Station => {}
    }
}

fn unlock(model: &mut Model) -> Vec<Effect> {
    match model.station.vault {
        Some(VaultState::Open) => model.say("the vault is open already"),
        Some(VaultState::Absent) => model.dialogs.push(Dialog::Init(Init::default())),
        Some(VaultState::Locked) => {
            model.dialogs.push(Dialog::Unlock(Unlock::default()));
            return vec![Effect::Ask(Asked::Holders, Command::Holders)];
        }
        None => model.complain("there is no connection to the station"),
    }
    Vec::new()
}

/// Opens the form for a new batch; without an open vault, what opens that comes first.
fn make(model: &mut Model, action: Action) -> Vec<Effect> {
    match model.station.vault {
        Some(VaultState::Open) => {}
        Some(VaultState::Absent | VaultState::Locked) => {
            model.say("first the vault: new seeds are sealed in it");
            return unlock(model);
        }
        None => return unlock(model),
    }
    model.dialogs.push(match action {
        Action::Import => Dialog::Import(Box::default()),
        _ => Dialog::Making(Box::default()),
    });
    vec![Effect::Ask(Asked::Catalog, Command::Catalog), Effect::Ask(Asked::Keys, Command::Keys)]
}

/// Gives codes of the selected batch; without an open vault, what opens that comes first.
fn activate(model: &mut Model) -> Vec<Effect> {
    let Some(name) = model.batches.current(&model.station.batches).map(|batch| batch.name.clone()) else {
        model.complain("there is no batch to activate");
        return Vec::new();
    };
    if model.station.vault != Some(VaultState::Open) {
        model.say("first the vault: codes are computed from the seeds in it");
        return unlock(model);
    }
    let (activating, effects) = Activating::begin(name);
    model.dialogs.push(Dialog::Activating(activating));
    effects
}

/// Opens the form for an export of the selected batch; without an open vault, what opens that comes first.
fn export(model: &mut Model) -> Vec<Effect> {
    let Some(batch) = model.batches.current(&model.station.batches) else {
        model.complain("there is no batch to export");
        return Vec::new();
    };
    let name = batch.name.clone();
    if batch.sweep.is_some() {
        model.complain(format!(
            "{name} sets clocks and writes no seeds: export the batch that its tokens are of"
        ));
        return Vec::new();
    }
    if model.station.vault != Some(VaultState::Open) {
        model.say("first the vault: seeds are sealed in it");
        return unlock(model);
    }
    model.dialogs.push(Dialog::Export(Box::new(Export::of(name))));
    vec![Effect::Ask(Asked::Catalog, Command::Catalog)]
}

/// Whether `action` makes sense for a batch in this state.
fn fits(action: Action, batch: &BatchView) -> bool {
    match action {
        Action::StartBatch => matches!(batch.state.as_str(), "draft" | "paused"),
        Action::PauseBatch => batch.state == "running",
        Action::RetryBatch => batch.jobs.failed > 0,
        _ => !matches!(batch.state.as_str(), "done" | "cancelled"),
    }
}

fn on_selected_batch(model: &mut Model, action: Action) -> Vec<Effect> {
    let all = &model.station.batches;
    if model.view == View::Batches {
        return match model.batches.current(all).map(|batch| batch.name.clone()) {
            Some(name) => on_batch(model, action, name),
            None => {
                model.complain("there is no batch: i imports a seed file, n makes one with random seeds");
                Vec::new()
            }
        };
    }
    let fitting: Vec<String> =
        all.iter().filter(|batch| fits(action, batch)).map(|batch| batch.name.clone()).collect();
    match fitting.as_slice() {
        [] if action == Action::PauseBatch => model.complain("no batch is running"),
        [] if all.is_empty() => {
            model.complain("there is no batch: i imports a seed file, n makes one with random seeds");
        }
        [] => model.complain("no batch waits to be started"),
        [one] => return on_batch(model, action, one.clone()),
        several => {
            model.say(format!("choose one of {} batches, then press the key again", several.len()));
            model.batches.selected = several.first().cloned();
            model.batches.in_jobs = false;
            show(model, View::Batches);
        }
    }
    Vec::new()
}

/// Does `action` to the batch called `name`, or asks first.
pub fn on_batch(model: &mut Model, action: Action, name: String) -> Vec<Effect> {
    if !model.may(action) {
        return perform(model, action);
    }
    let known = model.station.batches.iter().find(|batch| batch.name == name);
    if let Some(batch) = known.filter(|batch| !fits(action, batch)) {
        let why = match action {
            Action::RetryBatch => "has no failed jobs".to_owned(),
            _ => format!("is {}", batch.state),
        };
        model.complain(format!("batch {name} {why}"));
        return Vec::new();
    }
    match action {
        Action::StartBatch => model.dialogs.push(Dialog::Sure(Sure::Start(name))),
        Action::RetryBatch => model.dialogs.push(Dialog::Sure(Sure::Retry(name))),
        Action::PauseBatch => {
            let said = format!("batch {name} is paused; burns in hand go on to their end");
            return vec![Effect::Ask(Asked::Act(said), Command::BatchPause { name })];
        }
        _ => typed(model, Typed::Cancel(name)),
    }
    Vec::new()
}

fn which(model: &mut Model) {
    match model.view {
        View::Batches => model.batches.next_state(),
        View::Drift => model.drift.next_which(),
        View::Log => {
            model.log.which = model.log.which.next();
            model.log.back = 0;
        }
        View::Station | View::Tokens | View::Diagnose => {}
    }
}

fn on_token(model: &mut Model, action: Action) {
    let Some(serial) = model.selected_serial() else {
        model.complain("no token is selected: choose one, or scan its serial");
        return;
    };
    match action {
        Action::AllowReplace => typed(model, Typed::Allow(serial, Consent::Replace)),
        Action::AllowTry => typed(model, Typed::Allow(serial, Consent::TryKey)),
        Action::Scrap => typed(model, Typed::Scrap(serial)),
        Action::Reveal => typed(model, Typed::Reveal(serial)),
        _ => {
            // A code is typed over the view, where the scan shows.
            model.dialogs.clear();
            model.aim = Some(serial);
        }
    }
}

fn set_clock(model: &mut Model) -> Vec<Effect> {
    let Some(serial) = model.selected_serial() else {
        model.complain("no token is selected: choose one, or scan its serial");
        return Vec::new();
    };
    // A diagnosis found it wrong, however its clock reads: it is written to at any rate.
    let threshold_s = (model.view == View::Diagnose).then_some(0);
    vec![resync::begin(serial, threshold_s)]
}

fn typed(model: &mut Model, what: Typed) {
    model.dialogs.push(Dialog::Typed { what, input: Input::default(), problem: None });
}

fn copy(model: &mut Model) -> Vec<Effect> {
    if model.view == View::Diagnose
        && let Some(report) = diagnose::act::report(model)
    {
        model.say("sent to the terminal's clipboard: the report, without codes, seeds and whole serials");
        return vec![Effect::Copy(report)];
    }
    let text = match model.selected_serial() {
        Some(serial) => serial.to_string(),
        None => match model.batches.current(&model.station.batches).filter(|_| model.view == View::Batches) {
            Some(batch) => batch.name.clone(),
            None => {
                model.complain("nothing is selected that could be sent");
                return Vec::new();
            }
        },
    };
    // Whether the terminal takes it can't be known.
    model.say(format!("sent to the terminal's clipboard: {text}"));
    vec![Effect::Copy(text)]
}
