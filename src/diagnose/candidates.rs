//! What a token may hold instead of what is on record: other seeds, other parameters.

use super::{
    cause::Cause,
    known::{Held, Known, Standing},
    seeds::misreadings,
};
use crate::domain::{Hash, Mode, Parameters, Period, Profile, Serial, UnixTime};
use zeroize::Zeroizing;

/// A seed to search with.
pub(super) struct SeedChoice {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Every reason why the token may hold it.
    pub(super) labels: Vec<SeedLabel>,
    /// The parameters that go with it.
    pub(super) parameters: Parameters,
    pub(super) group: Group,
}

/// One reason.
#[derive(Clone)]
pub(super) struct SeedLabel {
    pub(super) causes: Vec<Cause>,
    /// Against the seed on record.
    pub(super) odds: f64,
    /// Which seed it is, as "the token's seed is …" goes on. Empty for the one on record.
    pub(super) said: String,
    /// The token and profile whose seed it is on record.
    pub(super) token: Option<(Serial, Profile)>,
    /// How it stands to that profile, where it is a seed of this token.
    pub(super) standing: Option<Standing>,
}

/// Which stages take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    OnRecord,
    History,
    Decoded,
    Mistyped,
}

/// Parameters to search with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    pub(super) parameters: Parameters,
    pub(super) causes: Vec<Cause>,
    /// Against the parameters that go with the seed.
    pub(super) odds: f64,
}

/// Periods tried besides the recorded one, in seconds, and how likely each is among them.
const PERIODS: [(u64, f64); 14] = [
    (60, 6.0),
    (30, 6.0),
    (120, 0.5),
    (90, 0.3),
    (45, 0.3),
    (15, 0.5),
    (20, 0.3),
    (10, 0.3),
    (180, 0.2),
    (300, 0.3),
    (600, 0.1),
    (36, 0.05),
    (3_600, 0.05),
    (1, 0.1),
];

/// The seed on record first, then all others that the records and mistakes make possible.
pub(super) fn seeds(known: &Known<'_>, current: &Held<'_>) -> Vec<SeedChoice> {
    let on_record = SeedLabel {
        causes: vec![],
        odds: 1.0,
        said: String::new(),
        token: known.serial.clone().map(|serial| (serial, current.profile)),
        standing: Some(current.standing),
    };
    let mut all = vec![SeedChoice {
        bytes: Zeroizing::new(current.seed.expose().to_vec()),
        labels: vec![on_record],
        parameters: current.parameters,
        group: Group::OnRecord,
    }];
    let others: Vec<&Held<'_>> =
        known.history.iter().filter(|held| !held.seed.same_as(current.seed)).collect();
    let here = others.iter().filter(|held| held.profile == current.profile).count().max(1) as f64;
    let elsewhere = others.iter().filter(|held| held.profile != current.profile).count().max(1) as f64;
    for held in others {
        let (mut causes, mut odds) = if held.profile == current.profile {
            (vec![Cause::PreviousSeed], Cause::PreviousSeed.odds() / here)
        } else {
            (vec![Cause::OtherProfile], Cause::OtherProfile.odds() / elsewhere)
        };
        if held.profile != current.profile && held.standing != Standing::Current {
            causes.push(Cause::PreviousSeed);
            odds *= Cause::PreviousSeed.odds();
        }
        let label = SeedLabel {
            causes,
            odds,
            said: said_of(held, current.profile),
            token: known.serial.clone().map(|serial| (serial, held.profile)),
            standing: Some(held.standing),
        };
        add(&mut all, held.seed.expose().to_vec().into(), label, held.parameters, Group::History);
    }
    for wrong in misreadings(current.seed.expose()) {
        let label = SeedLabel {
            causes: vec![wrong.cause],
            odds: wrong.cause.odds() * wrong.share,
            said: wrong.said,
            token: known.serial.clone().map(|serial| (serial, current.profile)),
            standing: Some(current.standing),
        };
        let group = if wrong.cause == Cause::SeedTypo { Group::Mistyped } else { Group::Decoded };
        add(&mut all, wrong.seed, label, current.parameters, group);
    }
    all
}

/// Equal bytes are one seed with several reasons.
fn add(
    all: &mut Vec<SeedChoice>,
    bytes: Zeroizing<Vec<u8>>,
    label: SeedLabel,
    parameters: Parameters,
    group: Group,
) {
    let same = |choice: &&mut SeedChoice| choice.bytes == bytes && choice.parameters == parameters;
    match all.iter_mut().find(same) {
        Some(choice) => choice.labels.push(label),
        None => all.push(SeedChoice { bytes, labels: vec![label], parameters, group }),
    }
}

fn said_of(held: &Held<'_>, profile: Profile) -> String {
    let when = |at: Option<UnixTime>, word: &str| at.map(|at| format!(" {word} {at}")).unwrap_or_default();
    let mut said = match held.standing {
        Standing::Current => "the one".to_owned(),
        Standing::Before => "the earlier one".to_owned(),
        Standing::Factory => "the one it was delivered with".to_owned(),
        Standing::Unfinished => "the one of a burn that did not come to its end".to_owned(),
        Standing::Waiting => "the one that waits to be burned onto it".to_owned(),
    };
    if held.profile != profile {
        said.push_str(&format!(" of profile {}", held.profile));
    }
    if held.standing == Standing::Before {
        said.push_str(&when(held.from, "from"));
        said.push_str(&when(held.to, "until"));
    }
    said
}

/// The parameters that the profile had before with the seed it has now, or with an earlier one.
pub(super) fn earlier_parameters(known: &Known<'_>, current: &Held<'_>) -> Vec<Parameters> {
    let mut earlier: Vec<Parameters> = known
        .history
        .iter()
        .filter(|held| held.profile == current.profile && held.parameters != current.parameters)
        .map(|held| held.parameters)
        .collect();
    earlier.dedup();
    earlier
}

/// Those that go with the seed.
pub(super) fn as_recorded(parameters: Parameters) -> Choice {
    Choice { parameters, causes: vec![], odds: 1.0 }
}

/// Earlier parameters as choices.
pub(super) fn earlier(earlier: &[Parameters], base: Parameters) -> Vec<Choice> {
    let share = 1.0 / earlier.len().max(1) as f64;
    earlier
        .iter()
        .filter(|parameters| **parameters != base)
        .map(|parameters| Choice {
            parameters: *parameters,
            causes: vec![Cause::PreviousParameters],
            odds: Cause::PreviousParameters.odds() * share,
        })
        .collect()
}

/// The other hashes.
pub(super) fn hashes(base: Parameters) -> Vec<Choice> {
    // SHA-512 is in no token of the families here, so it is the likelier mistake of a server only.
    let weight = |hash: Hash| if hash == Hash::Sha512 { 1.0 } else { 3.0 };
    let others = || Hash::ALL.into_iter().filter(move |hash| *hash != base.hash);
    let sum: f64 = others().map(weight).sum();
    others()
        .map(|hash| Choice {
            parameters: Parameters { hash, ..base },
            causes: vec![Cause::Hash],
            odds: Cause::Hash.odds() * weight(hash) / sum,
        })
        .collect()
}

/// The other periods; none for counter-based parameters.
pub(super) fn periods(base: Parameters) -> Vec<Choice> {
    let Mode::Totp { period, t0 } = base.mode else { return vec![] };
    let others = || PERIODS.into_iter().filter(move |(seconds, _)| *seconds != u64::from(period.as_secs()));
    let sum: f64 = others().map(|(_, weight)| weight).sum();
    others()
        .filter_map(|(seconds, weight)| Some((Period::from_secs(seconds).ok()?, weight)))
        .map(|(period, weight)| Choice {
            parameters: Parameters { mode: Mode::Totp { period, t0 }, ..base },
            causes: vec![Cause::Period],
            odds: Cause::Period.odds() * weight / sum,
        })
        .collect()
}

/// Both at once.
pub(super) fn hashes_and_periods(base: Parameters) -> Vec<Choice> {
    hashes(base)
        .into_iter()
        .flat_map(|hash| {
            periods(hash.parameters).into_iter().map(move |period| Choice {
                parameters: period.parameters,
                causes: vec![Cause::Hash, Cause::Period],
                odds: hash.odds * period.odds,
            })
        })
        .collect()
}

/// Counter-based where time-based was recorded, and the other way round.
pub(super) fn other_mode(base: Parameters) -> Vec<Choice> {
    let t0 = UnixTime(0);
    let modes = match base.mode {
        Mode::Totp { .. } => vec![(Mode::Hotp { counter: 0 }, 1.0)],
        Mode::Hotp { .. } => vec![
            (Mode::Totp { period: Period::THIRTY, t0 }, Cause::Hotp.odds() * 0.6),
            (Mode::Totp { period: Period::SIXTY, t0 }, Cause::Hotp.odds() * 0.4),
        ],
    };
    modes
        .into_iter()
        .map(|(mode, odds)| Choice {
            parameters: Parameters { mode, ..base },
            causes: vec![Cause::Hotp],
            odds,
        })
        .collect()
}
