//! How a verb gets a seed: from standard input, a file or a prompt. Never from the arguments, where every user of the
//! machine and the shell's history see them.

use super::{Exit, Io, VerbError};
use crate::{
    domain::{
        Parameters, Seed,
        key_uri::{KeyUri, KeyUriError},
        seed_text::{self, Encoding, Recognised, SeedTextError, WrongInput},
    },
    remedy::{Remedy, Retry},
};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// More than any key URI or any of the documents holds, and little enough to read whole.
pub const MAX_INPUT_BYTES: usize = 64 * 1024;

/// Where the seed is and how it is spelled.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SeedArgs {
    /// Read the seed (or a key URI) from FILE instead of standard input or a prompt
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Read a key URI (otpauth://…) from FILE, "-" for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "secret_file")]
    pub uri: Option<PathBuf>,
    /// How the seed is spelled; without it, it is recognised, or asked about where two spellings fit
    #[arg(long, value_name = "FORMAT", conflicts_with = "uri")]
    pub format: Option<Format>,
}

/// [`Encoding`] as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A–Z and 2–7
    Base32,
    /// Two digits for each byte
    Hex,
    /// With + and / or with - and _
    Base64,
}

impl From<Format> for Encoding {
    fn from(format: Format) -> Self {
        match format {
            Format::Base32 => Self::Base32,
            Format::Hex => Self::Hex,
            Format::Base64 => Self::Base64,
        }
    }
}

/// A seed and, from a key URI, what came with it.
#[derive(Debug)]
pub struct GivenSeed {
    /// The seed.
    pub seed: Seed,
    /// The URI's parameters.
    pub parameters: Option<Parameters>,
    /// The URI's issuer.
    pub issuer: Option<String>,
    /// The URI's account.
    pub account: Option<String>,
}

/// Why no seed was had.
#[derive(Debug, thiserror::Error)]
pub enum SeedInputError {
    /// What was given is no seed, or not certainly one.
    #[error(transparent)]
    Wrong(#[from] WrongInput),
    /// It isn't one in the stated encoding.
    #[error(transparent)]
    Text(#[from] SeedTextError),
    /// It is no usable key URI.
    #[error(transparent)]
    Uri(#[from] KeyUriError),
    /// A file that can't be read.
    #[error("{} could not be read: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Standard input or the terminal can't be read, or a note can't be written.
    #[error("the terminal or standard input failed: {0}")]
    Terminal(#[from] io::Error),
    /// More than one seed could ever take.
    #[error("the input is longer than {MAX_INPUT_BYTES} bytes")]
    TooLong,
    /// Bytes that are no UTF-8.
    #[error("the input is not UTF-8 text")]
    NotText,
}

impl Remedy for SeedInputError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Wrong(error) => error.remedy(),
            Self::Text(error) => error.remedy(),
            Self::Uri(error) => error.remedy(),
            Self::File { .. } => "check the file's name and that this account may read it",
            Self::Terminal(_) => "give the seed in a file with --secret-file, or through a pipe",
            Self::TooLong => "give one seed or one key URI; whole files are imported with kiln import",
            Self::NotText => {
                "save it as UTF-8 text; seeds are given as base32, hex or base64, not as raw bytes"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for SeedInputError {
    fn exit(&self) -> Exit {
        match self {
            Self::File { .. } | Self::Terminal(_) => Exit::Environment,
            Self::Wrong(_) | Self::Text(_) | Self::Uri(_) | Self::TooLong | Self::NotText => Exit::Usage,
        }
    }
}

/// Reads the seed that `args` point to; what was noticed on the way goes to `io.err`.
pub fn read_seed(args: &SeedArgs, io: &mut Io<'_>) -> Result<GivenSeed, SeedInputError> {
    let (path, question) = match &args.uri {
        Some(path) => (Some(path), "Key URI (not shown): "),
        None => (args.secret_file.as_ref(), "Seed or key URI (not shown): "),
    };
    let text = read_text(path.map(PathBuf::as_path), question, io)?;
    if args.uri.is_some() {
        return from_uri(&text, io);
    }
    if let Some(format) = args.format {
        let (seed, notes) = seed_text::decode(&text, format.into())?;
        return bare(seed, &notes, io);
    }
    match seed_text::recognise(&text) {
        Recognised::Seed { seed, notes, encoding } => {
            if encoding != Encoding::Base32 {
                io.note(format_args!("read the seed as {encoding} ({} bytes)", seed.len_bytes()))?;
            }
            bare(seed, &notes, io)
        }
        Recognised::KeyUri => from_uri(&text, io),
        Recognised::Refused(wrong) => Err(wrong.into()),
    }
}

fn bare(seed: Seed, notes: &[seed_text::Note], io: &mut Io<'_>) -> Result<GivenSeed, SeedInputError> {
    notes.iter().try_for_each(|note| io.note(note))?;
    Ok(GivenSeed { seed, parameters: None, issuer: None, account: None })
}

fn from_uri(text: &str, io: &mut Io<'_>) -> Result<GivenSeed, SeedInputError> {
    let KeyUri { issuer, account, seed, parameters, notes } = KeyUri::parse(text)?;
    notes.iter().try_for_each(|note| io.note(note))?;
    let account = Some(account).filter(|text| !text.is_empty());
    Ok(GivenSeed { seed, parameters: Some(parameters), issuer, account })
}

/// All of a file, of standard input (`-` or none), or of the answer to `question` where a terminal is there.
pub fn read_text(
    path: Option<&Path>,
    question: &str,
    io: &mut Io<'_>,
) -> Result<Zeroizing<String>, SeedInputError> {
    let path = path.filter(|path| *path != Path::new("-"));
    if let Some(path) = path {
        let failed = |error| SeedInputError::File { path: path.to_owned(), error };
        let mut file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        // A pipe (process substitution) has no reader but us, whatever its mode says.
        if about.is_file() && about.mode() & 0o077 != 0 {
            io.warn(format_args!("{} can be read by other accounts (chmod 600)", path.display()))?;
        }
        return read_whole(&mut file, failed);
    }
    match &mut io.prompt {
        Some(person) => Ok(person.secret(question)?),
        None => read_whole(io.input, SeedInputError::Terminal),
    }
}

/// Reads into one buffer that never grows: growing leaves copies behind that nothing wipes.
fn read_whole<R: Read + ?Sized>(
    from: &mut R,
    failed: impl Fn(io::Error) -> SeedInputError,
) -> Result<Zeroizing<String>, SeedInputError> {
    let mut buffer = Zeroizing::new(vec![0; MAX_INPUT_BYTES + 1]);
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if filled == buffer.len() {
        return Err(SeedInputError::TooLong);
    }
    let text = std::str::from_utf8(&buffer[..filled]).map_err(|_| SeedInputError::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_to_get_a_seed_names_its_cure() {
        let failure = || io::Error::from(io::ErrorKind::NotFound);
        let all = [
            (SeedInputError::Wrong(WrongInput::Nothing), Exit::Usage),
            (SeedInputError::Text(SeedTextError::Empty), Exit::Usage),
            (SeedInputError::Uri(KeyUriError::Scheme), Exit::Usage),
            (SeedInputError::File { path: "f".into(), error: failure() }, Exit::Environment),
            (SeedInputError::Terminal(failure()), Exit::Environment),
            (SeedInputError::TooLong, Exit::Usage),
            (SeedInputError::NotText, Exit::Usage),
        ];
        for (error, exit) in all {
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!((error.retry(), error.exit()), (Retry::AfterOperator, exit), "{error}");
        }
    }

    #[test]
    fn input_is_read_to_its_bound_and_no_further() {
        let read = |bytes: Vec<u8>| read_whole(&mut bytes.as_slice(), SeedInputError::Terminal);
        assert_eq!(read(vec![b'A'; MAX_INPUT_BYTES]).unwrap().len(), MAX_INPUT_BYTES);
        assert!(matches!(read(vec![b'A'; MAX_INPUT_BYTES + 1]), Err(SeedInputError::TooLong)));
        assert!(matches!(read(vec![0xFF, 0xFE, b'A', 0]), Err(SeedInputError::NotText)));
    }
}
