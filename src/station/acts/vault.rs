//! The vault: made, opened, closed; its holders; customer keys by name.

use super::super::{core::Core, failure::failure};
use crate::{
    domain::CustomerKey,
    face::{Event, Failure, FailureKind, HolderFile, KeyInfo, Reply, SecretBytes, VaultState},
    store::Holder,
    vault::{DataKey, HolderKind},
};

/// Makes the vault, with its first holder, and leaves it open.
pub fn init(core: &Core, holder: &HolderFile, data_key: &SecretBytes, who: &str) -> Result<Reply, Failure> {
    let key = read_key(data_key)?;
    let check = key.seal_check().map_err(|e| super::super::failure::told(FailureKind::Environment, &e))?;
    core.store.init_vault(check, read_holder(holder)?, &core.stamp(who))?;
    open(core, key);
    Ok(Reply::Done)
}

/// The files of all holders.
pub fn holders(core: &Core) -> Result<Reply, Failure> {
    let files = core.store.holders()?.into_iter().map(|holder| HolderFile {
        name: holder.name,
        kind: holder.kind.word().to_owned(),
        recipient: holder.recipient,
        file: data_encoding::BASE64.encode(&holder.file),
    });
    Ok(Reply::Holders(files.collect()))
}

/// Opens the vault with `data_key`, if it is the right one.
pub fn unlock(core: &Core, data_key: &SecretBytes, who: &str) -> Result<Reply, Failure> {
    let key = read_key(data_key)?;
    let check = core.store.vault_check()?.ok_or_else(|| {
        failure(FailureKind::Environment, "this station has no vault yet", "make one with \"kiln init\"")
    })?;
    if !key.fits(&check) {
        return Err(failure(
            FailureKind::No,
            "that is not this vault's data key",
            "open a holder's file of this station, not of another one",
        ));
    }
    core.store.audit_append("vault unlocked", None, serde_json::Value::Null, &core.stamp(who))?;
    open(core, key);
    Ok(Reply::Done)
}

/// Closes the vault. A burn in hand ends first, since it holds the key until then.
pub fn lock(core: &Core, who: &str) -> Result<Reply, Failure> {
    core.store.audit_append("vault locked", None, serde_json::Value::Null, &core.stamp(who))?;
    core.set_data_key(None);
    core.bus.say(Event::Vault { state: core.vault_state()? });
    Ok(Reply::Done)
}

/// Keeps another holder's file. That it holds the same data key, the client has checked: it made the file.
pub fn add_holder(core: &Core, holder: &HolderFile, who: &str) -> Result<Reply, Failure> {
    core.data_key()?;
    core.store.add_holder(read_holder(holder)?, &core.stamp(who))?;
    Ok(Reply::Done)
}

/// Forgets a holder.
pub fn remove_holder(core: &Core, name: &str, who: &str) -> Result<Reply, Failure> {
    core.store.remove_holder(name, &core.stamp(who))?;
    Ok(Reply::Done)
}

/// Keeps a customer key under `name`.
pub fn add_key(core: &Core, name: &str, key: &SecretBytes, who: &str) -> Result<Reply, Failure> {
    let data_key = core.data_key()?;
    let key = CustomerKey::new(key.expose());
    if key.expose().is_empty() {
        return Err(failure(
            FailureKind::Usage,
            "the key is empty",
            "give the key's bytes, in hex or as text",
        ));
    }
    let sealed = data_key
        .seal_key(name, &key)
        .map_err(|e| super::super::failure::told(FailureKind::Environment, &e))?;
    core.store.add_key(name, sealed, data_key.key_fingerprint(&key), &core.stamp(who))?;
    core.changed();
    Ok(Reply::Done)
}

/// Names and fingerprints of the customer keys.
pub fn keys(core: &Core) -> Result<Reply, Failure> {
    let keys = core.store.keys()?.into_iter().map(|key| KeyInfo {
        name: key.name,
        fingerprint: data_encoding::HEXLOWER.encode(&key.fingerprint.0[..4]),
        added: key.added_at,
    });
    Ok(Reply::Keys(keys.collect()))
}

fn open(core: &Core, key: DataKey) {
    core.set_data_key(Some(key));
    core.bus.say(Event::Vault { state: VaultState::Open });
}

fn read_key(bytes: &SecretBytes) -> Result<DataKey, Failure> {
    DataKey::from_bytes(bytes.expose()).ok_or_else(|| {
        failure(FailureKind::Usage, "a data key has 32 bytes", "use the same version of kiln on both sides")
    })
}

fn read_holder(holder: &HolderFile) -> Result<Holder, Failure> {
    let bad = |what: &str| failure(FailureKind::Usage, what, "use the same version of kiln on both sides");
    if holder.name.trim().is_empty() {
        return Err(failure(FailureKind::Usage, "a holder needs a name", "say whose key it is"));
    }
    Ok(Holder {
        name: holder.name.clone(),
        kind: HolderKind::from_word(&holder.kind).ok_or_else(|| bad("the holder's kind is not known"))?,
        recipient: holder.recipient.clone(),
        file: data_encoding::BASE64
            .decode(holder.file.as_bytes())
            .map_err(|_| bad("the holder's file is not base64"))?,
    })
}
