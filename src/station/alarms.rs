//! Alarms: what wants a person. Each stays, over a restart as well, until an operator has read it or its cause is over:
//! the token that it speaks of was taken away, the job went on, the batch was started again, pcscd is back.

use super::core::{Core, STATION};
use crate::{
    domain::{Clock, JobState, SlotName},
    face::{Alarm, Doing, Event, Failure},
    store::{AlarmAbout, AlarmId, AlarmRecord, BatchState},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Those that are open, by number and cause. The bus holds their words.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<Board>);

#[derive(Debug, Default)]
struct Board {
    last: i64,
    open: Vec<(AlarmId, AlarmAbout)>,
    reviewed: u64,
}

impl Alarms {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an alarm says.
pub struct Words<'a> {
    /// What happened.
    pub message: String,
    /// What to do.
    pub remedy: &'a str,
    /// Where, and what hands should do there.
    pub place: Option<(&'a SlotName, Doing)>,
}

/// Raises an alarm. An older one about the same is over: this one says how it stands now.
pub fn raise(core: &Core, about: AlarmAbout, words: Words<'_>) {
    let mut board = core.alarms.lock();
    end(core, &mut board, |known| *known == about);
    board.last += 1;
    let id = AlarmId(board.last);
    board.open.push((id, about.clone()));
    let (slot, doing) = words.place.map(|(slot, doing)| (slot.clone(), doing)).unzip();
    core.store.alarm_raised(AlarmRecord {
        id,
        at: core.clock.now(),
        message: words.message.clone(),
        remedy: words.remedy.to_owned(),
        slot: slot.clone(),
        about,
    });
    core.bus.say(Event::Alarm {
        id: id.0.unsigned_abs(),
        message: words.message,
        remedy: words.remedy.to_owned(),
        slot,
        doing,
    });
}

/// The cause of what was raised about this is over.
pub fn over(core: &Core, about: &AlarmAbout) {
    end(core, &mut core.alarms.lock(), |known| known == about);
}

/// An operator has read these. Numbers of alarms that are not open any more are no error: another may have read them.
pub fn read(core: &Core, ids: &[u64], who: &str) -> Result<(), Failure> {
    let mut board = core.alarms.lock();
    let is_read = |id: &AlarmId| ids.contains(&id.0.unsigned_abs());
    let read: Vec<AlarmId> = board.open.iter().map(|(id, _)| *id).filter(is_read).collect();
    if read.is_empty() {
        return Ok(());
    }
    core.store.alarms_read(read.clone(), &core.stamp(who))?;
    board.open.retain(|(id, _)| !is_read(id));
    say_over(core, &read, Some(who));
    Ok(())
}

/// Looks, where something has changed, whether causes that only the records tell are over.
pub fn review(core: &Core) {
    let mut board = core.alarms.lock();
    let changes = core.change_count();
    if board.reviewed != changes {
        board.reviewed = changes;
        end(core, &mut board, |about| is_over(core, about));
    }
}

/// Finds what the last station left. What lay on its readers, and whether it reached them, is seen anew.
pub fn recall(core: &Core) -> Result<(), Failure> {
    let mut board = core.alarms.lock();
    board.last = core.store.last_alarm()?.0;
    let open = core.store.open_alarms()?;
    board.open = open.iter().map(|alarm| (alarm.id, alarm.about.clone())).collect();
    core.bus.recall(open.into_iter().map(view).collect());
    end(core, &mut board, |about| match about {
        AlarmAbout::Reader(_) | AlarmAbout::Service => true,
        AlarmAbout::Job(_) | AlarmAbout::Batch(_) => is_over(core, about),
    });
    Ok(())
}

/// Whether the records say so. What they can't tell, or can't be asked now, is not over.
fn is_over(core: &Core, about: &AlarmAbout) -> bool {
    match about {
        AlarmAbout::Reader(_) | AlarmAbout::Service => false,
        AlarmAbout::Job(job) => match core.store.job(*job) {
            Ok(Some(job)) => match job.state {
                JobState::Claimed | JobState::Unfinished | JobState::Failed => false,
                JobState::Queued | JobState::Burned | JobState::Scrapped | JobState::Cancelled => true,
            },
            Ok(None) | Err(_) => false,
        },
        AlarmAbout::Batch(batch) => match core.store.batch(*batch) {
            Ok(Some(batch)) => batch.state != BatchState::Paused,
            Ok(None) | Err(_) => false,
        },
    }
}

fn end(core: &Core, board: &mut Board, mut is_over: impl FnMut(&AlarmAbout) -> bool) {
    let mut over = Vec::new();
    board.open.retain(|(id, about)| {
        let ends = is_over(about);
        if ends {
            over.push(*id);
        }
        !ends
    });
    if !over.is_empty() {
        say_over(core, &over, None);
        core.store.alarms_over(over, &core.stamp(STATION));
    }
}

fn say_over(core: &Core, ids: &[AlarmId], read_by: Option<&str>) {
    let ids = ids.iter().map(|id| id.0.unsigned_abs()).collect();
    core.bus.say(Event::AlarmsOver { ids, read_by: read_by.map(str::to_owned) });
}

fn view(alarm: AlarmRecord) -> Alarm {
    Alarm {
        id: alarm.id.0.unsigned_abs(),
        at: alarm.at,
        message: alarm.message,
        remedy: alarm.remedy,
        slot: alarm.slot,
    }
}
