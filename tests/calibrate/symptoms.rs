//! Displays that are no codes: a device of the tests' own goes through a life, and what it shows in the end is asked about.

use super::token::Numbers;
use kiln::diagnose::{self, Cause, Diagnosis, Held, Known, Standing, Symptom};
use kiln::domain::{Catalog, Parameters, Profile, Seed};

/// What happens to a token.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Deed {
    Configure,
    Seed,
    SwitchToEmptyProfile,
    SwitchToCounter,
    EmptyBattery,
    BreakMemory,
    StopClock,
    /// Half of a burn, then it is torn off.
    TearOff,
}

/// A token as its maker describes it: with restricted time sync, a configuration clears the seed.
#[derive(Default)]
struct Device {
    clears: bool,
    seed: bool,
    /// Nobody has switched it off and on since it was programmed.
    stale: bool,
    deeds: Vec<Deed>,
}

impl Device {
    fn suffer(&mut self, deed: Deed) {
        match deed {
            Deed::Configure => self.seed &= !self.clears,
            Deed::Seed => (self.seed, self.stale) = (true, true),
            _ => {}
        }
        self.deeds.push(deed);
    }

    fn has(&self, deed: Deed) -> bool {
        self.deeds.contains(&deed)
    }

    /// What is seen on it, and why; `None`: a code that changes.
    fn shows(&self) -> Option<(Symptom, Cause)> {
        if self.has(Deed::EmptyBattery) {
            Some((Symptom::Blank, Cause::NoPower))
        } else if self.has(Deed::BreakMemory) {
            Some((Symptom::Error, Cause::Fault))
        } else if self.has(Deed::TearOff) {
            Some((Symptom::Error, Cause::NoSeed))
        } else if self.has(Deed::SwitchToEmptyProfile) {
            Some((Symptom::Dashes, Cause::OtherProfile))
        } else if !self.seed {
            Some((Symptom::Dashes, Cause::NoSeed))
        } else if self.has(Deed::StopClock) {
            Some((Symptom::Frozen, Cause::Fault))
        } else if self.has(Deed::SwitchToCounter) {
            Some((Symptom::Frozen, Cause::Hotp))
        } else if self.stale {
            Some((Symptom::Frozen, Cause::StaleDisplay))
        } else {
            None
        }
    }
}

/// What kiln says of such a display by its records, with the seed standing there as `standing`.
fn asked(model: &str, standing: Standing, shown: Symptom) -> Diagnosis {
    let catalog = Catalog::built_in();
    let seed = Seed::new([7; 20]);
    let held = |standing| Held {
        profile: Profile::ZERO,
        seed: &seed,
        parameters: Parameters::standard(),
        standing,
        from: None,
        to: None,
    };
    let known = Known {
        serial: Some("86596000000001".parse().unwrap()),
        model: catalog.model(model),
        history: vec![held(standing)],
        ..Known::bare(&seed, Parameters::standard())
    };
    diagnose::symptom(&known, shown).unwrap()
}

/// Every life whose end shows no code has its reason among those named, with a share that is worth a look; and where the
/// records know of it, first.
pub fn every_reason_is_named(lives: usize) {
    use Deed::*;
    let all = [
        Configure,
        Seed,
        SwitchToEmptyProfile,
        SwitchToCounter,
        EmptyBattery,
        BreakMemory,
        StopClock,
        TearOff,
    ];
    let mut n = Numbers(31);
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..lives {
        let clears = n.next() & 1 == 0;
        let model = if clears { "c301-i" } else { "molto2-v2" };
        let mut device = Device { clears, ..Device::default() };
        for _ in 0..n.within(1, 4) {
            let deed = n.one_of(&all);
            // Only tokens with several profiles can be switched to another.
            if deed != SwitchToEmptyProfile || !clears {
                device.suffer(deed);
            }
        }
        let Some((symptom, cause)) = device.shows() else { continue };
        let standing = match (device.has(Seed), device.has(TearOff)) {
            (_, true) => Standing::Unfinished,
            (true, false) => Standing::Current,
            (false, false) => Standing::Waiting,
        };
        let said = asked(model, standing, symptom);
        let named = said.findings.iter().find(|finding| finding.causes == [cause]);
        let named = named.unwrap_or_else(|| panic!("{symptom}: {cause} is not named; {:?}", device.deeds));
        assert!(named.posterior >= 0.1, "{symptom}: {cause} has {:.2}", named.posterior);
        if cause == Cause::NoSeed && symptom == Symptom::Dashes && standing == Standing::Waiting {
            assert_eq!(said.findings[0].causes, [cause], "a job that waits says that it was never burned");
        }
        if cause == Cause::NoSeed && clears && device.has(Seed) && symptom == Symptom::Dashes {
            assert!(named.what.contains("configuration comes first"), "{}", named.what);
        }
        *seen.entry((symptom.name(), cause.name())).or_insert(0) += 1;
    }
    println!("displays without a code, each with its reason named: {seen:?}");
    assert_eq!(seen.len(), 8, "not every reason came up: {seen:?}");
}
