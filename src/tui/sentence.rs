//! What happened, in words, for the log.

use crate::{
    domain::UnixMillis,
    face::{DeviceState, Event, Numbered, ResyncView, SlotView, VaultState},
};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: UnixMillis,
    /// What.
    pub text: String,
    /// Whether it went wrong.
    pub bad: bool,
}

/// What `numbered` is worth in the log; steps of a burn are worth nothing, the slot shows them. `before` is what the
/// slot said last.
pub fn said(numbered: &Numbered, before: Option<&SlotView>) -> Option<Said> {
    let (text, bad) = match &numbered.event {
        Event::Started { recovered } if recovered.is_empty() => ("the station is up".into(), false),
        Event::Started { recovered } => (
            format!(
                "the station is up; {} burns were in hand when it last ended: put their tokens back",
                recovered.len()
            ),
            true,
        ),
        Event::Slot(slot) => return slot_said(numbered.at, slot, before),
        Event::SlotGone { slot } => (format!("{slot}: the reader is gone"), true),
        Event::TokenRead { slot, serial, model, drift } => {
            let model = model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
            let clock = drift.map(|drift| format!(", its clock {drift}")).unwrap_or_default();
            (format!("{slot}: token {serial}{model}{clock}"), false)
        }
        Event::Job { job, batch, state, serial, slot, proof, reason, resync, .. } => {
            use crate::domain::JobState as S;
            let word = resync.map_or(state.word(), |resync| resync.word(*state));
            let mut text = format!("job {job} of {batch}: {word}");
            for (before, what) in [
                (", token ", serial.as_ref().map(ToString::to_string)),
                (" on ", slot.as_ref().map(ToString::to_string)),
                (", proof: ", proof.map(|proof| proof.to_string())),
                (", its clock ", resync.map(ResyncView::words).filter(|words| !words.is_empty())),
                (": ", reason.clone()),
            ] {
                if let Some(what) = what {
                    text.push_str(before);
                    text.push_str(&what);
                }
            }
            (text, matches!(state, S::Failed | S::Unfinished | S::Scrapped))
        }
        Event::Batch(batch) => {
            let why = batch.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            // Its numbers change with each job, which has a line of its own.
            if batch.state == "running" {
                return None;
            }
            (format!("batch {}: {}{why}", batch.name, batch.state), batch.reason.is_some())
        }
        Event::Clock(clock) => {
            let burns = if clock.burns_allowed { "burns go on" } else { "nothing is burned" };
            (format!("the station's clock: {}; {burns}", clock.state), !clock.burns_allowed)
        }
        Event::Vault { state } => (
            match state {
                VaultState::Absent => "there is no vault".into(),
                VaultState::Locked => "the vault is locked".into(),
                VaultState::Open => "the vault is open".into(),
            },
            false,
        ),
        Event::AlarmsOver { read_by: None, .. } => return None,
        Event::AlarmsOver { ids, read_by: Some(who) } => {
            (format!("{who} has read {} alarms", ids.len()), false)
        }
        Event::Alarm { message, remedy, slot, .. } => {
            let place = slot.as_ref().map(|slot| format!("{slot}: ")).unwrap_or_default();
            (format!("ALARM {place}{message} -> {remedy}"), true)
        }
        Event::Device { state, says, remedy, .. } => {
            let what_to_do = if remedy.is_empty() { String::new() } else { format!(" -> {remedy}") };
            (format!("{says}{what_to_do}"), *state == DeviceState::Failed)
        }
        Event::Verified { serial, right: true } => {
            (format!("token {serial}: the typed code is right"), false)
        }
        Event::Verified { serial, right: false } => {
            (format!("token {serial}: the typed code is WRONG"), true)
        }
        Event::Attached(who) => (format!("{} ({}) looks on", who.name, who.role.word()), false),
        Event::Left(who) => (format!("{} ({}) looks on no more", who.name, who.role.word()), false),
        Event::Stopping => ("the station ends after the burns in hand".into(), true),
    };
    Some(Said { at: numbered.at, text, bad })
}

fn slot_said(at: UnixMillis, slot: &SlotView, before: Option<&SlotView>) -> Option<Said> {
    let news = |s: &SlotView| (s.doing, s.serial.clone(), s.job, s.says.clone());
    if before.is_some_and(|before| news(before) == news(slot)) {
        return None;
    }
    let mut text = format!("{}: {}", slot.slot, slot.doing.word());
    if let Some(serial) = &slot.serial {
        text.push_str(&format!(", token {serial}"));
    }
    if let Some(says) = &slot.says {
        text.push_str(&format!(": {says}"));
    }
    Some(Said { at, text, bad: slot.doing == crate::face::Doing::Look })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::SlotName,
        face::Doing,
        tui::sample::{NOW, slot},
    };

    #[test]
    fn a_step_of_a_burn_is_no_line_of_the_log() {
        let first = slot("left", Doing::Wait, Some("17"));
        let mut next = first.clone();
        next.progress = Some((3, 5));
        let tell = |view: &SlotView, before| {
            said(&Numbered { number: 1, at: NOW, event: Event::Slot(view.clone()) }, before)
        };
        assert_eq!(tell(&first, None).unwrap().text, "left: wait, token 17");
        assert_eq!(tell(&next, Some(&first)), None);
        next.says = Some("another card".into());
        next.doing = Doing::Look;
        assert!(tell(&next, Some(&first)).unwrap().bad);
    }

    #[test]
    fn what_went_wrong_is_marked() {
        let event = Event::SlotGone { slot: SlotName("left".into()) };
        let line = said(&Numbered { number: 1, at: NOW, event }, None).unwrap();
        assert_eq!((line.text.as_str(), line.bad), ("left: the reader is gone", true));
    }
}
