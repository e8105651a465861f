//! The next step, always on one line: what to ask, press or do now, while somebody waits on the phone.

use super::{
    Found, How, Pane,
    question::{self, Odds, odds},
};
use crate::{
    diagnose::{Diagnosis, timing::timing},
    face::{Role, VaultState},
    remedy::Remedy,
    tui::model::Model,
};

/// From these odds on an explanation is the cause, where chance would not have found it as well.
const SURE: f64 = 0.9;

/// The first thing to be told.
const ASK_FOR_CODE: &str = "ask for the code: type it, then Enter (e: the display shows no code)";

/// What to do now.
pub fn next(model: &Model) -> String {
    let view = &model.diagnose;
    if let Some(presses) = &view.timing {
        return match timing(presses) {
            Ok(found) => found.remedy(),
            Err(error) if presses.is_empty() => {
                debug_assert_eq!(error.remedy(), "press Enter at the next change of the code");
                "watch the display, and press Enter at the moment the code changes".into()
            }
            Err(error) => error.remedy().into(),
        };
    }
    if view.choosing.is_some() {
        return "choose what the display shows (Down, Up), then Enter".into();
    }
    if let Some(problem) = &view.problem {
        return if problem.remedy.is_empty() { problem.message.clone() } else { problem.remedy.clone() };
    }
    match model.station.vault {
        Some(VaultState::Locked) if model.role < Role::Operator => {
            return "the vault is locked: have an operator unlock it, or press m and time the changes".into();
        }
        Some(VaultState::Locked) => return "u: unlock the vault, without it no code can be compared".into(),
        Some(VaultState::Absent) => {
            return "there is no vault yet, so there is nothing to compare with".into();
        }
        Some(VaultState::Open) | None => {}
    }
    match (&view.pane, view.seen.is_empty()) {
        (Pane::Owners(None) | Pane::Times(None), _) => return "searching".into(),
        (Pane::Owners(Some(owners)), _) => {
            return match owners.matches.len() {
                0 if owners.withheld > 0 => {
                    "ask for the next code, type it, press w again: one code is no proof".into()
                }
                0 => "nobody's, ten minutes off or less: check the code (Backspace takes it back)".into(),
                _ if owners.ask_another_code => {
                    "ask for the next code, type it, press w again: one code is no proof".into()
                }
                _ => "Enter takes the token that is selected".into(),
            };
        }
        (Pane::Times(Some(times)), _) => {
            return match times.collisions.advice.as_ref() {
                Some(advice) => advice.clone(),
                None if times.times.is_empty() => "not shown in that time; Esc goes back".into(),
                None => "Esc goes back to the explanations".into(),
            };
        }
        (Pane::Findings | Pane::Searched, _) => {}
    }
    let Some(picked) = &view.picked else {
        return if view.seen.is_empty() {
            "which token? type or scan its serial, tap it on a reader, or / to search".into()
        } else {
            "w: whose code is this? or choose its token: serial, tap, or / to search".into()
        };
    };
    if model.aim.as_ref() == Some(&picked.serial) && picked.how == How::Verified {
        return "switch it off and on, type the new code (until then it shows an old one)".into();
    }
    let Some(found) = view.answer() else {
        return match (view.busy || view.stale, view.has_evidence()) {
            (_, false) if model.role < Role::Operator => ASK_FOR_CODE.into(),
            (true, _) => "searching".into(),
            (false, _) => "not asked yet, or not answered: Enter asks".into(),
        };
    };
    match &found.diagnosis {
        None => ASK_FOR_CODE.into(),
        Some(diagnosis) => after(found, diagnosis, model),
    }
}

/// A remedy as it is done here: the command line that sets a clock is a key of operators.
pub fn here(remedy: &str, role: Role) -> String {
    if role < Role::Operator {
        return remedy.to_owned();
    }
    let Some((before, rest)) = remedy.split_once("kiln drift resync ") else { return remedy.to_owned() };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    format!("{before}r{}", rest.strip_prefix(" --threshold 0").unwrap_or(rest))
}

/// What to do with explanations at hand.
fn after(found: &Found, diagnosis: &Diagnosis, model: &Model) -> String {
    let odds = odds(diagnosis, &found.answers);
    let likeliest = ranked(&odds).first().copied();
    if let Some(n) = likeliest.filter(|n| is_sure(diagnosis, &odds, *n)) {
        return format!("do: {}", here(&diagnosis.findings[n].remedy, model.role));
    }
    if diagnosis.withheld > 0 {
        return "ask for the next code, type it, then Enter: one alone may be chance".into();
    }
    if let Some(question) = question::question(found, model.now) {
        // Few options leave room to say that a whole code does as well, and better.
        let or = if question.options.len() > 3 { "" } else { " (or the whole code)" };
        return format!("ask: {} type that{or}, Enter", question.words());
    }
    if !found.answers.is_empty() && odds.none > 0.5 {
        return "none of these begins so: ask for the whole code, type it, then Enter".into();
    }
    if model.diagnose.shows.is_some() {
        return likeliest.map_or_else(
            || "ask what else the display shows".into(),
            |n| format!("do: {}", here(&diagnosis.findings[n].remedy, model.role)),
        );
    }
    if diagnosis.findings.is_empty() {
        return "nothing explains it: compare the serial on the back; w finds whose code it is".into();
    }
    "ask for the next code, type it, then Enter: so far it may be chance".into()
}

/// The findings by their odds after all answers, the likeliest first; without those that were ruled out.
pub fn ranked(odds: &Odds) -> Vec<usize> {
    let mut ranks: Vec<usize> = (0..odds.findings.len()).filter(|n| odds.findings[*n] > 0.0).collect();
    ranks.sort_by(|a, b| odds.findings[*b].total_cmp(&odds.findings[*a]));
    ranks
}

/// Whether a finding may be called the cause.
pub fn is_sure(diagnosis: &Diagnosis, odds: &Odds, finding: usize) -> bool {
    let accidental = diagnosis.findings[finding].accidental * odds.fewer;
    odds.findings[finding] >= SURE && accidental <= Diagnosis::ASK_ABOVE
}
