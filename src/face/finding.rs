//! What `kiln doctor` finds out about a station and the machine it runs on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// From where.
    pub side: Side,
    /// What.
    pub check: Check,
    /// How it is.
    pub health: Health,
    /// What was found, in a sentence without a final full stop.
    pub found: String,
    /// What follows from it; none where all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<String>,
    /// What to do now; none where all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Lines for a file that the remedy names, as they must stand there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// From where something was looked at. The two can be different accounts, and different sessions of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// By the program that was called.
    Client,
    /// By the station's server.
    Station,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Burns are possible, but something should be done.
    Warn,
    /// Something that is needed does not work.
    Fail,
}

impl Health {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Whether a server answers.
    Server,
    /// Whether client and server are the same kiln, and the one that is installed.
    Version,
    /// The home: whose it is, and who may enter.
    Home,
    /// The socket and its directory.
    Socket,
    /// Room where the database is.
    Disk,
    /// The form of the database.
    Schema,
    /// The smart-card service.
    Pcscd,
    /// The readers that it lists.
    Readers,
    /// Whether the reader driver knows the Molto2.
    Molto2,
    /// Keys on USB that are used over HID, and the right to do so.
    UsbKeys,
    /// What keeps the machine's clock right.
    TimeService,
    /// Whether tokens may be set from the station's clock.
    Clock,
    /// The vault.
    Vault,
    /// Who can open it.
    Holders,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Server => "server",
            Self::Version => "version",
            Self::Home => "home",
            Self::Socket => "socket",
            Self::Disk => "disk",
            Self::Schema => "schema",
            Self::Pcscd => "pcscd",
            Self::Readers => "readers",
            Self::Molto2 => "molto2",
            Self::UsbKeys => "usb keys",
            Self::TimeService => "time service",
            Self::Clock => "clock",
            Self::Vault => "vault",
            Self::Holders => "holders",
        })
    }
}

impl Finding {
    /// All is well.
    pub fn ok(side: Side, check: Check, found: impl Into<String>) -> Self {
        let (found, means, remedy) = (found.into(), None, None);
        Self { side, check, health: Health::Ok, found, means, remedy, lines: Vec::new() }
    }

    /// Burns are possible, but something should be done.
    pub fn warn(
        side: Side,
        check: Check,
        found: impl Into<String>,
        means: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (means, remedy) = (Some(means.into()), Some(remedy.into()));
        Self { health: Health::Warn, means, remedy, ..Self::ok(side, check, found) }
    }

    /// Something that is needed does not work.
    pub fn fail(
        side: Side,
        check: Check,
        found: impl Into<String>,
        means: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { health: Health::Fail, ..Self::warn(side, check, found, means, remedy) }
    }

    /// The same with lines for a file that the remedy names.
    pub fn with_lines(self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { lines: lines.into_iter().map(Into::into).collect(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_says_nothing_of_remedies() {
        let well = Finding::ok(Side::Client, Check::TimeService, "chronyd runs");
        let json = serde_json::to_value(&well).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"side": "client", "check": "time_service", "health": "ok", "found": "chronyd runs"})
        );
        assert_eq!(serde_json::from_value::<Finding>(json).unwrap(), well);
    }

    #[test]
    fn failing_is_worse_than_a_warning() {
        assert!(Health::Ok < Health::Warn && Health::Warn < Health::Fail);
    }
}
