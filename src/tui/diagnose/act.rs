//! What keys, scans and taps do to the diagnose view, and what it asks of the station.

use super::{
    How, Pane, Picked,
    question::{self, place},
    timed,
};
use crate::{
    diagnose::{Evidence, Symptom, timing::timing},
    domain::{Profile, Serial},
    face::{Command, Doing, Event, Role, SeenCode, SlotView, VaultState},
    tui::{
        model::{Model, View},
        msg::{self, Effect},
    },
};

/// What its keys do, besides those that every view has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Forgets token and codes.
    NewCall,
    /// Opens the choice of what the display shows instead of a code.
    NoCode,
    /// Goes to the token's next profile.
    NextProfile,
    /// Begins to time changes of the code, or ends it.
    Timing,
    /// Keeps what was timed as a reading of the token's clock.
    Keep,
    /// Asks whose code it is.
    Whose,
    /// Asks when it was shown.
    When,
    /// Shows what was searched, or the explanations again.
    Searched,
    /// Takes the last code, answer or press back.
    Undo,
}

/// What a question of this view was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A page of tokens to pick from, and the filter.
    List(String, u32),
    /// The token that was picked.
    Token(Serial),
    /// What explains what was seen, in this round.
    Examine(u64),
    /// The same, for one who only looks on.
    Explain(u64),
    /// Whose code it is.
    Owners(u64),
    /// When it was shown.
    Times(u64),
    /// That what was timed is kept as a reading of this token's clock.
    Keep(Serial),
}

/// Clock errors up to so many seconds where it is asked whose a code is.
const WITHIN_S: u32 = 600;

pub(super) fn ask(asked: Asked, command: Command) -> Effect {
    Effect::Ask(msg::Asked::Diagnose(asked), command)
}

/// Does it.
pub fn perform(model: &mut Model, what: Act) -> Vec<Effect> {
    let view = &mut model.diagnose;
    match what {
        Act::NewCall => {
            let timing = view.timing.as_ref().map(|_| Vec::new());
            let (round, awake_until) = (view.round + 1, view.awake_until);
            *view = super::Diagnose { timing, round, awake_until, ..super::Diagnose::default() };
            model.aim = None;
        }
        Act::NoCode => {
            view.timing = None;
            view.choosing = match view.choosing {
                Some(_) => None,
                None => Some(
                    view.shows.and_then(|shown| Symptom::ALL.iter().position(|s| *s == shown)).unwrap_or(0),
                ),
            };
        }
        Act::NextProfile => next_profile(model),
        Act::Timing => {
            view.timing = match view.timing {
                Some(_) => None,
                None => Some(Vec::new()),
            };
            view.choosing = None;
        }
        Act::Keep => return timed::keep(model),
        Act::Whose | Act::When => return search(model, what),
        Act::Searched => {
            view.pane = match view.pane {
                Pane::Searched => Pane::Findings,
                Pane::Findings | Pane::Owners(_) | Pane::Times(_) => Pane::Searched,
            };
            view.selected = 0;
        }
        Act::Undo => undo(model),
    }
    Vec::new()
}

fn next_profile(model: &mut Model) {
    let Some(picked) = &mut model.diagnose.picked else {
        model.complain("first the token: scan or type its serial, tap it, or search with /");
        return;
    };
    let held: Vec<Profile> = picked.held().iter().map(|mapping| mapping.profile).collect();
    let at = held.iter().position(|profile| *profile == picked.profile);
    match held.get(at.map_or(0, |at| (at + 1) % held.len())) {
        Some(next) if *next != picked.profile => {
            picked.profile = *next;
            model.diagnose.changed();
        }
        Some(_) | None => model.say("the token has no other profile on record"),
    }
}

fn search(model: &mut Model, what: Act) -> Vec<Effect> {
    let view = &mut model.diagnose;
    let (Some(first), Some(last)) = (view.seen.first(), view.seen.last()) else {
        model.complain("first the code: type what the display shows, then Enter");
        return Vec::new();
    };
    let round = view.round;
    let effect = if what == Act::Whose {
        let codes: Vec<String> = view.seen.iter().map(|seen| seen.code.clone()).collect();
        let (at, within_s) = (Some(first.at), WITHIN_S);
        view.pane = Pane::Owners(None);
        ask(Asked::Owners(round), Command::Whose { codes, at, within_s })
    } else {
        let codes = vec![last.code.clone()];
        let Some(Picked { serial, profile, .. }) = &view.picked else {
            model.complain("first the token: scan or type its serial, tap it, or search with /");
            return Vec::new();
        };
        let (serial, profile) = (serial.clone(), *profile);
        view.pane = Pane::Times(None);
        ask(Asked::Times(round), Command::When { serial, profile, codes, since: None, until: None })
    };
    view.selected = 0;
    vec![effect]
}

fn undo(model: &mut Model) {
    let view = &mut model.diagnose;
    if let Some(presses) = &mut view.timing {
        presses.pop();
    } else if view.found.as_mut().is_some_and(|found| found.answers.pop().is_some()) {
        view.selected = 0;
    } else if view.shows.take().is_some() || view.seen.pop().is_some() {
        view.changed();
        // What is left was searched for before: once more costs those a search who have few.
        view.stale = model.role == Role::Operator;
    } else {
        model.say("there is nothing to take back");
    }
}

/// Enter: the moment of a change, a choice, the token that is selected, or what failed once more.
pub fn open(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    let view = &mut model.diagnose;
    if let Some(presses) = &mut view.timing {
        presses.push(now);
        return Vec::new();
    }
    if let Some(at) = view.choosing.take() {
        view.shows = Symptom::ALL.get(at).copied();
        view.changed();
        return Vec::new();
    }
    if view.problem.take().is_some() {
        view.stale |= view.answer().is_none();
        return Vec::new();
    }
    if let Pane::Owners(Some(owners)) = &view.pane {
        if let Some(owner) = owners.matches.get(view.selected) {
            let (serial, profile) = (owner.token.serial.clone(), owner.token.profile);
            pick(model, serial, How::Chosen, Some(profile));
        }
        return Vec::new();
    }
    if model.diagnose.picked.is_some() {
        let view = &mut model.diagnose;
        view.stale |= !view.busy && view.answer().is_none();
    } else if let Some((serial, how)) = choice(model) {
        pick(model, serial, how, None);
    }
    Vec::new()
}

/// Tokens on readers that the filter leaves: they come first in the list to pick from.
pub fn on_readers(model: &Model) -> Vec<&SlotView> {
    let filter = model.diagnose.filter.text();
    let holds =
        |slot: &&SlotView| slot.serial.as_ref().is_some_and(|serial| serial.as_str().contains(filter));
    model.station.slots.iter().filter(holds).collect()
}

fn choice(model: &Model) -> Option<(Serial, How)> {
    let readers = on_readers(model);
    let at = usize::try_from(model.diagnose.pick).ok()?;
    match readers.get(at) {
        Some(slot) => Some((slot.serial.clone()?, How::Tapped(slot.slot.clone()))),
        None => {
            let place = (at - readers.len()) as u64;
            Some((model.diagnose.list.at(place)?.serial.clone(), How::Chosen))
        }
    }
}

/// Takes this token as the one in question. Codes that were typed already stay: they are what it is asked about.
fn pick(model: &mut Model, serial: Serial, how: How, profile: Option<Profile>) {
    model.filtering = false;
    let view = &mut model.diagnose;
    let profile = profile.unwrap_or(Profile::ZERO);
    view.picked = Some(Picked { serial, how, profile, token: None });
    view.found = None;
    view.timing = None;
    view.busy = false;
    view.changed();
}

/// Lets another token be picked. Codes stay: they may be those of that one.
pub fn pick_anew(model: &mut Model) {
    let view = &mut model.diagnose;
    view.picked = None;
    view.found = None;
    view.timing = None;
    view.choosing = None;
    view.changed();
}

/// Digits that were scanned or typed: the first ones of a display, a code, or a serial.
pub fn scanned(model: &mut Model, text: &str) -> Vec<Effect> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let on_a_reader =
        |model: &Model, serial: &Serial| model.station.slot_of(serial).map(|slot| slot.slot.clone());
    match (text.len(), text.parse::<Serial>().ok()) {
        (1..=3, _) if digits => answer(model, text),
        (4..=10, serial)
            if digits && serial.as_ref().is_none_or(|serial| on_a_reader(model, serial).is_none()) =>
        {
            code(model, text);
        }
        (_, Some(serial)) => {
            let how = on_a_reader(model, &serial).map_or(How::Chosen, How::Tapped);
            pick(model, serial, how, None);
        }
        (_, None) => {
            let shown: String = text.chars().take(20).collect();
            model.complain(format!("\"{shown}\" is neither a code nor a serial"));
        }
    }
    Vec::new()
}

fn code(model: &mut Model, code: &str) {
    let at = model.now.floor_second();
    let view = &mut model.diagnose;
    view.timing = None;
    view.choosing = None;
    if let Some(last) = view.seen.last().filter(|last| last.code == code) {
        let ago = at.0.saturating_sub(last.at.0);
        let text = if ago < 90 {
            "that is the same code: wait until the display changes".to_owned()
        } else {
            format!("the same code for {ago} s: if it never changes, press e and say so")
        };
        model.say(text);
        return;
    }
    view.shows = None;
    view.seen.push(SeenCode { code: code.to_owned(), at });
    if view.seen.len() > Evidence::MOST {
        view.seen.remove(0);
    }
    view.changed();
}

fn answer(model: &mut Model, digits: &str) {
    let now = model.now;
    let view = &mut model.diagnose;
    match view.found.as_mut().filter(|found| found.diagnosis.is_some() && !found.rows.is_empty()) {
        Some(found) => {
            let answer = question::answer(found, digits, now);
            found.answers.push(answer);
            view.pane = Pane::Findings;
            view.selected = 0;
        }
        None => model.complain(format!("{digits} is no whole code, and nothing was asked yet")),
    }
}

/// A verified code was wrong: everything is filled in and asked.
pub fn wrong_code(model: &mut Model, serial: Serial, profile: Profile, code: String) {
    let at = model.now.floor_second();
    let view = &mut model.diagnose;
    let same =
        view.picked.as_ref().is_some_and(|picked| picked.serial == serial && picked.profile == profile);
    if !same {
        view.seen.clear();
        pick(model, serial, How::Verified, Some(profile));
    }
    let view = &mut model.diagnose;
    view.shows = None;
    if view.seen.last().is_none_or(|last| last.code != code) {
        view.seen.push(SeenCode { code, at });
    }
    view.awake_until = model.now.plus(super::AWAKE_MS);
    view.changed();
    model.view = View::Diagnose;
}

/// It was right at last: the bench goes on.
pub fn right_code(model: &mut Model, serial: &Serial) {
    let picked = model.diagnose.picked.as_ref();
    if model.view == View::Diagnose
        && picked.is_some_and(|picked| picked.how == How::Verified && picked.serial == *serial)
    {
        model.view = View::Station;
    }
}

/// It happened at the station: a token that is put down and gets no burn is the one in question.
pub fn heard(model: &mut Model, event: &Event) {
    if model.view != View::Diagnose {
        return;
    }
    let Event::Slot(SlotView { slot, doing, serial: Some(serial), job: None, drift: Some(_), .. }) = event
    else {
        return;
    };
    if !matches!(doing, Doing::Take | Doing::Look) {
        return;
    }
    let how = How::Tapped(slot.clone());
    match &mut model.diagnose.picked {
        Some(picked) if picked.serial == *serial && picked.how == how => {}
        Some(picked) if picked.serial == *serial => {
            // Its clock was just read, and that is on record now.
            picked.how = how;
            model.diagnose.awake_until = model.now.plus(super::AWAKE_MS);
            model.diagnose.changed();
        }
        Some(picked) => {
            let other = picked.serial.clone();
            model.say(format!("token {serial} was put down; this is about {other} (n begins anew)"));
        }
        None => {
            model.diagnose.awake_until = model.now.plus(super::AWAKE_MS);
            pick(model, serial.clone(), how, None);
        }
    }
}

/// A second has passed.
pub fn tick(model: &mut Model) {
    let now = model.now;
    let view = &mut model.diagnose;
    if !view.tells_displays() {
        return;
    }
    if now >= view.awake_until {
        view.hide();
        view.stale = true;
    } else if view.found.as_ref().is_some_and(|found| found.until <= now.floor_second()) {
        view.stale = true;
    }
}

/// Whoever looks at something else sees no displays, and asks for them anew when coming back.
pub fn left(model: &mut Model) {
    if model.view != View::Diagnose && model.diagnose.tells_displays() {
        model.diagnose.hide();
        model.diagnose.stale = true;
    }
}

/// What the view lacks.
pub fn wants(model: &mut Model) -> Vec<Effect> {
    let open = model.station.vault == Some(VaultState::Open);
    let view = &mut model.diagnose;
    if view.timing.is_some() || view.problem.is_some() {
        return Vec::new();
    }
    let Some(picked) = &view.picked else {
        return view.list.want().map_or_else(Vec::new, |page| {
            let query = view.filter.text().to_owned();
            vec![ask(Asked::List(query.clone(), page.offset), Command::Tokens { query, page })]
        });
    };
    if view.busy {
        return Vec::new();
    }
    let serial = picked.serial.clone();
    if picked.token.is_none() {
        view.busy = true;
        return vec![ask(Asked::Token(serial.clone()), Command::Token { serial })];
    }
    let profile = picked.profile;
    let asks = match model.role {
        Role::Operator => model.now < view.awake_until,
        // Each of their searches is counted: none is made twice, or before there is something to search for.
        Role::Observer => view.has_evidence() && view.answer().is_none(),
    };
    if !(view.stale && open && asks) {
        return Vec::new();
    }
    view.busy = true;
    view.stale = false;
    let shows = view.shows.map(|shown| shown.name().to_owned());
    let seen = view.seen.clone();
    vec![match model.role {
        Role::Operator => ask(Asked::Examine(view.round), Command::Examine { serial, profile, seen, shows }),
        Role::Observer => {
            let (codes, typed) = seen.into_iter().map(|seen| (seen.code, seen.at)).unzip();
            ask(
                Asked::Explain(view.round),
                Command::Diagnose { serial, profile, codes, shows, at: None, typed, wider: 1 },
            )
        }
    }]
}

/// Moves the selection.
pub fn step(model: &mut Model, by: i64) {
    let moved = |at: usize, count: usize| {
        let last = count.saturating_sub(1) as u64;
        usize::try_from((at as u64).saturating_add_signed(by).min(last)).unwrap_or(0)
    };
    let readers = on_readers(model).len() as u64;
    let view = &mut model.diagnose;
    if let Some(at) = view.choosing {
        view.choosing = Some(moved(at, Symptom::ALL.len()));
        return;
    }
    if view.lists_tokens() {
        let last = (readers + view.list.total).saturating_sub(1);
        view.pick = view.pick.saturating_add_signed(by).min(last);
        view.list.selected = view.pick.saturating_sub(readers).min(view.list.total.saturating_sub(1));
        return;
    }
    let diagnosis = view.found.as_ref().and_then(|found| found.diagnosis.as_ref());
    let count = match &view.pane {
        Pane::Findings => diagnosis.map_or(0, |diagnosis| diagnosis.findings.len()),
        Pane::Searched => diagnosis.map_or(0, |diagnosis| diagnosis.searched.len()),
        Pane::Owners(owners) => owners.as_ref().map_or(0, |owners| owners.matches.len()),
        Pane::Times(times) => times.as_ref().map_or(0, |times| times.times.len()),
    };
    view.selected = moved(view.selected, count);
}

/// Selects this line of what is listed.
pub fn select(model: &mut Model, line: u64) {
    let view = &model.diagnose;
    let at = match (view.choosing, view.lists_tokens()) {
        (Some(at), _) => at as u64,
        (None, true) => view.pick,
        (None, false) => view.selected as u64,
    };
    step(model, i64::try_from(line).unwrap_or(i64::MAX).saturating_sub_unsigned(at));
}

/// One step back; whether there was one within the view.
pub fn back(model: &mut Model) -> bool {
    let view = &mut model.diagnose;
    if view.choosing.take().is_some() || view.problem.take().is_some() {
        return true;
    }
    if view.timing.take().is_some() {
        return true;
    }
    match view.pane {
        Pane::Findings => false,
        Pane::Searched | Pane::Owners(_) | Pane::Times(_) => {
            view.pane = Pane::Findings;
            view.selected = 0;
            true
        }
    }
}

/// What `y` hands out: the report, without seeds, codes and whole serials.
pub fn report(model: &Model) -> Option<String> {
    let view = &model.diagnose;
    if let Some(presses) = &view.timing {
        let found = timing(presses).ok()?;
        let lines = [found.what(), found.cannot_tell(), found.assumed(), format!("next: {}", found.remedy())];
        return Some(format!("kiln timing, {} presses\n{}\n", found.presses, lines.join("\n")));
    }
    let found = view.found.as_ref()?;
    let mut report = found.report.clone()?;
    for answer in &found.answers {
        // Even the first digits of a code stay out of a ticket.
        let rows = found.rows.iter().filter(|row| row.leads.get(place(row, answer.at)).is_some());
        report.push_str(&format!(
            "asked      the first {} of a display, against {} explanations\n",
            if answer.digits.len() == 1 {
                "digit".to_owned()
            } else {
                format!("{} digits", answer.digits.len())
            },
            rows.count()
        ));
    }
    Some(report)
}
