//! Alarms: what wants a person, until somebody has read it or its cause is over.

use super::{AlarmAbout, AlarmId, AlarmRecord, Stamp, Store, StoreError, audit};
use rusqlite::{Row, Transaction, params};
use serde_json::json;

impl Store {
    /// Keeps an alarm. Does not wait until it is durable, since what can't be recorded must be told all the same.
    pub fn alarm_raised(&self, alarm: AlarmRecord) {
        self.write_soon("an alarm", move |tx| {
            let (reader, job, batch) = match &alarm.about {
                AlarmAbout::Reader(reader) => (Some(reader), None, None),
                AlarmAbout::Job(job) => (None, Some(job), None),
                AlarmAbout::Batch(batch) => (None, None, Some(batch)),
                AlarmAbout::Service => (None, None, None),
            };
            tx.execute(
                "INSERT INTO alarms (id, at, message, remedy, slot, reader, job, batch)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![alarm.id, alarm.at, alarm.message, alarm.remedy, alarm.slot, reader, job, batch],
            )?;
            Ok(())
        });
    }

    /// Their causes are over.
    pub fn alarms_over(&self, alarms: Vec<AlarmId>, stamp: &Stamp) {
        let stamp = stamp.clone();
        self.write_soon("the end of an alarm", move |tx| close(tx, &alarms, None, &stamp));
    }

    /// Somebody has read them.
    pub fn alarms_read(&self, alarms: Vec<AlarmId>, stamp: &Stamp) -> Result<(), StoreError> {
        let stamp = stamp.clone();
        self.write(move |tx| {
            close(tx, &alarms, Some(&stamp.who), &stamp)?;
            audit::append(tx, &stamp, "alarms read", None, &json!({ "alarms": alarms }))?;
            Ok(())
        })
    }

    /// Those that nobody has read and that are not over, oldest first.
    pub fn open_alarms(&self) -> Result<Vec<AlarmRecord>, StoreError> {
        self.read(|c| {
            Ok(c.prepare_cached(
                "SELECT id, at, message, remedy, slot, reader, job, batch FROM alarms WHERE over_at IS NULL
                 ORDER BY id",
            )?
            .query_map([], alarm_row)?
            .collect::<Result<_, _>>()?)
        })
    }

    /// The highest number that an alarm ever had; 0 where there was none.
    pub fn last_alarm(&self) -> Result<AlarmId, StoreError> {
        self.read(|c| Ok(c.query_row("SELECT coalesce(max(id), 0) FROM alarms", [], |row| row.get(0))?))
    }
}

fn close(
    tx: &Transaction<'_>,
    alarms: &[AlarmId],
    read_by: Option<&str>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let mut statement =
        tx.prepare_cached("UPDATE alarms SET over_at = ?2, read_by = ?3 WHERE id = ?1 AND over_at IS NULL")?;
    for alarm in alarms {
        statement.execute(params![alarm, stamp.now, read_by])?;
    }
    Ok(())
}

fn alarm_row(row: &Row<'_>) -> rusqlite::Result<AlarmRecord> {
    let about = match (row.get(5)?, row.get(6)?, row.get(7)?) {
        (Some(reader), ..) => AlarmAbout::Reader(reader),
        (None, Some(job), _) => AlarmAbout::Job(job),
        (None, None, Some(batch)) => AlarmAbout::Batch(batch),
        (None, None, None) => AlarmAbout::Service,
    };
    Ok(AlarmRecord {
        id: row.get(0)?,
        at: row.get(1)?,
        message: row.get(2)?,
        remedy: row.get(3)?,
        slot: row.get(4)?,
        about,
    })
}
