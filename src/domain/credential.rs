//! What a key with an OATH applet calls a profile: one text that holds period, issuer and account. Such keys know
//! their profiles by nothing else, so two profiles of a key never have the same one.

use super::params::{Mode, Period};
use std::fmt;

/// A credential's name as the key keeps it: `[period/][issuer:]account`, UTF-8. The period stands there only for
/// time-based codes and only if it is not 30 s; the key itself doesn't know it. The convention is yubikit's, and all
/// programs that read such keys follow it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialName(String);

impl CredentialName {
    /// The longest that every key takes, in bytes (CanoKey's source; generally given for YubiKeys).
    pub const MAX_BYTES: usize = 64;

    /// The name under which a profile of this title (`issuer:account`, or the account alone) is kept. A title that
    /// would be read back with a period of its own gets its 30 s written out.
    pub fn new(title: &str, mode: Mode) -> Self {
        Self(match mode {
            Mode::Totp { period, .. } if period != Period::THIRTY || split_period(title).is_some() => {
                format!("{}/{title}", period.as_secs())
            }
            Mode::Totp { .. } | Mode::Hotp { .. } => title.to_owned(),
        })
    }

    /// The name under which a key of this kind keeps a profile of this title.
    pub fn on(naming: Naming, title: &str, mode: Mode) -> Self {
        match naming {
            Naming::WithPeriod => Self::new(title, mode),
            Naming::TwoNames => TwoNames::of(&Self(title.to_owned())).name(),
        }
    }

    /// The name that a key told.
    pub fn told(name: String) -> Self {
        Self(name)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a name that belongs to codes of this kind says.
    pub fn parts(&self, kind: Kind) -> Parts<'_> {
        let (period_s, title) = match kind {
            Kind::Totp => {
                split_period(&self.0).map_or((30, self.0.as_str()), |(period, rest)| (period, rest))
            }
            Kind::Hotp => (0, self.0.as_str()),
        };
        let (issuer, account) = match title.split_once(':') {
            Some((issuer, account)) if !issuer.is_empty() && !account.is_empty() => (Some(issuer), account),
            Some(_) | None => (None, title),
        };
        Parts { period_s, title, issuer, account }
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How a family of keys names its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// One text, in which an unusual period stands first: the OATH applet.
    WithPeriod,
    /// Application and account, apart; the period beside them: Token2's keys.
    TwoNames,
}

/// What a Token2 FIDO key calls an entry: an application and an account, apart. The key tells entries apart by the pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TwoNames {
    /// May be empty.
    pub application: String,
    /// Never empty on a key.
    pub account: String,
}

impl TwoNames {
    /// The longest that either may be, in bytes.
    pub const MAX_BYTES: u8 = 64;

    /// Those of a name: what stands before its first colon, and the rest; all of it is the account where there is none.
    pub fn of(name: &CredentialName) -> Self {
        let (application, account) = name.0.split_once(':').unwrap_or(("", &name.0));
        // Only a key's own names hold these, since a title's first colon ends its application.
        let application = application.replace("%3A", ":").replace("%25", "%");
        Self { application, account: account.to_owned() }
    }

    /// The name under which kiln speaks of both. Different pairs have different names.
    pub fn name(&self) -> CredentialName {
        let application = self.application.replace('%', "%25").replace(':', "%3A");
        let joined = match (application.as_str(), self.account.contains(':')) {
            ("", false) => self.account.clone(),
            (application, _) => format!("{application}:{}", self.account),
        };
        CredentialName(joined)
    }
}

/// Whether a credential counts time or uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Time-based.
    Totp,
    /// Counter-based.
    Hotp,
}

impl From<Mode> for Kind {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Totp { .. } => Self::Totp,
            Mode::Hotp { .. } => Self::Hotp,
        }
    }
}

/// What a credential's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Seconds; 0 for counter-based codes.
    pub period_s: u32,
    /// The name without its period.
    pub title: &'a str,
    /// The part before the first colon.
    pub issuer: Option<&'a str>,
    /// The rest.
    pub account: &'a str,
}

/// Digits and a slash at the beginning, with something behind them. A number beyond 32 bits, or 0, is no period.
fn split_period(name: &str) -> Option<(u32, &str)> {
    let (digits, rest) = name.split_once('/')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let period = digits.parse().ok().filter(|period| is_number && *period > 0)?;
    (!rest.is_empty()).then_some((period, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UnixTime;
    use proptest::prelude::*;

    fn totp(seconds: u64) -> Mode {
        Mode::Totp { period: Period::from_secs(seconds).unwrap(), t0: UnixTime(0) }
    }

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/vectors/ykoath.json")).unwrap()
    }

    #[test]
    fn names_are_made_as_yubikit_makes_them() {
        let file = vectors();
        let list = file["prefix_ids"].as_array().unwrap();
        assert!(!list.is_empty());
        for entry in list {
            let account = entry["name"].as_str().unwrap();
            let title = match entry["issuer"].as_str() {
                Some(issuer) if !issuer.is_empty() => format!("{issuer}:{account}"),
                Some(_) | None => account.to_owned(),
            };
            let mode = match entry["type"].as_str() {
                Some("TOTP") => totp(entry["period"].as_u64().unwrap()),
                _ => Mode::Hotp { counter: 0 },
            };
            assert_eq!(CredentialName::new(&title, mode).as_str(), entry["id"].as_str().unwrap(), "{entry}");
        }
    }

    #[test]
    fn names_are_read_as_yubikit_reads_them() {
        let file = vectors();
        let list = file["parse_ids"].as_array().unwrap();
        assert!(!list.is_empty());
        for entry in list {
            let name = CredentialName::told(entry["id"].as_str().unwrap().to_owned());
            let kind = if entry["type"] == "TOTP" { Kind::Totp } else { Kind::Hotp };
            let parts = name.parts(kind);
            let read = (parts.issuer, Some(parts.account), Some(u64::from(parts.period_s)));
            let expected = (entry["issuer"].as_str(), entry["name"].as_str(), entry["period"].as_u64());
            assert_eq!(read, expected, "{entry}");
        }
    }

    #[test]
    fn a_title_that_looks_like_a_period_keeps_its_own() {
        let name = CredentialName::new("24/7 Support:ann", totp(30));
        assert_eq!(name.as_str(), "30/24/7 Support:ann");
        assert_eq!(name.parts(Kind::Totp).period_s, 30);
        assert_eq!(name.parts(Kind::Totp).title, "24/7 Support:ann");
    }

    #[test]
    fn a_title_is_an_application_and_an_account() {
        let pair = |title: &str| {
            let name = CredentialName::on(Naming::TwoNames, title, totp(60));
            let TwoNames { application, account } = TwoNames::of(&name);
            (name.to_string(), application, account)
        };
        let named = |name: &str, application: &str, account: &str| {
            (name.to_owned(), application.to_owned(), account.to_owned())
        };
        assert_eq!(pair("Acme:ann"), named("Acme:ann", "Acme", "ann"), "the period is no part of it");
        assert_eq!(pair("ann"), named("ann", "", "ann"));
        assert_eq!(pair(":ann"), named("ann", "", "ann"), "the same entry has one name");
        assert_eq!(pair("Acme:b:c"), named("Acme:b:c", "Acme", "b:c"));
        assert_eq!(pair("100%:ann").1, "100%");
    }

    proptest! {
        #[test]
        fn different_pairs_have_different_names(
            application in "[a:%235A]{0,6}", account in "[a:%235A]{1,6}"
        ) {
            let names = TwoNames { application, account };
            prop_assert_eq!(&TwoNames::of(&names.name()), &names);
        }

        #[test]
        fn what_is_made_is_read_back(title in "[^\\p{C}]{1,40}", seconds in 1u64..=u64::from(u32::MAX)) {
            let name = CredentialName::new(&title, totp(seconds));
            let parts = name.parts(Kind::Totp);
            prop_assert_eq!((u64::from(parts.period_s), parts.title), (seconds, title.as_str()));
            let counted = CredentialName::new(&title, Mode::Hotp { counter: 7 });
            prop_assert_eq!(counted.parts(Kind::Hotp).title, title.as_str());
        }
    }
}
