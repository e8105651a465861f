//! Other people's programs, that make what kiln reads: GnuPG, ZIP, 7-Zip, age, qrencode.

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Runs `command` with `input` to its end and takes its standard output. Fails where it fails.
#[track_caller]
pub fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} can't be run ({error}); `make test` installs it"));
    let mut stdin = child.stdin.take().expect("it was asked for as a pipe");
    let input = input.to_vec();
    // At the same time: a child that fills its output while nobody reads it stands still.
    let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
    let output = child.wait_with_output().expect("a child of ours can be waited for");
    writer.join().expect("writing does not panic");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Small keys of today.
pub const ECC: [&str; 2] = ["ed25519", "cv25519"];
/// Keys of before.
pub const RSA: [&str; 2] = ["rsa2048", "rsa2048"];

/// A GnuPG of the test's own. Its agent ends with it.
pub struct Gpg(TempDir);

impl Gpg {
    /// With no key.
    pub fn new() -> Self {
        // A short path: the agent's socket lies in it.
        let private = std::fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix("g").permissions(private).tempdir();
        Self(dir.expect("a temporary directory can be made"))
    }

    /// Where it keeps its keys.
    pub fn home(&self) -> &Path {
        self.0.path()
    }

    /// `gpg ARGS`, which asks nobody.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.home()).env_remove("GPG_AGENT_INFO");
        command.args([
            "--batch",
            "--quiet",
            "--yes",
            "--trust-model",
            "always",
            "--pinentry-mode",
            "loopback",
        ]);
        command.args(args);
        command
    }

    /// What `gpg ARGS` makes of `input`.
    #[track_caller]
    pub fn run(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        output(&mut self.command(args), input)
    }

    /// A new key for `user` with a subkey to encrypt to, of these kinds, locked with `passphrase` unless that is empty.
    #[track_caller]
    pub fn make_key(&self, user: &str, [primary, subkey]: [&str; 2], passphrase: &str) {
        let locked = ["--passphrase", passphrase];
        self.run(&[&locked[..], &["--quick-generate-key", user, primary, "sign", "never"]].concat(), b"");
        let listed = self.run(&["--with-colons", "--list-keys", user], b"");
        let listed = String::from_utf8(listed).expect("gpg lists keys as text");
        let fingerprint =
            listed.lines().find_map(|line| line.strip_prefix("fpr:")).expect("the key is listed");
        let fingerprint = fingerprint.trim_matches(':');
        self.run(&[&locked[..], &["--quick-add-key", fingerprint, subkey, "encr", "never"]].concat(), b"");
    }

    /// The secret keys of `user`, as people export them.
    #[track_caller]
    pub fn secret_key(&self, user: &str, passphrase: &str) -> Vec<u8> {
        self.run(&["--armor", "--passphrase", passphrase, "--export-secret-keys", user], b"")
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // Its own agent, by its own home.
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home()).args(["--kill", "all"]).output();
    }
}

/// A directory of files to be packed, and the archive beside it.
pub struct Pack(TempDir);

impl Pack {
    /// With these files.
    #[track_caller]
    pub fn of(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        for (name, content) in files {
            let path = dir.path().join("in").join(name);
            std::fs::create_dir_all(path.parent().expect("it lies below in")).expect("it is ours");
            std::fs::write(path, content).expect("it is ours");
        }
        Self(dir)
    }

    fn archive(&self) -> PathBuf {
        self.0.path().join("out.zip")
    }

    /// Packed by Info-ZIP: ZipCrypto, where there is a password.
    #[track_caller]
    pub fn by_zip(&self, password: Option<&str>) -> Vec<u8> {
        let mut command = Command::new("zip");
        command.current_dir(self.0.path().join("in")).args(["-q", "-r"]);
        if let Some(password) = password {
            command.args(["-P", password]);
        }
        output(command.arg(self.archive()).arg("."), b"");
        std::fs::read(self.archive()).expect("zip wrote it")
    }

    /// Packed by 7-Zip; `more` are its switches.
    #[track_caller]
    pub fn by_7z(&self, password: &str, more: &[&str]) -> Vec<u8> {
        let mut command = Command::new("7zz");
        command.current_dir(self.0.path().join("in")).args(["a", "-tzip", "-bso0", "-bsp0"]).args(more);
        if !password.is_empty() {
            command.arg(format!("-p{password}"));
        }
        output(command.arg(self.archive()).arg("."), b"");
        std::fs::read(self.archive()).expect("7zz wrote it")
    }
}

/// A QR code as `qrencode` draws it, with modules of `scale` pixels, as PNG.
#[track_caller]
pub fn qr_png(text: &str, scale: u32) -> Vec<u8> {
    output(Command::new("qrencode").args(["-o", "-", "-t", "PNG", "-s", &scale.to_string()]), text.as_bytes())
}
