//! A diagnosis as tests see it.

use super::{Found, How, Picked};
use crate::{
    diagnose::{Cause, Diagnosis, Finding, Offset, Searched},
    domain::{DriftSeconds, Hash, Parameters, Profile, UnixTime},
    face::{Lead, MappingView, ReadingView, ShownRow, TokenLine, TokenView},
    tui::sample::NOW,
};

/// A finding with this chance of being right.
pub fn finding(cause: Cause, posterior: f64) -> Finding {
    let hash = if cause == Cause::Hash { Hash::Sha256 } else { Hash::Sha1 };
    let (what, remedy) = match cause {
        Cause::Hash => (
            "the token calculates with SHA-256",
            "write the seed and the parameters on record to 86596100000001 once more (kiln drift resync 86596100000001 \
             --threshold 0, then put it on a slot): Entra ID takes SHA-1 only",
        ),
        Cause::Zone => (
            "the token's clock was set in local time: it is +02:00 from UTC (2 h 0 min ahead)",
            "set its clock (kiln drift resync 86596100000001, then put it on a slot): its seed and parameters stay",
        ),
        _ => (
            "the token's clock is 61 s ahead",
            "set its clock (kiln drift resync 86596100000001, then put it on a slot): its seed and parameters stay",
        ),
    };
    Finding {
        causes: vec![cause],
        equivalent: vec![],
        tie_break: None,
        posterior,
        prior: 0.03,
        accidental: 0.0004,
        candidates: 412,
        chance: 1e-6,
        stage: "parameters".into(),
        parameters: Parameters { hash, ..Parameters::standard() },
        offset: Some(Offset { steps: 0, seconds: 0 }),
        token: None,
        what: what.into(),
        remedy: remedy.into(),
    }
}

/// A diagnosis of these.
pub fn diagnosis(findings: Vec<Finding>) -> Diagnosis {
    let stated: f64 = findings.iter().map(|finding| finding.posterior).sum();
    let searched = |stage: &'static str, what: &str, candidates| Searched {
        stage: stage.into(),
        what: what.into(),
        candidates,
        accidental: candidates as f64 * 1e-6,
    };
    Diagnosis {
        findings,
        ask_another_code: false,
        why_ask: None,
        none_of_these: 1.0 - stated,
        searched: vec![
            searched("as-recorded", "the code of this very moment, for displays of any length", 1),
            searched("late", "two steps later and earlier", 5),
            searched(
                "parameters",
                "other hashes, periods and earlier parameters, two steps to each side",
                406,
            ),
            searched("drift", "clock errors up to 60 minutes", 241),
        ],
        also_affected: vec!["the other tokens of batch \"spring\"".into()],
        subject: None,
        withheld: 0,
    }
}

/// What the token shows now under findings of these odds: the first two digits.
pub fn found(shown: &[(&str, f64)]) -> Found {
    let causes = [Cause::Hash, Cause::Drift, Cause::Zone];
    let findings =
        shown.iter().zip(causes.iter().cycle()).map(|((_, odds), cause)| finding(*cause, *odds)).collect();
    let row = |findings: Vec<usize>, recorded, now: &str| ShownRow {
        recorded,
        findings,
        digits: crate::domain::Digits::SIX,
        period: Some(crate::domain::Period::THIRTY),
        since: Some(UnixTime(NOW.floor_second().0 - 40)),
        leads: ["58", now, &now.chars().rev().collect::<String>(), "63", "70"].map(Lead::of).into(),
    };
    Found {
        diagnosis: Some(diagnosis(findings)),
        report: Some("kiln diagnosis\nfinding 1  92.0 %  hash\n".into()),
        reading: Some(ReadingView {
            at: NOW.plus(-60_000),
            drift: DriftSeconds(0.4),
            uncertainty_ms: 505,
            clock: crate::domain::ClockState::Simulated,
            kind: crate::domain::ReadingKind::Clock,
        }),
        rows: shown.iter().enumerate().map(|(n, (now, _))| row(vec![n], false, now)).collect(),
        until: NOW.floor_second().plus(100),
        answers: Vec::new(),
        round: 0,
    }
}

/// A token on record.
pub fn token(serial: &str, profiles: u8) -> TokenView {
    let mapping = |profile| MappingView {
        profile: Profile::new(profile),
        seed: crate::domain::SeedId([profile; 16]),
        parameters: Parameters::standard(),
        title: None,
        display_timeout_s: None,
        upn: Some("ann@example.com".into()),
        origin: "burned".into(),
        from: NOW.plus(-86_400_000),
        to: None,
        ended_by: None,
        proof: None,
    };
    TokenView {
        line: TokenLine {
            serial: serial.parse().unwrap(),
            model: Some("C301-i".into()),
            upn: Some("ann@example.com".into()),
            profiles: profiles.into(),
            proof: None,
            last_seen: Some(NOW),
            scrapped: None,
            batch: Some("spring".into()),
        },
        mappings: (0..profiles).map(mapping).collect(),
        readings: Vec::new(),
        clock_set: None,
        jobs: Vec::new(),
        clock: None,
        timeouts_to_choose_s: Vec::new(),
    }
}

/// That token, picked.
pub fn picked(serial: &str, profiles: u8) -> Picked {
    Picked {
        serial: serial.parse().unwrap(),
        how: How::Chosen,
        profile: Profile::ZERO,
        token: Some(Box::new(token(serial, profiles))),
    }
}
