//! The words: what is wrong, what to do about it, and when to ask for another code.

use super::{
    cause::Cause,
    clock::Reason,
    finding::{Diagnosis, Finding, Offset},
    known::{Known, Share, Standing},
    reading::Kind,
    sweep::Member,
};
use crate::domain::{Driver, Mode, UnixTime};

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
        Cause::Ok => match member.seed.standing {
            Some(Standing::Unfinished | Standing::Waiting) => {
                "the code is the one of the seed that waits for this token: its burn is not on record as done"
                    .into()
            }
            _ => "the code is right as recorded: nothing is wrong with the token".into(),
        },
        Cause::Late => match member.offset {
            Some(offset) if offset.steps > 0 => {
                "the code is one that the clock here has not reached yet, by a step or two".into()
            }
            _ => "the code was typed a step or two after it was shown".into(),
        },
        Cause::Drift if with(Cause::Zone) || with(Cause::Date) => "and it drifted besides".into(),
        Cause::Zone if with(Cause::Date) => format!("and it runs in another zone (in all {})", off(seconds)),
        Cause::Drift => format!("the token's clock is {}", off(seconds)),
        Cause::Zone => match member.reason {
            Reason::Zone(zone) => format!(
                "the token's clock was set in local time{}: it is {} from UTC ({})",
                if zone.abs() == 3_600 { ", or by summer time" } else { "" },
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

fn two(large: i64, unit: &str, small: i64, smaller: &str) -> String {
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {smaller}") }
}

/// A clock error in the largest units that say it.
fn off(seconds: i64) -> String {
    let s = seconds.abs();
    let said = match s {
        0..=119 => format!("{s} s"),
        120..=7_199 => two(s / 60, "min", s % 60, "s"),
        7_200..=172_799 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => two(s / 86_400, "days", s % 86_400 / 3_600, "h"),
    };
    format!("{said} {}", side(seconds))
}

/// What to do now, in one sentence without a full stop.
pub(super) fn remedy(member: &Member, known: &Known<'_>) -> String {
    // One thing at a time: what must be done first is what makes the rest right, too.
    let first = REMEDY_ORDER.iter().copied().find(|cause| member.causes.contains(cause)).unwrap_or(Cause::Ok);
    let serial = known.serial.as_ref();
    match first {
        Cause::Ok => ok_remedy(known),
        Cause::Late => late_remedy(member.offset, known),
        Cause::Drift | Cause::Zone | Cause::Date => clock_remedy(first, known),
        Cause::T0 => format!("{}; or set the same T0 {}: most servers know only 1970", burn_again(known), at(known)),
        Cause::Period | Cause::Hash | Cause::Digits | Cause::Hotp | Cause::PreviousParameters => {
            parameter_remedy(member, known)
        }
        Cause::SeedEncoding => format!(
            "say how the seed's text is encoded where it was entered {}, and enter it again ({}); or {}. Other seeds of the same file were decoded likewise",
            at(known),
            change(known),
            burn_again(known)
        ),
        Cause::SeedTruncated => format!(
            "enter the whole seed again {} ({}), or {}; check how many bytes the other side takes",
            at(known),
            change(known),
            burn_again(known)
        ),
        Cause::SeedTypo => format!(
            "compare the seed's text at the place found, and scan or paste it instead of typing ({})",
            change(known)
        ),
        Cause::PreviousSeed => previous_seed_remedy(member, known),
        Cause::OtherProfile => {
            format!("have the user choose profile {} on the token and read again", known.profile)
        }
        Cause::OtherToken => match &member.seed.token {
            Some((other, _)) => format!(
                "read the serial on the token: if it is {other}, assign that one to this user {}; if not, labels or seeds were exchanged (kiln token {other})",
                at(known)
            ),
            None => "read the serial on the token and compare it with the one assigned".into(),
        },
        Cause::BatchShift => format!(
            "stop handing out this batch: check two more of its tokens with kiln diagnose, then correct the mapping {} for all that are shifted",
            at(known)
        ),
        Cause::Typo => match serial {
            Some(serial) => format!(
                "have the next code read out digit by digit and typed: kiln diagnose --token {serial} CODE tells whether it is right"
            ),
            None => "have the next code read out digit by digit and typed".into(),
        },
        Cause::Misread => {
            "have the token held with its label upright, and the next code read out digit by digit as soon as it appears".into()
        }
        Cause::NoSeed | Cause::NoPower | Cause::Fault | Cause::StaleDisplay => {
            "look at the token itself: say what it shows with --shows".into()
        }
    }
}

/// "at SERVER", with the place where its administrators find tokens.
fn at(known: &Known<'_>) -> String {
    match known.target {
        Some(target) if !target.tokens_at.is_empty() => format!("at {} ({})", target.label, target.tokens_at),
        Some(target) => format!("at {}", target.label),
        None => "at the server".into(),
    }
}

/// How seed or parameters are changed at the server.
fn change<'k>(known: &'k Known<'_>) -> &'k str {
    known
        .target
        .map(|target| target.change.as_str())
        .filter(|change| !change.is_empty())
        .unwrap_or("delete the token at the server and enter it again")
}

/// Whether the profile holds what is on record of it, as far as anybody knows: that can be written once more.
fn is_on_record(known: &Known<'_>) -> bool {
    known.current().is_some_and(|held| held.standing == Standing::Current)
}

/// How a token comes to hold what is on record of it. Where its clock is set by writing everything again, that is all it
/// takes; else a new seed, since a burn writes seed, parameters and clock.
pub(super) fn burn_again(known: &Known<'_>) -> String {
    let rewrites = known.model.is_some_and(|model| model.driver == Driver::Token2Single);
    match &known.serial {
        Some(serial) if rewrites && is_on_record(known) => format!(
            "write the seed and the parameters on record to {serial} once more (kiln drift resync {serial} --threshold 0, then put it on a slot)"
        ),
        Some(serial) => {
            format!(
                "burn a new seed onto {serial} (kiln batch new, then allow it at the slot) and enrol that"
            )
        }
        None => "program the token again with what is on record".into(),
    }
}

fn ok_remedy(known: &Known<'_>) -> String {
    if known.current().is_some_and(|held| matches!(held.standing, Standing::Unfinished | Standing::Waiting)) {
        return "put the token on a slot: its burn is not on record as done, and goes on with the same seed"
            .into();
    }
    format!(
        "look {}: was this code used already (each counts once), is the user locked out, is the token assigned and activated, does it expect a PIN before the code, is the token there twice, is its clock right?",
        at(known)
    )
}

fn previous_seed_remedy(member: &Member, known: &Known<'_>) -> String {
    let look = "switch the token off and on and read again (until then the display may be stale)";
    match (member.seed.standing, &known.serial) {
        (Some(Standing::Unfinished | Standing::Waiting), Some(_)) => {
            "put the token on a slot: its burn goes on with the seed that waits for it, and the server gets that one with the next export".into()
        }
        (Some(Standing::Factory), Some(serial)) => format!(
            "{look}; if it still shows the factory's seed, the burn did not reach it: {}, or scrap it (kiln token scrap {serial})",
            burn_again(known)
        ),
        (_, Some(_)) => format!("{look}; if the code stays the old one, {}", burn_again(known)),
        (_, None) => format!("{look}; if the code stays the old one, program it again"),
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

fn late_remedy(offset: Option<Offset>, known: &Known<'_>) -> String {
    let steps = offset.map_or(0, |offset| offset.steps.unsigned_abs());
    match known.target {
        Some(target) if steps <= u64::from(target.drift_steps) => format!(
            "nothing at the token: {} accepts a code this late ({} to each side), so look {}: used already, locked out, not activated? Else type the code as soon as it appears",
            target.label,
            many(target.drift_steps.into(), "step"),
            at(known)
        ),
        Some(target) => format!(
            "type a new code as soon as it appears: {} accepts {} to each side; if that fails, too, diagnose again with two successive codes",
            target.label,
            many(target.drift_steps.into(), "step")
        ),
        None => "wait for a new code and type it as soon as it appears; if that fails, diagnose again with two successive codes".into(),
    }
}

fn clock_remedy(cause: Cause, known: &Known<'_>) -> String {
    let has_clock = known.model.is_none_or(|model| model.driver.has_clock());
    let anew = match &known.serial {
        Some(serial) if has_clock && is_on_record(known) => {
            format!("set its clock (kiln drift resync {serial}, then put it on a slot): its seed and parameters stay")
        }
        Some(serial) => format!("only a burn sets the clock of {serial}: {}", burn_again(known)),
        None => "set the token's clock again from a computer whose clock is right (in UTC); a token whose clock can't be set must be replaced".into(),
    };
    match known.target {
        Some(target) if cause == Cause::Drift && target.learns_drift && !target.resync.is_empty() => {
            format!(
                "resynchronise it at {} ({}): {}; or else, {anew}",
                target.label, target.tokens_at, target.resync
            )
        }
        Some(target) if target.resync.is_empty() => {
            format!("{anew}; {} can't be made to follow it", target.label)
        }
        _ => anew,
    }
}

fn parameter_remedy(member: &Member, known: &Known<'_>) -> String {
    let parameters = member.parameters;
    let again = burn_again(known);
    let Some(target) = known.target else {
        return format!("set {parameters} for this token at the server, or {again}");
    };
    match target.check(&parameters, target.seed_bytes.max) {
        Ok(()) => format!("set {parameters} for this token {}: {}; or {again}", at(known), change(known)),
        Err(misfit) => format!("{again}: {misfit}"),
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

/// What tokens have in common with this one that the same mistake was made for; nothing for what concerns one token or
/// one person.
pub(super) fn shared_by(cause: Cause) -> &'static [Share] {
    match cause {
        // The clock that it was set from set others, too.
        Cause::Zone | Cause::Date => &[Share::Hour, Share::Batch],
        Cause::Period | Cause::Hash | Cause::Digits | Cause::T0 | Cause::Hotp | Cause::PreviousParameters => {
            &[Share::Recipe, Share::Batch]
        }
        Cause::SeedEncoding | Cause::SeedTruncated | Cause::OtherToken | Cause::BatchShift => &[Share::Batch],
        // Burns that said yes and wrote nothing, or never came.
        Cause::PreviousSeed | Cause::NoSeed => &[Share::Hour, Share::Batch],
        Cause::Ok
        | Cause::Late
        | Cause::Drift
        | Cause::SeedTypo
        | Cause::OtherProfile
        | Cause::Typo
        | Cause::Misread
        | Cause::NoPower
        | Cause::Fault
        | Cause::StaleDisplay => &[],
    }
}

/// Why another code must be seen first; `None` where none need be.
pub(super) fn why_ask(findings: &[Finding], codes: usize) -> Option<String> {
    let next = if codes == 1 { "the next code, too" } else { "one more code" };
    let Some(first) = findings.first() else {
        return Some(format!(
            "nothing explains {}. Compare the serial on the token with the one asked about, give {next}, read out digit by digit, and search wider (--wider 4); if nothing explains that either, the token holds a seed that is not on record",
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
            seed: SeedLabel {
                causes: vec![],
                odds: 1.0,
                said: "the earlier one".into(),
                token: None,
                standing: None,
            },
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
        assert_eq!(
            remedy(&drift, &known),
            "set its clock (kiln drift resync 86596000000001, then put it on a slot): its seed and parameters stay; Entra ID \
             (CSV upload) can't be made to follow it"
        );
        // What is to be written once more can be where that is how a clock is set.
        let hash = member(vec![Cause::T0], Reason::T0(7), 0);
        assert!(remedy(&hash, &known).contains("burn a new seed onto"), "{}", remedy(&hash, &known));
        known.model = catalog.model("c301-i");
        let again = remedy(&hash, &known);
        assert!(again.contains("kiln drift resync 86596000000001 --threshold 0"), "{again}");
        // What only waits for the token is not on it.
        known.history[0].standing = Standing::Waiting;
        assert!(remedy(&drift, &known).starts_with("only a burn sets the clock of 86596000000001"));
        known.history[0].standing = Standing::Current;
        known.target = catalog.target("privacyidea");
        assert!(
            remedy(&drift, &known).contains("privacyIDEA (Tokens > the serial)"),
            "{}",
            remedy(&drift, &known)
        );
        let zone = member(vec![Cause::Zone], Reason::Zone(-5_400), -5_400);
        assert_eq!(
            what(&zone),
            "the token's clock was set in local time: it is -01:30 from UTC (90 min behind)"
        );
    }

    #[test]
    fn an_exchange_of_equals_says_what_would_tell_them_apart() {
        let said = tie_break(&[Cause::OtherToken], &[Cause::BatchShift]).unwrap();
        assert!(said.contains("batch-shift") && said.contains("next token"), "{said}");
        assert_eq!(tie_break(&[Cause::Ok], &[]), None);
    }
}
