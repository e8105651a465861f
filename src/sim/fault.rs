//! What can be made to go wrong with a virtual token, and when.

use super::device::Quirks;
use crate::remedy::{Remedy, Retry};
use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

/// One way to misbehave. Commands are counted from the moment the fault is armed; the first is number 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The token is torn off the reader just before command N reaches it. Once.
    YankBefore(NonZeroU32),
    /// The token carries out command N and is torn off before it answers. Once.
    YankAfter(NonZeroU32),
    /// Command N reaches the token, does nothing and is never answered. Once.
    Mute(NonZeroU32),
    /// Command N does nothing and is answered with this status word. Once.
    Status(NonZeroU32, u16),
    /// Every exchange takes this much longer, half of it before the command lands. Until cleared.
    Delay(Duration),
    /// The memory keeps nothing of what is written, while the clock still takes its time; the token says 9000. Until
    /// cleared.
    Forget,
    /// The token has another key than it should. Until cleared.
    WrongKey,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::YankBefore(at) => write!(f, "yank-before:{at}"),
            Self::YankAfter(at) => write!(f, "yank-after:{at}"),
            Self::Mute(at) => write!(f, "mute:{at}"),
            Self::Status(at, status) => write!(f, "status:{at}:{status:04x}"),
            Self::Delay(delay) => write!(f, "delay:{}", delay.as_millis()),
            Self::Forget => f.write_str("forget"),
            Self::WrongKey => f.write_str("wrong-key"),
        }
    }
}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a fault")]
pub struct NotAFault(String);

impl Remedy for NotAFault {
    fn remedy(&self) -> &'static str {
        "write yank-before:N, yank-after:N, mute:N, status:N:XXXX, delay:MS, forget or wrong-key, N from 1"
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}

impl FromStr for Fault {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim().split(':');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let fault = match (next(), next(), next()) {
            (Some("forget"), None, None) => Some(Self::Forget),
            (Some("wrong-key"), None, None) => Some(Self::WrongKey),
            (Some("delay"), Some(ms), None) => {
                ms.parse::<u32>().ok().map(|ms| Self::Delay(Duration::from_millis(ms.into())))
            }
            (Some(name), Some(at), status) => at.parse().ok().and_then(|at| match (name, status) {
                ("yank-before", None) => Some(Self::YankBefore(at)),
                ("yank-after", None) => Some(Self::YankAfter(at)),
                ("mute", None) => Some(Self::Mute(at)),
                ("status", Some(word)) if word.len() == 4 => {
                    u16::from_str_radix(word, 16).ok().map(|word| Self::Status(at, word))
                }
                _ => None,
            }),
            _ => None,
        };
        match (fault, parts.next()) {
            (Some(fault), None) => Ok(fault),
            _ => Err(NotAFault(text.chars().take(40).collect())),
        }
    }
}

/// What becomes of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Normal(Quirks),
    TornBefore,
    TornAfter(Quirks),
    Silence,
    Status(u16),
}

/// The faults that are armed.
#[derive(Debug, Default)]
pub(super) struct FaultPlan(Vec<(Fault, u32)>);

impl FaultPlan {
    /// A second fault of a kind that lasts replaces the first.
    pub(super) fn arm(&mut self, fault: Fault) {
        let waits = match fault {
            Fault::YankBefore(at) | Fault::YankAfter(at) | Fault::Mute(at) | Fault::Status(at, _) => at.get(),
            Fault::Delay(_) | Fault::Forget | Fault::WrongKey => {
                self.0.retain(|(old, _)| std::mem::discriminant(old) != std::mem::discriminant(&fault));
                0
            }
        };
        self.0.push((fault, waits));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Those not spent yet, as they were armed.
    pub(super) fn armed(&self) -> Vec<Fault> {
        self.0.iter().map(|(fault, _)| *fault).collect()
    }

    pub(super) fn delay(&self) -> Duration {
        self.0
            .iter()
            .find_map(|(fault, _)| if let Fault::Delay(delay) = fault { Some(*delay) } else { None })
            .unwrap_or_default()
    }

    /// Counts one command and says what becomes of it. Where several faults fall on it, the one armed first wins and
    /// the others are spent with it.
    pub(super) fn next(&mut self) -> Fate {
        let mut quirks = Quirks::default();
        let mut due = None;
        self.0.retain_mut(|(fault, waits)| match fault {
            Fault::Delay(_) => true,
            Fault::Forget => {
                quirks.forgets = true;
                true
            }
            Fault::WrongKey => {
                quirks.other_key = true;
                true
            }
            Fault::YankBefore(_) | Fault::YankAfter(_) | Fault::Mute(_) | Fault::Status(..) => {
                *waits -= 1;
                if *waits == 0 {
                    due.get_or_insert(*fault);
                }
                *waits > 0
            }
        });
        match due {
            Some(Fault::YankBefore(_)) => Fate::TornBefore,
            Some(Fault::YankAfter(_)) => Fate::TornAfter(quirks),
            Some(Fault::Mute(_)) => Fate::Silence,
            Some(Fault::Status(_, status)) => Fate::Status(status),
            Some(Fault::Delay(_) | Fault::Forget | Fault::WrongKey) | None => Fate::Normal(quirks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(faults: &[&str]) -> FaultPlan {
        let mut plan = FaultPlan::default();
        faults.iter().for_each(|fault| plan.arm(fault.parse().unwrap()));
        plan
    }

    #[test]
    fn faults_are_written_as_they_are_read() {
        for text in
            ["yank-before:1", "yank-after:4", "mute:3", "status:5:6f00", "delay:20", "forget", "wrong-key"]
        {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "yank",
            "yank-after",
            "yank-after:0",
            "yank-after:-1",
            "mute:x",
            "status:5",
            "status:5:6f0",
            "delay:",
            "forget:1",
            "mute:1:2",
            "status:1:9000:1",
        ] {
            assert_eq!(text.parse::<Fault>(), Err(NotAFault(text.to_owned())));
        }
        assert!(NotAFault(String::new()).remedy().contains("yank-after:N"));
    }

    #[test]
    fn a_yank_counts_from_its_arming_and_happens_once() {
        let mut plan = plan(&["yank-after:2"]);
        let normal = Fate::Normal(Quirks::default());
        assert_eq!(plan.next(), normal);
        assert_eq!(plan.next(), Fate::TornAfter(Quirks::default()));
        assert!(plan.armed().is_empty());
        plan.arm(Fault::YankBefore(NonZeroU32::MIN));
        assert_eq!((plan.next(), plan.next()), (Fate::TornBefore, normal));
    }

    #[test]
    fn lasting_faults_last_until_cleared_and_replace_each_other() {
        let mut plan = plan(&["forget", "delay:20", "delay:40", "status:2:6f00"]);
        let forgets = Fate::Normal(Quirks { forgets: true, other_key: false });
        assert_eq!(plan.delay(), Duration::from_millis(40));
        assert_eq!((plan.next(), plan.next(), plan.next()), (forgets, Fate::Status(0x6F00), forgets));
        plan.clear();
        assert_eq!((plan.delay(), plan.next()), (Duration::ZERO, Fate::Normal(Quirks::default())));
    }
}
