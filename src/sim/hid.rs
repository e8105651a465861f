//! The USB side of a virtual key: reports in, reports out, by the page's section 4 and by code of its own. It is reached
//! in process ([`super::bench`]) and on standard input and output ([`over_stdio`]), where a test bench makes a kernel's
//! HID device of it.

use super::token::{Outcome, VirtualToken};
use crate::link::{REPORT_BYTES, Report};
use std::{
    io::{self, Read, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

/// A report's bytes without its head.
const ROOM: usize = 61;
/// How often a key that is not done says so.
const STILL_WORKING_EVERY: Duration = Duration::from_millis(100);

/// What a host has sent of a command.
#[derive(Default)]
struct Inbox {
    command: Vec<u8>,
    next: u8,
}

impl Inbox {
    /// One more report; the command, once that is whole. What makes no sense empties it, and is not answered: such a
    /// report is meant for the key's other function.
    fn take(&mut self, report: &[u8; REPORT_BYTES]) -> Option<Vec<u8>> {
        let [0x21, head, len, data @ ..] = report else { return None };
        let sound = head & 0x0F == self.next && usize::from(*len) <= ROOM && matches!(head >> 4, 0 | 2);
        if !sound {
            *self = Self::default();
            return None;
        }
        self.command.extend_from_slice(&data[..usize::from(*len)]);
        self.next = (self.next + 1) % 16;
        (head >> 4 == 0).then(|| std::mem::take(self).command)
    }
}

/// The reports that an answer takes.
fn outgoing(answer: &[u8]) -> Vec<[u8; REPORT_BYTES]> {
    let pieces: Vec<&[u8]> = answer.chunks(ROOM).collect();
    let last = pieces.len().saturating_sub(1);
    let one = |(at, piece): (usize, &&[u8])| {
        let mut report = [0; REPORT_BYTES];
        report[0] = 0x21;
        report[1] = if at == last { 0x00 } else { 0x20 } + (at % 16) as u8;
        report[2] = piece.len() as u8;
        report[3..3 + piece.len()].copy_from_slice(piece);
        report
    };
    pieces.iter().enumerate().map(one).collect()
}

fn still_working() -> [u8; REPORT_BYTES] {
    let mut report = [0; REPORT_BYTES];
    report[..2].copy_from_slice(&[0x21, 0xC0]);
    report
}

/// A key that is plugged in. Dropping this is pulling the plug, as far as the host is concerned.
pub struct Plugged {
    commands: Sender<Vec<u8>>,
    inbox: Inbox,
    /// What the key sends; its other end is closed when it is torn off.
    pub(super) reports: Receiver<Report>,
}

impl Plugged {
    /// Plugs it in.
    pub fn new(token: VirtualToken) -> io::Result<Self> {
        token.plugged_in();
        let (commands, asked) = channel::<Vec<u8>>();
        let (told, reports) = channel();
        thread::Builder::new().name("virtual-key".into()).spawn(move || {
            for command in asked {
                if !answer(&token, &command, &told) {
                    return;
                }
            }
        })?;
        Ok(Self { commands, inbox: Inbox::default(), reports })
    }

    /// One report from the host. Whether the key is there still.
    pub fn feed(&mut self, report: &Report) -> bool {
        match self.inbox.take(report.bytes()) {
            Some(command) => self.commands.send(command).is_ok(),
            None => true,
        }
    }
}

/// Lets the key carry a command out, says meanwhile that it is not done, then gives the answer. Whether it is there still.
fn answer(token: &VirtualToken, command: &[u8], told: &Sender<Report>) -> bool {
    let (done, outcome) = channel();
    let tell = |report: [u8; REPORT_BYTES]| told.send(Report::new(report)).is_ok();
    thread::scope(|scope| {
        scope.spawn(|| {
            let delay = token.delay();
            thread::sleep(delay / 2);
            let outcome = token.exchange(command);
            thread::sleep(delay - delay / 2);
            done.send(outcome)
        });
        loop {
            match outcome.recv_timeout(STILL_WORKING_EVERY) {
                Ok(Outcome::Answer(answer)) => return outgoing(&answer).into_iter().all(tell),
                Ok(Outcome::Silence) => return true,
                Ok(Outcome::Torn) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {
                    if !tell(still_working()) {
                        // The host left. Whoever waits for a touch waits for nobody.
                        token.let_go();
                    }
                }
            }
        }
    })
}

/// Plays a key whose reports of 64 bytes come on `input` and go to `output`, until either ends or the key is torn off.
/// `after` runs after each report that goes out but those that only say that the key is not done.
pub fn over_stdio(
    token: VirtualToken,
    mut input: impl Read + Send + 'static,
    output: &mut dyn Write,
    mut after: impl FnMut(&VirtualToken),
) -> io::Result<()> {
    let mut plugged = Plugged::new(token.clone())?;
    let (nothing_more, reports) = channel();
    let reports = std::mem::replace(&mut plugged.reports, reports);
    drop(nothing_more);
    thread::Builder::new().name("reports-in".into()).spawn(move || {
        let mut report = [0; REPORT_BYTES];
        while input.read_exact(&mut report).is_ok() && plugged.feed(&Report::new(report)) {}
    })?;
    for report in reports {
        if report.bytes() != &still_working() {
            // Like a real key, it has stored what it says it has.
            after(&token);
        }
        output.write_all(report.bytes())?;
        output.flush()?;
    }
    token.taken_off();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{
        device::{Challenges, Surroundings},
        token2_otp::Settings,
        vectors::{HandClock, bytes, hex, token2_otp as vectors},
    };

    fn key(patience: Duration) -> VirtualToken {
        let settings = Settings { patience, ..Settings::new("72102935780528".parse().unwrap()) };
        VirtualToken::token2_otp(settings, Surroundings::new(HandClock::at(0), Challenges::random()))
    }

    #[test]
    fn every_frame_of_the_vectors_is_joined_and_cut() {
        let file = vectors();
        let frames = file["hid_frames"].as_array().unwrap();
        for frame in frames {
            let (mut inbox, apdu) = (Inbox::default(), hex(&frame["apdu"]));
            let reports: Vec<[u8; 64]> = frame["reports"]
                .as_array()
                .unwrap()
                .iter()
                .map(|report| hex(report)[1..].try_into().unwrap())
                .collect();
            let taken: Vec<Option<Vec<u8>>> = reports.iter().map(|report| inbox.take(report)).collect();
            let (last, before) = taken.split_last().unwrap();
            assert_eq!(last.as_ref(), Some(&apdu));
            assert!(before.iter().all(Option::is_none));
            assert_eq!(outgoing(&apdu), reports, "{} bytes", apdu.len());
        }
        assert_eq!(frames.len(), 7);
        for page in file["list_pages"].as_array().unwrap() {
            let expected: Vec<Vec<u8>> = page["hid_reports"].as_array().unwrap().iter().map(hex).collect();
            let cut: Vec<Vec<u8>> = outgoing(&hex(&page["response"])).iter().map(|r| r.to_vec()).collect();
            assert_eq!(cut, expected);
        }
        assert_eq!(still_working()[..], hex(&file["busy_sequence"]["reports"][0]));
    }

    #[test]
    fn what_is_no_piece_of_a_command_is_forgotten() {
        let mut inbox = Inbox::default();
        let mut piece = [0; 64];
        piece[..4].copy_from_slice(&[0x21, 0x20, 1, 7]);
        assert_eq!(inbox.take(&piece), None);
        piece[1] = 0x03;
        assert_eq!(inbox.take(&piece), None, "a piece is missing");
        piece[1] = 0x00;
        assert_eq!(inbox.take(&piece), Some(vec![7]), "a new beginning");
        piece[0] = 0xFF;
        assert_eq!(inbox.take(&piece), None, "CTAPHID is another function's");
    }

    #[test]
    fn a_key_on_standard_input_answers_report_by_report() {
        let mut question = [0; 64];
        question[..3].copy_from_slice(&[0x21, 0x00, 5]);
        question[3..8].copy_from_slice(&bytes("80c5010000"));
        let mut out = Vec::new();
        let mut kept = 0;
        over_stdio(key(Duration::ZERO), io::Cursor::new(question.to_vec()), &mut out, |_| kept += 1).unwrap();
        assert_eq!((out.len(), kept), (128, 2), "64 bytes and a status take two reports");
        assert_eq!((out[..3].to_vec(), out[64..67].to_vec()), (vec![0x21, 0x20, 61], vec![0x21, 0x01, 5]));
        assert_eq!(out[64 + 3 + 3..64 + 3 + 5], [0x90, 0x00]);
    }

    #[test]
    fn a_key_that_waits_for_a_touch_says_that_it_is_not_done() {
        let key = key(Duration::from_secs(60));
        let mut plugged = Plugged::new(key.clone()).unwrap();
        let mut erase = [0; 64];
        erase[..7].copy_from_slice(&[0x21, 0x00, 4, 0x80, 0xC5, 0x05, 0x02]);
        assert!(plugged.feed(&Report::new(erase)));
        for _ in 0..3 {
            let report = plugged.reports.recv_timeout(Duration::from_secs(60)).unwrap();
            assert_eq!(*report.bytes(), still_working());
        }
        assert!(key.touch_within(Duration::from_secs(60)));
        let last = plugged.reports.iter().find(|report| report.bytes()[1] != 0xC0).unwrap();
        assert_eq!(last.bytes()[..5], [0x21, 0x00, 2, 0x90, 0x00]);
    }
}
