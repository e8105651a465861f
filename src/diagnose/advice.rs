//! The words: what is wrong, what to do about it, and when to ask for another code.

use super::{
    cause::Cause,
    clock::Reason,
    finding::{Diagnosis, Finding, Offset},
    known::Known,
    reading::Kind,
    search::Member,
};
use crate::domain::{Mode, UnixTime};

/// What is wrong, in one sentence without a full stop.
pub(super) fn what(member: &Member) -> String {
    let parts: Vec<String> = member.causes.iter().filter_map(|cause| part(*cause, member)).collect();
    parts.join("; ")
}

/// A cause in words; `None` where the words of another cause of the same member say it already.
fn part(cause: Cause, member: &Member) -> Option<String> {
    let parameters = member.parameters;
    let seconds = member.offset.map_or(0, |offset| offset.seconds);
    let with = |other: Cause| member.causes.contains(&other);
    Some(match cause {
        Cause::Ok => "the code is right as recorded: nothing is wrong with the token".into(),
        Cause::Late => match member.offset {
            Some(offset) if offset.steps > 0 => {
                "the code is one that the clock here has not reached yet, by a step or two".into()
            }
            _ => "the code was typed a step or two after it was shown".into(),
        },
        Cause::Drift if with(Cause::Zone) || with(Cause::Date) => "and it drifted besides".into(),
        Cause::Drift => format!("the token's clock is {}", off(seconds)),
        Cause::Zone => match member.reason {
            Reason::Zone(zone) => format!(
                "the token's clock was set in local time: it is {} from UTC ({})",
                hours(zone),
                off(seconds)
            ),
            _ => format!("the token's clock was set in another zone: it is {}", off(seconds)),
        },
        Cause::Date => match member.reason {
            Reason::Days(days) => format!("the token's date is {} {}", many(days, "day"), side(days)),
            Reason::Months(months) => {
                format!("the token's date is {} {}", many(months, "month"), side(months))
            }
            Reason::Years(years) => format!("the token's date is {} {}", many(years, "year"), side(years)),
            Reason::DayMonth => "the token's date was set with day and month exchanged".into(),
            Reason::Reset(start) => {
                format!(
                    "the token's clock was reset: it began again at {} and is now {}",
                    UnixTime(start),
                    off(seconds)
                )
            }
            Reason::Zone(_) | Reason::T0(_) | Reason::Plain => {
                format!("the token's clock was set wrong: it is {}", off(seconds))
            }
        },
        Cause::Period => match parameters.mode {
            Mode::Totp { period, .. } => format!("the token changes its code every {period}"),
            Mode::Hotp { .. } => return None,
        },
        Cause::Hash => format!("the token calculates with {}", parameters.hash),
        Cause::Digits => format!("the token shows {} digits", parameters.digits),
        Cause::T0 => match member.reason {
            Reason::T0(t0) => format!("the token counts its steps from {}", UnixTime(t0)),
            _ => "the token counts its steps from another T0".into(),
        },
        Cause::Hotp => match parameters.mode {
            Mode::Hotp { counter } => {
                format!("the token is counter-based: this is the code of counter {counter}")
            }
            Mode::Totp { period, .. } => format!("the token is time-based, with a period of {period}"),
        },
        Cause::SeedEncoding
        | Cause::SeedTruncated
        | Cause::SeedTypo
        | Cause::OtherToken
        | Cause::OtherProfile => {
            format!("the token's seed is {}", member.seed.said)
        }
        Cause::BatchShift => format!("the token's seed is {}", member.seed.said),
        Cause::PreviousSeed if with(Cause::OtherProfile) => return None,
        Cause::PreviousSeed => format!("the token's seed is {}", member.seed.said),
        Cause::PreviousParameters => format!("the token still has its earlier parameters ({parameters})"),
        Cause::Typo | Cause::Misread => {
            let said: Vec<String> = member
                .slips
                .iter()
                .filter(|(_, kind)| kind.cause() == cause)
                .map(|(i, kind)| format!("code {}: {}", i + 1, slip(*kind)))
                .collect();
            let how = if cause == Cause::Typo { "mistyped" } else { "misread" };
            format!("the code was {how} ({})", said.join(", "))
        }
        Cause::NoSeed | Cause::NoPower | Cause::Fault | Cause::StaleDisplay => return None,
    })
}

fn slip(kind: Kind) -> String {
    match kind {
        Kind::Digit { place } => format!("digit {place} is another"),
        Kind::Swapped { place } => format!("digits {place} and {} are exchanged", place + 1),
        Kind::ZerosLost { count: 1 } => "its leading zero is missing".into(),
        Kind::ZerosLost { count } => format!("its {count} leading zeros are missing"),
        Kind::Missing { place } => format!("digit {place} is missing"),
        Kind::Extra { place } => format!("digit {place} is one too many"),
        Kind::LookAlike { place } => format!("digit {place} was taken for one that looks like it"),
        Kind::UpsideDown => "the token was held upside down".into(),
        Kind::Halves { after } => format!("the display changed after digit {after} was read"),
    }
}

fn many(n: i64, what: &str) -> String {
    let s = if n.abs() == 1 { "" } else { "s" };
    format!("{} {what}{s}", n.abs())
}

fn side(n: i64) -> &'static str {
    if n > 0 { "ahead" } else { "behind" }
}

fn hours(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A clock error in the largest units that say it.
fn off(seconds: i64) -> String {
    let s = seconds.abs();
    let said = match s {
        0..=119 => format!("{s} s"),
        120..=7_199 => format!("{} min {} s", s / 60, s % 60),
        7_200..=172_799 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        _ => format!("{} days {} h", s / 86_400, s % 86_400 / 3_600),
    };
    format!("{said} {}", side(seconds))
}

/// What to do now, in one sentence without a full stop.
pub(super) fn remedy(member: &Member, known: &Known<'_>) -> String {
    let serial = known.serial.as_ref().map(ToString::to_string);
    let server = known.target.map_or("the server", |target| target.label.as_str());
    // One thing at a time: what must be done first is what makes the rest right, too.
    let first = REMEDY_ORDER.iter().copied().find(|cause| member.causes.contains(cause)).unwrap_or(Cause::Ok);
    match first {
        Cause::Ok => format!(
            "look at {server}: was this code used already (each counts once), is the user locked out, is the token assigned and activated, does it expect a PIN before the code, is the token there twice, is its clock right?"
        ),
        Cause::Late => late_remedy(member.offset, known, server),
        Cause::Drift | Cause::Zone | Cause::Date | Cause::T0 => clock_remedy(first, known, serial.as_deref(), server),
        Cause::Period | Cause::Hash | Cause::Digits | Cause::Hotp | Cause::PreviousParameters => {
            parameter_remedy(member, known, serial.as_deref(), server)
        }
        Cause::SeedEncoding => {
            "state the encoding of the seed's text where it was entered, and enter or burn it again; check the other seeds of the same file".into()
        }
        Cause::SeedTruncated => {
            "enter or burn the whole seed again; check how many bytes the other side takes".into()
        }
        Cause::SeedTypo => "compare the seed's text at the place found, and scan or paste it instead of typing".into(),
        Cause::PreviousSeed => match serial {
            Some(serial) => format!(
                "switch the token off and on and read again; if the code stays wrong, burn it again (kiln token {serial} shows its jobs)"
            ),
            None => "switch the token off and on and read again; if the code stays wrong, program it again".into(),
        },
        Cause::OtherProfile => format!(
            "have the user choose profile {} on the token and read again",
            known.profile
        ),
        Cause::OtherToken => match &member.seed.token {
            Some((other, _)) => format!(
                "read the serial on the token: if it is {other}, assign that one to this user at {server}; if not, labels or seeds were exchanged (kiln token {other})"
            ),
            None => "read the serial on the token and compare it with the one assigned".into(),
        },
        Cause::BatchShift => format!(
            "stop handing out this batch: check two more of its tokens with kiln diagnose, then correct the mapping at {server} for all that are shifted"
        ),
        Cause::Typo => "have the code read out and typed again, digit by digit".into(),
        Cause::Misread => "have the token held with its label upright, and a fresh code read out digit by digit".into(),
        Cause::NoSeed | Cause::NoPower | Cause::Fault | Cause::StaleDisplay => {
            "look at the token itself: say what it shows with --shows".into()
        }
    }
}

const REMEDY_ORDER: [Cause; 20] = [
    Cause::BatchShift,
    Cause::OtherToken,
    Cause::OtherProfile,
    Cause::PreviousSeed,
    Cause::SeedEncoding,
    Cause::SeedTruncated,
    Cause::SeedTypo,
    Cause::PreviousParameters,
    Cause::Hotp,
    Cause::Hash,
    Cause::Period,
    Cause::Digits,
    Cause::T0,
    Cause::Date,
    Cause::Zone,
    Cause::Drift,
    Cause::Typo,
    Cause::Misread,
    Cause::Late,
    Cause::Ok,
];

fn late_remedy(offset: Option<Offset>, known: &Known<'_>, server: &str) -> String {
    let steps = offset.map_or(0, |offset| offset.steps.unsigned_abs());
    match known.target {
        Some(target) if steps <= u64::from(target.drift_steps) => format!(
            "nothing at the token: {server} accepts {steps} of drift, so look there (used already, locked out, not activated); else type the code as soon as it appears"
        ),
        _ => "wait for a new code and type it as soon as it appears; if that fails, diagnose again with two successive codes".into(),
    }
}

fn clock_remedy(cause: Cause, known: &Known<'_>, serial: Option<&str>, server: &str) -> String {
    let clears = match known.model {
        Some(model) if model.sync_clears_seed => {
            " (this model loses its seed when its clock is set, so kiln burns the seed on record with it)"
        }
        _ => "",
    };
    let learns = known.target.is_some_and(|target| target.learns_drift);
    match (cause, serial) {
        (Cause::Drift, _) if learns => format!(
            "resynchronise the token at {server} with two successive codes; it learns the drift from then on"
        ),
        (Cause::T0, _) => "burn the token again, or set the same T0 at the server: most servers know only 1970".into(),
        (_, Some(serial)) => format!("set the token's clock: kiln drift resync {serial}{clears}"),
        (_, None) => {
            "set the token's clock again from a computer whose clock is right (in UTC); a token whose clock can't be set must be replaced".into()
        }
    }
}

fn parameter_remedy(member: &Member, known: &Known<'_>, serial: Option<&str>, server: &str) -> String {
    let parameters = member.parameters;
    let again = match serial {
        Some(serial) => format!("burn {serial} again with the parameters on record"),
        None => "program the token again with the parameters on record".into(),
    };
    match known.target {
        Some(target) => match target.check(&parameters, target.seed_bytes.max) {
            Ok(()) => format!("set {parameters} for this token at {server}, or {again}"),
            Err(misfit) => format!("{again}: {misfit}"),
        },
        None => format!("set {parameters} for this token at the server, or {again}"),
    }
}

/// Why one explanation stands before others of the same calculation.
pub(super) fn tie_break(causes: &[Cause], equivalent: &[Cause]) -> Option<String> {
    let other = equivalent.first()?;
    let names = |causes: &[Cause]| causes.iter().map(|cause| cause.name()).collect::<Vec<_>>().join(" + ");
    let more = match (causes.first()?, other) {
        (Cause::Late, Cause::Drift) | (Cause::Drift, Cause::Late) => {
            "; a code typed the moment it appears tells them apart"
        }
        (Cause::Zone | Cause::Date, Cause::Drift | Cause::Zone | Cause::Date) => {
            "; the day and place at which the clock was set tell them apart"
        }
        (Cause::OtherToken, Cause::BatchShift) | (Cause::BatchShift, Cause::OtherToken) => {
            "; a code of the next token in burn order tells them apart"
        }
        (Cause::Typo | Cause::Misread, _) => "; a fresh code tells them apart",
        _ => "",
    };
    Some(format!(
        "these codes come out the same way for {}; {} is the commoner cause{more}",
        names(equivalent),
        names(causes)
    ))
}

/// Whether the mistake is one that other tokens of the same batch, hour or recipe share.
pub(super) fn lies_in_the_records(causes: &[Cause]) -> bool {
    causes.iter().any(|cause| match cause {
        Cause::Zone
        | Cause::Date
        | Cause::Period
        | Cause::Hash
        | Cause::Digits
        | Cause::T0
        | Cause::Hotp
        | Cause::SeedEncoding
        | Cause::SeedTruncated
        | Cause::PreviousSeed
        | Cause::PreviousParameters
        | Cause::OtherToken
        | Cause::BatchShift => true,
        Cause::Ok
        | Cause::Late
        | Cause::Drift
        | Cause::SeedTypo
        | Cause::OtherProfile
        | Cause::Typo
        | Cause::Misread
        | Cause::NoSeed
        | Cause::NoPower
        | Cause::Fault
        | Cause::StaleDisplay => false,
    })
}

/// Why another code must be seen first; `None` where none need be.
pub(super) fn why_ask(findings: &[Finding], codes: usize) -> Option<String> {
    let next = if codes == 1 { "the next code, too" } else { "one more code" };
    let Some(first) = findings.first() else {
        return Some(format!(
            "nothing explains {}; if one was mistyped badly, {next} would tell",
            if codes == 1 { "this code" } else { "these codes" }
        ));
    };
    if first.accidental > Diagnosis::ASK_ABOVE {
        return Some(format!(
            "a search this wide meets {} accidental hits for such codes (more than {} is too many); give {next}",
            rounded(first.accidental),
            Diagnosis::ASK_ABOVE
        ));
    }
    (first.posterior < 0.9).then(|| format!("more than one explanation fits; give {next}"))
}

fn rounded(x: f64) -> String {
    if x >= 0.1 { format!("{x:.1}") } else { format!("{x:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnose::candidates::SeedLabel,
        domain::{Parameters, Seed},
    };

    fn member(causes: Vec<Cause>, reason: Reason, seconds: i64) -> Member {
        Member {
            causes,
            prior: 0.1,
            parameters: Parameters::standard(),
            offset: Some(Offset { steps: seconds / 30, seconds }),
            seed: SeedLabel { causes: vec![], odds: 1.0, said: "the earlier one".into(), token: None },
            reason,
            slips: vec![(0, Kind::Swapped { place: 2 })],
        }
    }

    #[test]
    fn every_cause_has_its_words_and_its_remedy() {
        let seed = Seed::new([7; 20]);
        let catalog = crate::domain::Catalog::built_in();
        let mut known = Known::bare(&seed, Parameters::standard());
        for _ in 0..2 {
            for cause in Cause::OF_CODES {
                let member = member(vec![cause], Reason::Plain, -30);
                assert!(what(&member).len() > 10, "{cause}");
                let remedy = remedy(&member, &known);
                assert!(remedy.len() > 20 && !remedy.ends_with('.'), "{cause}: {remedy}");
            }
            known.serial = Some("86596000000001".parse().unwrap());
            known.target = catalog.target("entra");
        }
    }

    #[test]
    fn the_remedy_names_the_command_and_the_server() {
        let seed = Seed::new([7; 20]);
        let catalog = crate::domain::Catalog::built_in();
        let mut known = Known::bare(&seed, Parameters::standard());
        known.serial = Some("86596000000001".parse().unwrap());
        known.target = catalog.target("entra");
        let drift = member(vec![Cause::Drift], Reason::Plain, 600);
        assert_eq!(remedy(&drift, &known), "set the token's clock: kiln drift resync 86596000000001");
        known.target = catalog.target("privacyidea");
        assert!(remedy(&drift, &known).contains("privacyIDEA"));
        let zone = member(vec![Cause::Zone], Reason::Zone(-5_400), -5_400);
        assert_eq!(
            what(&zone),
            "the token's clock was set in local time: it is -01:30 from UTC (90 min 0 s behind)"
        );
    }

    #[test]
    fn an_exchange_of_equals_says_what_would_tell_them_apart() {
        let said = tie_break(&[Cause::OtherToken], &[Cause::BatchShift]).unwrap();
        assert!(said.contains("batch-shift") && said.contains("next token"), "{said}");
        assert_eq!(tie_break(&[Cause::Ok], &[]), None);
    }
}
