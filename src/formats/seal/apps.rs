//! Encrypted backups of Aegis (scrypt, AES-256-GCM) and 2FAS (PBKDF2, AES-256-GCM), as third parties document them.

use super::{
    super::{
        FileError,
        json::{self, List, Scalar},
    },
    FileSecret, UnsealError,
};
use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Memory that scrypt may take: four times what the application asks for.
const MOST_SCRYPT_BYTES: u64 = 128 << 20;

/// Work that scrypt may take, in units of N times r times p: 32 times what the application asks for.
const MOST_SCRYPT_WORK: u64 = 32 * 32_768 * 8;

/// 2FAS states neither: 10,000 rounds always.
const TWO_FAS_ROUNDS: u32 = 10_000;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Vault {
    header: Header,
    db: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Header {
    slots: Option<List<Slot>>,
    params: Option<Params>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Slot {
    r#type: Option<u64>,
    key: Scalar,
    key_params: Params,
    n: Option<u64>,
    r: Option<u64>,
    p: Option<u64>,
    salt: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    nonce: Scalar,
    tag: Scalar,
}

/// A vault without a passphrase has neither slots nor parameters.
pub(in crate::formats) fn is_sealed_aegis(text: &str) -> bool {
    json::read::<Vault>(text).is_ok_and(|vault| vault.header.slots.is_some() && !vault.db.as_str().is_empty())
}

pub(super) fn unseal_aegis(text: &str, secret: &FileSecret) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let vault: Vault = json::read(text).map_err(UnsealError::File)?;
    let slots = vault.header.slots.unwrap_or_default().0;
    let params = vault.header.params.ok_or(UnsealError::Description { what: "params" })?;
    // Type 1 is a passphrase; others are keys of the telephone.
    let mut passphrases = slots.iter().filter(|slot| slot.r#type == Some(1)).peekable();
    if passphrases.peek().is_none() {
        return Err(UnsealError::NoPassphrase);
    }
    let mut master = None;
    for slot in passphrases {
        master = master_key(slot, secret)?;
        if master.is_some() {
            break;
        }
    }
    let master = master.ok_or(UnsealError::Wrong)?;
    let sealed =
        BASE64.decode(vault.db.as_str().as_bytes()).map_err(|_| UnsealError::Description { what: "db" })?;
    // The master key was proven by its own tag, so a failure here is the content's.
    let plain = open(&master, &params, sealed)?.ok_or(UnsealError::Changed { entry: 1 })?;
    Ok(wrapped(b"{\"version\":1,\"header\":{\"slots\":null,\"params\":null},\"db\":", &plain, b"}"))
}

fn master_key(slot: &Slot, secret: &FileSecret) -> Result<Option<Zeroizing<Vec<u8>>>, UnsealError> {
    let number = |number: Option<u64>| number.ok_or(UnsealError::Description { what: "scrypt" });
    let (n, r, p) = (number(slot.n)?, number(slot.r)?, number(slot.p)?);
    let work = n.saturating_mul(r).saturating_mul(p);
    let bytes = n.saturating_mul(r).saturating_mul(128);
    if bytes > MOST_SCRYPT_BYTES {
        return Err(UnsealError::TooMuchWork { asked: bytes, most: MOST_SCRYPT_BYTES });
    }
    if work > MOST_SCRYPT_WORK {
        return Err(UnsealError::TooMuchWork { asked: work, most: MOST_SCRYPT_WORK });
    }
    let unusable = UnsealError::Description { what: "scrypt" };
    if !n.is_power_of_two() || n < 2 {
        return Err(unusable);
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| unusable.clone())?;
    let small = |number: u64| u32::try_from(number).map_err(|_| UnsealError::Description { what: "scrypt" });
    let scrypt = scrypt::Params::new(log_n, small(r)?, small(p)?).map_err(|_| unusable.clone())?;
    let salt = hex(&slot.salt, "salt")?;
    let mut key = Zeroizing::new(vec![0; 32]);
    scrypt::scrypt(secret.bytes(), &salt, &scrypt, &mut key).map_err(|_| unusable)?;
    let master = open(&key, &slot.key_params, hex(&slot.key, "key")?)?;
    match master {
        Some(master) if master.len() != 32 => Err(UnsealError::Description { what: "key" }),
        master => Ok(master),
    }
}

fn hex(text: &Scalar, what: &'static str) -> Result<Vec<u8>, UnsealError> {
    HEXLOWER_PERMISSIVE.decode(text.as_str().as_bytes()).map_err(|_| UnsealError::Description { what })
}

/// Opens what was sealed with nonce and tag apart; `None`: the tag doesn't fit.
fn open(key: &[u8], params: &Params, mut sealed: Vec<u8>) -> Result<Option<Zeroizing<Vec<u8>>>, UnsealError> {
    sealed.extend(hex(&params.tag, "tag")?);
    open_joined(key, &hex(&params.nonce, "nonce")?, &sealed)
}

/// Opens what was sealed, the tag at its end.
fn open_joined(key: &[u8], nonce: &[u8], sealed: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, UnsealError> {
    let nonce = Nonce::try_from(nonce).map_err(|_| UnsealError::Description { what: "nonce" })?;
    let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| UnsealError::Description { what: "key" })?;
    Ok(cipher.decrypt(&nonce, Payload { msg: sealed, aad: b"" }).ok().map(Zeroizing::new))
}

fn wrapped(before: &[u8], plain: &[u8], after: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(before.len() + plain.len() + after.len()));
    whole.extend_from_slice(before);
    whole.extend_from_slice(plain);
    whole.extend_from_slice(after);
    whole
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Backup {
    services_encrypted: Scalar,
}

/// A backup with a password has its services in one text.
pub(in crate::formats) fn is_sealed_two_fas(text: &str) -> bool {
    json::read::<Backup>(text).is_ok_and(|backup| !backup.services_encrypted.as_str().is_empty())
}

pub(super) fn unseal_two_fas(text: &str, secret: &FileSecret) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let backup: Backup = json::read(text).map_err(UnsealError::File)?;
    let parts: Vec<&str> = backup.services_encrypted.as_str().split(':').collect();
    let damaged = || UnsealError::Description { what: "servicesEncrypted" };
    let [sealed, salt, nonce] = parts[..] else { return Err(damaged()) };
    let decoded = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| damaged());
    let (sealed, salt, nonce) = (decoded(sealed)?, decoded(salt)?, decoded(nonce)?);
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(secret.bytes(), &salt, TWO_FAS_ROUNDS, &mut *key);
    let plain = open_joined(&*key, &nonce, &sealed)?.ok_or(UnsealError::Wrong)?;
    if std::str::from_utf8(&plain).is_err() {
        return Err(UnsealError::File(FileError::NotText));
    }
    Ok(wrapped(b"{\"schemaVersion\":4,\"services\":", &plain, b"}"))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::parse, OpensWith, sealed, unseal},
        *,
    };
    use crate::formats::Format;

    const ENTRIES: &str = r#"{"version":3,"entries":[{"type":"totp","name":"alice","issuer":"Acme","info":{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","algo":"SHA1","digits":6,"period":30}}]}"#;
    const SERVICES: &str = r#"[{"name":"Acme","secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","otp":{"account":"alice","tokenType":"TOTP"}}]"#;

    fn gcm(key: &[u8], nonce: u8, plain: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let cipher = Aes256Gcm::new_from_slice(key).unwrap();
        let mut sealed = cipher.encrypt(&Nonce::try_from(&[nonce; 12][..]).unwrap(), plain).unwrap();
        let tag = sealed.split_off(sealed.len() - 16);
        (sealed, tag)
    }

    /// A vault as the application writes it, with little scrypt work.
    fn vault(passphrase: &str, n: u64) -> String {
        let mut key = [0; 32];
        scrypt::scrypt(passphrase.as_bytes(), &[7; 32], &scrypt::Params::new(4, 8, 1).unwrap(), &mut key)
            .unwrap();
        let (master_sealed, master_tag) = gcm(&key, 1, &[9; 32]);
        let (db, tag) = gcm(&[9; 32], 2, ENTRIES.as_bytes());
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        format!(
            r#"{{"version":1,"header":{{"slots":[{{"type":2,"uuid":"b"}},{{"type":1,"uuid":"a","key":"{}","key_params":{{"nonce":"{}","tag":"{}"}},"n":{n},"r":8,"p":1,"salt":"{}"}}],"params":{{"nonce":"{}","tag":"{}"}}}},"db":"{}"}}"#,
            hex(&master_sealed),
            hex(&[1; 12]),
            hex(&master_tag),
            hex(&[7; 32]),
            hex(&[2; 12]),
            hex(&tag),
            BASE64.encode(&db),
        )
    }

    fn backup(passphrase: &str) -> String {
        let mut key = [0; 32];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(passphrase.as_bytes(), &[5; 256], TWO_FAS_ROUNDS, &mut key);
        let (mut sealed, tag) = gcm(&key, 3, SERVICES.as_bytes());
        sealed.extend(tag);
        let parts = [&sealed[..], &[5; 256], &[3; 12]].map(|part| BASE64.encode(part));
        format!(
            r#"{{"services":[],"servicesEncrypted":"{}","schemaVersion":4,"groups":[]}}"#,
            parts.join(":")
        )
    }

    #[test]
    fn backups_open_with_their_passphrase_and_no_other() {
        for (text, format) in
            [(vault("blue horse", 16), Format::Aegis), (backup("blue horse"), Format::TwoFas)]
        {
            assert_eq!(sealed(text.as_bytes()), Some((format, OpensWith::Passphrase)));
            assert_eq!(parse(text.as_bytes(), None).unwrap_err(), FileError::Sealed { format });
            let plain = unseal(text.as_bytes(), &FileSecret::passphrase("blue horse")).unwrap();
            assert_eq!(sealed(&plain), None);
            let parsed = parse(&plain, None).unwrap();
            assert_eq!(parsed.format, format);
            assert_eq!(parsed.lines[0].seed.expose(), b"12345678901234567890");
            let error = unseal(text.as_bytes(), &FileSecret::passphrase("blue house")).unwrap_err();
            assert_eq!(error, UnsealError::Wrong);
        }
    }

    #[test]
    fn a_changed_content_is_told_from_a_wrong_passphrase() {
        let text = vault("blue horse", 16);
        let at = text.find("\"db\":\"").unwrap() + 6;
        let changed = if &text[at..=at] == "A" { "B" } else { "A" };
        let text = format!("{}{changed}{}", &text[..at], &text[at + 1..]);
        let error = unseal(text.as_bytes(), &FileSecret::passphrase("blue horse")).unwrap_err();
        assert_eq!(error, UnsealError::Changed { entry: 1 });
    }

    #[test]
    fn the_work_a_vault_can_ask_for_is_bounded() {
        for n in [1 << 40, 1 << 18, u64::MAX] {
            let error = unseal(vault("x", n).as_bytes(), &FileSecret::passphrase("x")).unwrap_err();
            assert!(matches!(error, UnsealError::TooMuchWork { .. }), "{n}: {error}");
        }
        let error = unseal(vault("x", 1000).as_bytes(), &FileSecret::passphrase("x")).unwrap_err();
        assert_eq!(error, UnsealError::Description { what: "scrypt" });
    }

    #[test]
    fn a_vault_without_a_passphrase_says_so() {
        let text = vault("x", 16).replace("\"type\":1", "\"type\":0");
        let error = unseal(text.as_bytes(), &FileSecret::passphrase("x")).unwrap_err();
        assert_eq!(error, UnsealError::NoPassphrase);
    }
}
