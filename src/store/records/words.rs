//! Closed sets of words, and the numbers by which rows go.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id!(
    /// Names a batch within one store, for as long as the store lives.
    BatchId
);
row_id!(
    /// Names a job within one store; lower ones were imported earlier.
    JobId
);
row_id!(
    /// Names one try to authenticate.
    AttemptId
);
row_id!(
    /// Names one permission to burn in spite of the station's clock.
    OverrideId
);

row_id!(
    /// Names an alarm within one store; lower ones were raised earlier.
    AlarmId
);

/// A closed set of words, the same on screen, in JSON and in the database.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every one, in the order in which lists show them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// One lower-case word, the same on screen, in JSON and in the database.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one that `word` names.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}
words!(
    /// Where a batch stands.
    BatchState {
        /// Imported or being put together; nothing of it is burned yet.
        Draft = "draft",
        /// Tokens that are put down get its jobs.
        Running = "running",
        /// Held, by a person or by the station after failures; see the reason.
        Paused = "paused",
        /// No job of it is open any more.
        Done = "done",
        /// Called off by a person.
        Cancelled = "cancelled",
    }
);

words!(
    /// Where a seed came from, which decides what becomes of it when its token dies.
    SeedOrigin {
        /// It was in a file: some server may know it already.
        Imported = "imported",
        /// kiln made it: nobody knows it but this store.
        Generated = "generated",
    }
);

words!(
    /// What a seed is doing.
    SeedState {
        /// On record, on no token, bound to none.
        Free = "free",
        /// Bound to one serial, which may hold it by now.
        Bound = "bound",
        /// Held by the token with the bound serial.
        OnToken = "on-token",
        /// Was on a token and is not any more; never used again.
        Retired = "retired",
        /// Its job was called off before anything was written; the same seed may be imported again.
        Dropped = "dropped",
    }
);

words!(
    /// How a seed came to be on a token.
    MappingOrigin {
        /// kiln burned it.
        Burned = "burned",
        /// The vendor's file says that the token was delivered with it.
        Delivered = "delivered",
    }
);

words!(
    /// Where a serial came from that a token could not tell.
    LentFrom {
        /// A person read it from the token, or gave it one.
        Given = "given",
        /// The station drew it.
        Random = "random",
    }
);

words!(
    /// What ended a mapping.
    EndedBy {
        /// Another burn of the same profile.
        Replaced = "replaced",
        /// The token died.
        Scrapped = "scrapped",
        /// The token was reset to its factory state.
        Reset = "reset",
    }
);

words!(
    /// How one try to authenticate went.
    AttemptOutcome {
        /// Recorded before the key was shown to the token; no answer is recorded yet.
        Made = "made",
        /// The token took the key.
        Accepted = "accepted",
        /// The token refused it.
        Refused = "refused",
        /// The link was lost, or the station stopped: the token may have counted it.
        Unknown = "unknown",
        /// The link was lost before the answer to the challenge left: the token can't have counted anything.
        NotMade = "not made",
    }
);

words!(
    /// What a person can allow for one token, once.
    ConsentTo {
        /// Write over a seed that is on record here.
        ReplaceOurs = "replace-ours",
        /// Write over a seed that somebody else put there.
        ReplaceForeign = "replace-foreign",
        /// Write over what the token was delivered with.
        ReplaceFactory = "replace-factory",
        /// Authenticate once more, though earlier tries were refused or never answered.
        AnotherAttempt = "another-attempt",
        /// Reset the token to its factory state.
        FactoryReset = "factory-reset",
        /// Replace the customer key.
        KeyChange = "key-change",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_values() {
        assert!(BatchState::ALL.iter().all(|s| BatchState::from_word(s.word()) == Some(*s)));
        assert!(SeedState::ALL.iter().all(|s| SeedState::from_word(s.word()) == Some(*s)));
        assert_eq!(SeedState::from_word("on-token"), Some(SeedState::OnToken));
        assert_eq!(ConsentTo::from_word("on-token"), None);
    }
}
