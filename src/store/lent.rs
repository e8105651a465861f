//! Serials of tokens that tell none: given by a person, or drawn by the station, and recorded as such.

use super::{LentFrom, LentSerial, Stamp, Store, StoreError, audit, tokens};
use crate::domain::Serial;
use rusqlite::{OptionalExtension, params};
use serde_json::json;

/// Why a serial can't be lent to a token.
#[derive(Debug, thiserror::Error)]
pub enum NotLent {
    /// Another token has it: it told it, or was lent it.
    #[error("another token goes by serial {0}")]
    Taken(Serial),
    /// The token has one already.
    #[error("this token goes by serial {0} already")]
    HasOne(Serial),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for NotLent {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl crate::remedy::Remedy for NotLent {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Taken(_) => {
                "read the serial again; if it is that token after a reset, give it another serial, such as the same with -2"
            }
            Self::HasOne(_) => "take it away and put it back: it is known",
            Self::Store(error) => error.remedy(),
        }
    }

    fn retry(&self) -> crate::remedy::Retry {
        match self {
            Self::Taken(_) | Self::HasOne(_) => crate::remedy::Retry::AfterOperator,
            Self::Store(error) => error.retry(),
        }
    }
}

impl Store {
    /// By which serial the token goes that is told by `ident`.
    pub fn lent_serial(&self, ident: &Serial) -> Result<Option<LentSerial>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached("SELECT serial, origin FROM lent_serials WHERE ident = ?1")?
                .query_row([ident], |row| Ok(LentSerial { serial: row.get(0)?, from: row.get(1)? }))
                .optional()?)
        })
    }

    /// Lets the token that is told by `ident` go by `serial` for good. A serial that some token has is refused: two
    /// tokens under one would be one on record.
    pub fn lend_serial(
        &self,
        ident: &Serial,
        serial: &Serial,
        from: LentFrom,
        stamp: &Stamp,
    ) -> Result<(), NotLent> {
        let (ident, serial, stamp) = (ident.clone(), serial.clone(), stamp.clone());
        self.write(move |tx| {
            let has: Option<Serial> = tx
                .query_row("SELECT serial FROM lent_serials WHERE ident = ?1", [&ident], |row| row.get(0))
                .optional()?;
            if let Some(has) = has {
                return Err(NotLent::HasOne(has));
            }
            let taken: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM lent_serials WHERE serial = ?1)
                     OR EXISTS (SELECT 1 FROM tokens WHERE serial = ?1)",
                [&serial],
                |row| row.get(0),
            )?;
            if taken {
                return Err(NotLent::Taken(serial));
            }
            tx.execute(
                "INSERT INTO lent_serials VALUES (?1, ?2, ?3, ?4, ?5)",
                params![ident, serial, from, stamp.now, stamp.who],
            )?;
            let detail = json!({ "ident": ident, "origin": from.word() });
            Ok(audit::append(tx, &stamp, "serial lent", Some(&serial), &detail)?)
        })
    }

    /// A token without a clock is there: it goes on record, or was seen again. Doesn't wait until that is durable.
    pub fn seen_again(&self, serial: &Serial, model: &str, stamp: &Stamp) {
        let (serial, model, stamp) = (serial.clone(), model.to_owned(), stamp.clone());
        self.write_soon("a token that was seen", move |tx| {
            Ok(tokens::meet(tx, &serial, Some(&model), &stamp)?)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClockState, UnixMillis};
    use crate::remedy::Remedy;

    fn store(home: &tempfile::TempDir) -> Store {
        Store::open(&home.path().join("kiln.db"), UnixMillis(1_780_000_000_000)).unwrap()
    }

    fn serial(text: &str) -> Serial {
        text.parse().unwrap()
    }

    fn stamp() -> Stamp {
        Stamp::new(UnixMillis(1_780_000_000_000), "ann", ClockState::Simulated)
    }

    #[test]
    fn a_lent_serial_is_kept_and_belongs_to_one_token() {
        let home = tempfile::tempdir().unwrap();
        let store = store(&home);
        let (a, b) = (serial("salt-0001"), serial("salt-0002"));
        assert_eq!(store.lent_serial(&a).unwrap(), None);
        store.lend_serial(&a, &serial("S-17"), LentFrom::Given, &stamp()).unwrap();
        let expected = LentSerial { serial: serial("S-17"), from: LentFrom::Given };
        assert_eq!(store.lent_serial(&a).unwrap(), Some(expected));
        let again = store.lend_serial(&a, &serial("S-18"), LentFrom::Given, &stamp()).unwrap_err();
        assert!(matches!(&again, NotLent::HasOne(has) if *has == serial("S-17")));
        let taken = store.lend_serial(&b, &serial("S-17"), LentFrom::Random, &stamp()).unwrap_err();
        assert!(matches!(&taken, NotLent::Taken(_)));
        store.seen_again(&serial("12345678"), "yubikey-5", &stamp());
        store.caught_up().unwrap();
        let told = store.lend_serial(&b, &serial("12345678"), LentFrom::Given, &stamp()).unwrap_err();
        assert!(matches!(told, NotLent::Taken(_)), "a token that tells its serial has it");
        assert!([again, taken].iter().all(|error| error.remedy().len() > 20));
    }
}
