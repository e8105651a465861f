//! Why a verb did not come to its end, and how it is told.

use super::{
    Exit, Io, VerbError,
    batch::UsersError,
    collect::CollectError,
    diagnose::DiagnoseVerbError,
    export::ExportError,
    files::FileError,
    key::KeyTextError,
    opener::OpenError,
    otp::OtpError,
    prompt::PromptError,
    unseal::{ExpectError, SealError},
    unwrap::UnwrapError,
};
use crate::face::{Failure, FailureKind, Reply};
use crate::remedy::{Remedy, Retry};
use std::io;

/// Why a verb did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The station, or the way to it, says no.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The person was not there, or typed something that can't be.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// An encrypted seed file that stays shut.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A list of serials, or of an upload's errors, that can't be read.
    #[error(transparent)]
    Expect(#[from] ExpectError),
    /// A list of users that can't be read.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// An export that must not be written there.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The vault can't be made or opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A text that is no customer key.
    #[error(transparent)]
    Key(#[from] KeyTextError),
    /// A file can't be taken out of its wrapping.
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
    /// Nothing was collected.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// A verb of `kiln otp`.
    #[error(transparent)]
    Otp(#[from] OtpError),
    /// A diagnosis could not be made.
    #[error(transparent)]
    Diagnose(#[from] DiagnoseVerbError),
    /// `kiln import` without a word on what the seeds are for.
    #[error(
        "it was not said what the seeds are for, and burning a token destroys the seed it came with for good"
    )]
    ImportTargetUnsaid,
    /// No station runs, and none could be started.
    #[error("no station runs here")]
    NoStation,
    /// The station ended before what was waited for.
    #[error("the station ended before batch {batch} was done")]
    StationEnded {
        /// What was waited for.
        batch: String,
    },
    /// The station answered something that does not belong to the question.
    #[error("the station answered \"{answer}\", which does not belong to what was asked")]
    Unexpected {
        /// The kind of the reply.
        answer: &'static str,
    },
    /// Standard output or standard error can't be written.
    #[error("the output can't be written: {0}")]
    Output(#[from] io::Error),
    /// The output has no JSON form.
    #[error("the output can't be put as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    /// As the station would tell it: for a screen, which shows both alike.
    pub fn to_failure(&self) -> Failure {
        let kind = match self.exit() {
            Exit::Usage => FailureKind::Usage,
            Exit::Environment => FailureKind::Environment,
            Exit::Done | Exit::No => FailureKind::No,
        };
        Failure { kind, message: self.to_string(), remedy: self.remedy().into(), details: Vec::new() }
    }

    /// A reply of the wrong kind.
    pub fn unexpected(reply: &Reply) -> Self {
        Self::Unexpected {
            answer: match reply {
                Reply::Done => "done",
                Reply::Snapshot(_) => "snapshot",
                Reply::Holders(_) => "holders",
                Reply::Keys(_) => "keys",
                Reply::Imported(_) => "imported",
                Reply::Catalog(_) => "catalog",
                Reply::Batches(_) => "batches",
                Reply::Batch(_) => "batch",
                Reply::Retried(_) => "retried",
                Reply::Jobs(_) => "jobs",
                Reply::Swept(_) => "swept tokens",
                Reply::Tokens(_) => "tokens",
                Reply::Drift(_) => "drift",
                Reply::Token(_) => "token",
                Reply::Verdict(_) => "verdict",
                Reply::Revealed(_) => "revealed",
                Reply::Exported(_) => "exported",
                Reply::ActivationCodes(_) => "activation codes",
                Reply::BatchReport(_) => "batch report",
                Reply::Findings(_) => "findings",
                Reply::Examined(_) => "an examination",
                Reply::Slots(_) => "slots",
                Reply::Codes(_) => "codes",
                Reply::Clock(_) => "clock",
                Reply::AuditHead(_) => "audit head",
                Reply::Audit(_) => "audit",
                Reply::Doctor(_) => "doctor",
            },
        }
    }

    /// What to do now.
    pub fn remedy(&self) -> &str {
        match self {
            Self::Refused(failure) => &failure.remedy,
            Self::File(error) => error.remedy(),
            Self::Prompt(error) => error.remedy(),
            Self::Seal(error) => error.remedy(),
            Self::Expect(error) => error.remedy(),
            Self::Users(error) => error.remedy(),
            Self::Export(error) => error.remedy(),
            Self::Open(error) => error.remedy(),
            Self::Key(error) => error.remedy(),
            Self::Unwrap(error) => error.remedy(),
            Self::Collect(error) => error.remedy(),
            Self::Otp(error) => error.remedy(),
            Self::Diagnose(error) => error.remedy(),
            Self::ImportTargetUnsaid => {
                "say --batch NAME to burn these seeds onto tokens, or --inventory to only record what the tokens hold"
            }
            Self::NoStation => "start it with `kiln station run` and see what it says",
            Self::StationEnded { .. } => {
                "run the same command again: it starts the station and goes on waiting"
            }
            Self::Unexpected { .. } => {
                "run the same version of kiln as the station: `kiln station stop`, then try again"
            }
            Self::Output(_) => "make room where the output goes, or send it somewhere else",
            Self::Json(_) => "leave --json away, and report this as a fault of kiln",
        }
    }

    /// Whether the same attempt can succeed.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unexpected { .. } | Self::Json(_) => Retry::Never,
            Self::StationEnded { .. } => Retry::Soon,
            Self::Refused(_)
            | Self::File(_)
            | Self::Prompt(_)
            | Self::Seal(_)
            | Self::Expect(_)
            | Self::Users(_)
            | Self::Export(_)
            | Self::Open(_)
            | Self::Key(_)
            | Self::Unwrap(_)
            | Self::Collect(_)
            | Self::Otp(_)
            | Self::Diagnose(_)
            | Self::ImportTargetUnsaid
            | Self::NoStation
            | Self::Output(_) => Retry::AfterOperator,
        }
    }

    /// How kiln ends with it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(failure) => match failure.kind {
                FailureKind::No => Exit::No,
                FailureKind::Usage => Exit::Usage,
                FailureKind::Environment => Exit::Environment,
            },
            Self::File(error) => error.exit(),
            Self::Prompt(error) => error.exit(),
            Self::Open(error) => error.exit(),
            Self::Seal(error) => error.exit(),
            Self::Expect(error) => error.exit(),
            Self::Users(error) => error.exit(),
            Self::Export(error) => error.exit(),
            Self::Key(error) => error.exit(),
            Self::Unwrap(error) => error.exit(),
            Self::Collect(error) => error.exit(),
            Self::Otp(error) => error.exit(),
            Self::Diagnose(error) => error.exit(),
            Self::ImportTargetUnsaid => Exit::Usage,
            Self::NoStation
            | Self::StationEnded { .. }
            | Self::Unexpected { .. }
            | Self::Output(_)
            | Self::Json(_) => Exit::Environment,
        }
    }

    /// Whether the reader of the output went away, as `head` does. That is nobody's fault.
    pub fn is_broken_pipe(&self) -> bool {
        match self {
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::Json(error) => error.io_error_kind() == Some(io::ErrorKind::BrokenPipe),
            Self::Otp(OtpError::Output(error)) | Self::Diagnose(DiagnoseVerbError::Output(error)) => {
                error.kind() == io::ErrorKind::BrokenPipe
            }
            Self::Refused(_)
            | Self::File(_)
            | Self::Prompt(_)
            | Self::Seal(_)
            | Self::Expect(_)
            | Self::Users(_)
            | Self::Export(_)
            | Self::Open(_)
            | Self::Key(_)
            | Self::Unwrap(_)
            | Self::Collect(_)
            | Self::Otp(_)
            | Self::Diagnose(_)
            | Self::ImportTargetUnsaid
            | Self::NoStation
            | Self::StationEnded { .. }
            | Self::Unexpected { .. } => false,
        }
    }

    /// Tells it on standard error and says how kiln ends.
    pub fn tell(&self, io: &mut Io<'_>) -> Exit {
        if self.is_broken_pipe() {
            return Exit::Done;
        }
        let details: &[String] = match self {
            Self::Refused(failure) => &failure.details,
            _ => &[],
        };
        // Where standard error is gone as well, the exit status is all that is left to say.
        let _ = tell(io.err, &self.to_string(), details, self.remedy());
        self.exit()
    }
}

/// `kiln: MESSAGE`, the details indented, `-> REMEDY`.
pub fn tell(err: &mut dyn io::Write, message: &str, details: &[String], remedy: &str) -> io::Result<()> {
    use super::table::plain;
    let mut lines = message.lines();
    writeln!(err, "kiln: {}", plain(lines.next().unwrap_or_default()))?;
    for line in lines.chain(details.iter().flat_map(|detail| detail.lines())) {
        writeln!(err, "  {}", plain(line))?;
    }
    if remedy.is_empty() { Ok(()) } else { writeln!(err, "-> {}", plain(remedy)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::Desk;

    fn failure(kind: FailureKind) -> Failure {
        Failure {
            kind,
            message: "3 lines of the file can't be taken".into(),
            remedy: "correct them and import again".into(),
            details: vec!["line 2, serial number: it is empty".into(), "line\u{1b}[31m 5".into()],
        }
    }

    #[test]
    fn each_kind_of_failure_has_its_exit_status() {
        for (kind, code) in [(FailureKind::No, 1), (FailureKind::Usage, 2), (FailureKind::Environment, 3)] {
            assert_eq!(CliError::from(failure(kind)).exit().status(), code);
        }
    }

    #[test]
    fn a_failure_is_told_with_its_details_and_its_remedy_and_without_control_characters() {
        let mut desk = Desk::default();
        let exit = CliError::from(failure(FailureKind::No)).tell(&mut desk.io());
        assert_eq!(exit, Exit::No);
        assert_eq!(
            desk.err(),
            "kiln: 3 lines of the file can't be taken\n\
             \u{20} line 2, serial number: it is empty\n\
             \u{20} line\u{fffd}[31m 5\n\
             -> correct them and import again\n"
        );
        assert_eq!(desk.out(), "");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let mut desk = Desk::default();
        let gone = CliError::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(gone.tell(&mut desk.io()), Exit::Done);
        assert_eq!(desk.err(), "");
        assert_eq!(CliError::Output(io::ErrorKind::StorageFull.into()).exit(), Exit::Environment);
    }

    #[test]
    fn every_error_of_the_command_line_says_what_to_do() {
        for error in [
            CliError::ImportTargetUnsaid,
            CliError::NoStation,
            CliError::StationEnded { batch: "b".into() },
            CliError::Unexpected { answer: "done" },
            CliError::Output(io::ErrorKind::StorageFull.into()),
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
        }
    }
}
