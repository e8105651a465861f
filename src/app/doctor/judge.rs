//! What facts about the machine mean, and what to do about them. Touches nothing.

use super::facts::{NoAnswer, Program, Room, SmartCards, Socket};
use crate::{
    domain::ClockState,
    face::{Check, Finding, Side},
    link::LinkError,
    remedy::Remedy,
    service::{Home, HomeError},
    store::{self, OnDisk},
};
use std::{io, path::Path};

/// A batch of a thousand tokens takes about 2 MiB; a migration copies the whole database.
const ROOM_LOW: u64 = 512 << 20;
/// Below this a burn's records may not fit.
const ROOM_OUT: u64 = 32 << 20;

/// The polkit rule that lets the group `kiln` use smart cards from anywhere; its first line names its file.
const POLKIT_RULE: &str = include_str!("../../../dist/polkit/50-kiln.rules");

const NO_POLKIT_RIGHT: &str = "in Debian's polkit rules only people who sit at the machine may use smart cards, not \
                               SSH sessions and services";
const ALLOW_GROUP: &str = "as root, put the lines below into /etc/polkit-1/rules.d/50-kiln.rules, then: \
                           groupadd -f kiln; usermod -aG kiln ACCOUNT; and log in again (a service: restart it)";

/// The server's program.
pub fn program(program: Program) -> Finding {
    let (side, check, version) = (Side::Station, Check::Version, program.version);
    if program.replaced {
        Finding::warn(
            side,
            check,
            format!("the station runs kiln {version} from a file that was replaced since"),
            "what was installed is not what runs",
            "when no burn is running: kiln station stop (or systemctl restart kiln-station)",
        )
    } else {
        Finding::ok(side, check, format!("the station runs kiln {version}"))
    }
}

/// The home, whose rights [`Home::check`] has judged.
pub fn home(side: Side, home: &Home, checked: Result<bool, HomeError>) -> Finding {
    let path = home.dir().display();
    match checked {
        Ok(true) => Finding::ok(side, Check::Home, format!("{path} can be entered by its owner alone")),
        Ok(false) => {
            Finding::ok(side, Check::Home, format!("{path} does not exist yet; the first station makes it"))
        }
        Err(error) => Finding::fail(
            side,
            Check::Home,
            error.to_string(),
            "no station runs in it: seeds are to be kept where nobody else can look",
            error.remedy(),
        ),
    }
}

/// The socket, where there is something to say about it.
pub fn socket(side: Side, socket: &Socket) -> Option<Finding> {
    let path = socket.path.display();
    let directory = socket.path.parent().unwrap_or(Path::new("/")).display();
    let fail = |found, means: &str, remedy| Some(Finding::fail(side, Check::Socket, found, means, remedy));
    let no_way = "this account cannot reach the station";
    let denied = || {
        "ask the station's owner to put you into the group that may enter it; then log in again".to_owned()
    };
    match &socket.directory {
        Err(error) => {
            return fail(format!("{directory} cannot be looked at: {error}"), no_way, denied());
        }
        // A home that is not there yet is told as such.
        Ok(None) if !socket.shared => return None,
        Ok(None) => {
            return fail(
                format!("the socket's directory {directory} does not exist"),
                "no station can be reached there, and none can start",
                "start the service that makes it (systemctl start kiln-station), or correct KILN_SOCKET"
                    .into(),
            );
        }
        Ok(Some(rights)) if rights.mode & 0o022 != 0 => {
            return fail(
                format!("{directory} can be changed by other accounts (mode {:04o})", rights.mode),
                "somebody could put a socket of theirs there and be given the vault's key; kiln refuses it",
                format!("take that right away: chmod go-w {directory}"),
            );
        }
        Ok(Some(_)) => {}
    }
    match &socket.itself {
        Err(error) => fail(format!("{path} cannot be looked at: {error}"), no_way, denied()),
        Ok(None) => None,
        Ok(Some(rights)) if !rights.is_socket => fail(
            format!("{path} is not a socket"),
            "the station cannot be reached there",
            "move that file away, or correct KILN_SOCKET".into(),
        ),
        Ok(Some(rights)) if !socket.shared && rights.mode & 0o077 != 0 => Some(Finding::warn(
            side,
            Check::Socket,
            format!("{path} is open to other accounts (mode {:04o})", rights.mode),
            "only the home's own rights keep others out",
            "start the station again, which makes it anew: kiln station stop",
        )),
        Ok(Some(_)) if socket.shared => Some(Finding::ok(
            side,
            Check::Socket,
            format!("{path} is for those who may enter {directory}; the server knows them by account"),
        )),
        Ok(Some(_)) => {
            Some(Finding::ok(side, Check::Socket, format!("{path} can be used by its owner alone")))
        }
    }
}

/// Room for the database in the home.
pub fn disk(side: Side, home: &Path, room: io::Result<Room>) -> Finding {
    let path = home.display();
    let check = Check::Disk;
    let means = "a burn that cannot be recorded is not begun, and one in hand stops";
    let remedy = "make room there: old logs, backups of the database (kiln.db.backup-*)";
    match room {
        Err(error) => Finding::warn(
            side,
            check,
            format!("the room at {path} cannot be told: {error}"),
            "it may be too little",
            format!("look yourself: df -h {path}"),
        ),
        Ok(Room { read_only: true, .. }) => Finding::fail(
            side,
            check,
            format!("the file system of {path} is read-only"),
            means,
            "see why with dmesg (a failing disk?), and mount it for writing",
        ),
        Ok(Room { no_more_files: true, .. }) => Finding::fail(
            side,
            check,
            format!("the file system of {path} takes no more files"),
            means,
            "remove files there (df -i tells where they are counted)",
        ),
        Ok(Room { bytes, .. }) => {
            let found = format!("{} MiB are free at {path}", bytes >> 20);
            if bytes < ROOM_OUT {
                Finding::fail(side, check, found, means, remedy)
            } else if bytes < ROOM_LOW {
                Finding::warn(side, check, found, "an import or a new kiln's migration may not fit", remedy)
            } else {
                Finding::ok(side, check, found)
            }
        }
    }
}

/// The database, by its header.
pub fn schema(side: Side, path: &Path, found: io::Result<OnDisk>) -> Finding {
    let check = Check::Schema;
    let path = path.display();
    let known = store::SCHEMA;
    match found {
        Ok(OnDisk::Absent) => {
            Finding::ok(side, check, "there is no database yet; the first station makes it")
        }
        Ok(OnDisk::Schema(taken)) if taken == known => {
            Finding::ok(side, check, format!("the database has schema {taken}"))
        }
        Ok(OnDisk::Schema(taken)) if taken < known => Finding::ok(
            side,
            check,
            format!("the database has schema {taken}; the next start brings it to {known}, after a backup"),
        ),
        Ok(OnDisk::Schema(taken)) => Finding::fail(
            side,
            check,
            format!("the database has schema {taken}, and this kiln knows {known}"),
            "a newer kiln has used it; this one will not touch it",
            "use the newer kiln, or put back the backup that it made beside the database",
        ),
        Ok(OnDisk::NotOurs) => Finding::fail(
            side,
            check,
            format!("{path} is no database of kiln's"),
            "no station starts in this home",
            "move that file away, or set KILN_HOME to another place",
        ),
        Err(error) => Finding::fail(
            side,
            check,
            format!("{path} cannot be read: {error}"),
            "no station starts in this home",
            "run kiln as the account that owns it, or restore its rights (0600)",
        ),
    }
}

/// pcscd and its readers.
pub fn smart_cards(side: Side, facts: &SmartCards) -> Vec<Finding> {
    let (check, means) = (Check::Pcscd, "no reader can be used");
    let fail =
        |found: String, remedy: &str| vec![Finding::fail(side, check, found, means, remedy.to_owned())];
    match &facts.answer {
        Ok(readers) => {
            let well = Finding::ok(side, check, "the smart-card service (pcscd) answers");
            vec![well, list(side, readers, facts.over_ssh)]
        }
        Err(NoAnswer::Link(LinkError::Refused)) => vec![
            Finding::fail(side, check, "pcscd refuses this account", NO_POLKIT_RIGHT, ALLOW_GROUP)
                .with_lines(POLKIT_RULE.lines()),
        ],
        Err(NoAnswer::Link(LinkError::NoService)) => match (facts.installed, facts.socket) {
            (_, true) => fail(
                "the smart-card service (pcscd) does not answer, although its socket is there".into(),
                "start it again: systemctl restart pcscd.socket pcscd.service; why it ended: journalctl -u pcscd",
            ),
            (true, false) => fail(
                "the smart-card service (pcscd) does not run".into(),
                "start it: systemctl enable --now pcscd.socket",
            ),
            (false, false) => fail(
                "the smart-card service (pcscd) is not installed".into(),
                "install it: apt install pcscd (Fedora: dnf install pcsc-lite), then systemctl enable --now pcscd.socket",
            ),
        },
        Err(NoAnswer::Link(other)) => fail(format!("the readers cannot be listed: {other}"), other.remedy()),
        Err(NoAnswer::Silent(patience)) => fail(
            format!("the smart-card service (pcscd) did not answer within {} s", patience.as_secs()),
            "unplug the readers, start it again (systemctl restart pcscd), and plug them in one by one",
        ),
    }
}

fn list(side: Side, readers: &[String], over_ssh: bool) -> Finding {
    let check = Check::Readers;
    match readers {
        [] if over_ssh => Finding::warn(
            side,
            check,
            "pcscd lists no reader, and this came by SSH",
            format!("none is plugged in, or they are hidden: {NO_POLKIT_RIGHT}"),
            format!("plug a reader in; if one is: {ALLOW_GROUP}"),
        )
        .with_lines(POLKIT_RULE.lines()),
        [] => Finding::warn(
            side,
            check,
            "pcscd lists no reader",
            "no token can be put down",
            "plug a reader in; if one is, see that lsusb lists it and that its driver is installed (libccid)",
        ),
        [one] => Finding::ok(side, check, format!("one reader: {one}")),
        many => Finding::ok(side, check, format!("{} readers: {}", many.len(), many.join(", "))),
    }
}

/// What keeps the clock right.
pub fn time_service(side: Side, running: &[&str]) -> Finding {
    let check = Check::TimeService;
    match running {
        [] => Finding::warn(
            side,
            check,
            "no time service runs here",
            "unless the machine's host does it, nothing keeps the clock right, which tokens are set from",
            "install one: apt install chrony",
        ),
        [one] => Finding::ok(side, check, format!("{one} keeps the clock")),
        several => Finding::warn(
            side,
            check,
            format!("several time services run: {}", several.join(", ")),
            "they may pull the clock to and fro",
            "leave one of them, and disable the others with systemctl disable --now",
        ),
    }
}

/// The machine's clock, where no station is there to say more.
pub fn clock(side: Side, state: ClockState) -> Finding {
    let found = format!("the clock is {state}");
    if state.is_trusted() {
        Finding::ok(side, Check::Clock, found)
    } else {
        Finding::fail(
            side,
            Check::Clock,
            found,
            "tokens are set from it, so a station would burn nothing",
            "wait until the time service has set it (chronyc tracking, timedatectl timesync-status)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Rights;
    use super::*;
    use crate::face::Health;
    use std::{path::PathBuf, time::Duration};

    const HERE: Side = Side::Client;

    fn cards(answer: Result<Vec<String>, NoAnswer>) -> SmartCards {
        SmartCards { answer, installed: true, socket: true, over_ssh: false }
    }

    fn worst(findings: &[Finding]) -> &Finding {
        findings.iter().max_by_key(|finding| finding.health).unwrap()
    }

    /// A finding that is not well says what it means and what to do, without a final full stop.
    #[track_caller]
    fn complete(finding: &Finding) {
        for text in [Some(&finding.found), finding.means.as_ref(), finding.remedy.as_ref()] {
            let text = text.unwrap_or_else(|| panic!("{finding:?}"));
            assert!(text.len() > 10 && !text.ends_with('.'), "{text}");
        }
    }

    #[test]
    fn each_way_to_have_no_pcscd_has_a_remedy_of_its_own() {
        let none = |installed, socket| SmartCards {
            installed,
            socket,
            ..cards(Err(NoAnswer::Link(LinkError::NoService)))
        };
        let silent = cards(Err(NoAnswer::Silent(Duration::from_secs(5))));
        let odd = cards(Err(NoAnswer::Link(LinkError::Reader(0x8010_0001))));
        let mut remedies = Vec::new();
        for (facts, word) in [
            (none(false, false), "apt install pcscd"),
            (none(true, false), "enable --now pcscd.socket"),
            (none(true, true), "restart pcscd.socket"),
            (silent, "one by one"),
            (odd, "unplug the reader"),
        ] {
            let findings = smart_cards(HERE, &facts);
            assert_eq!((findings.len(), findings[0].health), (1, Health::Fail));
            complete(&findings[0]);
            let remedy = findings[0].remedy.clone().unwrap();
            assert!(remedy.contains(word), "{remedy}");
            assert!(!remedies.contains(&remedy), "{remedy}");
            remedies.push(remedy);
        }
    }

    #[test]
    fn a_refusal_prints_the_polkit_rule() {
        let findings = smart_cards(HERE, &cards(Err(NoAnswer::Link(LinkError::Refused))));
        assert_eq!(findings[0].health, Health::Fail);
        complete(&findings[0]);
        let rule = findings[0].lines.join("\n");
        for part in
            ["org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card", "isInGroup(\"kiln\")"]
        {
            assert!(rule.contains(part), "{rule}");
        }
    }

    #[test]
    fn an_empty_list_is_suspicious_over_ssh_only() {
        let local = smart_cards(HERE, &cards(Ok(vec![])));
        assert_eq!((worst(&local).health, worst(&local).lines.len()), (Health::Warn, 0));
        complete(worst(&local));
        let remote = smart_cards(HERE, &SmartCards { over_ssh: true, ..cards(Ok(vec![])) });
        assert_eq!(worst(&remote).health, Health::Warn);
        assert!(!worst(&remote).lines.is_empty());
        complete(worst(&remote));
        let some = smart_cards(HERE, &SmartCards { over_ssh: true, ..cards(Ok(vec!["A".into()])) });
        assert_eq!(worst(&some).health, Health::Ok);
    }

    #[test]
    fn room_is_judged_before_it_runs_out() {
        let judged = |room| disk(HERE, Path::new("/h"), Ok(room)).health;
        let room = Room { bytes: ROOM_LOW, no_more_files: false, read_only: false };
        assert_eq!(judged(room), Health::Ok);
        assert_eq!(judged(Room { bytes: ROOM_LOW - 1, ..room }), Health::Warn);
        assert_eq!(judged(Room { bytes: ROOM_OUT, ..room }), Health::Warn);
        assert_eq!(judged(Room { bytes: ROOM_OUT - 1, ..room }), Health::Fail);
        assert_eq!(judged(Room { no_more_files: true, ..room }), Health::Fail);
        assert_eq!(judged(Room { read_only: true, ..room }), Health::Fail);
        assert_eq!(disk(HERE, Path::new("/h"), Err(io::ErrorKind::Other.into())).health, Health::Warn);
    }

    fn at(shared: bool, directory: Option<u32>, itself: Option<(u32, bool)>) -> Option<Health> {
        let rights = |mode, is_socket| Rights { owner: 1, mode, is_socket };
        let facts = Socket {
            path: PathBuf::from("/run/kiln/socket"),
            shared,
            directory: Ok(directory.map(|mode| rights(mode, false))),
            itself: Ok(itself.map(|(mode, is_socket)| rights(mode, is_socket))),
        };
        let finding = socket(HERE, &facts);
        finding.iter().filter(|finding| finding.health != Health::Ok).for_each(complete);
        finding.map(|finding| finding.health)
    }

    #[test]
    fn a_socket_must_lie_where_nobody_else_can_replace_it() {
        assert_eq!(at(false, Some(0o700), Some((0o600, true))), Some(Health::Ok));
        assert_eq!(at(false, Some(0o700), Some((0o666, true))), Some(Health::Warn));
        assert_eq!(at(true, Some(0o750), Some((0o666, true))), Some(Health::Ok));
        for mode in [0o770, 0o752] {
            assert_eq!(at(true, Some(mode), Some((0o666, true))), Some(Health::Fail), "{mode:o}");
        }
        assert_eq!(at(true, Some(0o750), Some((0o666, false))), Some(Health::Fail));
        assert_eq!(at(true, None, None), Some(Health::Fail));
        assert_eq!(at(false, None, None), None);
        assert_eq!(at(true, Some(0o750), None), None);
        let closed = Socket {
            path: PathBuf::from("/run/kiln/socket"),
            shared: true,
            directory: Ok(Some(Rights { owner: 1, mode: 0o750, is_socket: false })),
            itself: Err(io::ErrorKind::PermissionDenied.into()),
        };
        assert_eq!(socket(HERE, &closed).unwrap().health, Health::Fail);
    }

    #[test]
    fn a_home_that_others_can_enter_fails_and_a_missing_one_does_not() {
        let place = Home::at("/h");
        assert_eq!(home(HERE, &place, Ok(true)).health, Health::Ok);
        assert_eq!(home(HERE, &place, Ok(false)).health, Health::Ok);
        let open = home(HERE, &place, Err(HomeError::NotPrivate { path: "/h".into(), mode: 0o755 }));
        assert_eq!(open.health, Health::Fail);
        complete(&open);
        assert!(open.remedy.unwrap().contains("chmod 0700"));
    }

    #[test]
    fn only_a_schema_that_this_kiln_cannot_read_fails() {
        let judged = |found| schema(HERE, Path::new("/h/kiln.db"), Ok(found)).health;
        assert_eq!(judged(OnDisk::Absent), Health::Ok);
        assert_eq!(judged(OnDisk::Schema(store::SCHEMA)), Health::Ok);
        assert_eq!(judged(OnDisk::Schema(store::SCHEMA - 1)), Health::Ok);
        assert_eq!(judged(OnDisk::Schema(store::SCHEMA + 1)), Health::Fail);
        assert_eq!(judged(OnDisk::NotOurs), Health::Fail);
        let unread = schema(HERE, Path::new("/h/kiln.db"), Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(unread.health, Health::Fail);
    }

    #[test]
    fn one_time_service_is_right_and_a_distrusted_clock_fails() {
        assert_eq!(time_service(HERE, &["chrony"]).health, Health::Ok);
        assert_eq!(time_service(HERE, &[]).health, Health::Warn);
        let two = time_service(HERE, &["chrony", "systemd-timesyncd"]);
        assert_eq!(two.health, Health::Warn);
        complete(&two);
        assert_eq!(clock(HERE, ClockState::Synchronised { max_error_ms: 1 }).health, Health::Ok);
        let loose = clock(HERE, ClockState::Unsynchronised { max_error_ms: 16_000 });
        assert_eq!(loose.health, Health::Fail);
        complete(&loose);
    }

    #[test]
    fn a_replaced_program_is_worth_a_warning() {
        let judged = |replaced| program(Program { version: "1.2.3", replaced });
        assert_eq!(judged(false).health, Health::Ok);
        assert_eq!(judged(true).health, Health::Warn);
        complete(&judged(true));
    }
}
