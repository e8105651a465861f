//! Keys as somebody else reads and writes them: Yubico's own library, `yubikey-manager` of PyPI, which `scripts/setup
//! test` puts to `target/yubikit`.

use super::pcscd::Reader;
use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/yubikit/bin/python")
}

/// Has it do what `request` says with the key on `reader`; see the script. The key must be nobody else's meanwhile.
#[track_caller]
pub fn ask(reader: &Reader, request: &Value) -> Value {
    let mut request = request.clone();
    request["reader"] = json!(reader.name);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/yubikit_card.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; `make test` installs it", python().display()));
    let mut stdin = child.stdin.take().expect("it was asked for as a pipe");
    stdin.write_all(request.to_string().as_bytes()).expect("it reads its request");
    drop(stdin);
    let output = child.wait_with_output().expect("it can be waited for");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "yubikit: {errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("yubikit: {error}: {errors}"))
}
