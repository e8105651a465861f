//! A station as tests see it: eight slots in the middle of a batch.

use super::{look::Look, model::Model, msg::Msg, update::update};
use crate::{
    domain::{ClockState, DriftSeconds, JobState, SlotName, UnixMillis},
    face::{
        Alarm, BatchView, CatalogView, ClockView, Doing, Event, Failure, FailureKind, Greeting, JobCounts,
        JobView, Named, ProofCounts, RecipeView, Role, SlotView, Snapshot, VaultState, Who,
    },
};

/// 2026-11-21 12:00:00 UTC.
pub const NOW: UnixMillis = UnixMillis(1_795_262_400_000);

/// A slot that says nothing.
pub fn slot(name: &str, doing: Doing, serial: Option<&str>) -> SlotView {
    SlotView {
        occupied: serial.is_some(),
        serial: serial.map(|serial| serial.parse().unwrap()),
        model: serial.map(|_| "C301-i".into()),
        drift: serial.map(|_| DriftSeconds(0.4)),
        ..SlotView::empty(SlotName(name.into()), doing)
    }
}

/// A batch of 24.
pub fn batch(name: &str, state: &str) -> BatchView {
    let burned = if state == "draft" { 0 } else { 9 };
    BatchView {
        name: name.into(),
        state: state.into(),
        reason: None,
        jobs: JobCounts { queued: 24 - burned, burned, ..JobCounts::default() },
        proofs: ProofCounts::default(),
        created: NOW,
        priority: 0,
        sweep: None,
    }
}

/// A job of `spring`.
pub fn job(number: i64, state: JobState) -> JobView {
    JobView {
        job: number,
        batch: "spring".into(),
        position: u32::try_from(number).unwrap(),
        state,
        reason: None,
        serial: Some(format!("86596100000{number:02}").parse().unwrap()),
        model: Some("C301-i".into()),
        slot: None,
        upn: Some(format!("user{number:02}@example.com")),
        profiles: 1,
        proof: None,
        wants_eyes: false,
        resync: None,
    }
}

/// A job moved.
pub fn job_event(number: i64, state: JobState, serial: &str) -> Event {
    Event::Job {
        job: number,
        batch: "spring".into(),
        state,
        serial: Some(serial.parse().unwrap()),
        slot: None,
        proof: None,
        wants_eyes: false,
        reason: None,
        resync: None,
    }
}

/// A station at work.
pub fn snapshot() -> Snapshot {
    let mut slots: Vec<SlotView> = (1..=8)
        .map(|n| match n {
            1 | 6 => SlotView {
                job: Some(n),
                progress: Some((u32::try_from(n).unwrap(), 7)),
                ..slot(&format!("Reader {n:02}"), Doing::Wait, Some(&format!("86596100000{n:02}")))
            },
            3 => SlotView {
                says: Some("burned".into()),
                ..slot("Reader 03", Doing::Take, Some("8659610000003"))
            },
            5 => SlotView {
                serial: None,
                model: Some("security key".into()),
                drift: None,
                says: Some("this is a FIDO2 security key, not a token that kiln can write to".into()),
                remedy: Some("take it away and put a token of the batch down".into()),
                ..slot("Reader 05", Doing::Look, None)
            },
            _ => slot(&format!("Reader {n:02}"), Doing::Place, None),
        })
        .collect();
    slots.rotate_left(3);
    let mut spring = batch("spring", "running");
    spring.jobs =
        JobCounts { queued: 11, claimed: 2, burned: 9, failed: 1, unfinished: 1, ..JobCounts::default() };
    let mut queue: Vec<JobView> = (10..=20).map(|n| job(n, JobState::Queued)).collect();
    for n in [1, 6] {
        queue.push(JobView { slot: Some(SlotName(format!("Reader 0{n}"))), ..job(n, JobState::Claimed) });
    }
    Snapshot {
        last_event: 100,
        at: NOW,
        slots,
        batches: vec![spring, batch("autumn", "draft")],
        queue,
        alarms: vec![Alarm {
            id: 90,
            at: NOW.plus(-60_000),
            message: "Reader 02: three burns in a row failed, the slot is paused".into(),
            remedy: "take the token away and look at the reader".into(),
            slot: None,
        }],
        clock: ClockView {
            now: NOW,
            state: ClockState::Synchronised { max_error_ms: 3 },
            burns_allowed: true,
            override_until: None,
            keeper: None,
        },
        vault: VaultState::Open,
        clients: 3,
        attached: ["ann", "bob"].map(|name| Who { name: name.into(), role: Role::Operator }).into(),
    }
}

/// A catalog of a few.
pub fn catalog() -> CatalogView {
    let named = |name: &str, label: &str| Named { name: name.into(), label: label.into() };
    let recipe = |name: &str, label: &str, models: &[&str], profiles, wants_file| RecipeView {
        named: named(name, label),
        models: models.iter().map(|model| (*model).to_owned()).collect(),
        profiles,
        wants_file,
    };
    CatalogView {
        models: vec![named("c301-i", "Token2 C301-i"), named("molto2-v2", "Token2 Molto2 v2")],
        recipes: vec![
            recipe("as-file", "one profile, as the file states", &["c301-i", "molto2-v2"], 1, true),
            recipe("molto2-ten-random", "ten profiles", &["molto2-v2"], 10, false),
            recipe("single-random", "one profile, 20 bytes", &["c301-i"], 1, false),
        ],
        targets: vec![named("duo", "Duo"), named("entra", "Microsoft Entra ID")],
    }
}

/// A no.
pub fn failure(message: &str) -> Failure {
    Failure {
        kind: FailureKind::No,
        message: message.into(),
        remedy: "do something else".into(),
        details: Vec::new(),
    }
}

/// What a server says first.
pub fn greeting() -> Greeting {
    Greeting { protocol: crate::face::PROTOCOL, version: "0.1.0".into(), role: Role::Operator, demo: false }
}

/// What the first answer brings.
pub fn attached() -> Msg {
    Msg::Attached { greeting: greeting(), role: Role::Operator, snapshot: Box::new(snapshot()) }
}

/// A screen of this size that is attached to the station at work.
pub fn model(columns: u16, rows: u16) -> Model {
    let look = Look { colour: true, unicode: true };
    let mut model = Model::new(look, (columns, rows), NOW);
    update(&mut model, attached());
    model
}
