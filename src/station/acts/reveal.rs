//! Shows a seed, on a person's explicit word: what enrols a profile in another place.

use super::{super::core::Core, tokens::confirm};
use crate::{
    domain::{Profile, Serial, key_uri::KeyUri},
    face::{Failure, Reply, Revealed, SecretBytes},
    store::TokenRefused,
};

/// The key URI of what `profile` of the token holds. On record before it is given away, whatever becomes of the answer.
pub fn reveal(
    core: &Core,
    serial: &Serial,
    profile: Profile,
    last_four: &str,
    who: &str,
) -> Result<Reply, Failure> {
    confirm(serial, last_four)?;
    let held = core.store.holdings(serial)?;
    let mapping = held
        .iter()
        .find(|mapping| mapping.profile == profile)
        .ok_or_else(|| TokenRefused::NothingHeld { serial: serial.clone(), profile })?;
    let seed = core.seed(mapping.seed)?;
    core.store.audit_append(
        "seed revealed",
        Some(serial),
        serde_json::json!({ "profile": profile }),
        &core.stamp(who),
    )?;
    let issuer = mapping.facts.more.get("issuer").map(String::as_str);
    let account = mapping.facts.more.get("account").or(mapping.facts.upn.as_ref());
    let account = account.map_or(serial.as_str(), String::as_str);
    let uri = KeyUri::new(issuer, account, seed, mapping.parameters).to_uri();
    Ok(Reply::Revealed(Revealed { key_uri: SecretBytes::new(uri.as_bytes()) }))
}
