//! A machine with real `hidraw` devices, for a test of its own: a Debian kernel under QEMU (`tests/hidbench`), in which
//! virtual HID devices are made, pulled and put back.
//!
//! As with [`super::namespace`], the test's function starts its own binary again inside and judges what comes of it.
//! Where something that this needs is missing, the test fails and says what.

use super::{LONG, until};
use std::{
    env,
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Once,
    time::{Duration, SystemTime},
};

/// Says, inside, which test is running.
const INSIDE: &str = "KILN_BENCH_INSIDE";
/// Where, inside, logs go; the same variable as in namespaces.
const LOGS: &str = "KILN_TEST_LOGS";
/// Orders to whatever makes the devices, and what has become of them.
const ORDERS: &str = "/run/uhid.ctl";
const DONE: &str = "/run/uhid.log";
/// What `run.sh` says of a machine that ended before its program did.
const KERNEL_BROKE: &str = "the guest ended early";

/// Which kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Boots fastest; HID alone.
    Small,
    /// With a USB host whose ports are there, and gadgets that are plugged into them: so many.
    Usb(u8),
}

/// Runs `body` as the test `name` (its path in the test binary) in a machine with these devices (see
/// `uhid-provider.rs`), for `limit` at most.
#[track_caller]
pub fn in_bench(name: &str, limit: Duration, kernel: Kernel, devices: &[String], body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        fs::create_dir_all("/tmp/logs").expect("the machine's /tmp is writable");
        let ended = catch_unwind(AssertUnwindSafe(body));
        if let Err(panic) = ended {
            show_logs();
            resume_unwind(panic);
        }
        return;
    }
    let program = stripped(&env::current_exe().expect("this binary has a path"));
    let kiln = Path::new(env!("CARGO_BIN_EXE_kiln"));
    let mut bench = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hidbench/run.sh"));
    bench.env("HIDBENCH_CACHE", cache()).args(["-t", &limit.as_secs().to_string()]);
    // At the place that is compiled into this binary.
    bench.arg("-a").arg(format!("{}:{}", stripped(kiln).display(), kiln.display()));
    if let Kernel::Usb(ports) = kernel {
        bench.args([
            "-s",
            "full",
            "-m",
            &format!("dummy-hcd num={ports}"),
            "-m",
            "usb-f-hid",
            "-m",
            "usbhid",
        ]);
    }
    for device in devices {
        bench.args(["-d", device]);
    }
    bench.args(["-e", &format!("{INSIDE}={name}"), "-e", &format!("{LOGS}=/tmp/logs")]);
    bench.arg(&program).args(["--exact", name, "--nocapture", "--test-threads=1"]);
    let ran = bench.stdin(Stdio::null()).output().expect("tests/hidbench/run.sh is there");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let passed = out.contains("test result: ok. 1 passed");
    match ran.status.code() {
        // A name that fits no test passes, too: zero tests, none failed.
        Some(0) if passed => {}
        // Linux 6.1 sometimes breaks over a device's file that was open while its device was pulled and plugged in again
        // (usb_f_hid, cd_forget), when that file is closed: at the end of a test that has passed.
        Some(125) if passed && err.contains(KERNEL_BROKE) => {}
        Some(0) => panic!("{name}: no test of this name ran; name it by its whole path in the test binary"),
        Some(124) => panic!("{name}, in the bench: not done after {limit:?}\n{out}\n{err}"),
        Some(125) => panic!(
            "{name} needs tests/hidbench, which failed itself (`make test` installs what it needs): {err}\n{out}"
        ),
        _ => panic!("{name}, in the bench: {}\n{out}\n{err}", ran.status),
    }
}

/// Kernels and what else the bench fetches and builds, for all tests of this checkout.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/hidbench")
}

/// A copy without debugging information: all of it has to fit into the machine's memory.
fn stripped(program: &Path) -> PathBuf {
    let name = program.file_name().expect("a program has a name").to_string_lossy();
    let copy = cache().join("programs").join(&*name);
    let made =
        |path: &Path| fs::metadata(path).and_then(|about| about.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if made(&copy) <= made(program) {
        let dir = copy.parent().expect("it lies in a directory");
        fs::create_dir_all(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        // Tests of this binary may run at the same time: one rename ends it.
        let fresh = dir.join(format!("{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
        let status = Command::new("strip").arg("-o").arg(&fresh).arg(program).status();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "strip (package binutils): {status:?}; `make test` installs it"
        );
        fs::rename(&fresh, &copy).unwrap_or_else(|error| panic!("{}: {error}", copy.display()));
    }
    copy
}

/// For a failure: what everything inside has logged.
fn show_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut out = std::io::stderr().lock();
        let logs = fs::read_dir("/tmp/logs").into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = logs.chain([PathBuf::from(DONE)]).collect();
        paths.sort();
        for path in paths {
            let text = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(60)..].join("\n");
            let _ = writeln!(out, "---- {} ----\n{last}", path.display());
        }
    });
}

/// Plugs in the device called `name`.
#[track_caller]
pub fn plug(name: &str) {
    order(&format!("plug {name}"), &format!("uhid: plugged {name}"));
}

/// Pulls the device called `name`.
#[track_caller]
pub fn unplug(name: &str) {
    order(&format!("unplug {name}"), &format!("uhid: unplugged {name}"));
}

/// Gives an order and waits until it has taken effect once more than before.
#[track_caller]
fn order(order: &str, done: &str) {
    let count = || fs::read_to_string(DONE).unwrap_or_default().lines().filter(|line| *line == done).count();
    let before = count();
    let mut orders = File::options().write(true).open(ORDERS).expect("the bench takes orders");
    writeln!(orders, "{order}").expect("the bench takes orders");
    drop(orders);
    until(done, LONG, || (count() > before).then_some(()));
}

/// The node of the device whose driver says that it is at `place` (`hidbench/NAME`), if it is plugged in.
pub fn node(place: &str) -> Option<PathBuf> {
    let about = |path: &Path| fs::read_to_string(path.join("device/uevent")).unwrap_or_default();
    let nodes = fs::read_dir("/sys/class/hidraw").into_iter().flatten().flatten().map(|entry| entry.path());
    let wanted = format!("HID_PHYS={place}");
    let found = nodes.into_iter().find(|path| about(path).lines().any(|line| line == wanted))?;
    Some(Path::new("/dev").join(found.file_name()?))
}

/// What udev does to a node: gives it to somebody.
#[track_caller]
pub fn give(node: &Path, mode: u32) {
    fs::set_permissions(node, fs::Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("{}: {error}", node.display()));
}
