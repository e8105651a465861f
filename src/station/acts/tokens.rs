//! The inventory, and what a person allows or says of one token.

use super::super::{core::Core, failure::failure, resync, views};
use crate::{
    domain::{Clock, Serial},
    face::{Consent, DriftFilter, Failure, FailureKind, Page, PageOf, Reply, TokenView},
    store::{ConsentTo, ImportedSeeds, TokenFilter, TokenRefused},
};

/// Tokens with `query` in serial, model, title or user; all where it is empty.
pub fn list(core: &Core, query: &str, page: Page) -> Result<Reply, Failure> {
    let text = query.trim();
    if text.is_empty() {
        // Whoever looks at all of them is about to search.
        core.store.prepare_search();
    }
    let filter = TokenFilter { text: (!text.is_empty()).then(|| text.to_owned()) };
    let tokens = core.store.tokens(&filter, super::page(page))?;
    let items = tokens.items.iter().map(views::token_line).collect();
    Ok(Reply::Tokens(PageOf { total: tokens.total, items }))
}

/// All about one token.
pub fn show(core: &Core, serial: &Serial) -> Result<Reply, Failure> {
    let token = core.store.token(serial)?.ok_or_else(|| TokenRefused::NoToken(serial.clone()))?;
    let clock = core.clocks.one(&core.store, &core.catalog, core.clock.now(), serial)?.map(Box::new);
    let timeouts_to_choose_s = resync::timeouts_to_choose(core, &token.holdings)?;
    Ok(Reply::Token(Box::new(TokenView { clock, timeouts_to_choose_s, ..views::token(&token) })))
}

/// How the clocks of all tokens run, a page at a time.
pub fn drift(core: &Core, filter: &DriftFilter, page: Page) -> Result<Reply, Failure> {
    let page = Page { limit: page.limit.min(super::LONGEST_PAGE), ..page };
    let report = core.clocks.report(&core.store, &core.catalog, core.clock.now(), filter, page)?;
    Ok(Reply::Drift(Box::new(report)))
}

/// Records that a person allows what kiln would not do by itself, for this serial, once.
pub fn allow(
    core: &Core,
    serial: &Serial,
    last_four: &str,
    what: Consent,
    who: &str,
) -> Result<Reply, Failure> {
    confirm(serial, last_four)?;
    let to: &[ConsentTo] = match what {
        Consent::Replace => &[ConsentTo::ReplaceOurs, ConsentTo::ReplaceForeign, ConsentTo::ReplaceFactory],
        Consent::TryKey => &[ConsentTo::AnotherAttempt],
    };
    for one in to {
        core.store.consent(serial, *one, &core.stamp(who))?;
    }
    core.changed();
    Ok(Reply::Done)
}

/// The token died with its seed. Imported seeds stay bound to it until a person releases them.
pub fn scrap(
    core: &Core,
    serial: &Serial,
    last_four: &str,
    release_seeds: bool,
    who: &str,
) -> Result<Reply, Failure> {
    confirm(serial, last_four)?;
    let imported = if release_seeds { ImportedSeeds::Release } else { ImportedSeeds::Hold };
    core.store.scrap(serial, imported, &core.stamp(who))?;
    core.changed();
    Ok(Reply::Done)
}

/// The serial's end, typed by the person, says that they have this token in mind and in hand.
pub(super) fn confirm(serial: &Serial, last_four: &str) -> Result<(), Failure> {
    if last_four.trim() == serial.last_four() {
        return Ok(());
    }
    Err(failure(
        FailureKind::No,
        format!("\"{last_four}\" is not how serial {serial} ends"),
        "read the last four characters from the token itself",
    ))
}
