//! Encrypted PSKC, RFC 6030 section 6: with a pre-shared key, or with one that PBKDF2 makes of a password. The plain
//! form is the same document, byte by byte, with each encrypted value replaced by the plain one.

use super::{
    super::{
        FileError, XmlFault, pskc,
        xml::{Document, Element},
    },
    FileSecret, OpensWith, UnsealError,
};
use aes::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit, consts::U16};
use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use quick_xml::{Reader, events::Event};
use zeroize::Zeroizing;

/// More rounds than any writer asks for; about ten seconds.
const MOST_ROUNDS: u64 = 10_000_000;

/// What stands before the packages.
#[derive(Default)]
struct Head {
    key: Option<Element>,
    mac: Option<Element>,
    /// Whether the first package's seed is encrypted.
    is_sealed: bool,
}

impl Head {
    fn read(text: &str) -> Result<Self, FileError> {
        let mut document = Document::new(text, &[]);
        let mut head = Self::default();
        while let Some(entry) = pskc::next(&mut document)? {
            if entry.is("EncryptionKey") {
                head.key = Some(entry);
            } else if entry.is("MACMethod") {
                head.mac = Some(entry);
            } else if entry.is("KeyPackage") {
                head.is_sealed |= entry.at(&["Key", "Data", "Secret", "EncryptedValue"]).is_some();
                // privacyIDEA puts its packages behind the method; what follows them is read where it is met.
                if head.key.is_some() && head.mac.is_some() {
                    break;
                }
            }
        }
        Ok(head)
    }
}

/// What opens the container; `None` where it is plain or no container.
pub(super) fn opens_with(text: &str) -> Option<OpensWith> {
    let head = Head::read(text).ok()?;
    match head.key {
        Some(key) if key.child("DerivedKey").is_some() => Some(OpensWith::Passphrase),
        Some(_) => Some(OpensWith::PreSharedKey),
        None => head.is_sealed.then_some(OpensWith::PreSharedKey),
    }
}

pub(super) fn unseal(text: &str, secret: &FileSecret) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let head = Head::read(text)?;
    let key = match head.key.as_ref().and_then(|key| key.child("DerivedKey")) {
        Some(derived) => derive(derived, secret)?,
        None => Zeroizing::new(secret.bytes().to_vec()),
    };
    let mac = MacMethod::new(head.mac.as_ref().ok_or(UnsealError::NoMac)?, &key)?;
    Plain::new(text, &key, &mac).write()
}

fn decoded(text: &str, what: &'static str) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let bytes: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
    BASE64.decode(&bytes).map(Zeroizing::new).map_err(|_| UnsealError::Description { what })
}

/// PBKDF2 as RFC 6030 section 6.2 has it; SHA-1 where nothing else is said.
fn derive(derived: &Element, secret: &FileSecret) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let damaged = |what| UnsealError::Description { what };
    let method = derived.child("KeyDerivationMethod").ok_or(damaged("KeyDerivationMethod"))?;
    if !method.attribute("Algorithm").to_ascii_lowercase().ends_with("pbkdf2") {
        return Err(UnsealError::Method { what: "key derivation" });
    }
    let parameters = method.child("PBKDF2-params").ok_or(damaged("PBKDF2-params"))?;
    let salt = decoded(parameters.text_at(&["Salt", "Specified"]), "salt")?;
    let number = |name, what| parameters.text_at(&[name]).parse::<u64>().map_err(|_| damaged(what));
    let rounds = number("IterationCount", "iteration count")?;
    let length = number("KeyLength", "key length")?;
    if rounds > MOST_ROUNDS {
        return Err(UnsealError::TooMuchWork { asked: rounds, most: MOST_ROUNDS });
    }
    let (Ok(rounds), 16 | 24 | 32) = (u32::try_from(rounds), length) else {
        return Err(damaged("key length"));
    };
    let mut key = Zeroizing::new(vec![0; usize::try_from(length).map_err(|_| damaged("key length"))?]);
    // The schema has an attribute; python-pskc writes a text.
    let prf = parameters.child("PRF").map_or("", |prf| match prf.attribute("Algorithm") {
        "" => prf.text(),
        algorithm => algorithm,
    });
    let password = secret.bytes();
    match Hash::named(prf) {
        _ if rounds == 0 => return Err(damaged("iteration count")),
        None if prf.is_empty() => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, &salt, rounds, &mut key),
        Some(Hash::Sha1) => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, &salt, rounds, &mut key),
        Some(Hash::Sha256) => pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, &salt, rounds, &mut key),
        Some(Hash::Sha384) => pbkdf2::pbkdf2_hmac::<sha2::Sha384>(password, &salt, rounds, &mut key),
        Some(Hash::Sha512) => pbkdf2::pbkdf2_hmac::<sha2::Sha512>(password, &salt, rounds, &mut key),
        None => return Err(UnsealError::Method { what: "key derivation" }),
    }
    Ok(key)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// By the end of the algorithm's identifier, since these come from several namespaces.
    fn named(uri: &str) -> Option<Self> {
        let name = uri.rsplit('#').next().unwrap_or(uri).to_ascii_lowercase();
        match name.as_str() {
            "hmac-sha1" => Some(Self::Sha1),
            "hmac-sha256" => Some(Self::Sha256),
            "hmac-sha384" => Some(Self::Sha384),
            "hmac-sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// What proves that a value is as it was written, and that the key is the right one.
struct MacMethod {
    hash: Hash,
    key: Zeroizing<Vec<u8>>,
}

impl MacMethod {
    fn new(method: &Element, key: &[u8]) -> Result<Self, UnsealError> {
        let hash = Hash::named(method.attribute("Algorithm")).ok_or(UnsealError::Method { what: "MAC" })?;
        let key = match method.child("MACKey") {
            // The MAC's key has no MAC of its own: a wrong one shows when the first value is checked.
            Some(mac_key) => Sealed::read(mac_key)?.decrypt(key)?.ok_or(UnsealError::Wrong)?,
            // Older files use the encryption key for both.
            None => Zeroizing::new(key.to_vec()),
        };
        Ok(Self { hash, key })
    }

    /// Over IV and ciphertext, in constant time.
    fn fits(&self, sealed: &Sealed, mac: &[u8]) -> bool {
        fn verified<M: Mac + hmac::KeyInit>(key: &[u8], data: &[u8], mac: &[u8]) -> bool {
            let Ok(mut computed) = <M as hmac::KeyInit>::new_from_slice(key) else { return false };
            computed.update(data);
            computed.verify_slice(mac).is_ok()
        }
        match self.hash {
            Hash::Sha1 => verified::<Hmac<sha1::Sha1>>(&self.key, &sealed.data, mac),
            Hash::Sha256 => verified::<Hmac<sha2::Sha256>>(&self.key, &sealed.data, mac),
            Hash::Sha384 => verified::<Hmac<sha2::Sha384>>(&self.key, &sealed.data, mac),
            Hash::Sha512 => verified::<Hmac<sha2::Sha512>>(&self.key, &sealed.data, mac),
        }
    }
}

/// An encrypted value: IV and ciphertext.
struct Sealed {
    key_len_bytes: usize,
    data: Zeroizing<Vec<u8>>,
}

impl Sealed {
    fn read(value: &Element) -> Result<Self, UnsealError> {
        let method = value.child("EncryptionMethod").map_or("", |method| method.attribute("Algorithm"));
        let name = method.rsplit('#').next().unwrap_or(method).to_ascii_lowercase();
        let key_len_bytes = match name.as_str() {
            "aes128-cbc" => 16,
            "aes192-cbc" => 24,
            "aes256-cbc" => 32,
            _ => return Err(UnsealError::Method { what: "cipher" }),
        };
        let data = decoded(value.text_at(&["CipherData", "CipherValue"]), "cipher value")?;
        if data.len() < 32 || !data.len().is_multiple_of(16) {
            return Err(UnsealError::Description { what: "cipher value" });
        }
        Ok(Self { key_len_bytes, data })
    }

    /// The plain value; `None`: its padding is none. XML Encryption looks at the last byte alone, and so do we.
    fn decrypt(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, UnsealError> {
        if key.len() != self.key_len_bytes {
            return Err(UnsealError::Wrong);
        }
        let mut plain = match self.key_len_bytes {
            16 => cbc::<aes::Aes128>(key, &self.data),
            24 => cbc::<aes::Aes192>(key, &self.data),
            _ => cbc::<aes::Aes256>(key, &self.data),
        }?;
        let padding = usize::from(plain.last().copied().unwrap_or(0));
        if !(1..=16).contains(&padding) || padding > plain.len() {
            return Ok(None);
        }
        let length = plain.len() - padding;
        plain.truncate(length);
        Ok(Some(plain))
    }
}

fn cbc<C>(key: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError>
where
    C: BlockCipherDecrypt + KeyInit + aes::cipher::BlockSizeUser<BlockSize = U16>,
    cbc::Decryptor<C>: KeyIvInit + BlockModeDecrypt<BlockSize = U16>,
{
    let (iv, sealed) = data.split_at(16);
    let mut cipher = cbc::Decryptor::<C>::new_from_slices(key, iv)
        .map_err(|_| UnsealError::Description { what: "key" })?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    for block in plain.as_chunks_mut::<16>().0 {
        cipher.decrypt_block(block.into());
    }
    Ok(plain)
}

/// The values that can be encrypted, by their elements' names.
const VALUES: [&str; 5] = ["Secret", "Counter", "Time", "TimeInterval", "TimeDrift"];

/// The plain document being written.
struct Plain<'a> {
    text: &'a str,
    key: &'a [u8],
    mac: &'a MacMethod,
    written: Zeroizing<Vec<u8>>,
    /// Up to where the document was copied or left out.
    done: usize,
    entry: u32,
    first_bad: Option<u32>,
    good: u32,
}

impl<'a> Plain<'a> {
    fn new(text: &'a str, key: &'a [u8], mac: &'a MacMethod) -> Self {
        // A plain value is shorter than the encrypted one, its IV and its MAC, so this never grows.
        let written = Zeroizing::new(Vec::with_capacity(text.len()));
        Self { text, key, mac, written, done: 0, entry: 0, first_bad: None, good: 0 }
    }

    fn write(mut self) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        // Well-formed throughout, which the reader of the plain form would find too late.
        let mut check = Document::new(self.text, &[]);
        while check.next_entry().map_err(FileError::Xml)?.is_some() {}
        let mut reader = Reader::from_str(self.text);
        let mut sealed: Option<(Sealed, &str)> = None;
        let mut mac: Option<Zeroizing<Vec<u8>>> = None;
        loop {
            let before = position(&reader);
            let event = reader.read_event().map_err(|_| broken())?;
            match &event {
                Event::Eof => break,
                Event::Start(tag) => {
                    let name = tag.local_name().into_inner().to_ascii_lowercase();
                    match name.as_str() {
                        "keypackage" => self.entry += 1,
                        "encryptionkey" | "macmethod" | "encryptedvalue" | "valuemac" => {
                            let prefix = tag.name().prefix().map_or("", |prefix| prefix.into_inner());
                            let prefix = &self.text[before + 1..before + 1 + prefix.len()];
                            reader.read_to_end(tag.name()).map_err(|_| broken())?;
                            let piece = self.leave_out(before, position(&reader));
                            if name == "encryptedvalue" {
                                sealed = Some((Sealed::read(&fragment(piece)?)?, prefix));
                            } else if name == "valuemac" {
                                mac = Some(decoded(fragment(piece)?.text(), "ValueMAC")?);
                            }
                        }
                        _ => {}
                    }
                }
                Event::Empty(tag) if tag.local_name().into_inner().eq_ignore_ascii_case("EncryptionKey") => {
                    self.leave_out(before, position(&reader));
                }
                Event::End(tag) => {
                    let name = tag.local_name().into_inner();
                    let Some(name) = VALUES.iter().find(|value| name.eq_ignore_ascii_case(value)) else {
                        continue;
                    };
                    if let Some((value, prefix)) = sealed.take() {
                        let mac = mac.take().ok_or(UnsealError::NoMac)?;
                        self.value(name, &value, &mac, prefix, before)?;
                    }
                }
                _ => {}
            }
        }
        match self.first_bad {
            Some(entry) if self.good > 0 => Err(UnsealError::Changed { entry }),
            Some(_) => Err(UnsealError::Wrong),
            None => {
                self.copy_to(self.text.len());
                Ok(self.written)
            }
        }
    }

    fn copy_to(&mut self, end: usize) {
        self.written.extend_from_slice(&self.text.as_bytes()[self.done..end]);
        self.done = end;
    }

    fn leave_out(&mut self, from: usize, to: usize) -> &'a str {
        self.copy_to(from);
        self.done = to;
        &self.text[from..to]
    }

    /// Writes a value that is whole, just before its element ends.
    fn value(
        &mut self,
        name: &str,
        sealed: &Sealed,
        mac: &[u8],
        prefix: &str,
        end: usize,
    ) -> Result<(), UnsealError> {
        if !self.mac.fits(sealed, mac) {
            self.first_bad.get_or_insert(self.entry);
            return Ok(());
        }
        self.good += 1;
        let plain = sealed.decrypt(self.key)?.ok_or(UnsealError::Changed { entry: self.entry })?;
        let text = if name == "Secret" { Zeroizing::new(BASE64.encode(&plain)) } else { number(&plain)? };
        self.copy_to(end);
        let colon = if prefix.is_empty() { "" } else { ":" };
        for piece in ["<", prefix, colon, "PlainValue>", &text, "</", prefix, colon, "PlainValue>"] {
            self.written.extend_from_slice(piece.as_bytes());
        }
        Ok(())
    }
}

/// A number as it is encrypted: 4 or 8 bytes, the highest first (RFC 6030 section 4.2), or its digits.
fn number(plain: &[u8]) -> Result<Zeroizing<String>, UnsealError> {
    let damaged = UnsealError::Description { what: "counter or time" };
    if let Ok(bytes) = <[u8; 8]>::try_from(plain) {
        return Ok(Zeroizing::new(u64::from_be_bytes(bytes).to_string()));
    }
    if let Ok(bytes) = <[u8; 4]>::try_from(plain) {
        return Ok(Zeroizing::new(u32::from_be_bytes(bytes).to_string()));
    }
    let digits = std::str::from_utf8(plain).map_err(|_| damaged.clone())?;
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number { Ok(Zeroizing::new(digits.to_owned())) } else { Err(damaged) }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn broken() -> UnsealError {
    UnsealError::File(FileError::Xml(XmlFault::Form))
}

/// One element of the document, on its own.
fn fragment(text: &str) -> Result<Element, UnsealError> {
    let wrapped = Zeroizing::new(["<f>", text, "</f>"].concat());
    let mut document = Document::new(&wrapped, &[]);
    document.next_entry().map_err(FileError::Xml)?.ok_or_else(broken)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::parse, sealed, unseal},
        *,
    };
    use crate::domain::seed_text;
    use serde_json::Value as Json;

    fn vector(name: &str) -> Json {
        let vectors: Json =
            serde_json::from_str(include_str!("../../../tests/vectors/seed-files.json")).unwrap();
        vectors[name].clone()
    }

    fn document(name: &str) -> String {
        vector(name)["document"].as_str().unwrap().to_owned()
    }

    fn secret(name: &str) -> FileSecret {
        let vector = vector(name);
        match vector["password"].as_str() {
            Some(password) => FileSecret::passphrase(password),
            None => FileSecret::key(vector["key"].as_str().unwrap()).unwrap(),
        }
    }

    const BOTH: [(&str, OpensWith); 2] =
        [("pskc_preshared", OpensWith::PreSharedKey), ("pskc_password", OpensWith::Passphrase)];

    #[test]
    fn the_vectors_open_with_their_secrets_and_no_others() {
        for (name, with) in BOTH {
            let text = document(name);
            assert_eq!(sealed(text.as_bytes()), Some((crate::formats::Format::Pskc, with)));
            let plain = unseal(text.as_bytes(), &secret(name)).unwrap();
            assert_eq!(sealed(&plain), None);
            let parsed = parse(&plain, None).unwrap();
            assert_eq!((parsed.lines.len(), &parsed.bad[..]), (1, &[][..]));
            assert_eq!(*seed_text::hex(&parsed.lines[0].seed), vector(name)["secret"].as_str().unwrap());
            for other in [FileSecret::passphrase("other"), FileSecret::key(&"ab".repeat(16)).unwrap()] {
                assert_eq!(unseal(text.as_bytes(), &other).unwrap_err(), UnsealError::Wrong, "{name}");
            }
        }
    }

    #[test]
    fn prefixes_stay_as_they_are() {
        let text = document("pskc_preshared");
        let prefixed = text
            .replace("</ds:", "\u{1}")
            .replace("</xenc:", "\u{2}")
            .replace("</", "</pskc:")
            .replace("<ds:", "\u{3}")
            .replace("<xenc:", "\u{4}")
            .replace("<?", "\u{5}")
            .replace("</", "\u{6}")
            .replace('<', "<pskc:")
            .replace('\u{6}', "</")
            .replace('\u{5}', "<?")
            .replace('\u{4}', "<xenc:")
            .replace('\u{3}', "<ds:")
            .replace('\u{2}', "</xenc:")
            .replace('\u{1}', "</ds:")
            .replace("xmlns=", "xmlns:pskc=");
        assert!(prefixed.contains("<pskc:EncryptedValue>"), "{prefixed}");
        let plain = unseal(prefixed.as_bytes(), &secret("pskc_preshared")).unwrap();
        assert!(std::str::from_utf8(&plain).unwrap().contains("<pskc:PlainValue>"));
        assert_eq!(parse(&plain, None).unwrap().lines[0].seed.expose(), b"12345678901234567890");
    }

    /// One entry's value is flipped: the MAC must notice before anything is decrypted.
    #[test]
    fn a_changed_value_is_noticed_and_its_entry_named() {
        let text = document("pskc_preshared");
        let start = text.find("  <KeyPackage>").unwrap();
        let end = text.find("</KeyContainer>").unwrap();
        let package = &text[start..end];
        let changed = package.replace("AAECAwQFBgcICQoLDA0OD+cIHItl", "AAECAwQFBgcICQoLDA0OD+cIHItm");
        assert_ne!(package, changed);
        let two = format!("{}{package}{changed}{}", &text[..start], &text[end..]);
        let error = unseal(two.as_bytes(), &secret("pskc_preshared")).unwrap_err();
        assert_eq!(error, UnsealError::Changed { entry: 2 });
        let all = format!("{}{changed}{}", &text[..start], &text[end..]);
        assert_eq!(unseal(all.as_bytes(), &secret("pskc_preshared")).unwrap_err(), UnsealError::Wrong);
    }

    #[test]
    fn without_a_mac_nothing_is_decrypted() {
        let text = document("pskc_preshared");
        let no_value_mac = text.replace("<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>", "");
        let (from, to) = (text.find("<MACMethod").unwrap(), text.find("</MACMethod>").unwrap() + 12);
        let no_method = format!("{}{}", &text[..from], &text[to..]);
        for text in [no_value_mac, no_method] {
            assert_eq!(unseal(text.as_bytes(), &secret("pskc_preshared")).unwrap_err(), UnsealError::NoMac);
        }
    }

    #[test]
    fn the_work_a_container_can_ask_for_is_bounded() {
        let text = document("pskc_password");
        for (from, to, error) in [
            (
                ">20000<",
                ">20000000000<",
                UnsealError::TooMuchWork { asked: 20_000_000_000, most: MOST_ROUNDS },
            ),
            (">20000<", ">0<", UnsealError::Description { what: "iteration count" }),
            (">16<", ">17<", UnsealError::Description { what: "key length" }),
            ("#pbkdf2\"", "#scrypt\"", UnsealError::Method { what: "key derivation" }),
            ("xmlenc#aes128-cbc", "xmlenc#tripledes-cbc", UnsealError::Method { what: "cipher" }),
            ("xmldsig#hmac-sha1", "xmldsig#hmac-md5", UnsealError::Method { what: "MAC" }),
            ("obLD1OX2Bxg=", "?", UnsealError::Description { what: "salt" }),
        ] {
            assert!(text.contains(from), "{from}");
            let changed = text.replace(from, to);
            assert_eq!(unseal(changed.as_bytes(), &secret("pskc_password")).unwrap_err(), error);
        }
    }

    #[test]
    fn encrypted_numbers_are_read_as_the_standard_writes_them() {
        assert_eq!(*number(&[0, 0, 0, 0, 0, 0, 1, 2]).unwrap(), "258");
        assert_eq!(*number(&[0, 0, 0, 60]).unwrap(), "60");
        assert_eq!(*number(b"30").unwrap(), "30");
        assert!(number(b"").is_err() && number(b"x1").is_err());
    }
}
