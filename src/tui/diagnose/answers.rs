//! What the station answers, as the diagnose view keeps it.

use super::{Found, Pane, act::Asked, timed};
use crate::{
    diagnose::Diagnosis,
    domain::{Profile, Serial},
    face::{Failure, FailureKind, Reply},
    tui::{model::Model, msg::Effect},
};

/// An answer to one of its questions.
pub fn answered(model: &mut Model, asked: Asked, result: Result<Reply, Failure>) -> Vec<Effect> {
    let view = &mut model.diagnose;
    let round = view.round;
    match (asked, result) {
        (Asked::List(query, offset), Ok(Reply::Tokens(page))) => {
            let page = Some(page).filter(|_| query == view.filter.text());
            view.list.answered(offset, page);
        }
        (Asked::List(..), Err(failure)) => {
            view.list.failed();
            view.problem = Some(failure);
        }
        (Asked::Token(serial), result) => {
            let Some(picked) = view.picked.as_mut().filter(|picked| picked.serial == serial) else {
                return Vec::new();
            };
            view.busy = false;
            match result {
                Ok(Reply::Token(token)) => {
                    picked.token = Some(token);
                    let held: Vec<Profile> = picked.held().iter().map(|mapping| mapping.profile).collect();
                    if !held.contains(&picked.profile) {
                        picked.profile = held.first().copied().unwrap_or(picked.profile);
                    }
                }
                Ok(_) => {}
                Err(failure) => {
                    view.picked = None;
                    unknown(model, &serial, failure);
                }
            }
        }
        (Asked::Examine(of), result) => {
            view.busy = false;
            match result {
                // An older question: what was typed meanwhile is asked by itself.
                _ if of != round => {}
                Ok(Reply::Examined(examined)) => take(model, *examined),
                Ok(_) => {}
                Err(failure) => view.problem = Some(failure),
            }
        }
        (Asked::Explain(of), result) => {
            view.busy = false;
            match result {
                _ if of != round => {}
                Ok(Reply::Findings(found)) => match serde_json::from_value(found) {
                    Ok(diagnosis) => explained(model, diagnosis),
                    Err(error) => view.problem = Some(unreadable(&error)),
                },
                Ok(_) => {}
                Err(failure) => view.problem = Some(failure),
            }
        }
        (Asked::Keep(serial), result) => timed::kept(model, &serial, result),
        (Asked::Owners(of) | Asked::Times(of), _) if of != round => {}
        (Asked::Owners(_), Ok(Reply::Findings(found))) => match serde_json::from_value(found) {
            Ok(owners) => view.pane = Pane::Owners(Some(owners)),
            Err(error) => view.problem = Some(unreadable(&error)),
        },
        (Asked::Times(_), Ok(Reply::Findings(found))) => match serde_json::from_value(found) {
            Ok(times) => view.pane = Pane::Times(Some(times)),
            Err(error) => view.problem = Some(unreadable(&error)),
        },
        (Asked::Owners(_) | Asked::Times(_), Err(failure)) => {
            view.pane = Pane::Findings;
            view.problem = Some(failure);
        }
        (Asked::List(..) | Asked::Owners(_) | Asked::Times(_), Ok(_)) => {}
    }
    Vec::new()
}

fn take(model: &mut Model, examined: crate::face::Examined) {
    let view = &mut model.diagnose;
    let diagnosis = match examined.diagnosis.map(serde_json::from_value).transpose() {
        Ok(diagnosis) => diagnosis,
        Err(error) => {
            view.problem = Some(unreadable(&error));
            return;
        }
    };
    // The same question again, for the displays alone, keeps what was said meanwhile.
    let answers = match view.found.take() {
        Some(before) if before.diagnosis == diagnosis => before.answers,
        Some(_) | None => Vec::new(),
    };
    view.found = Some(Found {
        diagnosis,
        report: examined.report,
        reading: examined.reading,
        rows: examined.rows,
        until: examined.until,
        answers,
        round: view.round,
    });
}

/// What those who only look on are told: no digits, and a reading that is on record for all.
fn explained(model: &mut Model, diagnosis: Diagnosis) {
    let view = &mut model.diagnose;
    let token = view.picked.as_ref().and_then(|picked| picked.token.as_ref());
    view.found = Some(Found {
        report: Some(diagnosis.report()),
        diagnosis: Some(diagnosis),
        reading: token.and_then(|token| token.readings.first().copied()),
        rows: Vec::new(),
        until: model.now.floor_second(),
        answers: Vec::new(),
        round: view.round,
    });
}

fn unknown(model: &mut Model, serial: &Serial, failure: Failure) {
    let remedy = match failure.kind {
        FailureKind::No => {
            "read the serial on its back; type the code first and press w to find whose it is".into()
        }
        FailureKind::Usage | FailureKind::Environment => failure.remedy.clone(),
    };
    let message = format!("token {serial}: {}", failure.message);
    model.diagnose.problem = Some(Failure { message, remedy, ..failure });
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure {
        kind: FailureKind::Environment,
        message: format!("the station's answer can't be read: {error}"),
        remedy: "leave (q) and start this kiln again: the station may be a newer one".into(),
        details: Vec::new(),
    }
}
