//! `kiln otp qr`: the QR code that enrols a seed in an application. It shows the seed: asking for it by name is the
//! consent.

use super::{
    Exit, Io, OtpError, ParameterArgs,
    qr_image::{Glyphs, Ink},
    xml,
};
use crate::{
    cli::seed_input::{GivenSeed, SeedArgs, read_seed},
    domain::{
        Mode, UnixTime,
        key_uri::KeyUri,
        qr::{Modules, QUIET, Sturdiness},
    },
};
use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Arguments of `kiln otp qr`.
#[derive(Debug, Clone, clap::Args)]
pub struct QrArgs {
    #[command(flatten)]
    seed: SeedArgs,
    #[command(flatten)]
    parameters: ParameterArgs,
    /// The service, as the application will show it
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// The user's name at the service; needed unless a key URI says it
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Write a PNG picture of 512×512 pixels, readable by this account only, instead of showing the code here
    #[arg(short, long, value_name = "FILE.png")]
    output: Option<PathBuf>,
    /// Replace FILE.png if it exists
    #[arg(long, requires = "output")]
    force: bool,
    /// Draw with ASCII characters instead of half blocks
    #[arg(long, conflicts_with = "output")]
    ascii: bool,
    /// Draw the dark modules instead of the light ones: for a light background, or paper, without colours
    #[arg(long, conflicts_with = "output")]
    invert: bool,
    /// Read the adapter's document `<Secret>…</Secret>`, write the picture, and print `<Ok/>` or `<Error/>`
    #[arg(long, requires = "output", conflicts_with_all = ["uri", "format"])]
    xml: bool,
}

pub(super) fn run(args: &QrArgs, io: &mut Io<'_>) -> Result<Exit, OtpError> {
    match &args.output {
        Some(path) if args.xml => xml::answer(io, |io| {
            let seed = xml::read_secret(args.seed.secret_file.as_deref(), io)?;
            let given = GivenSeed { seed, parameters: None, issuer: None, account: None };
            write_png(path, &key_uri(args, given)?, args.force)?;
            Ok(xml::Answer::Ok(format!("QR code written to {}", path.display())))
        }),
        Some(path) => {
            let given = read_seed(&args.seed, io)?;
            write_png(path, &key_uri(args, given)?, args.force)?;
            io.note(format_args!("wrote {}; it holds the seed", path.display()))?;
            Ok(Exit::Done)
        }
        None => {
            let given = read_seed(&args.seed, io)?;
            let modules = Modules::encode(&key_uri(args, given)?.to_uri(), Sturdiness::Screen, QUIET)
                .ok_or(OtpError::QrTooLong)?;
            let glyphs = if args.ascii { Glyphs::Ascii } else { Glyphs::HalfBlocks };
            let ink = match (args.invert, io.colour) {
                (true, _) => Ink::Dark,
                (false, true) => Ink::Colours,
                (false, false) => Ink::Light,
            };
            io.out.write_all(modules.text(glyphs, ink).as_bytes())?;
            Ok(Exit::Done)
        }
    }
}

/// What the QR code will say.
fn key_uri(args: &QrArgs, given: GivenSeed) -> Result<KeyUri, OtpError> {
    let parameters = args.parameters.over(given.parameters)?;
    if matches!(parameters.mode, Mode::Totp { t0, .. } if t0 != UnixTime(0)) {
        return Err(OtpError::T0InQr);
    }
    let account =
        args.account.as_ref().or(given.account.as_ref()).map(|text| text.trim()).unwrap_or_default();
    if account.is_empty() {
        return Err(OtpError::NoAccount);
    }
    let issuer = args.issuer.as_deref().or(given.issuer.as_deref());
    Ok(KeyUri::new(issuer, account, given.seed, parameters))
}

/// Writes the picture so that no other account can read it at any moment, and that a picture which was there is either
/// whole or replaced.
fn write_png(path: &Path, uri: &KeyUri, force: bool) -> Result<(), OtpError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists if !force => OtpError::Exists { path: path.to_owned() },
        _ => OtpError::Write { path: path.to_owned(), error },
    };
    let modules = Modules::encode(&uri.to_uri(), Sturdiness::Print, QUIET).ok_or(OtpError::QrTooLong)?;
    let picture = modules.png().map_err(|error| failed(io::Error::other(error)))?;
    if !force {
        return create(path, &picture).map_err(failed);
    }
    // Written beside it and moved over it: replacing in place would keep the old file's permissions.
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let moved = create(&beside, &picture).and_then(|()| {
        fs::rename(&beside, path).inspect_err(|_| {
            // Of two errors the first is the news.
            let _ = fs::remove_file(&beside);
        })
    });
    moved.map_err(failed)
}

/// A new file of this account's alone, on disk when this returns; none where that fails.
fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content).and_then(|()| file.sync_all()).inspect_err(|_| {
        // Of two errors the first is the news.
        let _ = fs::remove_file(path);
    })
}
