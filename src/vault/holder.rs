//! The files by which people open a vault: each holds the same data key, encrypted to one person or key in the age
//! format (age-encryption.org/v1), so that any age tool can rescue a vault whose station is lost.
//!
//! All of this runs in the client, where the person and the private key are. The server stores the files and never
//! opens one.

use super::DataKey;
use crate::remedy::{Remedy, Retry};
use age::{Callbacks, secrecy::SecretString};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    io::Read,
    sync::{Arc, Mutex},
};
use zeroize::Zeroizing;

/// How the data key is wrapped for a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HolderKind {
    /// A passphrase, stretched by scrypt.
    Passphrase,
    /// An age key (X25519).
    Age,
    /// An SSH key (RSA or Ed25519).
    Ssh,
}

impl HolderKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Passphrase, Self::Age, Self::Ssh];

    /// One lower-case word, the same on screen, in JSON and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::Age => "age",
            Self::Ssh => "ssh",
        }
    }

    /// The kind that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for HolderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What it costs to try one passphrase: scrypt with N = 2^this, r = 8, p = 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// About a second and 256 MiB on a present machine; what age tools choose.
    pub const DEFAULT: Self = Self(18);
    /// The most that is worked through when a file is opened (1 GiB); a file that asks for more is refused.
    pub const MOST: Self = Self(20);

    /// N = 2^`log_n`, if that is 1 to [`WorkFactor::MOST`]. Below 15 is for tests.
    pub fn new(log_n: u8) -> Option<Self> {
        (1..=Self::MOST.0).contains(&log_n).then_some(Self(log_n))
    }
}

/// Why a holder's file can't be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// The passphrase does not open the file.
    #[error("the passphrase does not open the vault")]
    WrongPassphrase,
    /// The file is for another key, or for a passphrase.
    #[error("this key is not the holder's")]
    OtherKey,
    /// The file asks for more scrypt than is allowed.
    #[error("the holder's file asks for scrypt work 2^{required}; at most 2^{most} is done", most = WorkFactor::MOST.0)]
    TooMuchWork {
        /// The work factor's logarithm.
        required: u8,
    },
    /// The file is no age file, or its bytes were changed.
    #[error("the holder's file is damaged: {0}")]
    Damaged(String),
    /// It opened, and what is in it is not a data key.
    #[error("the holder's file opens, but does not hold a data key")]
    NotADataKey,
    /// The text is no age recipient and no SSH public key that can be used.
    #[error("that is not a public key a holder can have: {0}")]
    BadRecipient(String),
    /// The file is no age identity and no SSH private key that can be used.
    #[error("that is not a private key that can open a vault: {0}")]
    BadKeyFile(String),
    /// The SSH private key has a passphrase, and none was given.
    #[error("the SSH private key is protected by a passphrase, and none was given")]
    KeyPassphraseMissing,
    /// The SSH private key has another passphrase.
    #[error("the passphrase does not open the SSH private key")]
    WrongKeyPassphrase,
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
}

impl Remedy for HolderError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::WrongPassphrase => "type the passphrase again; check the keyboard layout and caps lock",
            Self::OtherKey => "name the holder whose key this is; \"kiln holder list\" shows them",
            Self::TooMuchWork { .. } | Self::Damaged(_) | Self::NotADataKey => {
                "open the vault as another holder, then remove this one and add it again"
            }
            Self::BadRecipient(_) => "give an age recipient (age1…) or an ssh-ed25519 or ssh-rsa public key",
            Self::BadKeyFile(_) => {
                "give an age identity file or an Ed25519 or RSA private key in OpenSSH's format (ssh-keygen -p -f KEY)"
            }
            Self::KeyPassphraseMissing => "run it in a terminal, where the key's passphrase can be asked for",
            Self::WrongKeyPassphrase => "type the SSH key's own passphrase again",
            Self::EmptyPassphrase => "choose a passphrase of several words",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::TooMuchWork { .. } | Self::Damaged(_) | Self::NotADataKey => Retry::Never,
            Self::WrongPassphrase
            | Self::OtherKey
            | Self::BadRecipient(_)
            | Self::BadKeyFile(_)
            | Self::KeyPassphraseMissing
            | Self::WrongKeyPassphrase
            | Self::EmptyPassphrase => Retry::AfterOperator,
        }
    }
}

/// Whom a data key is wrapped for.
pub struct Recipient(To);

enum To {
    Passphrase(SecretString, WorkFactor),
    Age(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
}

impl Recipient {
    /// Whoever knows the passphrase.
    pub fn passphrase(passphrase: Zeroizing<String>, work: WorkFactor) -> Result<Self, HolderError> {
        Ok(Self(To::Passphrase(secret(passphrase)?, work)))
    }

    /// Whoever has the private half of this public key: `age1…`, or a line as in `id_ed25519.pub`.
    pub fn public_key(text: &str) -> Result<Self, HolderError> {
        use age::ssh::ParseRecipientKeyError as E;
        let text = text.trim();
        if text.starts_with("age1") {
            let key = text.parse().map_err(|why: &str| HolderError::BadRecipient(why.to_owned()))?;
            return Ok(Self(To::Age(key)));
        }
        match text.parse() {
            Ok(key) => Ok(Self(To::Ssh(key))),
            Err(why) => Err(HolderError::BadRecipient(match why {
                E::RsaModulusTooLarge => "the RSA key is too long".to_owned(),
                E::RsaModulusTooSmall => "the RSA key is shorter than 2048 bits".to_owned(),
                E::Unsupported(kind) => format!("keys of type {kind} can't encrypt"),
                _ if text.contains("PRIVATE KEY") || text.starts_with("AGE-SECRET-KEY-") => {
                    "it is the private half".to_owned()
                }
                _ => "it is neither an age recipient nor an SSH public key".to_owned(),
            })),
        }
    }

    /// Of which kind the holder is.
    pub fn kind(&self) -> HolderKind {
        match self.0 {
            To::Passphrase(..) => HolderKind::Passphrase,
            To::Age(_) => HolderKind::Age,
            To::Ssh(_) => HolderKind::Ssh,
        }
    }

    /// The public key as age takes it, for an age file that is no holder's; `None` for a passphrase.
    pub fn as_age(&self) -> Option<&dyn age::Recipient> {
        match &self.0 {
            To::Passphrase(..) => None,
            To::Age(key) => Some(key),
            To::Ssh(key) => Some(key),
        }
    }

    /// The public key as text, without its comment; `None` for a passphrase.
    pub fn text(&self) -> Option<String> {
        match &self.0 {
            To::Passphrase(..) => None,
            To::Age(key) => Some(key.to_string()),
            To::Ssh(key) => Some(key.to_string()),
        }
    }
}

/// Asks a person for the passphrase of a private key; `None` if nobody is there to ask.
pub type AskPassphrase = Arc<dyn Fn() -> Option<Zeroizing<String>> + Send + Sync>;

/// What opens a holder's file.
pub struct Identity(By);

enum By {
    Passphrase(SecretString),
    Age(Vec<age::x25519::Identity>),
    Ssh(Box<age::ssh::Identity>, AskPassphrase),
}

impl Identity {
    /// The passphrase.
    pub fn passphrase(passphrase: Zeroizing<String>) -> Result<Self, HolderError> {
        Ok(Self(By::Passphrase(secret(passphrase)?)))
    }

    /// A private key, from the bytes of its file: an age identity file (every identity in it is tried) or an SSH
    /// private key. `ask` is called, once at most, if the SSH key has a passphrase.
    pub fn key_file(bytes: &[u8], ask: AskPassphrase) -> Result<Self, HolderError> {
        let bad = |why: &str| HolderError::BadKeyFile(why.to_owned());
        let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not text"))?;
        if text.contains("PRIVATE KEY-----") {
            return match age::ssh::Identity::from_buffer(bytes, None) {
                Ok(age::ssh::Identity::Unsupported(key)) => Err(HolderError::BadKeyFile(match key {
                    age::ssh::UnsupportedKey::EncryptedPem => {
                        "its passphrase protects it in the old PEM way".into()
                    }
                    age::ssh::UnsupportedKey::EncryptedSsh(cipher) => {
                        format!("it is protected with {cipher}")
                    }
                    age::ssh::UnsupportedKey::Hardware(kind) => {
                        format!("{kind} keys in hardware can't decrypt")
                    }
                    age::ssh::UnsupportedKey::Type(kind) => format!("keys of type {kind} can't decrypt"),
                })),
                Ok(key) => Ok(Self(By::Ssh(Box::new(key), ask))),
                Err(_) => Err(bad("it is not an SSH private key of a known form")),
            };
        }
        let mut keys = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            keys.push(line.parse().map_err(bad)?);
        }
        if keys.is_empty() { Err(bad("there is no key in it")) } else { Ok(Self(By::Age(keys))) }
    }
}

impl Identity {
    /// Lends the private keys, as age takes them, for an age file that is no holder's. A passphrase is none of them.
    pub fn with_age<T>(&self, open: impl FnOnce(&[&dyn age::Identity]) -> T) -> T {
        match &self.0 {
            By::Passphrase(_) => open(&[]),
            By::Age(identities) => open(&identities.iter().map(|one| one as _).collect::<Vec<_>>()),
            By::Ssh(key, ask) => {
                let asked = AskOnce { ask: Arc::clone(ask), answer: Arc::default() };
                open(&[&(**key).clone().with_callbacks(asked)])
            }
        }
    }
}

/// Wraps `key` for `to`. The result is a binary age file; wrapping for a passphrase takes as long as its work factor
/// says.
pub fn wrap(key: &DataKey, to: &Recipient) -> Result<Vec<u8>, HolderError> {
    let done = match &to.0 {
        To::Passphrase(passphrase, work) => {
            let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
            recipient.set_work_factor(work.0);
            age::encrypt(&recipient, key.expose())
        }
        To::Age(recipient) => age::encrypt(recipient, key.expose()),
        To::Ssh(recipient) => age::encrypt(recipient, key.expose()),
    };
    done.map_err(|why| HolderError::Damaged(why.to_string()))
}

/// Opens a holder's file. Takes as long as the file's work factor says, up to [`WorkFactor::MOST`]. Whether the key is
/// the store's is for [`DataKey::fits`] to say.
pub fn open(file: &[u8], with: &Identity) -> Result<DataKey, HolderError> {
    match &with.0 {
        By::Passphrase(passphrase) => {
            let mut identity = age::scrypt::Identity::new(passphrase.clone());
            identity.set_max_work_factor(WorkFactor::MOST.0);
            decrypt(file, &[&identity]).map_err(|why| match why {
                age::DecryptError::DecryptionFailed => HolderError::WrongPassphrase,
                other => opened_badly(other),
            })
        }
        By::Age(_) => with.with_age(|keys| decrypt(file, keys)).map_err(opened_badly),
        By::Ssh(key, ask) => {
            let asked = AskOnce { ask: Arc::clone(ask), answer: Arc::default() };
            let identity = (**key).clone().with_callbacks(asked.clone());
            decrypt(file, &[&identity]).map_err(|why| match why {
                age::DecryptError::NoMatchingKeys if asked.was_left_unanswered() => {
                    HolderError::KeyPassphraseMissing
                }
                other => opened_badly(other),
            })
        }
    }?
    .ok_or(HolderError::NotADataKey)
}

fn opened_badly(why: age::DecryptError) -> HolderError {
    match why {
        age::DecryptError::NoMatchingKeys => HolderError::OtherKey,
        age::DecryptError::KeyDecryptionFailed => HolderError::WrongKeyPassphrase,
        age::DecryptError::ExcessiveWork { required, .. } => HolderError::TooMuchWork { required },
        other => HolderError::Damaged(other.to_string()),
    }
}

fn decrypt(file: &[u8], with: &[&dyn age::Identity]) -> Result<Option<DataKey>, age::DecryptError> {
    let mut reader = age::Decryptor::new_buffered(file)?.decrypt(with.iter().copied())?;
    let mut plain = Zeroizing::new(Vec::with_capacity(DataKey::BYTES + 1));
    // One byte more than a key has shows that there is too much, without reading a file of any length.
    reader.by_ref().take(DataKey::BYTES as u64 + 1).read_to_end(&mut plain)?;
    Ok(DataKey::from_bytes(&plain))
}

fn secret(mut passphrase: Zeroizing<String>) -> Result<SecretString, HolderError> {
    if passphrase.is_empty() {
        return Err(HolderError::EmptyPassphrase);
    }
    Ok(SecretString::from(std::mem::take(&mut *passphrase)))
}

/// age asks again for each stanza of a file, of which some are only noise; a person is asked once.
#[derive(Clone)]
struct AskOnce {
    ask: AskPassphrase,
    answer: Arc<Mutex<Option<Option<SecretString>>>>,
}

impl AskOnce {
    fn was_left_unanswered(&self) -> bool {
        matches!(*self.answer.lock().unwrap_or_else(|poisoned| poisoned.into_inner()), Some(None))
    }
}

impl Callbacks for AskOnce {
    fn display_message(&self, _: &str) {}

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn request_public_string(&self, _: &str) -> Option<String> {
        None
    }

    fn request_passphrase(&self, _: &str) -> Option<SecretString> {
        let mut answer = self.answer.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        answer
            .get_or_insert_with(|| {
                (self.ask)().map(|mut text| SecretString::from(std::mem::take(&mut *text)))
            })
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const PLAIN: &[u8] = include_bytes!("../../tests/vectors/holder-keys/plain");
    const PLAIN_PUB: &str = include_str!("../../tests/vectors/holder-keys/plain.pub");
    const LOCKED: &[u8] = include_bytes!("../../tests/vectors/holder-keys/locked");
    const LOCKED_PUB: &str = include_str!("../../tests/vectors/holder-keys/locked.pub");
    const ECDSA: &[u8] = include_bytes!("../../tests/vectors/holder-keys/ecdsa");

    fn key() -> DataKey {
        DataKey::from_bytes(&[7; 32]).unwrap()
    }

    fn text(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    fn by_passphrase(passphrase: &str) -> Vec<u8> {
        let work = WorkFactor::new(2).unwrap();
        wrap(&key(), &Recipient::passphrase(text(passphrase), work).unwrap()).unwrap()
    }

    fn nobody() -> AskPassphrase {
        Arc::new(|| None)
    }

    fn answers(answer: &'static str, asked: &Arc<AtomicUsize>) -> AskPassphrase {
        let asked = Arc::clone(asked);
        Arc::new(move || {
            asked.fetch_add(1, Ordering::Relaxed);
            Some(text(answer))
        })
    }

    fn why(result: Result<DataKey, HolderError>) -> HolderError {
        result.expect_err("it must not open")
    }

    #[test]
    fn the_right_passphrase_opens_and_a_wrong_one_says_so() {
        let file = by_passphrase("correct horse");
        let opened = open(&file, &Identity::passphrase(text("correct horse")).unwrap()).unwrap();
        assert_eq!(opened.expose(), key().expose());
        let wrong = open(&file, &Identity::passphrase(text("correct  horse")).unwrap());
        assert!(matches!(why(wrong), HolderError::WrongPassphrase));
    }

    #[test]
    fn an_empty_passphrase_is_refused() {
        assert!(matches!(
            Recipient::passphrase(text(""), WorkFactor::DEFAULT),
            Err(HolderError::EmptyPassphrase)
        ));
        assert!(matches!(Identity::passphrase(text("")), Err(HolderError::EmptyPassphrase)));
    }

    #[test]
    fn a_file_that_asks_for_too_much_work_is_refused_before_it_is_done() {
        let file = by_passphrase("correct horse");
        let end = file.windows(2).position(|pair| pair == b"2\n").unwrap();
        let file = [&file[..end], b"21\n", &file[end + 2..]].concat();
        let refused = open(&file, &Identity::passphrase(text("correct horse")).unwrap());
        assert!(matches!(why(refused), HolderError::TooMuchWork { required: 21 }));
        assert!(WorkFactor::new(0).is_none() && WorkFactor::new(21).is_none());
    }

    #[test]
    fn an_age_key_opens_its_own_file_only() {
        let (mine, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let to = Recipient::public_key(&mine.to_public().to_string()).unwrap();
        assert_eq!(to.kind(), HolderKind::Age);
        let file = wrap(&key(), &to).unwrap();
        let identity = |one: &age::x25519::Identity| {
            use age::secrecy::ExposeSecret;
            let file = format!("# created: some day\n{}\n", one.to_string().expose_secret());
            Identity::key_file(file.as_bytes(), nobody()).unwrap()
        };
        assert_eq!(open(&file, &identity(&mine)).unwrap().expose(), key().expose());
        assert!(matches!(why(open(&file, &identity(&other))), HolderError::OtherKey));
        let passphrase = Identity::passphrase(text("x")).unwrap();
        assert!(matches!(why(open(&file, &passphrase)), HolderError::OtherKey));
    }

    #[test]
    fn an_ssh_key_opens_its_file_without_asking() {
        let to = Recipient::public_key(PLAIN_PUB).unwrap();
        assert_eq!(to.kind(), HolderKind::Ssh);
        assert_eq!(to.text().unwrap(), PLAIN_PUB.trim().trim_end_matches(" kiln-test"));
        let file = wrap(&key(), &to).unwrap();
        let opened = open(&file, &Identity::key_file(PLAIN, nobody()).unwrap()).unwrap();
        assert_eq!(opened.expose(), key().expose());
    }

    #[test]
    fn a_protected_ssh_key_asks_for_its_passphrase_once() {
        // age adds a stanza of noise to most files; of so many, some have it. In another key's file none fits, so that
        // every stanza is tried.
        let (mine, other) = (LOCKED_PUB, PLAIN_PUB);
        for to in [mine, other].into_iter().cycle().take(40) {
            let file = wrap(&key(), &Recipient::public_key(to).unwrap()).unwrap();
            let asked = Arc::new(AtomicUsize::new(0));
            let identity = Identity::key_file(LOCKED, answers("open sesame", &asked)).unwrap();
            assert_eq!(open(&file, &identity).is_ok(), to == mine);
            assert_eq!(asked.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn a_protected_ssh_key_with_no_or_a_wrong_passphrase_says_which() {
        let file = wrap(&key(), &Recipient::public_key(LOCKED_PUB).unwrap()).unwrap();
        let silent = Identity::key_file(LOCKED, nobody()).unwrap();
        assert!(matches!(why(open(&file, &silent)), HolderError::KeyPassphraseMissing));
        let wrong = Identity::key_file(LOCKED, answers("sesame", &Arc::default())).unwrap();
        assert!(matches!(why(open(&file, &wrong)), HolderError::WrongKeyPassphrase));
        let other = wrap(&key(), &Recipient::public_key(PLAIN_PUB).unwrap()).unwrap();
        let right = Identity::key_file(LOCKED, answers("open sesame", &Arc::default())).unwrap();
        assert!(matches!(why(open(&other, &right)), HolderError::OtherKey));
    }

    #[test]
    fn what_is_no_usable_key_is_refused_with_the_reason() {
        let bad_file = |bytes: &[u8]| match Identity::key_file(bytes, nobody()) {
            Err(HolderError::BadKeyFile(why)) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was taken"),
        };
        assert!(bad_file(ECDSA).contains("ecdsa"), "{}", bad_file(ECDSA));
        assert_eq!(bad_file(b"# nothing\n"), "there is no key in it");
        assert_eq!(bad_file(&[0xFF, 0xFE]), "it is not text");
        bad_file(b"AGE-SECRET-KEY-1NOTAKEY");
        bad_file(PLAIN_PUB.as_bytes());
        for recipient in ["", "age1qqq", "ssh-dss AAAA", std::str::from_utf8(PLAIN).unwrap()] {
            assert!(
                matches!(Recipient::public_key(recipient), Err(HolderError::BadRecipient(_))),
                "{recipient}"
            );
        }
    }

    #[test]
    fn damaged_files_and_other_contents_are_told_apart() {
        let mine = age::x25519::Identity::generate();
        let identity = Identity(By::Age(vec![mine.clone()]));
        for plain in [&[1; 31][..], &[1; 33], b""] {
            let file = age::encrypt(&mine.to_public(), plain).unwrap();
            assert!(matches!(why(open(&file, &identity)), HolderError::NotADataKey), "{}", plain.len());
        }
        let file = wrap(&key(), &Recipient(To::Age(mine.to_public()))).unwrap();
        for cut in [0, 10, file.len() / 2, file.len() - 1] {
            assert!(matches!(why(open(&file[..cut], &identity)), HolderError::Damaged(_)), "{cut}");
        }
        let mut changed = file.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(why(open(&changed, &identity)), HolderError::Damaged(_)));
    }

    #[test]
    fn every_error_has_a_remedy() {
        for error in [
            HolderError::WrongPassphrase,
            HolderError::OtherKey,
            HolderError::TooMuchWork { required: 30 },
            HolderError::Damaged(String::new()),
            HolderError::NotADataKey,
            HolderError::BadRecipient(String::new()),
            HolderError::BadKeyFile(String::new()),
            HolderError::KeyPassphraseMissing,
            HolderError::WrongKeyPassphrase,
            HolderError::EmptyPassphrase,
        ] {
            assert!(error.remedy().len() > 10, "{error}");
        }
        assert!(HolderKind::ALL.into_iter().all(|kind| HolderKind::from_word(kind.word()) == Some(kind)));
    }
}
