//! Encrypts a PSKC container that [`out`](super::super::out) wrote: RFC 6030 section 6, by a pre-shared key or by one
//! that PBKDF2 makes of a password. The client does this, where the person and the passphrase are.

use super::FileSecret;
use crate::remedy::{Remedy, Retry};
use aes::cipher::{BlockCipherEncrypt, BlockModeEncrypt, KeyInit, KeyIvInit, consts::U16};
use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use zeroize::Zeroizing;

/// What a container is encrypted with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cipher {
    /// AES-256-CBC, HMAC-SHA256, PBKDF2 with HMAC-SHA256.
    #[default]
    Strong,
    /// AES-128-CBC, HMAC-SHA1, PBKDF2 with HMAC-SHA1: all that privacyIDEA's importer knows (release 3.14), and what the
    /// standard's own examples use.
    Old,
}

/// Rounds of PBKDF2 by default: what OWASP's cheat sheet on password storage (2023) asks for with each hash.
const ROUNDS: [(Cipher, u32); 2] = [(Cipher::Strong, 600_000), (Cipher::Old, 1_300_000)];

impl Cipher {
    /// Rounds of PBKDF2 that a password is worth.
    pub fn rounds(self) -> u32 {
        ROUNDS.into_iter().find(|(cipher, _)| *cipher == self).map_or(0, |(_, rounds)| rounds)
    }

    fn key_len_bytes(self) -> usize {
        match self {
            Self::Strong => 32,
            Self::Old => 16,
        }
    }

    fn mac_uri(self) -> &'static str {
        match self {
            Self::Strong => "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
            Self::Old => "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        }
    }

    fn mac(self, key: &[u8], data: &[u8]) -> String {
        fn computed<M: Mac + hmac::KeyInit>(key: &[u8], data: &[u8]) -> String {
            let mut mac = <M as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
            mac.update(data);
            BASE64.encode(&mac.finalize().into_bytes())
        }
        match self {
            Self::Strong => computed::<Hmac<sha2::Sha256>>(key, data),
            Self::Old => computed::<Hmac<sha1::Sha1>>(key, data),
        }
    }
}

/// What a container can't be encrypted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is none, or nothing in it is plain.
    #[error("there are no plain seeds in it that could be encrypted")]
    NotPlain,
    /// A key of a length that the cipher doesn't have.
    #[error("a key of {given} bytes was given; this reader wants one of {wanted}")]
    KeyLength {
        /// How long it is.
        given: usize,
        /// How long it must be.
        wanted: usize,
    },
    /// A password of no letters protects nothing.
    #[error("the password is empty")]
    EmptyPassword,
}

impl Remedy for SealError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NotPlain => "encrypt a container with plain values, as kiln writes it with --format pskc",
            Self::KeyLength { .. } => "agree on a key of that length, or leave --for-privacyidea away",
            Self::EmptyPassword => {
                "choose a password of several words, and tell it on another way than the file"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// How the key comes about.
#[derive(Debug, Clone, Copy)]
pub enum SealWith<'a> {
    /// It was agreed on; 16, 24 or 32 bytes decide the cipher's strength.
    Key(&'a FileSecret),
    /// By PBKDF2, with so many rounds.
    Password(&'a FileSecret, u32),
}

/// The same container with each seed encrypted. `random` fills a buffer with random bytes.
pub fn seal_pskc(
    plain: &[u8],
    with: SealWith<'_>,
    cipher: Cipher,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, SealError> {
    const BEGIN: &[u8] = b"<Secret><PlainValue>";
    const END: &[u8] = b"</PlainValue></Secret>";
    let head_end = find(plain, b"<KeyPackage>").ok_or(SealError::NotPlain)?;
    let (key, described) = key(with, cipher, random)?;
    let mut mac_key = Zeroizing::new([0; 32]);
    let mac_key = &mut mac_key[..if cipher == Cipher::Old { 20 } else { 32 }];
    random(mac_key);

    let head = &plain[..head_end];
    let root_end = head.windows(2).rposition(|pair| pair == b">\n").ok_or(SealError::NotPlain)?;
    // What is encrypted is some five times as long, and no secret.
    let mut sealed = Vec::with_capacity(plain.len() * 2);
    sealed.extend_from_slice(&head[..root_end]);
    sealed.extend_from_slice(
        b" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\">\n",
    );
    let mac_sealed = encrypted(&key, mac_key, random);
    let mac_key_xml = cipher_xml(key.len(), &mac_sealed);
    for text in [
        "<EncryptionKey>",
        &described,
        "</EncryptionKey>\n<MACMethod Algorithm=\"",
        cipher.mac_uri(),
        "\"><MACKey>",
        &mac_key_xml,
        "</MACKey></MACMethod>\n",
    ] {
        sealed.extend_from_slice(text.as_bytes());
    }
    let mut rest = &plain[head_end..];
    let mut seeds = 0;
    while let Some(at) = find(rest, BEGIN) {
        let value = &rest[at + BEGIN.len()..];
        let end = find(value, END).ok_or(SealError::NotPlain)?;
        let seed = Zeroizing::new(BASE64.decode(&value[..end]).map_err(|_| SealError::NotPlain)?);
        let data = encrypted(&key, &seed, random);
        sealed.extend_from_slice(&rest[..at]);
        let mac = cipher.mac(mac_key, &data);
        let value_xml = cipher_xml(key.len(), &data);
        for text in [
            "<Secret><EncryptedValue>",
            &value_xml,
            "</EncryptedValue><ValueMAC>",
            &mac,
            "</ValueMAC></Secret>",
        ] {
            sealed.extend_from_slice(text.as_bytes());
        }
        rest = &value[end + END.len()..];
        seeds += 1;
    }
    sealed.extend_from_slice(rest);
    if seeds == 0 { Err(SealError::NotPlain) } else { Ok(sealed) }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}

/// The key, and what stands in the container about it.
fn key(
    with: SealWith<'_>,
    cipher: Cipher,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<(Zeroizing<Vec<u8>>, String), SealError> {
    match with {
        SealWith::Key(key) => {
            let (given, wanted) = (key.bytes().len(), cipher.key_len_bytes());
            let fits = matches!(given, 16 | 24 | 32) && (cipher == Cipher::Strong || given == wanted);
            if !fits {
                return Err(SealError::KeyLength { given, wanted });
            }
            let described = "<ds:KeyName>Pre-shared-key</ds:KeyName>".to_owned();
            Ok((Zeroizing::new(key.bytes().to_vec()), described))
        }
        SealWith::Password(password, rounds) => {
            if password.bytes().is_empty() {
                return Err(SealError::EmptyPassword);
            }
            let mut salt = [0; 16];
            random(&mut salt);
            let length = cipher.key_len_bytes();
            let mut key = Zeroizing::new(vec![0; length]);
            let prf = match cipher {
                Cipher::Strong => {
                    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.bytes(), &salt, rounds, &mut key);
                    "<PRF Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256\"/>"
                }
                Cipher::Old => {
                    pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password.bytes(), &salt, rounds, &mut key);
                    // The default; privacyIDEA's importer reads no other.
                    ""
                }
            };
            let salt = BASE64.encode(&salt);
            let described = format!(
                "<xenc11:DerivedKey xmlns:xenc11=\"http://www.w3.org/2009/xmlenc11#\" \
                 xmlns:pkcs5=\"http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#\">\
                 <xenc11:KeyDerivationMethod Algorithm=\"http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2\">\
                 <pkcs5:PBKDF2-params><Salt><Specified>{salt}</Specified></Salt><IterationCount>{rounds}</IterationCount>\
                 <KeyLength>{length}</KeyLength>{prf}</pkcs5:PBKDF2-params></xenc11:KeyDerivationMethod>\
                 <xenc11:MasterKeyName>Password</xenc11:MasterKeyName></xenc11:DerivedKey>"
            );
            Ok((key, described))
        }
    }
}

fn cipher_xml(key_len_bytes: usize, data: &[u8]) -> String {
    format!(
        "<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#aes{}-cbc\"/><xenc:CipherData>\
         <xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData>",
        key_len_bytes * 8,
        BASE64.encode(data)
    )
}

/// The IV, then the ciphertext; padded as PKCS#7 has it, which XML Encryption reads as well.
fn encrypted(key: &[u8], plain: &[u8], random: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
    let mut iv = [0; 16];
    random(&mut iv);
    match key.len() {
        16 => cbc::<aes::Aes128>(key, iv, plain),
        24 => cbc::<aes::Aes192>(key, iv, plain),
        _ => cbc::<aes::Aes256>(key, iv, plain),
    }
}

fn cbc<C>(key: &[u8], iv: [u8; 16], plain: &[u8]) -> Vec<u8>
where
    C: BlockCipherEncrypt + KeyInit + aes::cipher::BlockSizeUser<BlockSize = U16>,
    cbc::Encryptor<C>: KeyIvInit + BlockModeEncrypt<BlockSize = U16>,
{
    let padding = 16 - plain.len() % 16;
    let mut padded = Zeroizing::new(Vec::with_capacity(plain.len() + padding));
    padded.extend_from_slice(plain);
    padded.resize(plain.len() + padding, u8::try_from(padding).unwrap_or(16));
    let mut cipher =
        cbc::Encryptor::<C>::new_from_slices(key, &iv).expect("the key was chosen for this cipher");
    for block in padded.as_chunks_mut::<16>().0 {
        cipher.encrypt_block(block.into());
    }
    [&iv[..], &padded].concat()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{UnsealError, sealed, unseal},
        *,
    };
    use crate::{
        domain::{Hash, Parameters, Profile, Seed, Serial},
        formats::{
            Format, OpensWith,
            out::{OutRow, Output, SuiteSpelling},
            parse,
        },
    };

    fn plain(seeds: &[Seed]) -> Zeroizing<Vec<u8>> {
        let serials: Vec<Serial> = (0..seeds.len()).map(|n| format!("1000{n}").parse().unwrap()).collect();
        let rows: Vec<OutRow<'_>> = serials
            .iter()
            .zip(seeds)
            .map(|(serial, seed)| OutRow {
                serial,
                profile: Profile::ZERO,
                title: None,
                seed,
                parameters: Parameters::standard(),
                upn: None,
                issuer: None,
                account: None,
                manufacturer: "Token2",
                model: "C301-i",
            })
            .collect();
        Output::Pskc(SuiteSpelling::Usual).write(&rows).unwrap()
    }

    fn seeds() -> Vec<Seed> {
        [1, 15, 16, 17, 20, 32, 64].map(|length| Seed::new(vec![0x5A; length])).into()
    }

    /// Counts up: no two values are alike.
    fn counting() -> impl FnMut(&mut [u8]) {
        let mut next = 0u8;
        move |buffer| {
            for byte in buffer {
                *byte = next;
                next = next.wrapping_add(1);
            }
        }
    }

    #[test]
    fn what_is_sealed_opens_with_its_secret_and_no_other() {
        let plain = plain(&seeds());
        for cipher in [Cipher::Strong, Cipher::Old] {
            let password = FileSecret::passphrase("blue horse");
            let key = FileSecret::key(&"ab".repeat(cipher.key_len_bytes())).unwrap();
            for (with, secret, opens) in [
                (SealWith::Password(&password, 1000), &password, OpensWith::Passphrase),
                (SealWith::Key(&key), &key, OpensWith::PreSharedKey),
            ] {
                let file = seal_pskc(&plain, with, cipher, &mut counting()).unwrap();
                assert_eq!(sealed(&file), Some((Format::Pskc, opens)), "{cipher:?}");
                let read = parse(&unseal(&file, secret).unwrap(), None).unwrap();
                assert_eq!((read.lines.len(), read.bad.len()), (7, 0));
                assert!(read.lines.iter().zip(seeds()).all(|(line, seed)| line.seed.same_as(&seed)));
                let other = FileSecret::passphrase("red horse");
                assert_eq!(unseal(&file, &other).unwrap_err(), UnsealError::Wrong);
                for seed in seeds().iter().filter(|seed| seed.len_bytes() > 4) {
                    let text = BASE64.encode(seed.expose());
                    assert!(find(&file, text.as_bytes()).is_none(), "a seed stands there in plain");
                }
            }
        }
    }

    #[test]
    fn keys_of_all_three_lengths_are_used_where_the_reader_knows_them() {
        let plain = plain(&seeds());
        for length in [16, 24, 32] {
            let key = FileSecret::key(&"cd".repeat(length)).unwrap();
            let file = seal_pskc(&plain, SealWith::Key(&key), Cipher::Strong, &mut counting()).unwrap();
            let cipher = format!("#aes{}-cbc", length * 8);
            assert!(find(&file, cipher.as_bytes()).is_some());
            assert!(parse(&unseal(&file, &key).unwrap(), None).is_ok());
            let old = seal_pskc(&plain, SealWith::Key(&key), Cipher::Old, &mut counting());
            assert_eq!(old.is_ok(), length == 16);
        }
    }

    /// The longest form in which kiln writes a token. Whoever changes it sees here whether the largest batch is still read.
    #[test]
    fn the_largest_batch_is_still_read_when_it_is_sealed() {
        const LARGEST_BATCH: usize = 100_000;
        let password = FileSecret::passphrase("blue horse");
        let sealed_len = |tokens: usize| {
            let seeds: Vec<Seed> = (0..tokens).map(|_| Seed::new(vec![0x5A; 32])).collect();
            let serials: Vec<Serial> =
                (0..tokens).map(|n| format!("8659610{n:07}").parse().unwrap()).collect();
            let row = |(serial, seed)| OutRow {
                serial,
                profile: Profile::ZERO,
                title: None,
                seed,
                parameters: Parameters { hash: Hash::Sha256, ..Parameters::standard() },
                upn: Some("firstname.lastname@department.example.com"),
                issuer: Some("Example Corporation"),
                account: Some("firstname.lastname@department.example.com"),
                manufacturer: "Token2",
                model: "OTPC-P2-i-NB",
            };
            let rows: Vec<OutRow<'_>> = serials.iter().zip(&seeds).map(row).collect();
            let plain = Output::Pskc(SuiteSpelling::Usual).write(&rows).unwrap();
            let with = SealWith::Password(&password, 1);
            seal_pskc(&plain, with, Cipher::Strong, &mut counting()).unwrap().len()
        };
        let (one, eleven) = (sealed_len(1), sealed_len(11));
        let largest = one + (eleven - one) / 10 * LARGEST_BATCH;
        assert!(largest < crate::formats::MAX_FILE_BYTES, "{largest} bytes");
    }

    #[test]
    fn what_can_not_be_sealed_says_what_to_do() {
        let key = FileSecret::key(&"cd".repeat(16)).unwrap();
        let random = &mut counting();
        let junk = seal_pskc(b"<KeyContainer>\n", SealWith::Key(&key), Cipher::Strong, random);
        assert_eq!(junk, Err(SealError::NotPlain));
        let empty = FileSecret::passphrase("");
        let refused = seal_pskc(&plain(&seeds()), SealWith::Password(&empty, 1), Cipher::Old, random);
        assert_eq!(refused, Err(SealError::EmptyPassword));
        for error in
            [SealError::NotPlain, SealError::KeyLength { given: 24, wanted: 16 }, SealError::EmptyPassword]
        {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
        for cipher in [Cipher::Strong, Cipher::Old] {
            assert!(cipher.rounds() >= 600_000);
        }
    }
}
