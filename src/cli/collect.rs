//! `kiln collect serials`: tokens put on any slot, and serials scanned or typed, become a list for the vendor's seed
//! request.
//!
//! Two sources speak at once: the station's events and standard input. Each has a thread that waits for it; what they
//! bring meets here, in one order, and each is answered at once, so that a person with a scanner in one hand and tokens
//! in the other sees what was taken.

use super::{
    CliError, Exit, Io, News, Stream, VerbError,
    ask::{Connector, connect},
    files::{Overwrite, create, may_create},
    run::{Form, print_json},
    table::{count, plain},
};
use crate::{
    domain::{
        Serial, SlotName,
        seed_text::{self, Recognised, WrongInput},
    },
    face::{Doing, Event, SlotView, Snapshot},
    remedy::{Remedy, Retry},
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    io::{BufRead, Read},
    path::PathBuf,
    sync::mpsc,
    thread,
};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
Put tokens on any slot, one after the other, or scan their barcodes, or type
their serials. An empty line, or Ctrl-D, ends the list.

Examples:
  kiln collect serials -o request.txt
  kiln collect serials --json < scanned.txt";

/// `kiln collect`
#[derive(Debug, Subcommand)]
pub enum CollectVerb {
    /// Serials of tokens, for a vendor's seed request
    Serials(SerialsArgs),
}

/// `kiln collect serials`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SerialsArgs {
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
}

impl SerialsArgs {
    fn overwrite(&self) -> Overwrite {
        if self.force { Overwrite::Force } else { Overwrite::Refuse }
    }

    /// What can be refused before hands have done the work.
    pub fn check(&self) -> Result<(), CliError> {
        self.output.as_deref().map_or(Ok(()), |file| may_create(file, self.overwrite())).map_err(Into::into)
    }
}

/// Why something scanned or typed is not in the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASerial {
    /// It is something else.
    #[error(transparent)]
    Wrong(#[from] WrongInput),
    /// No serial looks like that.
    #[error("a serial has up to {} letters, digits and hyphens", Serial::MAX_LEN)]
    Form,
    /// The barcode on a box.
    #[error("this is the article number on a box (EAN): its check digit is right")]
    ArticleNumber,
    /// The serial of a security key.
    #[error("this is the serial of a security key, by its first digits")]
    SecurityKey,
    /// What a display shows.
    #[error("this is as long as a code on a display")]
    Code,
}

impl NotASerial {
    /// Whether it may be one after all: given once more, it is taken.
    fn is_doubtful(&self) -> bool {
        match self {
            Self::Wrong(_) | Self::Form => false,
            Self::ArticleNumber | Self::SecurityKey | Self::Code => true,
        }
    }
}

impl Remedy for NotASerial {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Wrong(WrongInput::SpoiledSerial) => "the digits are lost: scan or tap the token itself",
            Self::Wrong(_) | Self::Form => "scan the token's own barcode, or put the token on a slot",
            Self::ArticleNumber | Self::SecurityKey | Self::Code => {
                "scan the token's own barcode; if this is its serial, give it once more"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// The list is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Nothing was collected.
    #[error("no serial was collected")]
    Nothing,
}

impl Remedy for CollectError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Nothing => {
                "switch a token on and put it on a slot, or scan its barcode, before the empty line that ends the list"
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl VerbError for CollectError {
    fn exit(&self) -> Exit {
        Exit::No
    }
}

/// How a serial came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum From {
    /// From the token itself, on this slot.
    Slot(SlotName),
    /// From a scanner or a keyboard.
    Input,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Collected {
    serial: Serial,
    model: Option<String>,
    from: From,
}

/// What is not in the list, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct LeftOut {
    /// The slot; none: scanned or typed.
    slot: Option<SlotName>,
    /// Where it stood among what was scanned or typed, from 1.
    line: Option<usize>,
    problem: String,
    remedy: String,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct List {
    serials: Vec<Collected>,
    /// Serials that came more than once, and how often. A token that stays on its slot counts once.
    duplicates: BTreeMap<Serial, usize>,
    left_out: Vec<LeftOut>,
    #[serde(skip)]
    doubted: Option<Serial>,
    #[serde(skip)]
    line: usize,
    /// What lies on each slot: news of a slot come with every step of a burn.
    #[serde(skip)]
    on_slots: BTreeMap<SlotName, String>,
}

impl List {
    /// Takes a serial; gives what to say about it.
    fn take(&mut self, serial: Serial, model: Option<String>, from: From) -> String {
        if let Some(known) = self.serials.iter_mut().find(|known| known.serial == serial) {
            // The token itself knows more than its barcode.
            if known.model.is_none() {
                known.model = model;
            }
            if let From::Slot(_) = from {
                known.from = from;
            }
            *self.duplicates.entry(serial.clone()).or_insert(1) += 1;
            return format!("{serial} is in the list already");
        }
        let of_model = model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
        let said = format!("{} {serial}{of_model}", self.serials.len() + 1);
        self.serials.push(Collected { serial, model, from });
        said
    }

    /// Takes a line that was scanned or typed.
    fn line(&mut self, text: &str) -> String {
        self.line += 1;
        match read_serial(text) {
            Ok(serial) => self.take(serial, None, From::Input),
            Err((problem, Some(serial)))
                if problem.is_doubtful() && self.doubted.as_ref() == Some(&serial) =>
            {
                self.doubted = None;
                self.left_out.retain(|left| left.line != Some(self.line - 1));
                self.take(serial, None, From::Input)
            }
            Err((problem, serial)) => {
                self.doubted = serial;
                let (line, remedy) = (self.line, problem.remedy().to_owned());
                let problem = problem.to_string();
                let said = format!("line {line}: {problem} -> {remedy}");
                self.left_out.push(LeftOut { slot: None, line: Some(line), problem, remedy });
                said
            }
        }
    }

    /// Takes what a slot shows, where that is news.
    fn slot(&mut self, view: &SlotView) -> Option<String> {
        // What a slot says when a token leaves that it has read is no news of another one.
        let leaves = view.serial.is_none()
            && self.on_slots.get(&view.slot).is_some_and(|before| !before.starts_with('?'));
        if !view.occupied || leaves {
            self.on_slots.remove(&view.slot);
            return None;
        }
        let now = match (&view.serial, &view.says) {
            (Some(serial), _) => serial.to_string(),
            (None, Some(says)) if view.doing == Doing::Look => format!("? {says}"),
            // It is being read.
            (None, _) => return None,
        };
        if self.on_slots.insert(view.slot.clone(), now.clone()).as_ref() == Some(&now) {
            return None;
        }
        if let Some(serial) = &view.serial {
            let said = self.take(serial.clone(), view.model.clone(), From::Slot(view.slot.clone()));
            return Some(format!("{}: {said}", view.slot));
        }
        let (problem, remedy) = (view.says.clone()?, view.remedy.clone().unwrap_or_default());
        let said = format!("{}: not taken: {problem} -> {remedy}", view.slot);
        self.left_out.push(LeftOut { slot: Some(view.slot.clone()), line: None, problem, remedy });
        Some(said)
    }
}

/// Reads what was scanned or typed. With the error comes the serial that it would be.
fn read_serial(text: &str) -> Result<Serial, (NotASerial, Option<Serial>)> {
    let wrong = match seed_text::recognise(text) {
        Recognised::Refused(wrong) => Some(wrong),
        Recognised::KeyUri => Some(WrongInput::UriPiece),
        Recognised::Seed { .. } => None,
    };
    // What names itself is none. Seeds and the like are told by their form alone, which serials may share.
    if let Some(
        WrongInput::PushEnrolment
        | WrongInput::Migration
        | WrongInput::PasskeyCode
        | WrongInput::ForeignEnrolment { .. }
        | WrongInput::WebLink
        | WrongInput::OtherLink
        | WrongInput::OtherQr { .. }
        | WrongInput::UriPiece
        | WrongInput::SpoiledSerial,
    ) = &wrong
    {
        return Err((NotASerial::Wrong(wrong.unwrap_or(WrongInput::Nothing)), None));
    }
    let serial: Serial = text.parse().map_err(|_| (NotASerial::Form, None))?;
    let doubt = match wrong {
        Some(WrongInput::SecurityKeySerial) => NotASerial::SecurityKey,
        Some(WrongInput::ArticleNumber { .. }) if has_ean_check_digit(serial.as_str()) => {
            NotASerial::ArticleNumber
        }
        Some(WrongInput::OneTimeCode { .. }) => NotASerial::Code,
        _ => return Ok(serial),
    };
    Err((doubt, Some(serial)))
}

/// Whether the last of 12 or 13 digits is the check digit of an article number (GS1): a serial's is, one time in ten.
fn has_ean_check_digit(digits: &str) -> bool {
    let weighted = digits.bytes().rev().zip([1, 3].into_iter().cycle());
    weighted
        .map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight)
        .sum::<u32>()
        .is_multiple_of(10)
}

/// What comes from the two sources.
enum Heard {
    Line(String),
    News(News),
    /// The station is gone.
    NoMoreNews,
    /// The list is to end.
    End,
}

/// A line longer than any barcode is cut; the rest is another line, which is no serial either.
const LONGEST_LINE_BYTES: u64 = 4096;

/// Listens until the list ends, and writes it.
pub fn run(
    CollectVerb::Serials(args): CollectVerb,
    form: Form,
    io: &mut Io<'_>,
    connector: &mut Connector<'_>,
) -> Result<Exit, CliError> {
    args.check()?;
    let (snapshot, news) = connect(connector)?.subscribe()?;
    let mut list = List::default();
    begin(&snapshot, &mut list, io)?;
    let Io { out, err, input, .. } = io;
    let (to_here, heard) = mpsc::channel();
    let from_station = to_here.clone();
    // Left behind when the list ends: it waits for the station, which has nothing more to say to it.
    thread::spawn(move || relay(news, &from_station));
    thread::scope(|scope| -> Result<(), CliError> {
        scope.spawn(move || read_lines(&mut **input, &to_here));
        for heard in heard {
            let said = match heard {
                Heard::End => break,
                Heard::Line(line) => Some(list.line(&line)),
                Heard::News(News::Event(event)) => match &event.event {
                    Event::Slot(view) => list.slot(view),
                    Event::SlotGone { slot } => {
                        list.on_slots.remove(slot);
                        None
                    }
                    _ => None,
                },
                Heard::News(News::Snapshot(snapshot)) => {
                    let said: Vec<String> =
                        snapshot.slots.iter().filter_map(|view| list.slot(view)).collect();
                    Some(said.join("\n")).filter(|said| !said.is_empty())
                }
                Heard::NoMoreNews => {
                    Some("the station has ended: only what is scanned or typed is taken from here on".into())
                }
            };
            for line in said.iter().flat_map(|said| said.lines()) {
                writeln!(err, "{}", plain(line))?;
            }
            err.flush()?;
        }
        Ok(())
    })?;
    if list.serials.is_empty() {
        return Err(CollectError::Nothing.into());
    }
    let text: String = list.serials.iter().map(|token| format!("{}\n", token.serial)).collect();
    match (&args.output, form) {
        (Some(file), _) => create(file, text.as_bytes(), args.overwrite())?,
        (None, Form::Text) => out.write_all(text.as_bytes())?,
        (None, Form::Json) => {}
    }
    if form == Form::Json {
        print_json(*out, &list)?;
    }
    let duplicates = list.duplicates.len();
    let serials = u32::try_from(list.serials.len()).unwrap_or(u32::MAX);
    writeln!(
        err,
        "{}, {duplicates} of them more than once, {} things left out",
        count(serials, "serial"),
        list.left_out.len()
    )?;
    Ok(Exit::Done)
}

/// Says what to do, and takes what lies on the slots already.
fn begin(snapshot: &Snapshot, list: &mut List, io: &mut Io<'_>) -> Result<(), CliError> {
    for batch in snapshot.batches.iter().filter(|batch| batch.state == "running") {
        let name = plain(&batch.name);
        io.warn(format_args!(
            "batch {name} is running: a token put down may be burned (kiln batch pause {name})"
        ))?;
    }
    writeln!(io.err, "put tokens on the slots, or scan or type their serials; an empty line ends the list")?;
    for said in snapshot.slots.iter().filter_map(|view| list.slot(view)) {
        writeln!(io.err, "{}", plain(&said))?;
    }
    io.err.flush()?;
    Ok(())
}

fn relay(news: Stream, to: &mpsc::Sender<Heard>) {
    for news in news.map_while(Result::ok) {
        if to.send(Heard::News(news)).is_err() {
            return;
        }
    }
    // Nobody listens any more where this fails.
    let _ = to.send(Heard::NoMoreNews);
}

fn read_lines(input: &mut dyn BufRead, to: &mpsc::Sender<Heard>) {
    loop {
        let mut line = Vec::new();
        let read = Read::take(&mut *input, LONGEST_LINE_BYTES).read_until(b'\n', &mut line);
        let text = String::from_utf8_lossy(&line);
        let heard = match read {
            Ok(1..) if !text.trim().is_empty() => Heard::Line(text.trim().to_owned()),
            _ => Heard::End,
        };
        let is_end = matches!(heard, Heard::End);
        if to.send(heard).is_err() || is_end {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted, snapshot};
    use crate::face::{JobCounts, Numbered};

    fn view(slot: &str, serial: Option<&str>, says: Option<&str>) -> SlotView {
        SlotView {
            occupied: serial.is_some() || says.is_some(),
            serial: serial.map(|serial| serial.parse().unwrap()),
            model: serial.map(|_| "C301-i".to_owned()),
            says: says.map(str::to_owned),
            remedy: says.map(|_| "take it away".to_owned()),
            ..SlotView::empty(SlotName(slot.into()), if says.is_some() { Doing::Look } else { Doing::Take })
        }
    }

    #[test]
    fn a_token_counts_once_for_each_time_it_is_put_down() {
        let mut list = List::default();
        let on = view("left", Some("8659610000001"), None);
        assert_eq!(list.slot(&on).unwrap(), "left: 1 8659610000001 (C301-i)");
        assert_eq!(list.slot(&on), None, "it lies there still");
        assert_eq!(list.slot(&view("left", None, None)), None);
        assert_eq!(list.slot(&on).unwrap(), "left: 8659610000001 is in the list already");
        assert_eq!(list.line("8659610000001"), "8659610000001 is in the list already");
        assert_eq!(list.line("8659610000002"), "2 8659610000002");
        assert_eq!(list.serials.len(), 2);
        assert_eq!(
            list.duplicates.iter().map(|(s, n)| (s.as_str(), *n)).collect::<Vec<_>>(),
            [("8659610000001", 3)]
        );
    }

    #[test]
    fn what_a_slot_cannot_read_is_named_once() {
        let mut list = List::default();
        let key = view("right", None, Some("this is a FIDO2 security key"));
        let said = list.slot(&key).unwrap();
        assert_eq!(said, "right: not taken: this is a FIDO2 security key -> take it away");
        assert_eq!(list.slot(&key), None);
        assert_eq!((list.serials.len(), list.left_out.len()), (0, 1));
    }

    #[test]
    fn what_is_scanned_by_mistake_is_named() {
        for (text, said) in [
            ("8.65962E+13", "scientific notation"),
            ("https://example.com/t/1", "web link"),
            ("WIFI:T:WPA;S:x;P:y;;", "Wi-Fi"),
            ("not a serial", "letters, digits and hyphens"),
            ("4006381333931", "article number on a box"),
            ("86112345678901", "security key"),
            ("123456", "code on a display"),
        ] {
            let mut list = List::default();
            let answer = list.line(text);
            assert!(answer.starts_with("line 1: ") && answer.contains(said), "{text}: {answer}");
            assert_eq!((list.serials.len(), list.left_out.len()), (0, 1), "{text}");
        }
        for serial in ["0012345678901", "8659610000001", "826718719844499", "A1B2-C3", "GEZDGNBVGY3TQOJQ"] {
            assert_eq!(List::default().line(serial), format!("1 {serial}"));
        }
    }

    #[test]
    fn what_is_doubtful_is_taken_when_it_comes_once_more() {
        let mut list = List::default();
        for _ in 0..2 {
            list.line("4006381333931");
        }
        assert_eq!((list.serials.len(), list.left_out.len()), (1, 0));
        let mut list = List::default();
        for text in ["4006381333931", "123456", "4006381333931"] {
            list.line(text);
        }
        assert_eq!(list.serials.len(), 0, "another one came in between");
        for _ in 0..2 {
            list.line("https://example.com");
        }
        assert_eq!(list.serials.len(), 0);
    }

    #[test]
    fn taps_and_scans_become_one_list() {
        let mut state = snapshot();
        state.slots.push(view("left", Some("8659610000001"), None));
        let empty = view("right", None, Some("the vault is locked"));
        state.slots.push(SlotView { occupied: false, ..empty });
        // It lay there before anybody listened.
        state.slots.push(view("middle", None, Some("a security key")));
        state.batches.push(crate::cli::testing::batch("spring", "running", JobCounts::default()));
        let station = Scripted::new([]).with_news(state, vec![]);
        let mut desk = Desk::input("8659610000002\r\n8659610000001\n\n8659610000003\n");
        assert_eq!(desk.kiln("collect serials", &station), Exit::Done);
        assert_eq!(desk.out(), "8659610000001\n8659610000002\n");
        assert!(desk.err().contains("batch spring is running"), "{}", desk.err());
        assert!(
            desk.err().contains("middle: not taken: a security key -> take it away\n")
                && desk.err().ends_with("2 serials, 1 of them more than once, 1 things left out\n"),
            "{}",
            desk.err()
        );
    }

    #[test]
    fn json_tells_all_of_it_and_a_file_gets_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("request.txt");
        let line = format!("collect serials --json -o {}", file.display());
        let station = || Scripted::new([]).with_news(snapshot(), vec![]);
        let mut desk = Desk::input("8659610000002\n123456\n8659610000002\n");
        assert_eq!(desk.kiln(&line, &station()), Exit::Done);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "8659610000002\n");
        let told: serde_json::Value = serde_json::from_str(&desk.out()).unwrap();
        assert_eq!(told["serials"][0]["serial"], "8659610000002");
        assert_eq!(told["serials"][0]["from"], "input");
        assert_eq!(told["duplicates"]["8659610000002"], 2);
        assert_eq!(told["left_out"][0]["line"], 2);
        // Not over another list, and before anybody has done the work.
        let mut desk = Desk::input("8659610000009\n");
        assert_eq!(desk.kiln(&line, &Scripted::new([])), Exit::Usage);
    }

    #[test]
    fn news_reach_the_list_and_the_end_of_the_station_ends_nothing() {
        let (to, heard) = mpsc::channel();
        let event = Event::Slot(view("left", Some("8659610000001"), None));
        let news: Stream = Box::new(vec![Ok(Numbered { number: 42, at: NOW, event }.into())].into_iter());
        relay(news, &to);
        assert!(matches!(heard.recv().unwrap(), Heard::News(_)));
        assert!(matches!(heard.recv().unwrap(), Heard::NoMoreNews));
    }

    #[test]
    fn an_empty_list_is_no_list() {
        let mut desk = Desk::input("");
        assert_eq!(desk.kiln("collect serials", &Scripted::new([]).with_news(snapshot(), vec![])), Exit::No);
        assert!(desk.err().contains("-> switch a token on"), "{}", desk.err());
        for error in [
            NotASerial::Wrong(WrongInput::SpoiledSerial),
            NotASerial::Wrong(WrongInput::WebLink),
            NotASerial::Form,
            NotASerial::ArticleNumber,
            NotASerial::SecurityKey,
            NotASerial::Code,
        ] {
            assert!(error.remedy().len() > 20 && !error.remedy().ends_with('.'), "{error}");
        }
    }
}
