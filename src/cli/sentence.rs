//! Events in words.

use super::{
    clock::burns,
    status::{person, vault},
    table::{or_dash, plain},
};
use crate::domain::{Serial, SlotName};
use crate::face::{Doing, Event, Numbered, ResyncView, SlotView, Snapshot};
use std::collections::HashMap;

/// Turns events into sentences. Remembers what each slot said last: a slot tells every step of a burn, and for people
/// only what is new is news.
#[derive(Debug, Default)]
pub struct Sentences {
    slots: HashMap<SlotName, Said>,
}

#[derive(Debug, PartialEq, Eq)]
struct Said {
    doing: Doing,
    serial: Option<Serial>,
    job: Option<i64>,
    says: Option<String>,
}

impl Said {
    fn of(slot: &SlotView) -> Self {
        let SlotView { doing, serial, job, says, .. } = slot;
        Self { doing: *doing, serial: serial.clone(), job: *job, says: says.clone() }
    }
}

impl Sentences {
    /// What happens from here on is news against this state.
    pub fn restart(&mut self, snapshot: &Snapshot) {
        self.slots = snapshot.slots.iter().map(|slot| (slot.slot.clone(), Said::of(slot))).collect();
    }

    /// The lines that an event is worth, with its time in front.
    pub fn of(&mut self, numbered: &Numbered) -> Vec<String> {
        let at = numbered.at.floor_second();
        let told = self.tell(&numbered.event).into_iter().enumerate();
        told.map(|(n, line)| {
            let line = plain(&line);
            if n == 0 { format!("{at} {line}") } else { format!("  {line}") }
        })
        .collect()
    }

    fn tell(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::Started { recovered } if recovered.is_empty() => vec!["the station is up".into()],
            Event::Started { recovered } => {
                let jobs: Vec<String> = recovered.iter().map(i64::to_string).collect();
                vec![
                    format!("the station is up; it was burning jobs {} when it last ended", jobs.join(", ")),
                    "-> put their tokens back: the same seeds are burned again".into(),
                ]
            }
            Event::Slot(slot) => self.slot(slot),
            Event::SlotGone { slot } => {
                self.slots.remove(slot);
                vec![format!("{slot}: the reader is gone")]
            }
            Event::TokenRead { slot, serial, model, drift } => {
                let model = model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
                let clock = drift.map(|drift| format!(", its clock {drift}")).unwrap_or_default();
                vec![format!("{slot}: token {serial}{model}{clock}")]
            }
            Event::Job { job, batch, state, serial, slot, proof, wants_eyes, reason, resync } => {
                let state = resync.map_or(state.word(), |resync| resync.word(*state));
                let mut line = format!("job {job} of {batch}: {state}");
                for (before, what) in [
                    (", token ", serial.as_ref().map(Serial::to_string)),
                    (" on ", slot.as_ref().map(SlotName::to_string)),
                    (", proof: ", proof.map(|proof| proof.to_string())),
                    (", its clock ", resync.map(ResyncView::words).filter(|words| !words.is_empty())),
                    (": ", reason.clone()),
                ] {
                    if let Some(what) = what {
                        line.push_str(before);
                        line.push_str(&what);
                    }
                }
                let mut lines = vec![line];
                if *wants_eyes && let Some(serial) = serial {
                    lines.push(format!("-> switch it off and on, then: kiln verify {serial} CODE"));
                }
                lines
            }
            Event::Batch(batch) => {
                let reason = batch.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                let so_far = match &batch.sweep {
                    Some(sweep) => sweep.words(),
                    None => format!("{} of {} burned", batch.jobs.burned, batch.jobs.total()),
                };
                vec![format!("batch {}: {}{reason}, {so_far}", batch.name, batch.state)]
            }
            Event::Clock(clock) => vec![format!("clock {}; burns {}", clock.state, burns(clock))],
            Event::Vault { state } => vec![format!("the vault is {}", vault(*state))],
            Event::AlarmsOver { ids, read_by } => {
                let numbers: Vec<String> = ids.iter().map(u64::to_string).collect();
                let numbers = numbers.join(", ");
                vec![match read_by {
                    Some(who) => format!("{who} has read alarm {numbers}"),
                    None => format!("alarm {numbers} is over"),
                }]
            }
            Event::Alarm { id, message, remedy, slot, doing } => {
                let place = slot.as_ref().map(|slot| format!("{slot}: ")).unwrap_or_default();
                let hands = doing.map(|doing| format!(" ({})", doing.word())).unwrap_or_default();
                vec![format!("ALARM {id}: {place}{message}{hands}"), format!("-> {remedy}")]
            }
            Event::Device { says, remedy, .. } if remedy.is_empty() => vec![says.clone()],
            Event::Device { says, remedy, .. } => vec![says.clone(), format!("-> {remedy}")],
            Event::Verified { serial, right: true } => {
                vec![format!("token {serial}: the typed code is right")]
            }
            Event::Verified { serial, right: false } => {
                vec![format!("token {serial}: the typed code is WRONG")]
            }
            Event::Attached(who) => vec![format!("{} looks on", person(who))],
            Event::Left(who) => vec![format!("{} looks on no more", person(who))],
            Event::Stopping => vec!["the station ends after the burns in hand".into()],
        }
    }

    fn slot(&mut self, slot: &SlotView) -> Vec<String> {
        let said = Said::of(slot);
        if self.slots.get(&slot.slot) == Some(&said) {
            return Vec::new();
        }
        self.slots.insert(slot.slot.clone(), said);
        let mut line = format!("{}: {}", slot.slot, slot.doing.word());
        if let Some(serial) = &slot.serial {
            line.push_str(&format!(", token {serial} ({})", or_dash(slot.model.as_ref())));
        }
        if let Some(says) = &slot.says {
            line.push_str(&format!(": {says}"));
        }
        let mut lines = vec![line];
        lines.extend(slot.remedy.as_ref().map(|remedy| format!("-> {remedy}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{NOW, clock, snapshot};
    use crate::domain::{DriftSeconds, JobState, Proof};
    use crate::face::{Role, VaultState, Who};

    fn told(sentences: &mut Sentences, event: Event) -> String {
        sentences.of(&Numbered { number: 1, at: NOW, event }).join("\n").replace("2026-01-02T03:04:05Z ", "")
    }

    fn ann() -> Who {
        Who { name: "ann".into(), role: Role::Operator }
    }

    fn slot(progress: (u32, u32), says: Option<&str>) -> SlotView {
        SlotView {
            slot: SlotName("left".into()),
            doing: Doing::Wait,
            occupied: true,
            serial: Some("17".parse().unwrap()),
            model: Some("c302-i".into()),
            job: Some(3),
            progress: Some(progress),
            drift: None,
            says: says.map(str::to_owned),
            remedy: says.map(|_| "do it".to_owned()),
        }
    }

    #[test]
    fn each_event_is_a_sentence() {
        let mut sentences = Sentences::default();
        let serial: Serial = "17".parse().unwrap();
        let left = SlotName("left".into());
        for (event, expected) in [
            (Event::Started { recovered: vec![] }, "the station is up"),
            (
                Event::Started { recovered: vec![3, 5] },
                "the station is up; it was burning jobs 3, 5 when it last ended\n  \
                 -> put their tokens back: the same seeds are burned again",
            ),
            (Event::SlotGone { slot: left.clone() }, "left: the reader is gone"),
            (
                Event::TokenRead {
                    slot: left.clone(),
                    serial: serial.clone(),
                    model: None,
                    drift: Some(DriftSeconds(2.0)),
                },
                "left: token 17, its clock +2.0 s",
            ),
            (
                Event::Job {
                    job: 3,
                    batch: "spring".into(),
                    state: JobState::Burned,
                    serial: Some(serial.clone()),
                    slot: Some(left),
                    proof: Some(Proof::Written),
                    wants_eyes: true,
                    reason: None,
                    resync: None,
                },
                "job 3 of spring: burned, token 17 on left, proof: written\n  \
                 -> switch it off and on, then: kiln verify 17 CODE",
            ),
            (Event::Clock(clock()), "clock synchronised (error at most 12 ms); burns allowed"),
            (Event::Vault { state: VaultState::Open }, "the vault is open"),
            (Event::AlarmsOver { ids: vec![3, 4], read_by: Some("ann".into()) }, "ann has read alarm 3, 4"),
            (Event::AlarmsOver { ids: vec![5], read_by: None }, "alarm 5 is over"),
            (
                Event::Alarm {
                    id: 7,
                    message: "no pcscd".into(),
                    remedy: "start it".into(),
                    slot: None,
                    doing: Some(Doing::Look),
                },
                "ALARM 7: no pcscd (look)\n  -> start it",
            ),
            (Event::Verified { serial, right: false }, "token 17: the typed code is WRONG"),
            (Event::Attached(ann()), "ann (operator) looks on"),
            (Event::Left(ann()), "ann (operator) looks on no more"),
            (Event::Stopping, "the station ends after the burns in hand"),
        ] {
            assert_eq!(told(&mut sentences, event), expected);
        }
    }

    #[test]
    fn a_slot_is_told_only_when_it_says_something_new() {
        let mut sentences = Sentences::default();
        assert_eq!(told(&mut sentences, Event::Slot(slot((1, 6), None))), "left: wait, token 17 (c302-i)");
        assert_eq!(told(&mut sentences, Event::Slot(slot((2, 6), None))), "");
        assert_eq!(
            told(&mut sentences, Event::Slot(slot((2, 6), Some("the link was lost")))),
            "left: wait, token 17 (c302-i): the link was lost\n  -> do it"
        );
        let mut state = snapshot();
        state.slots = vec![slot((1, 6), None)];
        sentences.restart(&state);
        assert_eq!(told(&mut sentences, Event::Slot(slot((3, 6), None))), "");
    }
}
