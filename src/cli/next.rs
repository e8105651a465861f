//! What a person would do next, from the state of the station.

use crate::face::{BatchView, Snapshot, VaultState};

/// A sentence for each thing that waits for a person, most pressing first. Never empty.
pub fn steps(snapshot: &Snapshot) -> Vec<String> {
    let mut steps = Vec::new();
    match snapshot.vault {
        VaultState::Absent => {
            return vec!["make the vault, which keeps the seeds encrypted: kiln init".into()];
        }
        VaultState::Locked => steps.push("open the vault; burns wait for it: kiln unlock".into()),
        VaultState::Open => {}
    }
    if !snapshot.clock.burns_allowed {
        steps.push(
            "synchronise this machine's clock (chrony, systemd-timesyncd); burns wait for it: kiln clock"
                .into(),
        );
    }
    for batch in &snapshot.batches {
        let name = &batch.name;
        match batch.state.as_str() {
            "draft" => {
                steps.push(format!("look at batch {name} and start it: kiln batch start {name}"));
            }
            "paused" if batch.reason.is_some() => steps.push(format!(
                "see why batch {name} was paused, mend it, and let it go on: kiln batch start {name}"
            )),
            "paused" => steps.push(format!("let batch {name} go on: kiln batch start {name}")),
            _ => {}
        }
    }
    let to_see = snapshot.queue.iter().find(|job| job.wants_eyes).and_then(|job| job.serial.as_ref());
    let waiting: u64 = snapshot.batches.iter().map(|batch| batch.proofs.waiting_for_eyes).sum();
    if let Some(serial) = to_see {
        steps.push(format!(
            "switch token {serial} off and on, and type the code that it shows: kiln verify {serial} CODE"
        ));
    } else if waiting > 0 {
        steps.push(
            "type the codes that the burned tokens \"to see\" show: kiln batch show NAME --state burned, then \
             kiln verify SERIAL CODE"
                .into(),
        );
    }
    let waits = |batch: &BatchView| batch.sweep.is_some() || super::batch::left(batch) > 0;
    let running = snapshot.batches.iter().any(|batch| batch.state == "running" && waits(batch));
    if running && snapshot.slots.is_empty() {
        steps.push("plug in a reader: none is there".into());
    } else if running && snapshot.vault == VaultState::Open && snapshot.clock.burns_allowed {
        steps.push("switch tokens on and put them on the readers; look on with: kiln watch".into());
    }
    if steps.is_empty() {
        let finished =
            snapshot.batches.iter().rev().find(|batch| batch.state == "done" && batch.sweep.is_none());
        if let Some(batch) = finished {
            let name = &batch.name;
            steps.push(format!(
                "hand over what is burned: kiln export --format entra --batch {name} -o {name}.csv"
            ));
        }
        steps.push("burn the seeds of a file: kiln import FILE --batch NAME".into());
        steps.push("or make new ones: kiln batch new NAME --count N --model MODEL --recipe RECIPE".into());
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{batch, clock, snapshot};
    use crate::face::{ClockView, JobCounts};

    fn first(snapshot: &Snapshot) -> String {
        steps(snapshot).swap_remove(0)
    }

    #[test]
    fn the_vault_comes_first_then_the_clock_then_the_batches() {
        let mut state = snapshot();
        assert!(first(&state).contains("kiln import FILE"));
        state.batches = vec![batch("spring", "done", JobCounts { burned: 2, ..JobCounts::default() })];
        assert!(first(&state).contains("kiln export"));
        state.batches = vec![batch("spring", "running", JobCounts { queued: 2, ..JobCounts::default() })];
        assert!(first(&state).contains("plug in a reader"));
        state.batches[0].proofs.waiting_for_eyes = 1;
        assert!(first(&state).contains("kiln verify"));
        state.batches[0].state = "draft".into();
        assert!(first(&state).contains("kiln batch start spring"));
        state.clock = ClockView { burns_allowed: false, ..clock() };
        assert!(first(&state).contains("clock"));
        state.vault = VaultState::Locked;
        assert!(first(&state).contains("kiln unlock"));
        state.vault = VaultState::Absent;
        assert_eq!(steps(&state), ["make the vault, which keeps the seeds encrypted: kiln init"]);
    }
}
