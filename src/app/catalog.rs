//! The catalog that ships, with what the operator's configuration adds to it.

use crate::{
    domain::catalog::Catalog,
    face::{Failure, FailureKind},
    remedy::Remedy,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folders below the configuration's `profiles` folder.
const KINDS: [&str; 3] = ["models", "recipes", "targets"];

/// The built-in catalog with the operator's files. A folder that isn't there adds nothing; a file that can't be read
/// or understood is an error, since a batch could otherwise burn by the built-in recipe of the same name.
pub fn load(profiles: &Path) -> Result<Catalog, Failure> {
    let mut files = Vec::new();
    for kind in KINDS {
        let mut paths = match fs::read_dir(profiles.join(kind)) {
            Ok(entries) => entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<PathBuf>, _>>(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(error),
        }
        .map_err(|error| unreadable(&profiles.join(kind), &error))?;
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
        paths.sort();
        for path in paths {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push((format!("{kind}/{name}"), text));
        }
    }
    Catalog::built_in().with(files).map_err(|error| Failure {
        kind: FailureKind::Environment,
        message: error.to_string(),
        remedy: error.remedy().to_owned(),
        details: Vec::new(),
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure {
        kind: FailureKind::Environment,
        message: format!("{} can't be read: {error}", path.display()),
        remedy: "give the station's account the right to read it, or take it away".into(),
        details: Vec::new(),
    }
}
