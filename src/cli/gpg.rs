//! OpenPGP messages opened by `gpg`, with the keys that its agent or a card holds. The message goes in through a pipe and
//! the plaintext comes out through one: no file is made on the way.

use super::{
    Exit, VerbError,
    files::{self, FileError},
};
use crate::{
    envelope::{MAX_PLAIN_BYTES, Plain, openpgp::KeyId},
    remedy::{Remedy, Retry},
};
use std::{
    io::{self, Read as _, Write as _},
    process::{Command, Stdio},
    thread,
};

/// Why gpg gave no plaintext.
#[derive(Debug, thiserror::Error)]
pub enum GpgError {
    /// It can't be started.
    #[error("gpg can't be started: {0}")]
    NotThere(io::Error),
    /// It holds no key for the message.
    #[error("gpg holds no secret key for this message{}", for_keys(.wanted))]
    NoKey {
        /// The keys that gpg looked for.
        wanted: Vec<String>,
    },
    /// The passphrase or the PIN was wrong, or nobody was there to type it.
    #[error("gpg did not get at its key, or at a passphrase")]
    KeyUnused,
    /// It is no message, or a damaged one.
    #[error("gpg finds the message damaged or cut off")]
    Damaged,
    /// It ended without a word that is known here.
    #[error("gpg did not open the message")]
    Failed,
    /// More than a seed file has.
    #[error("the message holds more than {} MiB", MAX_PLAIN_BYTES >> 20)]
    TooLarge,
    /// The pipes to it broke.
    #[error("talking to gpg failed: {0}")]
    Pipe(io::Error),
}

fn for_keys(wanted: &[String]) -> String {
    if wanted.is_empty() { String::new() } else { format!(", which is encrypted to {}", wanted.join(", ")) }
}

impl Remedy for GpgError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NotThere(_) => {
                "install GnuPG (apt install gnupg), or give the secret key with --identity FILE"
            }
            Self::NoKey { .. } => {
                "plug in the card or import the secret key, or give it with --identity FILE; else send the vendor the right public key"
            }
            Self::KeyUnused => {
                "type its passphrase or PIN again; in a terminal without a desktop, first: export GPG_TTY=$(tty)"
            }
            Self::Damaged => {
                "fetch it again, as an attachment and not as pasted text; else have it sent anew"
            }
            Self::Failed => "see what `gpg --decrypt FILE` says",
            Self::TooLarge => "no seed file is that large: ask the sender what this is",
            Self::Pipe(_) => "run the same command again",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::NotThere(_) | Self::NoKey { .. } | Self::KeyUnused | Self::Failed => Retry::AfterOperator,
            Self::Damaged | Self::TooLarge => Retry::Never,
            Self::Pipe(_) => Retry::Soon,
        }
    }
}

impl VerbError for GpgError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotThere(_) | Self::NoKey { .. } | Self::KeyUnused | Self::Failed | Self::Pipe(_) => {
                Exit::Environment
            }
            Self::Damaged | Self::TooLarge => Exit::Usage,
        }
    }
}

/// Whether gpg is there and holds the secret half of one of these keys.
pub fn holds(keys: &[KeyId]) -> bool {
    if keys.is_empty() {
        return false;
    }
    let mut gpg = Command::new("gpg");
    gpg.args(["--batch", "--quiet", "--no-tty", "--with-colons", "--list-secret-keys", "--"]);
    gpg.args(keys.iter().map(KeyId::as_str));
    gpg.stdin(Stdio::null()).stderr(Stdio::null());
    // With several keys it fails where one is missing, and lists those that are there.
    gpg.output().is_ok_and(|output| output.stdout.starts_with(b"sec:"))
}

/// Where gpg's agent may ask for the passphrase of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinentry {
    /// Also on this terminal.
    OnTerminal,
    /// In a window or not at all: something is painted on the terminal.
    Elsewhere,
}

/// Lets gpg open `message`.
pub fn open(message: &[u8], pinentry: Pinentry) -> Result<Plain, GpgError> {
    let mut gpg = Command::new("gpg");
    // The status lines (GnuPG's doc/DETAILS) are for programs; what it says to people is not wanted beside ours.
    gpg.args(["--batch", "--quiet", "--no-tty", "--status-fd", "2", "--decrypt"]);
    if pinentry == Pinentry::Elsewhere {
        gpg.env_remove("GPG_TTY");
    } else if std::env::var_os("GPG_TTY").is_none()
        && let Ok(terminal) = std::fs::read_link("/proc/self/fd/0")
        && terminal.starts_with("/dev/")
    {
        // gpg's own standard input is a pipe; this is where its agent may ask.
        gpg.env("GPG_TTY", terminal);
    }
    gpg.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = gpg.spawn().map_err(GpgError::NotThere)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) = pipes else {
        return Err(GpgError::Pipe(io::ErrorKind::BrokenPipe.into()));
    };
    let (plain, status) = thread::scope(|scope| {
        // gpg that has read enough closes its end, and says why in its status.
        scope.spawn(move || drop(stdin.write_all(message)));
        let status = scope.spawn(move || {
            let mut status = Vec::new();
            // Lines that nobody needs are read as well, so that gpg never waits for a reader.
            (&mut stderr)
                .take(1 << 20)
                .read_to_end(&mut status)
                .and_then(|_| io::copy(&mut stderr, &mut io::sink()))?;
            Ok::<_, io::Error>(status)
        });
        let plain = files::read_all(&mut stdout, "gpg").map_err(|error| match error {
            FileError::Read { source, .. } => GpgError::Pipe(source),
            _ => GpgError::TooLarge,
        });
        if plain.is_err() {
            // Its reader is gone: it would wait for ever.
            let _ = child.kill();
        }
        (plain, status.join().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())))
    });
    child.wait().map_err(GpgError::Pipe)?;
    let (plain, status) = (plain?, status.map_err(GpgError::Pipe)?);
    judge(&String::from_utf8_lossy(&status)).map(|()| plain)
}

/// What the status lines say of the message. The exit status would not do: gpg also fails where it can't check a
/// signature, and vendors sign.
fn judge(status: &str) -> Result<(), GpgError> {
    let lines = || status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
    let has = |word: &str| lines().any(|line| line.split_ascii_whitespace().next() == Some(word));
    if has("DECRYPTION_OKAY") && !has("DECRYPTION_FAILED") {
        return Ok(());
    }
    // From here on in the order of the work: a message, its session key, a key for that.
    if has("NODATA") || has("DECRYPTION_INFO") {
        return Err(GpgError::Damaged);
    }
    if has("KEY_CONSIDERED") || has("PINENTRY_LAUNCHED") || has("NEED_PASSPHRASE_SYM") {
        return Err(GpgError::KeyUnused);
    }
    if has("ENC_TO") {
        let wanted = lines().filter_map(|line| line.strip_prefix("ENC_TO "));
        let wanted = wanted.filter_map(|line| line.split_ascii_whitespace().next()).map(str::to_owned);
        return Err(GpgError::NoKey { wanted: wanted.collect() });
    }
    Err(GpgError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What gpg 2.2.40 says on its status descriptor, shortened.
    #[test]
    fn the_status_lines_tell_what_came_of_a_message() {
        let says = |lines: &[&str]| {
            judge(&lines.iter().map(|line| format!("[GNUPG:] {line}\n")).collect::<String>())
        };
        let okay =
            ["ENC_TO DB93 18 0", "NO_PUBKEY 1234", "DECRYPTION_INFO 2 9 0", "DECRYPTION_OKAY", "GOODMDC"];
        assert!(says(&okay).is_ok());
        // Plaintext came out before gpg saw that the rest is missing.
        let cut = ["KEY_CONSIDERED E660 0", "DECRYPTION_INFO 2 9 0", "PLAINTEXT 62 0", "DECRYPTION_FAILED"];
        assert!(matches!(says(&cut), Err(GpgError::Damaged)));
        let changed = ["DECRYPTION_INFO 2 9 0", "BADMDC", "DECRYPTION_OKAY", "DECRYPTION_FAILED"];
        assert!(matches!(says(&changed), Err(GpgError::Damaged)));
        assert!(matches!(says(&["NODATA 1", "FAILURE decrypt 1"]), Err(GpgError::Damaged)));
        let locked =
            ["ENC_TO 5AD3 18 0", "KEY_CONSIDERED 6F99 0", "PINENTRY_LAUNCHED 1", "DECRYPTION_FAILED"];
        assert!(matches!(says(&locked), Err(GpgError::KeyUnused)));
        match says(&["ENC_TO DB933DFA75D19C45 18 0", "BEGIN_DECRYPTION", "DECRYPTION_FAILED"]) {
            Err(GpgError::NoKey { wanted }) => assert_eq!(wanted, ["DB933DFA75D19C45"]),
            other => panic!("{other:?}"),
        }
        assert!(matches!(says(&[]), Err(GpgError::Failed)));
        // Words of people and of other programs are no status.
        assert!(matches!(judge("DECRYPTION_OKAY\n"), Err(GpgError::Failed)));
    }

    #[test]
    fn every_error_says_what_to_do() {
        for error in [
            GpgError::NotThere(io::ErrorKind::NotFound.into()),
            GpgError::NoKey { wanted: vec![] },
            GpgError::KeyUnused,
            GpgError::Damaged,
            GpgError::Failed,
            GpgError::TooLarge,
            GpgError::Pipe(io::ErrorKind::BrokenPipe.into()),
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
            let _ = (error.retry(), error.exit());
        }
    }
}
