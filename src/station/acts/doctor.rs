//! What is right and wrong with the station: what the composition's probe sees of the machine, then what only the
//! station knows.

use super::super::core::Core;
use crate::{
    domain::TimeKeeper,
    face::{Check, ClockView, Failure, Finding, Side, VaultState},
    store,
};

/// All findings of the server's side.
pub fn findings(core: &Core) -> Vec<Finding> {
    let mut findings = (core.probe)();
    findings.push(schema());
    findings.push(core.clock_asked().map_or_else(|e| unreadable(Check::Clock, e), |view| clock(&view)));
    match core.vault_state() {
        Ok(state) => {
            findings.push(vault(state));
            if state != VaultState::Absent {
                let count = core.store.holders().map(|holders| holders.len());
                findings.push(count.map_or_else(|e| unreadable(Check::Holders, e.into()), holders));
            }
        }
        Err(failure) => findings.push(unreadable(Check::Vault, failure)),
    }
    findings
}

fn unreadable(check: Check, failure: Failure) -> Finding {
    let means = "the station cannot read its own records";
    Finding::fail(Side::Station, check, failure.message, means, failure.remedy)
}

/// An open store is at the last schema: it refuses a newer one and migrates an older one.
fn schema() -> Finding {
    Finding::ok(Side::Station, Check::Schema, format!("the database has schema {}", store::SCHEMA))
}

fn clock(clock: &ClockView) -> Finding {
    let (side, check) = (Side::Station, Check::Clock);
    let advice = clock.keeper.map_or("synchronise it (chrony, systemd-timesyncd)", TimeKeeper::advice);
    match (clock.state.is_trusted(), clock.override_until) {
        (true, _) => Finding::ok(side, check, format!("the clock is {}", clock.state)),
        (false, Some(until)) => Finding::warn(
            side,
            check,
            format!("the clock is {}", clock.state),
            format!("burns go on, since a person allowed it until {}", until.floor_second()),
            format!("before then: {advice}"),
        ),
        (false, None) => Finding::fail(
            side,
            check,
            format!("the clock is {}", clock.state),
            "tokens are set from it, so nothing is burned",
            format!("{advice}; or allow burns for a while: kiln clock override --for 30m"),
        ),
    }
}

fn vault(state: VaultState) -> Finding {
    let (side, check) = (Side::Station, Check::Vault);
    match state {
        VaultState::Open => Finding::ok(side, check, "the vault is open"),
        VaultState::Locked => Finding::warn(
            side,
            check,
            "the vault is locked",
            "burns, imports and exports wait",
            "open it with kiln unlock",
        ),
        VaultState::Absent => Finding::warn(
            side,
            check,
            "there is no vault yet",
            "nothing can be imported or burned",
            "make one with kiln init",
        ),
    }
}

fn holders(count: usize) -> Finding {
    let (side, check) = (Side::Station, Check::Holders);
    match count {
        0 => Finding::fail(
            side,
            check,
            "nobody holds the vault",
            "once it is locked, no seed can be read again",
            "add a holder now, while the vault is open, with kiln holder add; if it is locked, restore a backup",
        ),
        1 => Finding::warn(
            side,
            check,
            "one holder can open the vault",
            "where that passphrase or key is lost, so are all seeds",
            "add another with kiln holder add",
        ),
        count => Finding::ok(side, check, format!("{count} holders can open the vault")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ClockState, UnixMillis},
        face::Health,
    };

    fn view(state: ClockState, override_until: Option<UnixMillis>) -> ClockView {
        ClockView { now: UnixMillis(0), state, burns_allowed: false, override_until, keeper: None }
    }

    #[test]
    fn one_holder_is_too_few_and_none_is_a_disaster() {
        assert_eq!([0, 1, 2].map(|count| holders(count).health), [Health::Fail, Health::Warn, Health::Ok],);
    }

    #[test]
    fn a_vault_that_is_not_open_is_worth_a_warning() {
        let health = |state| vault(state).health;
        assert_eq!(health(VaultState::Open), Health::Ok);
        assert_eq!(health(VaultState::Locked), Health::Warn);
        assert_eq!(health(VaultState::Absent), Health::Warn);
        assert!(vault(VaultState::Locked).remedy.unwrap().contains("kiln unlock"));
    }

    #[test]
    fn a_clock_that_holds_up_burns_fails_and_an_override_warns() {
        let loose = ClockState::Unsynchronised { max_error_ms: 16_000 };
        assert_eq!(clock(&view(ClockState::Synchronised { max_error_ms: 3 }, None)).health, Health::Ok);
        assert_eq!(clock(&view(loose, None)).health, Health::Fail);
        let allowed = clock(&view(loose, Some(UnixMillis(1_767_225_600_000))));
        assert_eq!(allowed.health, Health::Warn);
        assert!(allowed.means.unwrap().contains("2026-01-01T00:00:00Z"));
        // The service that runs here is named with what to do about it.
        let kept = |keeper| clock(&ClockView { keeper: Some(keeper), ..view(loose, None) }).remedy.unwrap();
        assert!(kept(TimeKeeper::Chrony).contains("chronyc makestep"));
        assert!(kept(TimeKeeper::Timesyncd).contains("systemd-timesyncd"));
        assert!(kept(TimeKeeper::Nobody).contains("apt install chrony"));
    }
}
