//! A station for several people, told apart by the accounts at the other ends of its socket: run by one, asked by an
//! operator, an observer and a stranger, each really another uid.

mod support;

use kiln::{
    domain::Profile,
    face::{
        ActivationAsk, AuditEntry, BatchPolicy, Command, Consent, DriftFilter, ExportFormat, ExportOptions,
        Failure, FailureKind, HolderFile, ImportOptions, ImportTarget, JobFilter, NewBatch, NewSweep, Page,
        Reply, Role, SecretBytes, ToClient, ToServer,
    },
};
use nix::unistd::{Gid, Uid, setegid, seteuid};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    process::{Command as Process, Stdio},
    time::Duration,
};
use support::{
    LONG,
    child::Owned,
    namespace::{self, isolated},
};

const LIMIT: Duration = Duration::from_secs(120);

/// The accounts: the station's own, one of its operators, one who may look on, and one who is nothing to it.
const STATION: Account = Account { name: "kiln", uid: 4001 };
const ANN: Account = Account { name: "ann", uid: 4002 };
const BOB: Account = Account { name: "bob", uid: 4003 };
const EVE: Account = Account { name: "eve", uid: 4004 };

const PASSWD: &str = "root:x:0:0::/:/bin/sh\nkiln:x:4001:4001::/:/bin/sh\nann:x:4002:4002::/:/bin/sh\n\
                      bob:x:4003:4003::/:/bin/sh\neve:x:4004:4004::/:/bin/sh\n";
const GROUP: &str =
    "root:x:0:\nkiln:x:4001:ann,bob\nkiln-operators:x:4005:ann\nann:x:4002:\nbob:x:4003:\neve:x:4004:\n";

const SOCKET: &str = "/run/kiln/socket";
const HOME: &str = "/run/kiln-home";

struct Account {
    name: &'static str,
    uid: u32,
}

/// What a command does, said here once more and on its own: who may ask it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// It shows what is no secret.
    Looks,
    /// It searches the seeds: an observer may, too, within limits of its own, and it is on record.
    Searches,
    /// It changes something, or shows what an observer may not see.
    Acts,
}

/// One of each kind of command, and what it does. A kind that is missing does not compile.
macro_rules! one_of_each {
    ($($kind:pat => $does:ident $made:expr),+ $(,)?) => {
        fn one_of_each() -> Vec<(Does, Command)> {
            // Never called: it is there to be complete.
            fn _complete(command: &Command) {
                match command { $($kind => ()),+ }
            }
            vec![$((Does::$does, $made)),+]
        }
    };
}

fn serial() -> kiln::domain::Serial {
    "86596100000001".parse().expect("it is a serial")
}

fn spring() -> String {
    "spring".into()
}

fn last_four() -> String {
    "0001".into()
}

fn holder(name: &str) -> HolderFile {
    HolderFile { name: name.into(), kind: "age".into(), recipient: None, file: String::new() }
}

fn key() -> SecretBytes {
    SecretBytes::new([7; 32])
}

// In an order in which an operator's succeed.
one_of_each! {
    Command::VaultInit { .. } => Acts Command::VaultInit { holder: holder("ann"), data_key: key() },
    Command::Snapshot => Looks Command::Snapshot,
    Command::Subscribe => Looks Command::Subscribe,
    Command::Holders => Acts Command::Holders,
    Command::HolderAdd { .. } => Acts Command::HolderAdd { holder: holder("carol") },
    Command::HolderRemove { .. } => Acts Command::HolderRemove { name: "carol".into() },
    Command::VaultLock => Acts Command::VaultLock,
    Command::VaultUnlock { .. } => Acts Command::VaultUnlock { data_key: key() },
    Command::KeyAdd { .. } => Acts Command::KeyAdd { name: "office".into(), key: SecretBytes::new([9; 16]) },
    Command::Keys => Looks Command::Keys,
    Command::Import { .. } => Acts Command::Import {
        file_name: "seeds.csv".into(),
        content: SecretBytes::new(
            "upn,serial number,secret key,time interval,manufacturer,model\n\
             a@example.com,86596100000001,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,30,Token2,C301-i\n",
        ),
        options: ImportOptions {
            hash: Some(kiln::domain::Hash::Sha1),
            ..ImportOptions::to(ImportTarget::Inventory)
        },
    },
    Command::Catalog => Looks Command::Catalog,
    Command::BatchNew(_) => Acts Command::BatchNew(NewBatch {
        name: spring(),
        count: 1,
        model: "c301-i".into(),
        recipe: "single-random".into(),
        login_target: None,
        key: None,
        policy: BatchPolicy::default(),
        dry_run: false,
        priority: 0,
        made_for: kiln::face::MadeFor::default(),
    }),
    Command::Batches => Looks Command::Batches,
    Command::BatchShow { .. } => Looks Command::BatchShow { name: spring() },
    Command::BatchStart { .. } => Acts Command::BatchStart { name: spring() },
    Command::BatchPause { .. } => Acts Command::BatchPause { name: spring() },
    Command::BatchRetry { .. } => Acts Command::BatchRetry { name: spring() },
    Command::BatchPriority { .. } => Acts Command::BatchPriority { name: spring(), priority: 3 },
    Command::BatchCancel { .. } => Acts Command::BatchCancel { name: spring() },
    Command::Resync(_) => Acts Command::Resync(NewSweep::default()),
    Command::Swept { .. } => Looks Command::Swept { name: spring(), page: Page::default() },
    Command::AlarmsRead { .. } => Acts Command::AlarmsRead { ids: vec![1] },
    Command::Jobs { .. } => Looks Command::Jobs {
        batch: spring(),
        filter: JobFilter::default(),
        page: Page::default(),
    },
    Command::Tokens { .. } => Looks Command::Tokens { query: String::new(), page: Page::default() },
    Command::Drift { .. } => Looks Command::Drift { filter: DriftFilter::default(), page: Page::default() },
    Command::ClockTimed { .. } => Acts Command::ClockTimed {
        serial: serial(),
        period_s: 30,
        offset_ms: 0,
        within_ms: 900,
    },
    Command::Token { .. } => Looks Command::Token { serial: serial() },
    Command::Verify { .. } => Acts Command::Verify {
        serial: serial(),
        profile: Profile::ZERO,
        codes: vec!["000000".into()],
    },
    Command::Reveal { .. } => Acts Command::Reveal {
        serial: serial(),
        profile: Profile::ZERO,
        last_four: last_four(),
    },
    Command::Allow { .. } => Acts Command::Allow {
        serial: serial(),
        last_four: last_four(),
        what: Consent::Replace,
    },
    Command::DeviceReset { .. } => Acts Command::DeviceReset { serial: serial(), last_four: last_four() },
    Command::DevicePressed { .. } => Acts Command::DevicePressed { serial: serial() },
    Command::DeviceCancel { .. } => Acts Command::DeviceCancel { serial: serial() },
    Command::DeviceSetKey { .. } => Acts Command::DeviceSetKey {
        serial: serial(),
        last_four: last_four(),
        current: None,
        new: "office".into(),
    },
    Command::Diagnose { .. } => Searches Command::Diagnose {
        serial: serial(),
        profile: Profile::ZERO,
        codes: vec!["000000".into()],
        shows: None,
        at: None,
        typed: vec![],
        wider: 1,
    },
    Command::Examine { .. } => Acts Command::Examine {
        serial: serial(),
        profile: Profile::ZERO,
        seen: Vec::new(),
        shows: None,
    },
    Command::Whose { .. } => Searches Command::Whose { codes: vec!["000000".into()], at: None, within_s: 60 },
    Command::When { .. } => Searches Command::When {
        serial: serial(),
        profile: Profile::ZERO,
        codes: vec!["000000".into()],
        since: None,
        until: None,
    },
    Command::Export(_) => Acts Command::Export(ExportOptions {
        unproven: true,
        ..ExportOptions::of(ExportFormat::Report)
    }),
    Command::ActivationCodes(_) => Acts Command::ActivationCodes(ActivationAsk {
        serials: vec![serial()],
        limit: 1,
        login_target: Some("entra".into()),
        ..ActivationAsk::default()
    }),
    Command::Activated { .. } => Acts Command::Activated { serials: vec![serial()], code: None },
    Command::BatchReport { .. } => Looks Command::BatchReport { name: spring() },
    Command::Scrap { .. } => Acts Command::Scrap {
        serial: serial(),
        last_four: last_four(),
        release_seeds: false,
    },
    Command::Slots => Looks Command::Slots,
    Command::SlotName { .. } => Acts Command::SlotName { slot: "no such slot".into(), name: None },
    Command::SlotSerial { .. } => Acts Command::SlotSerial {
        slot: "no such slot".into(),
        serial: serial(),
    },
    Command::SlotGiveUp { .. } => Acts Command::SlotGiveUp { slot: "no such slot".into() },
    Command::OtpRead { .. } => Acts Command::OtpRead { slot: None, name: None, key: None },
    Command::Clock => Looks Command::Clock,
    Command::ClockOverride { .. } => Acts Command::ClockOverride { seconds: 60 },
    Command::AuditVerify => Looks Command::AuditVerify,
    Command::AuditAnchor => Looks Command::AuditAnchor,
    Command::AuditShow { .. } => Looks Command::AuditShow { query: String::new(), page: Page::default() },
    Command::Doctor => Looks Command::Doctor,
    Command::Stop => Acts Command::Stop,
}

/// Those of an operator's that change nothing here, for want of an alarm, a slot, a waiting token or a clock that was
/// ever read.
fn finds_nothing_to_do(command: &Command) -> bool {
    matches!(
        command,
        Command::AlarmsRead { .. }
            | Command::BatchRetry { .. }
            | Command::SlotName { .. }
            | Command::SlotSerial { .. }
            | Command::SlotGiveUp { .. }
            | Command::OtpRead { .. }
            | Command::DevicePressed { .. }
            | Command::ClockTimed { .. }
            | Command::Holders
    )
}

/// A connection made by an account.
struct Line {
    read: BufReader<UnixStream>,
    write: UnixStream,
}

impl Line {
    /// Connects as the account. The kernel notes who connects at that moment.
    fn of(account: &Account) -> Self {
        setegid(Gid::from_raw(account.uid)).expect("root may");
        seteuid(Uid::from_raw(account.uid)).expect("root may");
        let stream = UnixStream::connect(SOCKET);
        seteuid(Uid::from_raw(0)).expect("root comes back");
        setegid(Gid::from_raw(0)).expect("root comes back");
        let write = stream.unwrap_or_else(|error| panic!("{}: {error}", account.name));
        write.set_read_timeout(Some(LONG)).expect("a time-out can be set");
        Self { read: BufReader::new(write.try_clone().expect("it can be cloned")), write }
    }

    fn hear(&mut self) -> ToClient {
        let mut line = String::new();
        self.read.read_line(&mut line).expect("the server answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn greeted_as(&mut self) -> Role {
        match self.hear() {
            ToClient::Greeting(greeting) => greeting.role,
            other => panic!("{other:?}"),
        }
    }

    /// Asks in a role, whether it is the account's or not.
    fn ask(&mut self, command: Command, role: Option<Role>) -> Result<Reply, Failure> {
        let line = serde_json::to_string(&ToServer { id: 1, role, command }).expect("it has JSON");
        writeln!(self.write, "{line}").expect("the server listens");
        loop {
            match self.hear() {
                ToClient::Reply { result, .. } => return result,
                // The subscription goes on.
                ToClient::Event(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn entries(&mut self) -> Vec<AuditEntry> {
        let show = Command::AuditShow { query: String::new(), page: Page { offset: 0, limit: 1000 } };
        match self.ask(show, None) {
            Ok(Reply::Audit(page)) => page.items,
            other => panic!("{other:?}"),
        }
    }
}

/// The test's own people, in its own mount namespace; a directory for the socket that all may enter and the station's
/// account alone may write to; the binary where every account reaches it.
fn move_in() {
    let run = |program: &str, args: &[&str]| {
        let done = Process::new(program).args(args).status().expect("it can be run");
        assert!(done.success(), "{program} {args:?}: {done}");
    };
    for (name, content) in [("passwd", PASSWD), ("group", GROUP)] {
        let file = format!("/run/{name}");
        fs::write(&file, content).expect("/run is the test's own");
        run("mount", &["--bind", &file, &format!("/etc/{name}")]);
    }
    for (dir, mode) in [("/run/kiln", 0o755), (HOME, 0o700)] {
        fs::create_dir(dir).expect("/run is the test's own");
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).expect("it is ours");
        let owner = Some(STATION.uid);
        std::os::unix::fs::chown(dir, owner, owner).unwrap_or_else(|error| {
            panic!("this test wants several uids ({error}): run it as root, or install uidmap")
        });
    }
    fs::write("/run/program", "").expect("/run is the test's own");
    run("mount", &["--bind", env!("CARGO_BIN_EXE_kiln"), "/run/program"]);
}

/// `kiln` as an account, with this environment and no other.
fn kiln_as(account: &Account, args: &[&str]) -> Process {
    let id = account.uid.to_string();
    let mut command = Process::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--init-groups", "/run/program"]).args(args);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("KILN_SOCKET", SOCKET)
        .env("HOME", "/home/none")
        .current_dir("/");
    command.stdin(Stdio::null());
    command
}

#[test]
fn the_server_tells_people_apart_by_their_accounts() {
    isolated("the_server_tells_people_apart_by_their_accounts", LIMIT, || {
        move_in();
        let mut command = kiln_as(&STATION, &["station", "run"]);
        command.env("KILN_HOME", HOME).env("KILN_OPERATORS", "kiln-operators").env("KILN_OBSERVERS", "kiln");
        command.stdout(Stdio::piped()).stderr(namespace::log_file("station"));
        let mut station = Owned::start("kiln station run", &mut command, "");
        station.lines().next(LONG);

        let mut eve = Line::of(&EVE);
        let ToClient::Refused(refused) = eve.hear() else { panic!("eve was let in") };
        assert!(refused.message.contains("eve") && !refused.remedy.is_empty(), "{refused:?}");

        let (mut ann, mut bob) = (Line::of(&ANN), Line::of(&BOB));
        assert_eq!((ann.greeted_as(), bob.greeted_as()), (Role::Operator, Role::Observer));

        // Whatever bob asks, in whatever role he says that he asks it: nothing changes.
        let before = ann.entries();
        for claimed in [None, Some(Role::Operator), Some(Role::Observer)] {
            for (does, command) in one_of_each() {
                let said = format!("{command:?} as {claimed:?}");
                match (does, bob.ask(command, claimed)) {
                    (Does::Acts, Err(failure)) => {
                        assert_eq!(failure.kind, FailureKind::Environment, "{said}: {failure:?}");
                        assert!(failure.message.contains("not change"), "{said}: {failure:?}");
                        assert!(!failure.remedy.is_empty(), "{said}: {failure:?}");
                    }
                    (Does::Acts, Ok(reply)) => panic!("{said} was carried out: {reply:?}"),
                    // There may be no such batch; it is not for his role.
                    (Does::Looks, Ok(_)) => {}
                    (Does::Looks, Err(failure)) => {
                        assert_eq!(failure.kind, FailureKind::No, "{said}: {failure:?}");
                    }
                    // There is no vault yet; it is not for his role either.
                    (Does::Searches, Ok(reply)) => panic!("{said} was answered without a vault: {reply:?}"),
                    (Does::Searches, Err(failure)) => {
                        assert!(failure.message.contains("vault"), "{said}: {failure:?}");
                    }
                }
            }
        }
        assert_eq!(ann.entries(), before, "nothing of it was done");

        // Ann may, less where she says so, and all that she does is on record as hers.
        for (does, command) in one_of_each().into_iter().filter(|(does, _)| *does != Does::Looks) {
            let said = format!("{command:?}");
            if does == Does::Acts {
                let as_observer = ann.ask(clone(&command), Some(Role::Observer));
                assert!(as_observer.is_err_and(|failure| failure.kind == FailureKind::Environment), "{said}");
            }
            let (nothing, stops) = (finds_nothing_to_do(&command), matches!(command, Command::Stop));
            let before = ann.entries().len();
            let result = ann.ask(command, None);
            if nothing {
                continue;
            }
            assert!(result.is_ok(), "{does:?} {said}: {result:?}");
            if !stops {
                let entries = ann.entries();
                let new = &entries[..entries.len() - before];
                assert!(!new.is_empty(), "{said} left nothing on record");
                assert!(new.iter().all(|entry| entry.who == "ann"), "{said}: {new:?}");
            }
        }
        assert!(station.wait(LONG).success());

        // What she did last is told by the station that comes next, to its own account.
        let mut command = kiln_as(&STATION, &["station", "run"]);
        command.env("KILN_HOME", HOME).env("KILN_OPERATORS", "kiln-operators").env("KILN_OBSERVERS", "kiln");
        command.stdout(Stdio::piped()).stderr(namespace::log_file("station"));
        let mut station = Owned::start("kiln station run", &mut command, "");
        station.lines().next(LONG);
        let mut own = Line::of(&STATION);
        assert_eq!(own.greeted_as(), Role::Operator);
        let entries = own.entries();
        assert!(entries.iter().any(|entry| entry.what == "stop asked for" && entry.who == "ann"));
        assert!(own.ask(Command::AuditVerify, None).is_ok());

        // The binary says the same to a person.
        let told = kiln_as(&BOB, &["batch", "start", "spring"]).output().expect("it can be run");
        assert_eq!(told.status.code(), Some(3), "{}", String::from_utf8_lossy(&told.stderr));
        let told = kiln_as(&EVE, &["status"]).output().expect("it can be run");
        let words = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.status.code() == Some(3) && words.contains("eve") && words.contains("-> "), "{words}");
        let told = kiln_as(&ANN, &["status"]).output().expect("it can be run");
        assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
        assert!(Path::new(SOCKET).exists());
        assert!(own.ask(Command::Stop, None).is_ok());
        assert!(station.wait(LONG).success());
    });
}

/// Commands hold secrets and so can't be cloned in the program.
fn clone(command: &Command) -> Command {
    serde_json::from_value(serde_json::to_value(command).expect("it has JSON")).expect("it is one")
}
