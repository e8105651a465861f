//! Codes as somebody else computes them: Debian's `oathtool`.

use std::{
    io::Write,
    process::{Command, Stdio},
};

/// The code that `seed_base32` shows `at` seconds after the epoch. `hash` is sha1, sha256 or sha512, in any case;
/// `digits` is 6, 7 or 8 (`oathtool` knows no others), `period` in seconds. The seed goes over standard input, so that
/// a search of process arguments for leaked seeds finds none of the test's own.
#[track_caller]
pub fn code(seed_base32: &str, hash: &str, digits: u32, period: u32, at: u64) -> String {
    let kind = format!("--totp={}", hash.to_ascii_lowercase());
    let period = format!("--time-step-size={period}s");
    run(seed_base32, digits, &[&kind, &period, &format!("--now=@{at}")])
}

/// The counter-based code of `seed_base32` (SHA-1) at `counter`.
#[track_caller]
pub fn counted(seed_base32: &str, digits: u32, counter: u64) -> String {
    run(seed_base32, digits, &["--hotp", &format!("--counter={counter}")])
}

/// A seed in a token's memory, which is hex, as `oathtool` takes it.
#[track_caller]
pub fn base32(seed_hex: &str) -> String {
    let bytes = data_encoding::HEXLOWER.decode(seed_hex.as_bytes()).expect("a token's memory is hex");
    data_encoding::BASE32.encode(&bytes)
}

#[track_caller]
fn run(seed_base32: &str, digits: u32, more: &[&str]) -> String {
    let mut child = Command::new("oathtool")
        .args(more)
        .args(["--base32", &format!("--digits={digits}"), "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("oathtool can't be run ({error}); `make test` installs it"));
    writeln!(child.stdin.take().expect("it was asked for as a pipe"), "{seed_base32}")
        .expect("oathtool reads it");
    let output = child.wait_with_output().expect("oathtool can be waited for");
    let code = String::from_utf8(output.stdout).expect("a code is digits").trim().to_owned();
    assert!(output.status.success() && !code.is_empty(), "oathtool refused {more:?} with {digits} digits");
    code
}
