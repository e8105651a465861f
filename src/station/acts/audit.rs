//! The log, and the override of the clock gate that is recorded in it.

use super::super::{core::Core, failure::failure, views};
use crate::face::{Event, Failure, FailureKind, Page, PageOf, Reply};

/// The longest override: a working day with its evening. A clock that is wrong for longer wants a cure.
const LONGEST_OVERRIDE_S: u32 = 12 * 3600;

/// Walks the chain from its first entry.
pub fn verify(core: &Core) -> Result<Reply, Failure> {
    Ok(Reply::AuditHead(views::audit_head(&core.store.audit_verify(&[])?)))
}

/// The head of the chain.
pub fn anchor(core: &Core) -> Result<Reply, Failure> {
    Ok(Reply::AuditHead(views::audit_head(&core.store.audit_head()?)))
}

/// Entries that hold `query`, newest first.
pub fn show(core: &Core, query: &str, page: Page) -> Result<Reply, Failure> {
    let entries = core.store.audit_page(query.trim(), super::page(page))?;
    Ok(Reply::Audit(PageOf {
        total: entries.total,
        items: entries.items.iter().map(views::audit_entry).collect(),
    }))
}

/// Lets burns go on with a clock that is not trusted.
pub fn override_clock(core: &Core, seconds: u32, who: &str) -> Result<Reply, Failure> {
    if seconds == 0 || seconds > LONGEST_OVERRIDE_S {
        return Err(failure(
            FailureKind::Usage,
            format!("an override of {seconds} s is not possible"),
            "say a time from one second to 12 hours",
        ));
    }
    let stamp = core.stamp(who);
    core.store.clock_override(stamp.now.plus(i64::from(seconds) * 1000), &stamp)?;
    // Whoever allows burns has looked at the clock: a step before this is no news any more, another one will be.
    core.clock.accept_step();
    let view = core.clock_view()?;
    core.bus.say(Event::Clock(view));
    core.changed();
    Ok(Reply::Clock(view))
}
