//! Seed files are taken out of what they come wrapped in here, where the person and the keys are: the station gets plain
//! bytes and never a password or a private key, and no plaintext is written anywhere on the way.

use super::{
    CliError, Exit, Io, VerbError, files,
    gpg::{self, GpgError, Pinentry},
    prompt::{self, Typed},
    table::plain,
};
use crate::{
    domain::seed_text::{self, Recognised, WrongInput},
    envelope::{
        MAX_DEPTH, Plain,
        age::{self, AgeError},
        archive::{self, Archive, ArchiveError},
        openpgp::{self, OpenPgpError, SecretKeys, With},
        picture::{self, At, Codes, PictureError},
    },
    formats::Content,
    remedy::{Remedy, Retry},
    vault::holder::{AskPassphrase, HolderError, Identity},
};
use clap::Args;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use zeroize::Zeroizing;

/// How long a picture is searched. A second is usual; a picture made to be slow would take hours.
const SEARCH_LIMIT: Duration = Duration::from_secs(60);

/// How a wrapped file is opened.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Encrypted files, archives and pictures")]
pub struct UnwrapArgs {
    /// The private key that the file is encrypted to: OpenPGP, age or SSH
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Let gpg open it, with the keys that its agent or a card holds [default: where no --identity is given and gpg
    /// holds the key]
    #[arg(long, conflicts_with = "identity")]
    gpg: bool,
    /// The password of the archive, the message or the private key is in this file [default: asked for]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Which file of an archive that holds several
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
}

impl UnwrapArgs {
    /// A private key's file and an archive's entry, as far as they were said.
    pub fn said(identity: Option<PathBuf>, entry: Option<String>) -> Self {
        Self { identity, entry, ..Self::default() }
    }
}

/// Why a file can't be taken out of its wrapping.
#[derive(Debug, thiserror::Error)]
pub enum UnwrapError {
    /// OpenPGP.
    #[error(transparent)]
    OpenPgp(#[from] OpenPgpError),
    /// OpenPGP, opened by gpg.
    #[error(transparent)]
    Gpg(#[from] GpgError),
    /// age.
    #[error(transparent)]
    Age(#[from] AgeError),
    /// ZIP.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The private key for an age file.
    #[error("{path} is no private key that opens an age file: {error}")]
    Identity {
        /// The key file.
        path: String,
        /// What is wrong with it.
        error: HolderError,
    },
    /// More wrappings than vendors use.
    #[error("the file lies in more than {MAX_DEPTH} wrappings")]
    TooDeep,
    /// An archive of several files.
    #[error("the archive holds {} files, and nobody said which:\n{}", .entries.len(), Lines(.entries))]
    SeveralFiles {
        /// They.
        entries: Vec<archive::Entry>,
    },
    /// No file of that name.
    #[error("the archive holds no file \"{entry}\":\n{}", Lines(.entries))]
    NoSuchEntry {
        /// What was asked for.
        entry: String,
        /// What it holds.
        entries: Vec<archive::Entry>,
    },
    /// `--entry` for what is none.
    #[error("--entry names a file of an archive, and this is no archive")]
    NoArchive,
    /// A picture without a code.
    #[error("no QR code is seen in the picture")]
    NoCode,
    /// Codes that are no seeds, or can't be read.
    #[error("{} of {found} QR codes in the picture can't be taken:\n{}", .wrong.len(), Lines(.wrong))]
    WrongCodes {
        /// How many there are.
        found: usize,
        /// Those.
        wrong: Vec<WrongCode>,
    },
    /// A picture that takes too long.
    #[error("the picture was searched for {} seconds without an end", SEARCH_LIMIT.as_secs())]
    SearchedTooLong,
}

/// A QR code that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongCode {
    /// Where it is.
    pub at: At,
    /// What it is.
    pub what: NotASeed,
}

/// What a QR code is instead of a seed's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASeed {
    /// Something known.
    #[error(transparent)]
    Wrong(#[from] WrongInput),
    /// A seed and nothing else.
    #[error("this is a bare seed, without account and parameters")]
    Bare,
    /// It can't be read.
    #[error("this is damaged, cut off or too small to be read")]
    Unread,
}

impl Remedy for NotASeed {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Wrong(wrong) => wrong.remedy(),
            Self::Bare => {
                "put it into a seed file beside its token's serial, with the parameters that its sender states"
            }
            Self::Unread => "make a screenshot with all of the code and a white margin, in its full size",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl fmt::Display for WrongCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {},{}: {} -> {}", self.at.x, self.at.y, self.what, self.what.remedy())
    }
}

struct Lines<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Lines<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, line)| {
            let end = if at > 0 { "\n" } else { "" };
            write!(f, "{end}{line}")
        })
    }
}

impl Remedy for UnwrapError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::OpenPgp(error) => error.remedy(),
            Self::Gpg(error) => error.remedy(),
            Self::Age(error) => error.remedy(),
            Self::Archive(error) => error.remedy(),
            Self::Picture(error) => error.remedy(),
            Self::Identity { .. } => {
                "give an age identity file, or an Ed25519 or RSA private key in OpenSSH's format"
            }
            Self::TooDeep => {
                "unwrap it in part, in memory rather than on disk: gpg --decrypt FILE | kiln import -"
            }
            Self::SeveralFiles { .. } => {
                "say which with kiln import FILE --entry NAME, and import one after the other"
            }
            Self::NoSuchEntry { .. } => "give one of these names to --entry, as it is spelled here",
            Self::NoArchive => "leave --entry away, or check that this is the right file",
            Self::NoCode => "make a screenshot with all of the code and a white margin, in its full size",
            Self::WrongCodes { .. } => {
                "do what is said beside each; --good-lines-only takes the others, if there are any"
            }
            Self::SearchedTooLong => "cut the part with the QR codes out of it and import that",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::OpenPgp(error) => error.retry(),
            Self::Gpg(error) => error.retry(),
            Self::Age(error) => error.retry(),
            Self::Archive(error) => error.retry(),
            Self::Picture(error) => error.retry(),
            Self::Identity { .. }
            | Self::TooDeep
            | Self::SeveralFiles { .. }
            | Self::NoSuchEntry { .. }
            | Self::NoArchive
            | Self::NoCode
            | Self::WrongCodes { .. }
            | Self::SearchedTooLong => Retry::AfterOperator,
        }
    }
}

impl VerbError for UnwrapError {
    fn exit(&self) -> Exit {
        match self {
            Self::Gpg(error) => error.exit(),
            Self::WrongCodes { .. } | Self::NoCode => Exit::No,
            Self::OpenPgp(_)
            | Self::Age(_)
            | Self::Archive(_)
            | Self::Picture(_)
            | Self::Identity { .. }
            | Self::TooDeep
            | Self::SeveralFiles { .. }
            | Self::NoSuchEntry { .. }
            | Self::NoArchive
            | Self::SearchedTooLong => Exit::Usage,
        }
    }
}

/// Whether codes in a picture that are no seeds stop an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongCodes {
    /// They do.
    Refuse,
    /// The person said `--good-lines-only`.
    LeaveOut,
}

/// A seed file, and how it is called for the record.
pub struct Unwrapped {
    /// What a format can be read from.
    pub content: Plain,
    /// The file's name; with the entry's, where an archive was opened.
    pub name: String,
}

/// Takes a seed file out of whatever it is wrapped in; one that isn't wrapped comes back as it is.
pub fn unwrap(
    content: Plain,
    name: String,
    args: &UnwrapArgs,
    wrong_codes: WrongCodes,
    io: &mut Io<'_>,
) -> Result<Unwrapped, CliError> {
    let mut file = Unwrapped { content, name };
    let mut from_archive = false;
    for _ in 0..=MAX_DEPTH {
        file.content = match Content::of(&file.content) {
            Some(Content::OpenPgp) => open_pgp(&file.content, args, io)?,
            Some(Content::Age) => open_age(&file.content, args, io)?,
            Some(Content::Zip) => {
                let (content, entry) = open_archive(&file.content, args, io)?;
                from_archive = true;
                // The station keeps the last part of a path.
                let entry = entry.rsplit('/').next().unwrap_or(&entry);
                file.name = format!("{}: {entry}", file.name);
                content
            }
            Some(Content::Picture) => read_picture(&file.content, wrong_codes, io)?,
            _ if is_empty_message(&file) => return Err(UnwrapError::OpenPgp(OpenPgpError::Empty).into()),
            _ if args.entry.is_some() && !from_archive => return Err(UnwrapError::NoArchive.into()),
            _ => return Ok(file),
        };
    }
    Err(UnwrapError::TooDeep.into())
}

/// Whether this is what is left of an OpenPGP message when encryption fails at the sender: the name alone tells.
fn is_empty_message(file: &Unwrapped) -> bool {
    let name = Path::new(&file.name);
    let openpgp =
        |extension: &str| ["gpg", "pgp", "asc"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    file.content.is_empty() && name.extension().is_some_and(|extension| openpgp(&extension.to_string_lossy()))
}

/// The password that opens `what`.
fn password(what: &'static str, args: &UnwrapArgs, io: &mut Io<'_>) -> Result<Zeroizing<String>, CliError> {
    prompt::secret(io, what, args.password_file.as_deref(), Typed::Once)
}

/// Whether a password can be had at all: where nobody can be asked, the error that one is needed says more.
fn has_password(args: &UnwrapArgs, io: &Io<'_>) -> bool {
    args.password_file.is_some() || io.prompt.is_some()
}

fn open_pgp(message: &[u8], args: &UnwrapArgs, io: &mut Io<'_>) -> Result<Plain, CliError> {
    let pinentry = match &io.prompt {
        Some(person) if !person.lends_terminal() => Pinentry::Elsewhere,
        Some(_) | None => Pinentry::OnTerminal,
    };
    if args.gpg {
        return Ok(gpg::open(message, pinentry).map_err(UnwrapError::Gpg)?);
    }
    let recipients = openpgp::recipients(message).map_err(UnwrapError::OpenPgp)?;
    let keys = match &args.identity {
        Some(path) => Some(SecretKeys::read(&private_file(path, io)?).map_err(UnwrapError::OpenPgp)?),
        None => None,
    };
    if keys.is_none() && !recipients.keys.is_empty() && gpg::holds(&recipients.keys) {
        return Ok(gpg::open(message, pinentry).map_err(UnwrapError::Gpg)?);
    }
    let by_passphrase = recipients.passphrase && keys.is_none() && has_password(args, io);
    let passphrase =
        if by_passphrase { Some(password("passphrase of the message", args, io)?) } else { None };
    let with = With {
        keys: keys.as_ref(),
        key_passphrase: None,
        passphrase: passphrase.as_ref().map(|text| &***text),
    };
    match openpgp::open(message, &with) {
        Err(OpenPgpError::KeyLocked) if has_password(args, io) => {
            let passphrase = password("passphrase of the OpenPGP key", args, io)?;
            let with = With { key_passphrase: Some(&passphrase), ..with };
            Ok(openpgp::open(message, &with).map_err(UnwrapError::OpenPgp)?)
        }
        opened => Ok(opened.map_err(UnwrapError::OpenPgp)?),
    }
}

fn open_age(file: &[u8], args: &UnwrapArgs, io: &mut Io<'_>) -> Result<Plain, CliError> {
    let by_passphrase = age::wants_passphrase(file).map_err(UnwrapError::Age)?;
    if by_passphrase && has_password(args, io) {
        let passphrase = password("passphrase of the age file", args, io)?;
        return Ok(age::open_with_passphrase(file, &passphrase).map_err(UnwrapError::Age)?);
    }
    let Some(path) = args.identity.as_ref().filter(|_| !by_passphrase) else {
        return Ok(age::open(file, &[]).map_err(UnwrapError::Age)?);
    };
    let ask: AskPassphrase = match (&args.password_file, &io.prompt) {
        (Some(password_file), _) => {
            let text = files::read_text(password_file)?;
            Arc::new(move || Some(Zeroizing::new(files::without_line_end(&text).to_owned())))
        }
        (None, Some(person)) => person.for_private_key(),
        (None, None) => Arc::new(|| None),
    };
    let bad = |error| UnwrapError::Identity { path: path.display().to_string(), error };
    let identity = Identity::key_file(&private_file(path, io)?, ask).map_err(bad)?;
    Ok(identity.with_age(|keys| age::open(file, keys)).map_err(UnwrapError::Age)?)
}

/// A private key's file; warned of where others can read it.
fn private_file(path: &Path, io: &mut Io<'_>) -> Result<Plain, CliError> {
    if files::others_may_read(path) {
        io.warn(format_args!("other accounts can read {}", path.display()))?;
    }
    Ok(files::read(path)?)
}

/// The file of an archive, and its name there.
fn open_archive(bytes: &[u8], args: &UnwrapArgs, io: &mut Io<'_>) -> Result<(Plain, String), CliError> {
    let mut archive = Archive::open(bytes).map_err(UnwrapError::Archive)?;
    let entry = match (&args.entry, archive.entries()) {
        (Some(name), entries) => entries
            .iter()
            .find(|entry| entry.name == *name)
            .ok_or_else(|| UnwrapError::NoSuchEntry { entry: name.clone(), entries: entries.to_vec() })?,
        (None, [entry]) => entry,
        (None, entries) => return Err(UnwrapError::SeveralFiles { entries: entries.to_vec() }.into()),
    };
    let entry = entry.clone();
    let password = match entry.encrypted && has_password(args, io) {
        true => Some(password("password of the archive", args, io)?),
        false => None,
    };
    let password = password.as_ref().map(|text| text.as_str());
    let content = archive.read(&entry, password).map_err(UnwrapError::Archive)?;
    Ok((content, entry.name))
}

/// The key URIs of a picture, one in each line.
fn read_picture(picture: &Plain, wrong_codes: WrongCodes, io: &mut Io<'_>) -> Result<Plain, CliError> {
    let Codes { read, unread } = search(picture)?;
    let found = read.len() + unread.len();
    if found == 0 {
        return Err(UnwrapError::NoCode.into());
    }
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for code in &read {
        let what = match seed_text::recognise(&code.text) {
            Recognised::KeyUri | Recognised::Refused(WrongInput::Migration) => {
                good.push(code.text.trim());
                continue;
            }
            Recognised::Seed { .. } => NotASeed::Bare,
            Recognised::Refused(wrong) => NotASeed::Wrong(wrong),
        };
        wrong.push(WrongCode { at: code.at, what });
    }
    wrong.extend(unread.into_iter().map(|at| WrongCode { at, what: NotASeed::Unread }));
    if good.is_empty() || (wrong_codes == WrongCodes::Refuse && !wrong.is_empty()) {
        return Err(UnwrapError::WrongCodes { found, wrong }.into());
    }
    for code in wrong {
        io.warn(format_args!("left out, the QR code {}", plain(&code.to_string())))?;
    }
    let mut text = Zeroizing::new(Vec::with_capacity(good.iter().map(|uri| uri.len() + 1).sum()));
    for uri in good {
        text.extend_from_slice(uri.as_bytes());
        text.push(b'\n');
    }
    Ok(text)
}

/// Searches a picture on a thread of its own, which is left behind when it finds no end: it stops with kiln.
fn search(picture: &Plain) -> Result<Codes, UnwrapError> {
    let (done, found) = mpsc::channel();
    let picture = picture.clone();
    thread::spawn(move || done.send(picture::codes(&picture)));
    match found.recv_timeout(SEARCH_LIMIT) {
        Ok(codes) => Ok(codes?),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(UnwrapError::SearchedTooLong),
        // The search itself broke down on this picture.
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(PictureError::Damaged.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        let at = At { x: 1, y: 2 };
        let wrong = vec![
            WrongCode { at, what: WrongInput::PushEnrolment.into() },
            WrongCode { at, what: NotASeed::Bare },
            WrongCode { at, what: NotASeed::Unread },
        ];
        for WrongCode { what, .. } in &wrong {
            assert!(what.remedy().len() > 20 && !what.remedy().ends_with('.'), "{what}");
        }
        for error in [
            UnwrapError::OpenPgp(OpenPgpError::Empty),
            UnwrapError::Gpg(GpgError::Failed),
            UnwrapError::Age(AgeError::Empty),
            UnwrapError::Archive(ArchiveError::NoFile),
            UnwrapError::Picture(PictureError::Damaged),
            UnwrapError::Identity { path: "f".into(), error: HolderError::EmptyPassphrase },
            UnwrapError::TooDeep,
            UnwrapError::SeveralFiles { entries: vec![] },
            UnwrapError::NoSuchEntry { entry: "b".into(), entries: vec![] },
            UnwrapError::NoArchive,
            UnwrapError::NoCode,
            UnwrapError::WrongCodes { found: 4, wrong },
            UnwrapError::SearchedTooLong,
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            let _ = (error.retry(), error.exit());
        }
    }

    #[test]
    fn a_wrong_code_is_told_with_its_place_and_its_remedy() {
        let code = WrongCode { at: At { x: 40, y: 7 }, what: NotASeed::Unread };
        assert!(
            code.to_string()
                .starts_with("at 40,7: this is damaged, cut off or too small to be read -> make a")
        );
    }

    #[test]
    fn the_name_tells_an_empty_message() {
        let file = |name: &str, content: &[u8]| Unwrapped {
            content: Zeroizing::new(content.into()),
            name: name.into(),
        };
        for name in ["seeds.csv.gpg", "SEEDS.PGP", "seeds.asc", "orders.zip: seeds.gpg"] {
            assert!(is_empty_message(&file(name, b"")), "{name}");
            assert!(!is_empty_message(&file(name, b"x")), "{name}");
        }
        assert!(!is_empty_message(&file("seeds.csv", b"")));
    }
}
