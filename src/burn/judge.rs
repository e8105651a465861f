//! Whether a burn may begin: what the token holds, and what is known about its key.

use crate::domain::{Holding, OnFound, Policy, Profile};

/// What a token tells about one of its profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupancy {
    /// Whether it holds a seed.
    pub filled: bool,
    /// Its title; the Molto2 keeps titles of deleted seeds.
    pub title: String,
}

/// What a profile holds before the burn. `on_record` says whether this station knows a seed for it, `told` what the
/// device says (`None` where it can't), `delivered_title` the title of a seed that the vendor puts into this profile.
///
/// A token that can't tell and that nobody recorded counts as delivered: nothing can be learnt about it before the
/// burn destroys it. A profile that the device calls empty has nothing to lose, whatever is on record.
pub fn holding(on_record: bool, told: Option<&Occupancy>, delivered_title: Option<&str>) -> Holding {
    match told {
        Some(Occupancy { filled: false, .. }) => Holding::Factory,
        _ if on_record => Holding::Ours,
        Some(Occupancy { filled: true, title }) if delivered_title != Some(title.as_str()) => {
            Holding::Foreign
        }
        Some(_) | None => Holding::Factory,
    }
}

/// Whether what the token holds may be written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Go,
    /// Not without a person's word for this serial.
    Ask {
        /// The first profile that stands in the way.
        profile: Profile,
        /// What it holds.
        holding: Holding,
    },
    /// No: the batch says so.
    Refuse {
        /// The first profile that stands in the way.
        profile: Profile,
        /// What it holds.
        holding: Holding,
    },
}

/// Judges a token by what its profiles hold. `resumed`: this very job was claimed for this serial before; writing the
/// same seeds again is harmless and asks nobody. `consented`: a person allowed another seed for this serial.
pub fn judge(policy: &Policy, held: &[(Profile, Holding)], resumed: bool, consented: bool) -> Verdict {
    if resumed || consented {
        return Verdict::Go;
    }
    let mut verdict = Verdict::Go;
    for &(profile, holding) in held {
        let rule = match holding {
            Holding::Ours => OnFound::Ask,
            Holding::Factory => policy.factory,
            Holding::Foreign => policy.foreign,
        };
        match rule {
            OnFound::Replace => {}
            OnFound::Ask if verdict == Verdict::Go => verdict = Verdict::Ask { profile, holding },
            OnFound::Ask => {}
            OnFound::Refuse => return Verdict::Refuse { profile, holding },
        }
    }
    verdict
}

/// What is known about a key on a token and in a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyStanding {
    /// This token refused this key before; with the attempts it said were left, where it says so.
    pub refused_here: Option<Option<u8>>,
    /// Attempts on this token of which nobody knows how they ended (the link was lost), since the last that is known.
    pub unknown_here: u32,
    /// The last key that this token accepted was another one.
    pub took_another_here: bool,
    /// Some token of this batch accepted this key.
    pub accepted_in_batch: bool,
    /// The key is being tried on another token of this batch right now.
    pub tried_elsewhere_now: bool,
}

/// Whether the key may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// Yes, once.
    Go,
    /// Another token of the batch is trying it first: wait for what comes of it.
    WaitForFirst,
    /// The token refused it before: a person must say so.
    RefusedBefore {
        /// Attempts left, where the token said.
        tries_left: Option<u8>,
    },
    /// The token is recorded with another key: this one would be a guess.
    AnotherKnown,
    /// The link was lost in two attempts: a person must look first.
    TwiceUnknown,
    /// So few attempts are left that nobody may spend one.
    NearLockOut {
        /// Attempts left.
        tries_left: u8,
    },
}

/// At this many attempts left, or fewer, no more are spent even with a person's word (molto2 section 3.3).
pub const MIN_TRIES_LEFT: u8 = 2;

/// Decides whether a key may be tried on a token. No command that a device counts against a lock-out is sent twice on
/// the same evidence.
pub fn key_use(standing: &KeyStanding, consented: bool) -> KeyUse {
    if let Some(Some(tries_left)) = standing.refused_here
        && tries_left <= MIN_TRIES_LEFT
    {
        return KeyUse::NearLockOut { tries_left };
    }
    if !consented {
        if let Some(tries_left) = standing.refused_here {
            return KeyUse::RefusedBefore { tries_left };
        }
        if standing.took_another_here {
            return KeyUse::AnotherKnown;
        }
        if standing.unknown_here >= 2 {
            return KeyUse::TwiceUnknown;
        }
    }
    if standing.tried_elsewhere_now && !standing.accepted_in_batch {
        KeyUse::WaitForFirst
    } else {
        KeyUse::Go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(filled: bool, title: &str) -> Occupancy {
        Occupancy { filled, title: title.into() }
    }

    #[test]
    fn what_a_profile_holds_follows_from_record_and_device() {
        let factory_title = Some("Token2");
        assert_eq!(holding(false, None, None), Holding::Factory);
        assert_eq!(holding(true, None, None), Holding::Ours);
        assert_eq!(holding(false, Some(&told(true, "Token2")), factory_title), Holding::Factory);
        assert_eq!(holding(false, Some(&told(true, "Mail")), factory_title), Holding::Foreign);
        assert_eq!(holding(false, Some(&told(true, "Token2")), None), Holding::Foreign);
        assert_eq!(holding(true, Some(&told(true, "Mail")), None), Holding::Ours);
        assert_eq!(holding(true, Some(&told(false, "Mail")), None), Holding::Factory, "nothing left to lose");
    }

    #[test]
    fn ours_is_never_replaced_without_consent_whatever_the_policy() {
        let policy = Policy { factory: OnFound::Replace, foreign: OnFound::Replace, ..Policy::default() };
        let held = [(Profile::ZERO, Holding::Ours)];
        let ask = Verdict::Ask { profile: Profile::ZERO, holding: Holding::Ours };
        assert_eq!(judge(&policy, &held, false, false), ask);
        assert_eq!(judge(&policy, &held, false, true), Verdict::Go);
        assert_eq!(judge(&policy, &held, true, false), Verdict::Go, "the same seeds again ask nobody");
    }

    #[test]
    fn a_refusal_outweighs_a_question() {
        let policy = Policy { factory: OnFound::Ask, foreign: OnFound::Refuse, ..Policy::default() };
        let held = [(Profile::ZERO, Holding::Factory), (Profile::new(1), Holding::Foreign)];
        let refuse = Verdict::Refuse { profile: Profile::new(1), holding: Holding::Foreign };
        assert_eq!(judge(&policy, &held, false, false), refuse);
        assert_eq!(
            judge(&policy, &held[..1], false, false),
            Verdict::Ask { profile: Profile::ZERO, holding: Holding::Factory }
        );
    }

    #[test]
    fn a_refused_key_waits_for_a_person_and_near_lock_out_for_nobody() {
        let mut standing = KeyStanding { refused_here: Some(Some(9)), ..KeyStanding::default() };
        assert_eq!(key_use(&standing, false), KeyUse::RefusedBefore { tries_left: Some(9) });
        assert_eq!(key_use(&standing, true), KeyUse::Go);
        standing.refused_here = Some(Some(2));
        assert_eq!(key_use(&standing, true), KeyUse::NearLockOut { tries_left: 2 });
        standing.refused_here = Some(None);
        assert_eq!(key_use(&standing, false), KeyUse::RefusedBefore { tries_left: None });
    }

    #[test]
    fn a_lost_link_allows_one_more_attempt_and_then_asks() {
        let mut standing = KeyStanding { unknown_here: 1, ..KeyStanding::default() };
        assert_eq!(key_use(&standing, false), KeyUse::Go);
        standing.unknown_here = 2;
        assert_eq!(key_use(&standing, false), KeyUse::TwiceUnknown);
        assert_eq!(key_use(&standing, true), KeyUse::Go);
    }

    #[test]
    fn a_token_recorded_with_another_key_is_not_tried_by_guess() {
        let standing =
            KeyStanding { took_another_here: true, accepted_in_batch: true, ..KeyStanding::default() };
        assert_eq!(key_use(&standing, false), KeyUse::AnotherKnown);
        assert_eq!(key_use(&standing, true), KeyUse::Go);
    }

    #[test]
    fn a_key_that_nobody_accepted_yet_is_tried_on_one_token_at_a_time() {
        let mut standing = KeyStanding { tried_elsewhere_now: true, ..KeyStanding::default() };
        assert_eq!(key_use(&standing, false), KeyUse::WaitForFirst);
        standing.accepted_in_batch = true;
        assert_eq!(key_use(&standing, false), KeyUse::Go);
    }
}
