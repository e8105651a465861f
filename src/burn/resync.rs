//! Setting a token's clock, as rules: which way its model allows, what must be on record for it, and from how many seconds
//! on it is worth it.
//!
//! A Molto2 has a command for its clock alone. On single-profile tokens the clock travels with hash, period and display
//! timeout, none of which can be read back, and on those with restricted time sync it clears the seed (token2-single
//! section 5): there a clock is set by burning the same seed again with the parameters on record. Hash and period come
//! with a seed file; the display timeout doesn't, and no token tells it: of a delivered one a person says it, once. Nothing
//! is guessed: what is neither on record nor said is a refusal.

use super::plan::{Plan, Step, Write, plan};
use crate::{
    domain::{
        Mode, Parameters, Profile, SeedId, Touch,
        model::{Driver, Model},
    },
    remedy::{Remedy, Retry},
};

/// How a model's clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a command of its own, which leaves the rest as it is.
    ClockOnly,
    /// By writing everything once more.
    BurnAgain,
}

/// How the clock of `model` is set; `None` where it has no clock.
pub fn way(model: &Model) -> Option<Way> {
    match model.driver {
        Driver::Token2Single => Some(Way::BurnAgain),
        // No loss of a seed on time sync is documented; a site that has seen one says so in its model's file.
        Driver::Molto2 if model.sync_clears_seed => Some(Way::BurnAgain),
        Driver::Molto2 => Some(Way::ClockOnly),
        Driver::Ykoath | Driver::Token2Otp => None,
    }
}

/// What is on record of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnRecord {
    /// Which profile.
    pub profile: Profile,
    /// The seed that it holds.
    pub seed: SeedId,
    /// How long that is, in bytes.
    pub seed_len_bytes: usize,
    /// How codes are made of it.
    pub parameters: Parameters,
    /// Its title.
    pub title: Option<String>,
    /// How long the display stays on.
    pub display_timeout: Timeout,
}

/// What is known of how long a display stays on, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// kiln burned it so.
    Burned(u16),
    /// A person said so of a token that was delivered.
    Said(u16),
    /// Nothing.
    NotKnown,
}

impl Timeout {
    fn seconds(self) -> Option<u16> {
        match self {
            Self::Burned(seconds) | Self::Said(seconds) => Some(seconds),
            Self::NotKnown => None,
        }
    }
}

/// Of which tokens a person says how long their displays stay on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaidOf {
    /// Of those that come and of which it is not on record.
    Whichever,
    /// Of this one: it replaces what was said of it before.
    ThisOne,
}

/// Takes in what a person says now, where the clock of a token of `model` travels with it. Gives the profiles of which that
/// is news.
pub fn take_word(
    model: &Model,
    held: &mut [OnRecord],
    said_s: u16,
    of: SaidOf,
) -> Result<Vec<Profile>, CannotSet> {
    let mut news = Vec::new();
    if way(model) != Some(Way::BurnAgain) {
        return Ok(news);
    }
    for one in held {
        match (one.display_timeout, of) {
            (Timeout::Burned(burned_s), SaidOf::ThisOne) if burned_s != said_s => {
                return Err(CannotSet::OtherTimeout { burned_s, said_s });
            }
            (Timeout::NotKnown, _) | (Timeout::Said(_), SaidOf::ThisOne) => {
                one.display_timeout = Timeout::Said(said_s);
                news.push(one.profile);
            }
            (Timeout::Burned(_), _) | (Timeout::Said(_), SaidOf::Whichever) => {}
        }
    }
    Ok(news)
}

/// Whether setting the clock of a token of `model` has to be told first how long its display stays on.
pub fn wants_timeout(model: &Model, held: &[OnRecord]) -> bool {
    way(model) == Some(Way::BurnAgain) && held.iter().any(|one| one.display_timeout == Timeout::NotKnown)
}

/// What the token tells of one profile before its clock is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which profile.
    pub profile: Profile,
    /// Whether it holds a seed.
    pub filled: bool,
    /// Hash, digits and period, as far as the token's numbers mean anything.
    pub parameters: Option<Parameters>,
    /// Its title.
    pub title: String,
}

/// Why a token's clock can't be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSet {
    /// It has none.
    #[error("a {model} has no clock")]
    NoClock {
        /// The model.
        model: String,
    },
    /// Nothing is on record of what it holds.
    #[error("kiln has no seed of it on record")]
    NothingHeld,
    /// Nothing is on record of that profile.
    #[error("kiln has no seed of its profile {0} on record")]
    NoProfile(Profile),
    /// How long its display stays on is not on record.
    #[error(
        "its clock can only be set together with its display timeout, which is not on record: kiln did not burn it"
    )]
    NoTimeout,
    /// A person says that its display stays on for longer or shorter than kiln burned it.
    #[error("its display was burned to stay on for {burned_s} s, not {said_s} s")]
    OtherTimeout {
        /// As burned, in seconds.
        burned_s: u16,
        /// As said, in seconds.
        said_s: u16,
    },
    /// A person says a display timeout that its model doesn't have.
    #[error("no {model} has a display that stays on for {said_s} s")]
    NoSuchTimeout {
        /// The model.
        model: String,
        /// As said, in seconds.
        said_s: u16,
    },
    /// What is on record can't be what the model holds.
    #[error("what is on record of it does not fit its model: {0}")]
    Misfit(String),
    /// The token holds something else than the record says.
    #[error("profile {profile} of it is not as recorded: {what}")]
    NotAsRecorded {
        /// Which profile.
        profile: Profile,
        /// What differs.
        what: String,
    },
    /// No key is on record that it took.
    #[error("no customer key is on record that it took")]
    NoKey,
    /// The key that it took is not in the vault any more.
    #[error("the customer key that it took last is not in the vault any more")]
    KeyGone,
}

impl Remedy for CannotSet {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoClock { .. } => "nothing is to be set: codes follow the machine that it is plugged into",
            Self::NothingHeld => {
                "import its vendor's file (kiln import FILE --inventory), or resynchronise it at the server"
            }
            Self::NoProfile(_) => "name a profile that kiln token SERIAL lists, or none",
            Self::NoTimeout => {
                "look how long its display stays on, and say it once: kiln drift resync SERIAL --display-timeout 30s, or r on the screen, which asks"
            }
            Self::OtherTimeout { .. } => {
                "leave --display-timeout out for it: its clock is set with what is on record"
            }
            Self::NoSuchTimeout { .. } => {
                "say with --display-timeout how long its display really stays on: 15s, 30s, 60s or 120s"
            }
            Self::Misfit(_) => "look at what is on record with kiln token SERIAL, and at the model's file",
            Self::NotAsRecorded { .. } => {
                "somebody else wrote to it; look at what it shows with kiln diagnose before anything is set"
            }
            Self::NoKey => "burn a new seed onto it with the key that it takes, which puts that on record",
            Self::KeyGone => "add the key again with kiln key add",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::NoClock { .. } => Retry::Never,
            Self::NothingHeld
            | Self::NoProfile(_)
            | Self::NoTimeout
            | Self::OtherTimeout { .. }
            | Self::NoSuchTimeout { .. }
            | Self::Misfit(_)
            | Self::NotAsRecorded { .. }
            | Self::NoKey
            | Self::KeyGone => Retry::AfterOperator,
        }
    }
}

/// Picks the profiles whose clock is to be set: all on record, or the one that was named.
pub fn pick(held: Vec<OnRecord>, only: Option<Profile>) -> Result<Vec<OnRecord>, CannotSet> {
    if held.is_empty() {
        return Err(CannotSet::NothingHeld);
    }
    let Some(only) = only else { return Ok(held) };
    let picked: Vec<OnRecord> = held.into_iter().filter(|one| one.profile == only).collect();
    if picked.is_empty() { Err(CannotSet::NoProfile(only)) } else { Ok(picked) }
}

/// Lays out how the clock is set of a token of `model` that should hold `held`. `told` is what it says of these profiles;
/// empty where it can't.
pub fn plan_resync(model: &Model, held: &[OnRecord], told: &[Told]) -> Result<Plan, CannotSet> {
    let way = way(model).ok_or_else(|| CannotSet::NoClock { model: model.label.clone() })?;
    if held.is_empty() {
        return Err(CannotSet::NothingHeld);
    }
    let mut writes = Vec::new();
    for one in held {
        let told = told.iter().find(|told| told.profile == one.profile);
        if let Some(told) = told {
            as_recorded(one, told, way)?;
        }
        let display_timeout_s = match (way, one.display_timeout) {
            // Not sent.
            (Way::ClockOnly, timeout) => {
                timeout.seconds().or(model.display_timeouts_s.first().copied()).unwrap_or_default()
            }
            (Way::BurnAgain, Timeout::Said(said_s)) if model.check_display_timeout(said_s).is_err() => {
                return Err(CannotSet::NoSuchTimeout { model: model.label.clone(), said_s });
            }
            (Way::BurnAgain, timeout) => timeout.seconds().ok_or(CannotSet::NoTimeout)?,
        };
        // What a token can't show is a word in the records; and a title that somebody changed keeps no clock from being set.
        let as_told = |title: &String| told.is_none_or(|told| told.title == *title);
        let title = one.title.clone().filter(|title| match way {
            Way::ClockOnly => as_told(title),
            Way::BurnAgain => model.title_bytes.is_some(),
        });
        model
            .check(
                one.profile,
                &one.parameters,
                one.seed_len_bytes,
                title.as_deref(),
                Touch::Free,
                display_timeout_s,
            )
            .map_err(|misfit| CannotSet::Misfit(misfit.to_string()))?;
        writes.push(Write {
            profile: one.profile,
            seed: one.seed,
            parameters: one.parameters,
            title,
            touch: Touch::Free,
            display_timeout_s,
        });
    }
    Ok(match way {
        Way::BurnAgain => {
            let filled: Vec<Profile> =
                told.iter().filter(|told| told.filled).map(|told| told.profile).collect();
            plan(writes, &filled, model.read_back.occupancy)
        }
        Way::ClockOnly => plan_clock(writes, model.read_back.occupancy),
    })
}

/// The clock of each profile, each with the time of its own moment; then what shows that nothing else has changed.
fn plan_clock(writes: Vec<Write>, reads_back: bool) -> Plan {
    let mut steps = vec![Step::Authenticate];
    steps.extend(writes.iter().map(|write| Step::SetClock(write.profile)));
    if reads_back {
        steps.extend(writes.iter().map(|write| Step::ReadProfile(write.profile)));
    }
    steps.push(Step::ReadClock);
    Plan { writes, steps }
}

fn as_recorded(one: &OnRecord, told: &Told, way: Way) -> Result<(), CannotSet> {
    let differs = |what: String| Err(CannotSet::NotAsRecorded { profile: one.profile, what });
    if !told.filled {
        // A burn that broke off in between leaves it empty; the same seed is on its way back.
        return if way == Way::BurnAgain { Ok(()) } else { differs("it holds no seed".into()) };
    }
    if told.parameters != Some(one.parameters) {
        let reads = told.parameters.map_or_else(|| "values that mean nothing".into(), |p| p.to_string());
        return differs(format!("it reads {reads} instead of {}", one.parameters));
    }
    Ok(())
}

/// Less than this is not worth a write, in milliseconds: as much may a clock be off right after it was set.
pub const LEAST_MS: u64 = 2_000;

/// From how far off on a clock is set where nobody says, in milliseconds: a third of what the server forgives for sure,
/// which are its steps of drift to one side. Where the server is not known it is taken to forgive one (RFC 6238 section 6
/// suggests at most two).
pub fn threshold_ms(profiles: impl IntoIterator<Item = (Mode, Option<u32>)>) -> u64 {
    let forgiven = profiles.into_iter().filter_map(|(mode, steps)| {
        let Mode::Totp { period, .. } = mode else { return None };
        Some(u64::from(steps.unwrap_or(1).max(1)) * u64::from(period.as_secs()) * 1000)
    });
    forgiven.min().map_or(LEAST_MS, |ms| (ms / 3).max(LEAST_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Catalog, Digits, Hash, Period};

    fn held(profile: u8) -> OnRecord {
        OnRecord {
            profile: Profile::new(profile),
            seed: SeedId([profile; 16]),
            seed_len_bytes: 20,
            parameters: Parameters::totp(Hash::Sha256, Digits::SIX, Period::SIXTY),
            title: None,
            display_timeout: Timeout::Burned(120),
        }
    }

    fn told(one: &OnRecord) -> Told {
        Told {
            profile: one.profile,
            filled: true,
            parameters: Some(one.parameters),
            title: one.title.clone().unwrap_or_default(),
        }
    }

    fn model(name: &str) -> Model {
        Catalog::built_in().model(name).unwrap().clone()
    }

    #[test]
    fn single_profile_tokens_are_burned_again_as_recorded_whether_setting_clears_the_seed_or_not() {
        let zero = Profile::ZERO;
        for name in ["c301-i", "c302-i"] {
            let plan = plan_resync(&model(name), &[held(0)], &[]).unwrap();
            assert_eq!(
                plan.steps,
                [Step::Authenticate, Step::Configure(zero), Step::WriteSeed(zero), Step::ReadClock],
                "{name}"
            );
            let write = &plan.writes[0];
            assert_eq!((write.parameters, write.display_timeout_s), (held(0).parameters, 120), "{name}");
        }
    }

    #[test]
    fn a_molto2_gets_the_time_and_nothing_else() {
        let all = [held(0), OnRecord { title: Some("Mail".into()), ..held(7) }];
        let plan = plan_resync(&model("molto2-v2"), &all, &all.each_ref().map(told)).unwrap();
        let (a, b) = (Profile::ZERO, Profile::new(7));
        assert_eq!(
            plan.steps,
            [
                Step::Authenticate,
                Step::SetClock(a),
                Step::SetClock(b),
                Step::ReadProfile(a),
                Step::ReadProfile(b),
                Step::ReadClock
            ]
        );
        let mut renamed = told(&all[1]);
        renamed.title = "Post".into();
        let plan = plan_resync(&model("molto2-v2"), &all[1..], &[renamed]).unwrap();
        assert_eq!(plan.writes[0].title, None, "another title keeps nobody from setting the clock");
    }

    #[test]
    fn a_molto2_that_is_said_to_lose_its_seed_is_burned_again() {
        let model = Model { sync_clears_seed: true, ..model("molto2-v2") };
        let one = held(3);
        let plan = plan_resync(&model, std::slice::from_ref(&one), &[told(&one)]).unwrap();
        assert!(plan.steps.contains(&Step::WriteSeed(one.profile)));
        assert!(!plan.steps.iter().any(|step| matches!(step, Step::SetClock(_))));
    }

    #[test]
    fn what_is_not_on_record_is_not_made_up() {
        let delivered = OnRecord { display_timeout: Timeout::NotKnown, ..held(0) };
        let refused = plan_resync(&model("c301-i"), std::slice::from_ref(&delivered), &[]);
        assert_eq!(refused, Err(CannotSet::NoTimeout));
        assert!(plan_resync(&model("molto2-v2"), &[delivered], &[]).is_ok(), "its timeout is left alone");
        assert_eq!(plan_resync(&model("c301-i"), &[], &[]), Err(CannotSet::NothingHeld));
        let eight =
            OnRecord { parameters: Parameters::totp(Hash::Sha1, Digits::EIGHT, Period::THIRTY), ..held(0) };
        assert!(matches!(plan_resync(&model("c301-i"), &[eight], &[]), Err(CannotSet::Misfit(_))));
        assert!(matches!(plan_resync(&model("yubikey-5"), &[held(0)], &[]), Err(CannotSet::NoClock { .. })));
        assert_eq!(pick(vec![], None), Err(CannotSet::NothingHeld));
        assert_eq!(pick(vec![held(1)], Some(Profile::ZERO)), Err(CannotSet::NoProfile(Profile::ZERO)));
        assert_eq!(pick(vec![held(1), held(2)], Some(Profile::new(2))), Ok(vec![held(2)]));
    }

    #[test]
    fn a_display_timeout_that_a_person_says_is_written_with_the_time() {
        let delivered = || [OnRecord { display_timeout: Timeout::NotKnown, ..held(0) }];
        let c301 = model("c301-i");
        for of in [SaidOf::Whichever, SaidOf::ThisOne] {
            let mut held = delivered();
            assert!(wants_timeout(&c301, &held) && !wants_timeout(&model("molto2-v2"), &held));
            assert_eq!(take_word(&c301, &mut held, 60, of), Ok(vec![Profile::ZERO]), "it is news");
            assert!(!wants_timeout(&c301, &held));
            let plan = plan_resync(&c301, &held, &[]).unwrap();
            assert_eq!(plan.writes[0].display_timeout_s, 60);
        }
        let mut held = delivered();
        take_word(&c301, &mut held, 45, SaidOf::Whichever).unwrap();
        let refused = plan_resync(&c301, &held, &[]);
        assert!(matches!(refused, Err(CannotSet::NoSuchTimeout { said_s: 45, .. })), "{refused:?}");
    }

    #[test]
    fn what_was_said_is_said_once_and_what_was_burned_is_known() {
        let c301 = model("c301-i");
        let take_word = |held: &mut [OnRecord], said_s, of| take_word(&c301, held, said_s, of);
        let mut said = [OnRecord { display_timeout: Timeout::Said(60), ..held(0) }];
        assert_eq!(take_word(&mut said, 30, SaidOf::Whichever), Ok(vec![]), "a sweep says it of others");
        assert_eq!(said[0].display_timeout, Timeout::Said(60));
        assert_eq!(take_word(&mut said, 30, SaidOf::ThisOne), Ok(vec![Profile::ZERO]), "a mistake is mended");
        assert_eq!(said[0].display_timeout, Timeout::Said(30));

        let mut burned = [held(0)];
        assert_eq!(take_word(&mut burned, 30, SaidOf::Whichever), Ok(vec![]));
        assert_eq!(take_word(&mut burned, 120, SaidOf::ThisOne), Ok(vec![]));
        let refused = take_word(&mut burned, 30, SaidOf::ThisOne);
        assert_eq!(refused, Err(CannotSet::OtherTimeout { burned_s: 120, said_s: 30 }));
        assert_eq!(burned, [held(0)]);

        let mut usb = [OnRecord { display_timeout: Timeout::NotKnown, ..held(0) }];
        let none = super::take_word(&model("molto2-v2"), &mut usb, 30, SaidOf::ThisOne);
        assert_eq!(none, Ok(vec![]), "its clock is set alone");
    }

    #[test]
    fn a_molto2_that_is_not_as_recorded_is_left_alone() {
        let one = held(4);
        for other in [
            Told { filled: false, ..told(&one) },
            Told { parameters: Some(Parameters::standard()), ..told(&one) },
            Told { parameters: None, ..told(&one) },
        ] {
            let refused = plan_resync(&model("molto2-v2"), std::slice::from_ref(&one), &[other]).unwrap_err();
            assert!(matches!(refused, CannotSet::NotAsRecorded { .. }), "{refused}");
        }
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let profile = Profile::ZERO;
        for refusal in [
            CannotSet::NoClock { model: "YubiKey".into() },
            CannotSet::NothingHeld,
            CannotSet::NoProfile(profile),
            CannotSet::NoTimeout,
            CannotSet::OtherTimeout { burned_s: 30, said_s: 60 },
            CannotSet::NoSuchTimeout { model: "C301-i".into(), said_s: 45 },
            CannotSet::Misfit("no".into()),
            CannotSet::NotAsRecorded { profile, what: "empty".into() },
            CannotSet::NoKey,
            CannotSet::KeyGone,
        ] {
            assert!(refusal.remedy().len() > 10 && refusal.to_string().len() > 10, "{refusal:?}");
            assert_ne!(refusal.retry(), Retry::Soon);
        }
        let option = CannotSet::NoTimeout.remedy();
        assert!(option.contains("--display-timeout"), "{option}");
    }

    #[test]
    fn the_threshold_is_a_third_of_what_the_least_forgiving_server_takes() {
        let totp = |period| Mode::Totp { period, t0: crate::domain::UnixTime(0) };
        let (thirty, sixty) = (totp(Period::THIRTY), totp(Period::SIXTY));
        assert_eq!(threshold_ms([(thirty, None)]), 10_000);
        assert_eq!(threshold_ms([(sixty, Some(1)), (thirty, Some(3))]), 20_000);
        assert_eq!(
            threshold_ms([(thirty, Some(0))]),
            10_000,
            "a code is good for its own period at the least"
        );
        assert_eq!(threshold_ms([]), LEAST_MS);
    }
}
