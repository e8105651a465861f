//! Everything of kiln that parses bytes from outside, one function each: what a fuzzer feeds. Two use them, and so run
//! the same: the program in `fuzz_targets/`, and `tests/fuzz.rs`, which runs the samples with every `make test`.
//!
//! A target returns whether its input was taken. What must hold besides "nothing panics" is asserted here.

use clap::Parser;
use kiln::{
    app::simulate::SimulateArgs,
    cli::{self, Cli, Exit, Io, Route, otp::OtpArgs},
    domain::{
        Catalog, Clock, ClockState, Serial, UnixMillis,
        credential::TwoNames,
        key_uri::KeyUri,
        seed_text::{self, Encoding, Recognised},
    },
    envelope::{
        age as age_file,
        archive::Archive,
        openpgp::{self, SecretKeys, With},
        picture,
    },
    face::{Command, Reply, ToClient},
    formats::{self, Content, DuoType, FileSecret, Format, OpensWith},
    link::{Report, Response},
    remedy::Remedy,
    service::{LineBuffer, read_request},
    sim::{
        Challenges, Outcome, Surroundings, VirtualToken, molto2 as sim_molto2, token2_otp as sim_otp,
        token2_single::{self as sim_single, TimeSync},
        vpcd::Inbox,
        ykoath as sim_key,
    },
    vault::holder::{self, Identity},
    wire::{molto2, token2_otp, token2_single, ykoath},
};
use std::{
    io,
    sync::{Arc, LazyLock},
};

/// One parser.
pub struct Target {
    /// Its name, and that of its directory below `samples/`.
    pub name: &'static str,
    /// Feeds it; whether the input was taken.
    pub run: fn(&[u8]) -> bool,
}

/// All of them. Each has samples that are taken.
pub const TARGETS: &[Target] = &[
    Target { name: "adapter_xml", run: adapter_xml },
    Target { name: "aegis", run: aegis },
    Target { name: "age_file", run: age_file },
    Target { name: "archive", run: archive },
    Target { name: "catalog", run: catalog },
    Target { name: "dualshield_xml", run: dualshield_xml },
    Target { name: "duo_hotp6", run: duo_hotp6 },
    Target { name: "duo_hotp8", run: duo_hotp8 },
    Target { name: "duo_totp6", run: duo_totp6 },
    Target { name: "duo_totp8", run: duo_totp8 },
    Target { name: "entra_csv", run: entra_csv },
    Target { name: "entra_errors", run: entra_errors },
    Target { name: "formats", run: by_content },
    Target { name: "google_export", run: google_export },
    Target { name: "graph_json", run: graph_json },
    Target { name: "holder", run: holder },
    Target { name: "holder_key", run: holder_key },
    Target { name: "hseeds", run: hseeds },
    Target { name: "hseeds_xml", run: hseeds_xml },
    Target { name: "key_uri", run: key_uri },
    Target { name: "key_uris", run: key_uris },
    Target { name: "linotp_csv", run: linotp_csv },
    Target { name: "molto2_reply", run: molto2_reply },
    Target { name: "okta_csv", run: okta_csv },
    Target { name: "openpgp", run: openpgp },
    Target { name: "openpgp_key", run: openpgp_key },
    Target { name: "picture", run: picture },
    Target { name: "privacyidea_csv", run: privacyidea_csv },
    Target { name: "pskc", run: pskc },
    Target { name: "replies", run: replies },
    Target { name: "requests", run: requests },
    Target { name: "seal", run: seal },
    Target { name: "seed_text", run: seed_text },
    Target { name: "serial_list", run: serial_list },
    Target { name: "table", run: table },
    Target { name: "token2_otp_frames", run: token2_otp_frames },
    Target { name: "token2_otp_reply", run: token2_otp_reply },
    Target { name: "token2_single_reply", run: token2_single_reply },
    Target { name: "tseeds", run: tseeds },
    Target { name: "tseeds_xml", run: tseeds_xml },
    Target { name: "twofas", run: twofas },
    Target { name: "vpcd", run: vpcd },
    Target { name: "ykoath_reply", run: ykoath_reply },
    Target { name: "yubico_csv", run: yubico_csv },
];

/// A seed file, by its content.
pub fn by_content(bytes: &[u8]) -> bool {
    seed_file(bytes, None)
}

/// A seed file that is said to be Entra ID's CSV.
pub fn entra_csv(bytes: &[u8]) -> bool {
    seed_file(bytes, Some(Format::EntraCsv))
}

/// A seed file that is said to be a list of key URIs.
pub fn key_uris(bytes: &[u8]) -> bool {
    seed_file(bytes, Some(Format::KeyUriList))
}

/// Makes a target of a format: a seed file that is said to be of it.
macro_rules! said {
    ($($name:ident => $format:expr,)+) => { $(
        #[doc = concat!("A seed file that is said to be `", stringify!($format), "`.")]
        pub fn $name(bytes: &[u8]) -> bool {
            seed_file(bytes, Some($format))
        }
    )+ };
}

said! {
    aegis => Format::Aegis,
    dualshield_xml => Format::DualShieldXml,
    duo_hotp6 => Format::Duo(DuoType::Hotp6),
    duo_hotp8 => Format::Duo(DuoType::Hotp8),
    duo_totp6 => Format::Duo(DuoType::Totp6),
    duo_totp8 => Format::Duo(DuoType::Totp8),
    google_export => Format::Migration,
    graph_json => Format::GraphJson,
    hseeds => Format::DeepnetCounter,
    hseeds_xml => Format::DualShieldCounter,
    linotp_csv => Format::LinOtpCsv,
    okta_csv => Format::OktaCsv,
    privacyidea_csv => Format::PrivacyIdeaCsv,
    pskc => Format::Pskc,
    table => Format::SeedTable,
    tseeds => Format::DeepnetTime,
    tseeds_xml => Format::DualShieldTime,
    twofas => Format::TwoFas,
    yubico_csv => Format::YubicoCsv,
}

/// An encrypted seed file; its first line is the secret. Taken if that opens it; what it opens to is read.
pub fn seal(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return false };
    let (Ok(secret), file) = (std::str::from_utf8(&bytes[..end]), &bytes[end + 1..]) else { return false };
    let secret = match formats::sealed(file) {
        None => return false,
        Some((_, OpensWith::Passphrase)) => FileSecret::passphrase(secret),
        Some((_, OpensWith::PreSharedKey)) => match FileSecret::key(secret) {
            Ok(key) => key,
            Err(error) => {
                assert!(!error.remedy().is_empty());
                return false;
            }
        },
    };
    match formats::unseal(file, &secret) {
        Ok(plain) => by_content(&plain),
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
            false
        }
    }
}

/// What Entra ID said about an upload.
pub fn entra_errors(bytes: &[u8]) -> bool {
    let Ok(errors) = formats::entra_errors::read(bytes) else { return false };
    assert!(
        errors.iter().all(|error| !error.reason.to_string().is_empty() && !error.reason.remedy().is_empty())
    );
    !errors.is_empty()
}

/// A list of serials.
pub fn serial_list(bytes: &[u8]) -> bool {
    formats::serial_list::read(bytes).is_ok_and(|list| !list.serials.is_empty())
}

/// A seed file; taken with at least one good line.
fn seed_file(bytes: &[u8], forced: Option<Format>) -> bool {
    let parsed = match formats::parse(bytes, forced) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
            return false;
        }
    };
    assert!(forced.is_none_or(|format| format == parsed.format));
    assert!(parsed.lines.is_sorted_by_key(|line| line.place));
    assert!(parsed.bad.is_sorted_by_key(|bad| bad.place));
    for bad in &parsed.bad {
        assert!(!bad.to_string().is_empty() && !bad.problem.remedy().is_empty());
        assert!(
            parsed.lines.binary_search_by_key(&bad.place, |line| line.place).is_err(),
            "{bad} is taken as well"
        );
    }
    for note in &parsed.notes {
        assert!(!note.to_string().is_empty());
    }
    !parsed.lines.is_empty()
}

/// A key URI. What was read is written and read back the same.
pub fn key_uri(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(uri) = KeyUri::parse(text) else { return false };
    let written = uri.to_uri();
    let again = KeyUri::parse(&written).expect("what kiln writes it reads");
    assert_eq!(again.seed.expose(), uri.seed.expose());
    assert_eq!(again.parameters, uri.parameters);
    assert_eq!(*again.to_uri(), *written);
    true
}

/// A seed as text, with and without a stated encoding. What was read is written and read back the same.
pub fn seed_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    for encoding in Encoding::ALL {
        if let Ok((seed, _)) = seed_text::decode(text, encoding) {
            let written = seed_text::encode(&seed, encoding);
            let (again, _) = seed_text::decode(&written, encoding).expect("what kiln writes it reads");
            assert_eq!(again.expose(), seed.expose());
        }
    }
    match seed_text::recognise(text) {
        Recognised::Seed { seed, encoding, .. } => {
            let (stated, _) = seed_text::decode(text, encoding).expect("recognised, hence readable as such");
            assert_eq!(stated.expose(), seed.expose());
            true
        }
        Recognised::KeyUri => false,
        Recognised::Refused(wrong) => {
            assert!(!wrong.to_string().is_empty() && !wrong.remedy().is_empty());
            false
        }
    }
}

/// Replies of single-profile tokens: data and status, as a reader hands them over.
pub fn token2_single_reply(bytes: &[u8]) -> bool {
    let Ok(response) = Response::from_bytes(bytes.to_vec()) else { return false };
    let info = token2_single::parse_info(&response.data);
    let challenge = token2_single::parse_challenge(&response.data);
    info.is_ok() || challenge.is_ok()
}

/// Reports of a Token2 key on USB, one after another. Taken if they make an answer.
pub fn token2_otp_frames(bytes: &[u8]) -> bool {
    let mut joiner = token2_otp::frame::Joiner::default();
    for raw in bytes.chunks(64) {
        let joined = Report::read(raw).map(|report| joiner.take(&report));
        match joined {
            Ok(Ok(token2_otp::frame::Joined::Whole(answer))) => {
                // What was joined is cut into pieces that are joined to the same.
                let mut again = token2_otp::frame::Joiner::default();
                let pieces = token2_otp::frame::cut(&answer);
                let last = pieces.iter().map(|piece| again.take(piece).expect("our own pieces")).last();
                assert_eq!(last, Some(token2_otp::frame::Joined::Whole(answer)));
                return true;
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
                return false;
            }
            Err(_) => return false,
        }
    }
    false
}

/// Replies of a Token2 key's OTP applet, put together again.
pub fn token2_otp_reply(bytes: &[u8]) -> bool {
    let Ok(response) = Response::from_bytes(bytes.to_vec()) else { return false };
    let data = &response.data;
    let page = token2_otp::parse_page(data);
    for record in page.iter().flat_map(|page| &page.records) {
        // Two entries are one only if both of their names are.
        assert_eq!(TwoNames::of(&record.names.name()), record.names);
        assert!(
            record
                .code
                .as_ref()
                .is_none_or(|code| code.as_str().len() == usize::from(record.parameters.digits.get()))
        );
    }
    let one = token2_otp::parse_one(data);
    let serial = token2_otp::parse_serial(data);
    let key = token2_otp::parse_public_key(data);
    // Any bytes may be a configuration, or an answer to reset.
    let _ = token2_otp::parse_configuration(data).map(|told| (told.counts(), told.fido_version()));
    let _ = (token2_otp::parse_answer_to_reset(data), token2_otp::takes_extended(data));
    page.is_ok_and(|page| !page.records.is_empty()) || one.is_ok() || serial.is_ok() || key.is_ok()
}

/// Replies of a Molto2.
pub fn molto2_reply(bytes: &[u8]) -> bool {
    let Ok(response) = Response::from_bytes(bytes.to_vec()) else { return false };
    let info = molto2::parse_info(&response.data);
    let challenge = molto2::parse_challenge(&response.data);
    let block = molto2::parse_public_block(&response.data);
    let _ = molto2::tries_left(response.status);
    let _ = block.as_ref().map(|block| block.parameters());
    info.is_ok() || challenge.is_ok() || block.is_ok()
}

/// Replies of a key's OATH applet, put together again, and of the applets that tell its serial.
pub fn ykoath_reply(bytes: &[u8]) -> bool {
    let Ok(response) = Response::from_bytes(bytes.to_vec()) else { return false };
    let data = &response.data;
    let _ = ykoath::has_more(response.status);
    let selected = ykoath::parse_selected(data);
    let listed = ykoath::parse_list(data);
    if let Ok(listed) = &listed {
        // A name that is read as a period and a title is written back the same, unless it states the usual period.
        for one in listed {
            let parts = one.name.parts(one.kind);
            assert!(one.name.as_str().ends_with(parts.title) && parts.title.ends_with(parts.account));
        }
    }
    let code = ykoath::parse_code(data);
    let all = ykoath::parse_all(data);
    let serials = (ykoath::parse_yubikey_serial(data), ykoath::parse_canokey_serial(data));
    selected.is_ok()
        || listed.is_ok_and(|listed| !listed.is_empty())
        || code.is_ok()
        || all.is_ok_and(|all| !all.is_empty())
        || serials.0.is_ok()
        || serials.1.is_ok()
}

/// A model, recipe or target file beside those that kiln ships; its first line is a comment with its path.
pub fn catalog(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let first = text.lines().next().unwrap_or_default();
    let path = first.trim_start_matches(['#', ' ']).to_owned();
    static SHIPPED: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);
    told(SHIPPED.clone().with(vec![(path, text.to_owned())]))
}

/// Lines from a client, as the server cuts and reads them. Taken if one of them is a request.
pub fn requests(stream: &[u8]) -> bool {
    let mut taken = false;
    for line in lines(stream) {
        let (_, asked) = read_request(line);
        match asked {
            Ok((command, _)) => {
                taken = true;
                // The server logs requests by their debug form.
                let _ = format!("{command:?}");
                if let Command::Import { content, .. } = command {
                    let _ = formats::parse(content.expose(), None);
                }
            }
            Err(failure) => assert!(!failure.message.is_empty() && !failure.remedy.is_empty()),
        }
    }
    taken
}

/// Lines from a server, as a client reads them. Taken if one of them is a message.
pub fn replies(stream: &[u8]) -> bool {
    let mut taken = false;
    for line in lines(stream).into_iter().flatten() {
        let Ok(message) = serde_json::from_slice::<ToClient>(&line) else { continue };
        taken = true;
        if let ToClient::Reply { result: Ok(Reply::Snapshot(snapshot)), .. } = &message {
            let written = serde_json::to_string(snapshot).expect("a snapshot has a JSON form");
            assert!(!written.contains('\n'));
        }
        let _ = format!("{message:?}");
    }
    taken
}

/// The lines of a stream that comes in pieces of growing size.
fn lines(stream: &[u8]) -> Vec<Result<zeroize::Zeroizing<Vec<u8>>, kiln::service::TooLong>> {
    let mut buffer = LineBuffer::new(4096);
    let (mut lines, mut rest, mut piece) = (Vec::new(), stream, 1);
    while !rest.is_empty() {
        let space = buffer.space();
        let count = piece.min(rest.len()).min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        buffer.filled(count);
        rest = &rest[count..];
        piece = piece * 3 + 1;
        while let Some(line) = buffer.next_line() {
            lines.push(line);
        }
    }
    let whole = stream.iter().filter(|&&byte| byte == b'\n').count();
    assert!(lines.len() <= whole + 1, "{} lines of {whole} line feeds", lines.len());
    lines
}

/// A holder's file, opened by a key that is nobody's. A passphrase is not tried: the file would state how long that
/// takes.
pub fn holder(bytes: &[u8]) -> bool {
    told(holder::open(bytes, &AGE_KEY))
}

/// 32 times 42 (hex), an example of the age project's documentation.
static AGE_KEY: LazyLock<Identity> = LazyLock::new(|| {
    const KEY: &[u8] = b"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    Identity::key_file(KEY, Arc::new(|| None)).expect("a constant")
});

/// An age file from a vendor, opened by the same key.
pub fn age_file(bytes: &[u8]) -> bool {
    let _ = age_file::wants_passphrase(bytes);
    told(AGE_KEY.with_age(|keys| age_file::open(bytes, keys)))
}

/// An OpenPGP message, opened by a key that GnuPG made for this and that is nobody's.
pub fn openpgp(bytes: &[u8]) -> bool {
    static KEYS: LazyLock<SecretKeys> =
        LazyLock::new(|| SecretKeys::read(include_bytes!("../samples/openpgp_key/ecc")).expect("a sample"));
    if let Ok(recipients) = openpgp::recipients(bytes) {
        assert!(recipients.keys.is_sorted());
    }
    told(openpgp::open(bytes, &With { keys: Some(&KEYS), ..With::default() }))
}

/// An OpenPGP secret key's file.
pub fn openpgp_key(bytes: &[u8]) -> bool {
    let _ = SecretKeys::are_in(bytes);
    let keys = SecretKeys::read(bytes);
    assert!(keys.as_ref().is_ok_and(|keys| !keys.ids().is_empty()) || keys.is_err());
    told(keys)
}

/// A ZIP archive, opened by the password of the samples. Taken if one of its files can be read.
pub fn archive(bytes: &[u8]) -> bool {
    let mut archive = match Archive::open(bytes) {
        Ok(archive) => archive,
        Err(error) => return told(Err::<(), _>(error)),
    };
    let entries = archive.entries().to_vec();
    let mut taken = false;
    for entry in entries.iter().take(3) {
        taken |= told(archive.read(entry, Some("Correct4Horse")));
    }
    taken
}

/// A picture. Taken if it shows a QR code that can be read.
pub fn picture(bytes: &[u8]) -> bool {
    let _ = Content::of(bytes);
    match picture::codes(bytes) {
        Ok(codes) => !codes.read.is_empty(),
        Err(error) => told(Err::<(), _>(error)),
    }
}

/// Whether something was opened; an error has words and a remedy.
fn told<T, E: std::error::Error + Remedy>(opened: Result<T, E>) -> bool {
    match opened {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
            false
        }
    }
}

/// A holder's private key, age's or SSH's.
pub fn holder_key(bytes: &[u8]) -> bool {
    told(Identity::key_file(bytes, Arc::new(|| None)))
}

/// A stream of messages from the driver of a virtual reader, answered by virtual tokens. Taken if a token says yes to
/// one of them.
pub fn vpcd(stream: &[u8]) -> bool {
    let surroundings = |challenge| Surroundings::new(Arc::new(Still), Challenges::fixed(challenge));
    let serial: Serial = "86596100000001".parse().expect("a constant");
    let single = sim_single::Settings::new(serial.clone(), TimeSync::Unrestricted);
    let several = sim_molto2::Settings::new(serial.clone(), sim_molto2::Generation::V2);
    // Nobody touches it.
    let key = sim_key::Settings {
        patience: std::time::Duration::ZERO,
        ..sim_key::Settings::new(serial.clone(), sim_key::Make::YubiKey)
    };
    let otp_key = sim_otp::Settings { patience: std::time::Duration::ZERO, ..sim_otp::Settings::new(serial) };
    // The challenges of the vectors, so that the samples' answers are right.
    let tokens = [
        VirtualToken::token2_single(single, surroundings([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88])),
        VirtualToken::molto2(several, surroundings([0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18])),
        VirtualToken::token2_otp(otp_key, surroundings([0; 8])),
        VirtualToken::ykoath(key, surroundings([0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7])),
    ];
    let (mut inbox, mut taken) = (Inbox::default(), false);
    for piece in stream.chunks(7) {
        inbox.take(piece);
        while let Some(message) = inbox.message() {
            for token in &tokens {
                match token.exchange(&message) {
                    Outcome::Answer(answer) => {
                        // More than 258 only to an extended command, which a key knows.
                        assert!((2..=4096).contains(&answer.len()), "an answer of {} bytes", answer.len());
                        taken |= answer.ends_with(&[0x90, 0x00]);
                    }
                    Outcome::Torn | Outcome::Silence => panic!("no fault is armed"),
                }
            }
        }
    }
    taken
}

/// A document of the TOTP adapter.
pub fn adapter_xml(bytes: &[u8]) -> bool {
    // To read kiln's whole command line takes a hundred times as long as to read a document.
    static VERBS: LazyLock<[OtpArgs; 2]> = LazyLock::new(|| {
        ["code", "verify"].map(|verb| {
            let cli =
                Cli::<SimulateArgs>::try_parse_from(["kiln", "otp", verb, "--xml"]).expect("a constant");
            let (_, Route::Otp(args)) = cli.route() else { unreachable!("a verb of kiln otp") };
            args
        })
    });
    let mut taken = false;
    for args in &*VERBS {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut io = Io {
            out: &mut out,
            err: &mut err,
            input: &mut io::Cursor::new(bytes),
            prompt: None,
            out_is_terminal: false,
            colour: false,
            clock: &Still,
        };
        taken |= cli::run_otp(args, &mut io) == Exit::Done;
        assert!(out.starts_with(b"<") && err.starts_with(b"status: "));
    }
    taken
}

/// The time is 2026-01-01T00:00:00Z.
struct Still;

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_767_225_600_000)
    }

    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}
