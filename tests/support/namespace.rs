//! A test in a world of its own.
//!
//! There is one `pcscd` for a mount namespace (its socket's place is compiled in), and the driver for virtual readers
//! listens on every interface. So a test that needs them runs in mount, network and process namespaces made for it:
//! the test's function starts its own binary again inside, for that one test, and judges what comes of it. That outer
//! half is the watchdog, too: when the time is up, the whole namespace ends with every process in it, and the test
//! fails with what all of them have logged.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Says, inside, which test is running.
const INSIDE: &str = "KILN_TEST_INSIDE";
/// Where, inside, logs go.
const LOGS: &str = "KILN_TEST_LOGS";
/// Set by a person: keep what the test leaves in its directory, and say where.
const KEEP: &str = "KILN_TEST_KEEP";

/// How much of each log a failure shows.
const LOG_LINES: usize = 80;

/// Which half of a test this process is.
#[derive(Debug, PartialEq, Eq)]
pub enum Role {
    /// The test has run inside and passed; nothing is left to do.
    Outer,
    /// This is the inside: go on.
    Inner,
}

/// Runs `body` as the test `name` (its path in the test binary) in namespaces of its own, for `limit` at most.
#[track_caller]
pub fn isolated(name: &str, limit: Duration, body: impl FnOnce()) {
    if enter(name, limit) == Role::Inner {
        body();
    }
}

/// Runs the test `name` of this binary again, inside, unless this is the inside already. Fails where the inside fails,
/// or is not done within `limit`.
#[track_caller]
#[allow(clippy::print_stdout, reason = "the runner shows it on --nocapture only, and where the test fails")]
pub fn enter(name: &str, limit: Duration) -> Role {
    if env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return Role::Inner;
    }
    let mut dir =
        tempfile::Builder::new().prefix("kiln-test-").tempdir().expect("a temporary directory can be made");
    dir.disable_cleanup(env::var_os(KEEP).is_some());
    // A name that fits no test passes, too: zero tests, none failed.
    let one_ran = |printed: &str| printed.contains("test result: ok. 1 passed");
    match run_inside(&["--exact", name, "--nocapture", "--test-threads=1"], name, limit, dir.path()) {
        Ok(printed) if one_ran(&printed) => {
            // The figures of a soak.
            println!("{printed}");
            Role::Outer
        }
        Ok(_) => panic!("{name}: no test of this name ran; name it by its whole path in the test binary"),
        Err(why) => panic!("{name}, in namespaces of its own: {why}\n{}", logs(dir.path())),
    }
}

/// For a program that is no test: runs it again, inside, under the name `name`. The outer half gets what the inside
/// printed; the inner half gets nothing and goes on.
#[track_caller]
pub fn output_of_inside(name: &str, limit: Duration) -> Option<String> {
    if env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return None;
    }
    let dir =
        tempfile::Builder::new().prefix("kiln-test-").tempdir().expect("a temporary directory can be made");
    match run_inside(&[], name, limit, dir.path()) {
        Ok(printed) => Some(printed),
        Err(why) => panic!("{name}, in namespaces of its own: {why}\n{}", logs(dir.path())),
    }
}

/// A new, empty log file, shown when the test fails.
pub fn log_path(name: &str) -> PathBuf {
    let dir = env::var_os(LOGS)
        .map(PathBuf::from)
        .expect("logs are written inside, by a test that called `isolated`");
    (1..)
        .map(|number| dir.join(format!("{name}-{number}.log")))
        .find(|path| File::create_new(path).is_ok())
        .expect("some number is free")
}

/// The same, open for writing.
pub fn log_file(name: &str) -> File {
    File::options().append(true).open(log_path(name)).expect("a file just made can be opened")
}

fn run_inside(args: &[&str], name: &str, limit: Duration, dir: &Path) -> Result<String, String> {
    let output = dir.join("logs/0-test.log");
    for sub in ["logs", "tmp", "home"] {
        fs::create_dir(dir.join(sub)).map_err(|error| format!("{sub} can't be made: {error}"))?;
    }
    let log = File::create(&output).map_err(|error| format!("no log can be made: {error}"))?;
    let log_too = log.try_clone().map_err(|error| format!("no log can be made: {error}"))?;
    let mut child = unshare()?
        // The shell stays the first process and takes in orphans. `/run` is empty but for a place for pcscd: nothing
        // of the machine's own services is reached by mistake.
        .args([
            "sh",
            "-ec",
            "ip link set lo up; mount -t tmpfs -o mode=755 tmpfs /run; mkdir /run/pcscd; \"$@\"; exit $?",
            "sh",
        ])
        .arg(env::current_exe().map_err(|error| format!("this binary can't be found: {error}"))?)
        .args(args)
        .env(INSIDE, name)
        .env(LOGS, dir.join("logs"))
        .env("TMPDIR", dir.join("tmp"))
        .env("HOME", dir.join("home"))
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("KILN_HOME")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_too)
        .spawn()
        .map_err(|error| {
            format!("unshare and setpriv can't be run ({error}); `make test` installs what is missing")
        })?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < limit => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                // The first process dies with unshare, and with it the namespace and all in it.
                child.kill().ok();
                child.wait().ok();
                return Err(format!("not done after {limit:?}; ended"));
            }
            Err(error) => return Err(format!("can't be waited for: {error}")),
        }
    };
    let printed = fs::read(&output).unwrap_or_default();
    if status.success() {
        Ok(String::from_utf8_lossy(&printed).into_owned())
    } else {
        Err(format!("failed ({status})"))
    }
}

/// `unshare` with the options that work for this user: root needs none but the namespaces, others are mapped to root
/// in a user namespace, with more accounts beside it where `newuidmap` allows that.
fn unshare() -> Result<Command, String> {
    const NAMESPACES: &[&str] = &["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    static USER: OnceLock<Option<&'static [&'static str]>> = OnceLock::new();
    let user = USER.get_or_init(|| {
        let choices: [&'static [&'static str]; 3] =
            [&[], &["--map-root-user", "--map-auto"], &["--map-root-user"]];
        choices.into_iter().find(|choice| {
            Command::new("unshare")
                .args(*choice)
                .args(NAMESPACES)
                .arg("true")
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
    });
    let Some(user) = user else {
        return Err(
            "this user may not make namespaces (or unshare is missing): run the tests as root, or allow \
                    unprivileged user namespaces (sysctl user.max_user_namespaces, \
                    kernel.apparmor_restrict_unprivileged_userns)"
                .to_owned(),
        );
    };
    // Where the outer half is killed itself, the inside must not outlive it.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare"]).args(*user).args(NAMESPACES);
    Ok(command)
}

fn logs(dir: &Path) -> String {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir.join("logs")).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut out = String::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(
            out,
            "---- {name} ({} of {} lines) ----\n{}",
            shown.len(),
            lines.len(),
            shown.join("\n")
        );
    }
    if env::var_os(KEEP).is_some() {
        let _ = writeln!(out, "---- kept: {} ----", dir.display());
    }
    out
}
