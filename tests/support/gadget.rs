//! A USB device of our own in a port of a USB host of our own (dummy-hcd), inside the bench: configfs makes it, the kernel
//! binds it as it does any other, and what is written to it comes out at a node of its own here.
//!
//! It has what FIDO keys have: usage page F1D0, usage 01, reports of 64 bytes both ways, no report ids.

use super::{LONG, until};
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const GADGETS: &str = "/sys/kernel/config/usb_gadget";

/// FIDO CTAP 2.1, section 11.2.8.2.
const DESCRIPTOR: [u8; 34] = [
    0x06, 0xD0, 0xF1, 0x09, 0x01, 0xA1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95,
    0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, 0xC0,
];

/// One device. Whatever port it is plugged into, `program` answers.
pub struct Gadget {
    dir: PathBuf,
    name: String,
    program: Child,
    bridged: bool,
}

impl Gadget {
    /// Makes one under `name`, not plugged in. `program` is a line for the shell that reads reports from its standard
    /// input and writes reports to its standard output.
    #[track_caller]
    pub fn new(name: &str, program: &str) -> Self {
        if !Path::new(GADGETS).exists() {
            let mount = Command::new("mount").args(["-t", "configfs", "none", "/sys/kernel/config"]).status();
            assert!(mount.is_ok_and(|status| status.success()), "configfs can be mounted");
        }
        let dir = Path::new(GADGETS).join(name);
        let function = dir.join(format!("functions/hid.{name}"));
        let (strings, configuration) = (dir.join("strings/0x409"), dir.join("configs/c.1"));
        fs::create_dir(&dir).expect("a gadget can be made");
        for made in [&strings, &function, &configuration] {
            fs::create_dir(made).unwrap_or_else(|error| panic!("{}: {error}", made.display()));
        }
        for (file, text) in [
            (dir.join("idVendor"), "0x349e"),
            (dir.join("idProduct"), "0x0026"),
            (strings.join("manufacturer"), "TOKEN2"),
            (strings.join("product"), "FIDO2 Security Key"),
            (function.join("report_length"), "64"),
        ] {
            fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
        fs::write(function.join("report_desc"), DESCRIPTOR).expect("the descriptor fits");
        symlink(&function, configuration.join("function")).expect("a function can be configured");
        let program = Command::new("sh")
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the bench has a shell");
        Self { dir, name: name.to_owned(), program, bridged: false }
    }

    /// Plugs it into the one port of the host with this number, from 0 on.
    #[track_caller]
    pub fn plug(&mut self, host: u8) {
        fs::write(self.dir.join("UDC"), format!("dummy_udc.{host}")).expect("the port is free");
        if !self.bridged {
            self.bridge();
            self.bridged = true;
        }
    }

    /// Pulls it.
    #[track_caller]
    pub fn unplug(&self) {
        fs::write(self.dir.join("UDC"), "\n").expect("it was plugged in");
    }

    /// Carries reports between the device and its program, until the end.
    #[track_caller]
    fn bridge(&mut self) {
        let number = fs::read_to_string(self.dir.join(format!("functions/hid.{}/dev", self.name)))
            .expect("a bound function has a number");
        let minor = number.trim().split(':').nth(1).expect("major and minor").to_owned();
        let node = PathBuf::from(format!("/dev/hidg{minor}"));
        let open = || File::options().read(true).write(true).open(&node).ok();
        let mut from_host = until(&node.display().to_string(), LONG, open);
        let mut to_host = from_host.try_clone().expect("a file can be shared");
        let mut stdin = self.program.stdin.take().expect("it was asked for as a pipe");
        let mut stdout = self.program.stdout.take().expect("it was asked for as a pipe");
        std::thread::spawn(move || {
            let mut report = [0; 64];
            while from_host.read_exact(&mut report).is_ok() && stdin.write_all(&report).is_ok() {}
        });
        std::thread::spawn(move || {
            let mut report = [0; 64];
            while stdout.read_exact(&mut report).is_ok() && to_host.write_all(&report).is_ok() {}
        });
    }
}

impl Drop for Gadget {
    fn drop(&mut self) {
        self.program.kill().ok();
        self.program.wait().ok();
    }
}
