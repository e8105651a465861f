//! `kiln doctor`: what of the machine stands between an operator and a burn.
//!
//! Facts are collected in `facts` (files, sockets, pcscd); what they mean is judged in `judge`, `molto2` and `usb_keys`, which
//! touch nothing and are tested with facts made up. The server looks with the same eyes as the client: it may be
//! another account, or another session that polkit treats otherwise.

pub(super) mod facts;
mod judge;
mod molto2;
mod usb_keys;

use super::system_clock::SystemClock;
use crate::{
    cli::Premises,
    domain::Clock,
    face::{Finding, Side},
    service::Home,
    station::Probe,
    store,
};
use std::sync::Arc;

/// What the server of `home` looks at for the station, which knows no readers, files or daemons.
pub fn probe(home: Home) -> Probe {
    Arc::new(move || {
        let side = Side::Station;
        let mut findings = vec![judge::program(facts::program())];
        findings.push(judge::home(side, &home, facts::home(&home)));
        findings.extend(judge::socket(side, &facts::socket(&home)));
        findings.push(judge::disk(side, home.dir(), facts::room(home.dir())));
        findings.extend(judge::smart_cards(side, &facts::smart_cards()));
        findings.push(molto2::judge(side, &molto2::look()));
        findings.push(usb_keys::judge(side, &usb_keys::look(&home)));
        findings.push(judge::time_service(side, &facts::time_services()));
        findings
    })
}

/// What the client looks at itself.
pub struct Here {
    home: Home,
}

impl Here {
    /// For the station of `home`.
    pub fn new(home: Home) -> Self {
        Self { home }
    }

    /// Whether this account is to run the station. A guest of a station home needs neither home nor readers.
    fn is_owner(&self) -> bool {
        !self.home.is_shared()
            || facts::socket(&self.home).directory.is_ok_and(|rights| {
                rights.is_some_and(|rights| rights.owner == nix::unistd::geteuid().as_raw())
            })
    }
}

impl Premises for Here {
    fn always(&self) -> Vec<Finding> {
        let side = Side::Client;
        let mut findings = Vec::new();
        if self.is_owner() {
            findings.push(judge::home(side, &self.home, facts::home(&self.home)));
        }
        findings.extend(judge::socket(side, &facts::socket(&self.home)));
        if self.is_owner() {
            findings.extend(judge::smart_cards(side, &facts::smart_cards()));
        }
        findings
    }

    fn without_station(&self) -> Vec<Finding> {
        let side = Side::Client;
        let mut findings = vec![molto2::judge(side, &molto2::look())];
        findings.push(usb_keys::judge(side, &usb_keys::look(&self.home)));
        findings.push(judge::time_service(side, &facts::time_services()));
        findings.push(judge::clock(side, SystemClock.state()));
        if self.is_owner() {
            findings.push(judge::disk(side, self.home.dir(), facts::room(self.home.dir())));
            let database = self.home.database();
            findings.push(judge::schema(side, &database, store::peek(&database)));
        }
        findings
    }
}
