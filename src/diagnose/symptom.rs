//! What a token shows instead of a code.

use super::{
    advice,
    cause::Cause,
    finding::{Diagnosis, Finding, Searched, Token},
    known::{Held, Known, Standing},
    search::DiagnoseError,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A display that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Symptom {
    /// Dashes: a profile without a seed.
    Dashes,
    /// Nothing at all.
    Blank,
    /// An error.
    Error,
    /// A code that never changes.
    Frozen,
}

impl Symptom {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Dashes, Self::Blank, Self::Error, Self::Frozen];

    /// As commands write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dashes => "dashes",
            Self::Blank => "blank",
            Self::Error => "error",
            Self::Frozen => "frozen",
        }
    }
}

impl fmt::Display for Symptom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One reason for a symptom: its cause, how likely it is against the others, what is wrong, what to do.
type Reason = (Cause, f64, String, String);

/// What such a display means on this token, the likeliest reason first. The posteriors are priors among the reasons of
/// the symptom: there is no code that could weigh them.
pub fn symptom(known: &Known<'_>, symptom: Symptom) -> Result<Diagnosis, DiagnoseError> {
    let current = known.current().ok_or(DiagnoseError::NothingOnRecord)?;
    let mut reasons = match symptom {
        Symptom::Dashes => dashes(known),
        Symptom::Blank => blank(known),
        Symptom::Error => error(known),
        Symptom::Frozen => frozen(known),
    };
    reasons.sort_by(|a, b| b.1.total_cmp(&a.1));
    let sum: f64 = reasons.iter().map(|reason| reason.1).sum();
    // Something that nobody thought of has its share here, too.
    let sum = sum * 1.1;
    let findings = reasons.iter().map(|(cause, weight, what, remedy)| Finding {
        causes: vec![*cause],
        equivalent: reasons.iter().map(|reason| reason.0).filter(|other| other != cause).collect(),
        tie_break: None,
        posterior: weight / sum,
        prior: weight / sum,
        accidental: 0.0,
        candidates: reasons.len() as u64,
        chance: 0.0,
        stage: "symptom".into(),
        parameters: current.parameters,
        offset: None,
        token: known.serial.clone().map(|serial| Token { serial, profile: current.profile }),
        what: what.clone(),
        remedy: remedy.clone(),
    });
    let findings: Vec<Finding> = findings.collect();
    let none_of_these = 1.0 - findings.iter().map(|finding| finding.posterior).sum::<f64>();
    Ok(Diagnosis {
        ask_another_code: false,
        why_ask: None,
        none_of_these,
        searched: vec![Searched {
            stage: "symptom".into(),
            what: format!("reasons for a display that shows: {symptom}"),
            candidates: reasons.len() as u64,
            accidental: 0.0,
        }],
        also_affected: findings.first().map_or_else(Vec::new, |first| known.affected(&first.causes)),
        findings,
        subject: Some(known.subject(current, 0)),
        withheld: 0,
    })
}

fn dashes(known: &Known<'_>) -> Vec<Reason> {
    let clears = known.model.is_none_or(|model| model.sync_clears_seed);
    let not_done = |held: &Held<'_>| matches!(held.standing, Standing::Unfinished | Standing::Waiting);
    let unfinished = known.history.iter().any(not_done);
    let burn = match &known.serial {
        Some(serial) if unfinished => {
            format!("put {serial} on a slot: the burn that waits for it goes on with the same seed")
        }
        Some(_) => advice::burn_again(known),
        None => "program the token again: the configuration first, the seed after it".into(),
    };
    let profiles = known.model.map_or(2, |model| model.profiles);
    let mut reasons = vec![(
        Cause::NoSeed,
        if unfinished { 6.0 } else { 2.0 },
        "the profile holds no seed: it was never burned, or the burn did not come to its end".to_owned(),
        burn.clone(),
    )];
    if clears {
        reasons[0].1 += 3.0;
        reasons[0].2 = "the profile holds no seed: on tokens with restricted time sync a configuration written after the seed clears it, so the configuration comes first; or it was never burned".into();
    }
    if profiles > 1 {
        reasons.push((
            Cause::OtherProfile,
            1.5,
            "another profile is shown, one that is empty".into(),
            format!("have the user choose profile {} on the token", known.profile),
        ));
    }
    reasons
}

fn blank(known: &Known<'_>) -> Vec<Reason> {
    let press = match known.model {
        Some(model) if !model.operator_first.is_empty() => {
            format!("switch it on ({}); if it stays dark, replace the token", model.operator_first)
        }
        _ => "press the button, longer, or charge it; if it stays dark, replace the token".into(),
    };
    let scrap = match &known.serial {
        Some(serial) => {
            format!("if a new battery or charging does not help: kiln token scrap {serial}, and burn another")
        }
        None => "replace the token if charging it does not help".into(),
    };
    vec![
        (Cause::NoPower, 8.0, "the display is off, or the battery is empty".into(), press),
        (Cause::Fault, 1.0, "the display or the token is broken".into(), scrap),
    ]
}

fn error(known: &Known<'_>) -> Vec<Reason> {
    let replace = match &known.serial {
        Some(serial) => format!(
            "switch it off and on; if the error comes back: kiln token scrap {serial}, and burn another"
        ),
        None => "switch it off and on; if the error comes back, replace the token".into(),
    };
    vec![
        (Cause::Fault, 5.0, "the token found a fault of its own (memory, clock or battery)".into(), replace),
        (
            Cause::NoSeed,
            2.0,
            "the token was left half-programmed".into(),
            match &known.serial {
                Some(serial) => {
                    format!("put {serial} on a slot: a burn that did not end goes on with the same seed")
                }
                None => "program it again: the configuration first, the seed after it".into(),
            },
        ),
    ]
}

fn frozen(known: &Known<'_>) -> Vec<Reason> {
    let again = "switch the token off and on and read again".to_owned();
    vec![
        (
            Cause::StaleDisplay,
            4.0,
            "the display still shows the code from before the token was programmed".into(),
            again,
        ),
        (
            Cause::Hotp,
            3.0,
            "the profile is counter-based: it shows a new code at each press, not with time".into(),
            match &known.serial {
                Some(serial) => {
                    format!("press for a new code and diagnose it: kiln diagnose --token {serial} CODE")
                }
                None => "press for a new code and diagnose that one".into(),
            },
        ),
        (
            Cause::Fault,
            2.0,
            "the token's clock stands still".into(),
            match &known.serial {
                Some(serial) => format!(
                    "put it on a slot twice, a minute apart, and compare its clock; if it stands: kiln token scrap {serial}"
                ),
                None => "wait two minutes and read again; if it is the same code, replace the token".into(),
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Catalog, Parameters, Seed};

    #[test]
    fn every_symptom_has_reasons_with_remedies() {
        let seed = Seed::new([7; 20]);
        for serial in [None, Some("86596000000001".parse().unwrap())] {
            for shown in Symptom::ALL {
                let known = Known { serial: serial.clone(), ..Known::bare(&seed, Parameters::standard()) };
                let diagnosis = symptom(&known, shown).unwrap();
                let sum: f64 = diagnosis.findings.iter().map(|finding| finding.posterior).sum();
                assert!((sum + diagnosis.none_of_these - 1.0).abs() < 1e-9 && sum < 0.95, "{shown}");
                assert!(diagnosis.findings.is_sorted_by(|a, b| a.posterior >= b.posterior));
                for finding in diagnosis.findings {
                    assert!(
                        finding.remedy.len() > 20 && !finding.remedy.ends_with('.'),
                        "{}",
                        finding.remedy
                    );
                }
            }
        }
    }

    #[test]
    fn dashes_on_a_restricted_model_name_the_order_of_writes() {
        let seed = Seed::new([7; 20]);
        let catalog = Catalog::built_in();
        let of = |clears: bool| {
            let model = catalog.models().find(|model| model.sync_clears_seed == clears);
            let known = Known { model, ..Known::bare(&seed, Parameters::standard()) };
            symptom(&known, Symptom::Dashes).unwrap().findings[0].what.clone()
        };
        assert!(of(true).contains("configuration comes first"));
        assert!(!of(false).contains("configuration"));
    }
}
