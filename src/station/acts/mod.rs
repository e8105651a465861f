//! What clients can ask for, one file for each kind of act. Acts block (they read and write the store), so they run on
//! threads that may.

mod activate;
mod audit;
pub(super) mod batch;
mod batch_report;
mod catalog;
mod clock_told;
mod device;
mod diagnose;
mod doctor;
mod examine;
mod export;
mod import;
mod opened;
mod read;
mod resync;
mod reveal;
mod slots;
mod tokens;
mod vault;
mod verify;

use super::{core::Core, handle::Caller};
use crate::face::{Command, Failure, Page, Reply};
use crate::store;

/// The longest page that a client gets, whatever it asks for.
const LONGEST_PAGE: u32 = 1000;

/// Carries out what `caller` asks. The role was checked at the door.
pub fn carry_out(core: &Core, command: Command, caller: &Caller) -> Result<Reply, Failure> {
    let who = caller.who.as_str();
    match command {
        Command::Snapshot | Command::Subscribe => Ok(Reply::Snapshot(Box::new(core.snapshot()?))),
        Command::VaultInit { holder, data_key } => vault::init(core, &holder, &data_key, who),
        Command::Holders => vault::holders(core),
        Command::VaultUnlock { data_key } => vault::unlock(core, &data_key, who),
        Command::VaultLock => vault::lock(core, who),
        Command::HolderAdd { holder } => vault::add_holder(core, &holder, who),
        Command::HolderRemove { name } => vault::remove_holder(core, &name, who),
        Command::KeyAdd { name, key } => vault::add_key(core, &name, &key, who),
        Command::Keys => vault::keys(core),
        Command::Import { file_name, content, options } => {
            import::import(core, &file_name, &content, &options, who)
        }
        Command::Catalog => Ok(catalog::list(core)),
        Command::BatchNew(new) => import::random(core, &new, who),
        Command::Batches => batch::list(core),
        Command::BatchShow { name } => batch::show(core, &name),
        Command::BatchStart { name } => batch::start(core, &name, who),
        Command::BatchPause { name } => batch::pause(core, &name, who),
        Command::BatchRetry { name } => batch::retry(core, &name, who),
        Command::BatchPriority { name, priority } => batch::prioritise(core, &name, priority, who),
        Command::BatchCancel { name } => batch::cancel(core, &name, who),
        Command::Resync(new) => resync::sweep(core, &new, who),
        Command::Swept { name, page } => resync::swept(core, &name, page),
        Command::AlarmsRead { ids } => super::alarms::read(core, &ids, who).map(|()| Reply::Done),
        Command::Jobs { batch, filter, page } => batch::jobs(core, &batch, &filter, page),
        Command::Tokens { query, page } => tokens::list(core, &query, page),
        Command::Drift { filter, page } => tokens::drift(core, &filter, page),
        Command::ClockTimed { serial, period_s, offset_ms, within_ms } => {
            clock_told::timed(core, &serial, period_s, (offset_ms, within_ms), who)
        }
        Command::Token { serial } => tokens::show(core, &serial),
        Command::Verify { serial, profile, codes } => verify::verify(core, &serial, profile, &codes, caller),
        Command::Reveal { serial, profile, last_four } => {
            reveal::reveal(core, &serial, profile, &last_four, who)
        }
        Command::Allow { serial, last_four, what } => tokens::allow(core, &serial, &last_four, what, who),
        Command::Scrap { serial, last_four, release_seeds } => {
            tokens::scrap(core, &serial, &last_four, release_seeds, who)
        }
        Command::DeviceReset { serial, last_four } => device::reset(core, &serial, &last_four, who),
        Command::DeviceSetKey { serial, last_four, current, new } => {
            device::set_key(core, &serial, &last_four, current, new, who)
        }
        Command::DevicePressed { serial } => device::pressed(core, &serial, who),
        Command::DeviceCancel { serial } => device::cancel(core, &serial, who),
        Command::Diagnose { serial, profile, codes, shows, at, typed, wider } => {
            let ask = diagnose::Ask { codes: &codes, at, typed: &typed };
            let shows = shows.as_deref();
            let question = diagnose::Question { serial: &serial, profile, ask, shows, wider };
            diagnose::diagnose(core, &question, caller)
        }
        Command::Examine { serial, profile, seen, shows } => {
            examine::examine(core, &serial, profile, &seen, shows.as_deref(), who)
        }
        Command::Whose { codes, at, within_s } => {
            diagnose::whose(core, &diagnose::Ask { codes: &codes, at, typed: &[] }, within_s, caller)
        }
        Command::When { serial, profile, codes, since, until } => {
            diagnose::when(core, &serial, profile, &codes, (since, until), caller)
        }
        Command::Export(options) => export::export(core, &options, who),
        Command::ActivationCodes(ask) => activate::codes(core, &ask, who),
        Command::Activated { serials, code } => activate::activated(core, &serials, code.as_deref(), caller),
        Command::BatchReport { name } => batch_report::report(core, &name),
        Command::Slots => slots::list(core),
        Command::SlotName { slot, name } => slots::name(core, &slot, name.as_deref(), who),
        Command::SlotSerial { slot, serial } => slots::serial(core, &slot, &serial, who),
        Command::SlotGiveUp { slot } => slots::give_up(core, &slot, who),
        Command::OtpRead { slot, name, key } => read::read(core, slot.as_deref(), name, key, who),
        Command::Clock => Ok(Reply::Clock(core.clock_asked()?)),
        Command::ClockOverride { seconds } => audit::override_clock(core, seconds, who),
        Command::AuditVerify => audit::verify(core),
        Command::AuditAnchor => audit::anchor(core),
        Command::AuditShow { query, page } => audit::show(core, &query, page),
        Command::Doctor => Ok(Reply::Doctor(doctor::findings(core))),
        Command::Stop => {
            let asked =
                core.store.audit_append("stop asked for", None, serde_json::json!({}), &core.stamp(who));
            if let Err(error) = asked {
                // A station whose disk is full must be able to end.
                tracing::error!(%error, who, "a stop could not be recorded");
            }
            core.stop();
            Ok(Reply::Done)
        }
    }
}

fn page(page: Page) -> store::Page {
    store::Page { offset: page.offset.into(), limit: page.limit.min(LONGEST_PAGE) }
}
