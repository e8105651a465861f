//! Activation: a server that takes an uploaded token only after a code of it gets codes here, no faster than it takes
//! them, and what it took is recorded with the kind of proof that the code was.
//!
//! A code that the station computes proves that the upload and the records agree. It proves nothing about the token in
//! somebody's hand, which may hold another seed.

use super::{
    super::{core::Core, failure::failure, handle::Caller},
    verify,
};
use crate::{
    domain::{Clock, Mode, Parameters, Profile, Proof, Seed, SeedId, Serial, Target, UnixTime, otp},
    face::{ActivationAsk, ActivationCode, ActivationCodes, Failure, FailureKind, Reply},
    store::{MappingRecord, ToActivate, TokenRefused},
};
use std::collections::{BTreeSet, HashMap};

/// Sentences about tokens that are left out; a batch may hold a hundred thousand.
const TOLD: usize = 50;

/// Codes of tokens that wait for activation, as many as are asked for and as the server takes.
pub fn codes(core: &Core, ask: &ActivationAsk, who: &str) -> Result<Reply, Failure> {
    let batch = ask
        .batch
        .as_deref()
        .map(|name| core.store.batch_by_name(name)?.ok_or_else(|| super::batch::no_batch(name)))
        .transpose()?;
    let said = super::import::find_target(&core.catalog, ask.login_target.as_deref())?;
    let mut mappings = core.store.burned_mappings(batch.as_ref().map(|batch| batch.id))?;
    if batch.is_none() && !ask.serials.is_empty() {
        // A delivered token is activated, too, where somebody names it.
        mappings.extend(core.store.delivered_mappings()?);
    }
    if !ask.serials.is_empty() {
        let wanted: BTreeSet<&Serial> = ask.serials.iter().collect();
        mappings.retain(|mapping| wanted.contains(&mapping.serial));
        let held: BTreeSet<&Serial> = mappings.iter().map(|mapping| &mapping.serial).collect();
        if let Some(missing) = wanted.into_iter().find(|serial| !held.contains(serial)) {
            return Err(TokenRefused::NoToken(missing.clone()).into());
        }
    }
    mappings.retain(|mapping| !ask.except.contains(&mapping.serial));
    let target = match (said, &batch) {
        (Some(target), _) => target,
        (None, Some(batch)) => of_batch(core, batch.target.as_deref())?,
        (None, None) => of_batch(core, None)?,
    };
    let Some(pace) = target.activation else {
        return Err(failure(
            FailureKind::Usage,
            format!("{} wants no activation by code, as far as its target file says", target.label),
            "name another target with --target, or add activation = { codes = 200, seconds = 300 } to its file",
        ));
    };
    let now = core.clock.now();
    let since = now.plus(-i64::from(pace.seconds) * 1000);
    let given = core.store.codes_given_since(since)?;
    let used = u32::try_from(given.len()).unwrap_or(u32::MAX);
    let room = pace.codes.saturating_sub(used).min(ask.limit);
    let more_at = (used >= pace.codes)
        .then(|| given.first().map(|first| first.plus(i64::from(pace.seconds) * 1000).floor_second().plus(1)))
        .flatten();

    let at = now.floor_second();
    let done = core.store.activated_seeds()?;
    // Their lengths are all that is asked of the seeds, but for those whose codes are given.
    let lengths = core.store.seed_lengths()?;
    let Waiting { waiting, mut left_out } = waiting(target, &mappings, &done, &lengths);
    let mut codes = Vec::new();
    let mut of = Vec::new();
    for mapping in waiting.iter().take(usize::try_from(room).unwrap_or(usize::MAX)) {
        let seed = core.seed(mapping.seed)?;
        let Some((code, until)) = code_now(&seed, &mapping.parameters, at) else { continue };
        of.push(ToActivate { serial: mapping.serial.clone(), profile: mapping.profile, seed: mapping.seed });
        codes.push(ActivationCode {
            serial: mapping.serial.clone(),
            profile: mapping.profile,
            user: mapping.facts.upn.clone().or_else(|| mapping.facts.more.get("account").cloned()),
            code,
            until,
        });
    }
    if !of.is_empty() {
        core.store.codes_given(of, &core.stamp(who))?;
    }
    if left_out.len() > TOLD {
        let more = left_out.len() - TOLD;
        left_out.truncate(TOLD);
        left_out.push(format!("and {more} more tokens"));
    }
    Ok(Reply::ActivationCodes(ActivationCodes {
        at,
        login_target: target.label.clone(),
        waiting: (waiting.len() - codes.len()) as u64,
        codes,
        more_at,
        left_out,
    }))
}

/// The batch's own target.
fn of_batch<'a>(core: &'a Core, name: Option<&str>) -> Result<&'a Target, Failure> {
    let unsaid = || {
        failure(
            FailureKind::Usage,
            "nobody said which server the tokens are to be activated at",
            "say --target entra, or name a batch that was made for a target",
        )
    };
    name.and_then(|name| core.catalog.target(name)).ok_or_else(unsaid)
}

struct Waiting<'m> {
    waiting: Vec<&'m MappingRecord>,
    left_out: Vec<String>,
}

/// Of each token the profile that the server knows: the first that it accepts, as an export chooses it.
fn waiting<'m>(
    target: &Target,
    mappings: &'m [MappingRecord],
    done: &BTreeSet<SeedId>,
    lengths: &HashMap<SeedId, u32>,
) -> Waiting<'m> {
    let mut found = Waiting { waiting: Vec::new(), left_out: Vec::new() };
    let mut seen: BTreeSet<&Serial> = BTreeSet::new();
    let mut refused: Vec<(&Serial, String)> = Vec::new();
    for mapping in mappings {
        let serial = &mapping.serial;
        if seen.contains(serial) {
            continue;
        }
        if mapping.wants_eyes && mapping.proof.as_ref().map(|p| p.proof) != Some(Proof::Seen) {
            seen.insert(serial);
            found.left_out.push(format!(
                "token {serial}: nobody has seen its code yet; prove it with \"kiln verify {serial} CODE\""
            ));
            continue;
        }
        let length = lengths.get(&mapping.seed).copied().unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match target.check(&mapping.parameters, length) {
            Err(misfit) => refused.push((serial, misfit.to_string())),
            Ok(()) => {
                seen.insert(serial);
                if !done.contains(&mapping.seed) {
                    found.waiting.push(mapping);
                }
            }
        }
    }
    for (serial, why) in refused {
        if seen.insert(serial) {
            found.left_out.push(format!("token {serial}: {why}"));
        }
    }
    found
}

/// The code of `at`, and the first second in which it is not the current one any more.
fn code_now(seed: &Seed, parameters: &Parameters, at: UnixTime) -> Option<(String, UnixTime)> {
    let Mode::Totp { period, t0 } = parameters.mode else { return None };
    let code = otp::code_at(seed, parameters, at)?;
    let step = otp::step_at(at, t0, period)?;
    let next = i64::try_from(step.0.checked_add(1)?).ok()?.checked_mul(i64::from(period.as_secs()))?;
    Some((code.as_str().to_owned(), t0.plus(next)))
}

/// A person says that the server has taken the codes of these tokens: those that were given here, or the one that was
/// read from the display of the only one.
pub fn activated(
    core: &Core,
    serials: &[Serial],
    code: Option<&str>,
    caller: &Caller,
) -> Result<Reply, Failure> {
    if serials.is_empty() {
        return Err(failure(
            FailureKind::Usage,
            "no token was named",
            "name the tokens that the server took",
        ));
    }
    if code.is_some() && serials.len() > 1 {
        return Err(failure(
            FailureKind::Usage,
            "one code was given for several tokens",
            "say each token's own code, one token at a time",
        ));
    }
    let mut of = Vec::new();
    for serial in serials {
        of.push(given_for(core, serial)?);
    }
    let proof = match (code, &of[..]) {
        (Some(code), [one]) => {
            let texts = [code.to_owned()];
            let verdict = verify::verify(core, &one.serial, one.profile, &texts, caller)?;
            match verdict {
                Reply::Verdict(verdict) if verdict.right => Proof::Seen,
                Reply::Verdict(verdict) => {
                    return Err(failure(
                        FailureKind::No,
                        format!("that code is not of token {}", one.serial),
                        verdict.advice,
                    ));
                }
                _ => Proof::Computed,
            }
        }
        _ => Proof::Computed,
    };
    core.store.activated(of, proof, &core.stamp(&caller.who))?;
    Ok(Reply::Done)
}

/// The profile of which codes were given for activation, else the token's first.
fn given_for(core: &Core, serial: &Serial) -> Result<ToActivate, Failure> {
    let held = core.store.holdings(serial)?;
    let given = core.store.last_code_given(serial)?;
    let mapping = held
        .iter()
        .find(|mapping| Some(mapping.seed) == given)
        .or_else(|| held.first())
        .ok_or_else(|| TokenRefused::NothingHeld { serial: serial.clone(), profile: Profile::ZERO })?;
    Ok(ToActivate { serial: serial.clone(), profile: mapping.profile, seed: mapping.seed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digits, Hash, Period};

    #[test]
    fn a_code_is_good_until_the_end_of_its_period() {
        let seed = Seed::new(*b"12345678901234567890");
        let parameters = Parameters::totp(Hash::Sha1, Digits::EIGHT, Period::THIRTY);
        // RFC 6238 appendix B.
        assert_eq!(code_now(&seed, &parameters, UnixTime(59)), Some(("94287082".into(), UnixTime(60))));
        let long = Parameters::totp(Hash::Sha1, Digits::SIX, Period::SIXTY);
        assert_eq!(code_now(&seed, &long, UnixTime(60)).unwrap().1, UnixTime(120));
        let counted = Parameters { mode: Mode::Hotp { counter: 1 }, ..parameters };
        assert_eq!(code_now(&seed, &counted, UnixTime(59)), None);
    }
}
