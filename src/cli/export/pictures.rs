//! QR codes as PNG files, one for each profile, named by serial and profile. Drawn here, of the lines that the station
//! gave.

use super::{
    ExportError,
    place::{checksum_line, digest},
    protect::Protection,
};
use crate::{
    cli::{
        CliError,
        files::{FileError, Overwrite, create, may_create},
    },
    domain::qr::{Modules, QUIET, Sturdiness},
    face::SecretBytes,
};
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The list of the pictures with their SHA-256, as `sha256sum` writes it.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Draws a picture of each line into `dir`, and gives the lines of a list of their SHA-256.
pub(super) fn write(
    lines: &SecretBytes,
    dir: &Path,
    protection: &Protection,
    overwrite: Overwrite,
) -> Result<String, CliError> {
    let text = std::str::from_utf8(lines.expose()).unwrap_or_default();
    let mut pictures: Vec<(&str, &str, PathBuf)> = Vec::new();
    for line in text.lines() {
        let mut cells = line.splitn(3, '\t');
        let (Some(serial), Some(profile), Some(uri)) = (cells.next(), cells.next(), cells.next()) else {
            continue;
        };
        let name = format!("{serial}-{profile}.png{}", protection.ending());
        pictures.push((serial, uri, dir.join(name)));
    }
    // All or none, as far as that can be known beforehand.
    for (.., file) in &pictures {
        may_create(file, overwrite)?;
    }
    may_create(&dir.join(SUMS), overwrite)?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| FileError::Write { path: dir.display().to_string(), source })?;
    let mut sums = String::new();
    for (serial, uri, file) in &pictures {
        let undrawn = || ExportError::Picture { serial: (*serial).to_owned() };
        let modules = Modules::encode(uri, Sturdiness::Print, QUIET).ok_or_else(undrawn)?;
        let picture = modules.png().map_err(|_| undrawn())?;
        let ready = protection.seal(SecretBytes::new(&picture[..]))?;
        create(file, ready.bytes(), overwrite)?;
        sums.push_str(&checksum_line(&digest(ready.bytes()), file));
    }
    Ok(sums)
}
