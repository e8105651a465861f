//! A bench of readers behind `pcscd`, and the one person who serves it: puts tokens from a box down and takes them
//! away, as the slots say, or sooner.
//!
//! The tokens live in the test's process, each as a card on the virtual reader's socket; the station is the real
//! binary, and the person knows of it only what every client is told.

use super::{
    chance::Chance,
    kiln::Kiln,
    oathtool,
    pcscd::{Notices, Pcscd, Reader},
};
use kiln::{
    app::system_clock::SystemClock,
    domain::Profile,
    face::{BatchView, Command, Doing, Event, JobFilter, JobView, Page, Reply, SlotView, Snapshot},
    service::{Client, Home, Mode, News},
    sim::{Challenges, Display, Fault, Surroundings, VirtualToken, molto2, token2_single, vpcd::Card},
};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError, channel},
    },
    time::{Duration, Instant},
};

/// Entries for eight readers of one family and six of the other.
pub const FOURTEEN: [&str; 7] =
    ["Kiln A", "Kiln B", "Kiln C", "Kiln D", "TOKEN2 Molto2 A", "TOKEN2 Molto2 B", "TOKEN2 Molto2 C"];

/// How long a person waits for a slot to say anything of a token before they take it off and try again. A token that
/// hangs its reader is reported when the exchange's deadline is over.
const PATIENCE: Duration = Duration::from_secs(12);

/// A recipe for two profiles: one that a Molto2 is delivered with, one that it isn't.
pub const PAIR: &str = r#"
name = "pair"
label = "Two profiles that differ in everything"
models = ["molto2-v2"]
display_timeout_s = 30

[[profile]]
number = 0
hash = "SHA1"
digits = 6
period = 30
title = "Mail"
seed = "random"
seed_bytes = 20

[[profile]]
number = 7
hash = "SHA256"
digits = 8
period = 60
title = "Door"
seed = "random"
seed_bytes = 32
"#;

/// The two kinds of token, each with readers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// C301-i: restricted time sync, the seed in profile 0.
    Single,
    /// Molto2 v2, delivered with a seed in profile 0.
    Molto2,
}

impl Family {
    fn of(reader: &Reader) -> Self {
        if reader.name.contains("Molto2") { Self::Molto2 } else { Self::Single }
    }

    /// A serial of this family.
    pub fn serial(self, number: usize) -> String {
        match self {
            Self::Single => format!("8659610{number:07}"),
            Self::Molto2 => format!("1000000{number:07}"),
        }
    }

    /// The profiles that [`PAIR`] or a seed file's line fills.
    pub fn profiles(self) -> &'static [u8] {
        match self {
            Self::Single => &[0],
            Self::Molto2 => &[0, 7],
        }
    }

    /// Commands of an undisturbed burn.
    pub fn commands(self) -> u32 {
        match self {
            Self::Single => 6,
            Self::Molto2 => 16,
        }
    }
}

/// A command of a token, counted from 1.
pub fn at(command: u32) -> NonZeroU32 {
    NonZeroU32::new(command).expect("commands are counted from 1")
}

/// One of the faults that pass, at any command of a burn.
pub fn passing_fault(chance: &mut Chance, family: Family, number: usize) -> Fault {
    let most = usize::try_from(family.commands()).expect("a small number");
    let command = at(u32::try_from(1 + chance.below(most)).expect("a small number"));
    match number % 5 {
        0 => Fault::YankBefore(command),
        1 => Fault::YankAfter(command),
        2 => Fault::Mute(command),
        3 => Fault::Status(command, 0x6F00),
        _ => Fault::Delay(Duration::from_millis(u64::from(command.get()) * 5 + 20)),
    }
}

/// A token in the box, and what befell it so far.
pub struct Piece {
    /// The token itself.
    pub token: VirtualToken,
    /// What it calls itself.
    pub serial: String,
    /// Its kind.
    pub family: Family,
    /// What was wrong with it from the start.
    pub fault: Option<Fault>,
    /// How often it was put down.
    pub tries: u32,
    /// Whether the person takes it off before it is done, the first time.
    pub hasty: bool,
}

impl Piece {
    /// As delivered.
    pub fn new(family: Family, number: usize) -> Self {
        let serial = family.serial(number);
        let around = Surroundings::new(Arc::new(SystemClock), Challenges::random());
        let parsed = serial.parse().expect("this is a serial");
        let token = match family {
            Family::Single => {
                let settings = token2_single::Settings::new(parsed, token2_single::TimeSync::Restricted);
                VirtualToken::token2_single(settings, around)
            }
            Family::Molto2 => {
                VirtualToken::molto2(molto2::Settings::new(parsed, molto2::Generation::V2), around)
            }
        };
        Self { token, serial, family, fault: None, tries: 0, hasty: false }
    }

    /// With something wrong.
    pub fn with(mut self, fault: Fault) -> Self {
        self.token.arm(fault);
        self.fault = Some(fault);
        self
    }

    /// What its display shows of a profile, switched off and on, and by which second of its clock; `None` where no code.
    pub fn read(&self, profile: u8) -> Option<(String, u64)> {
        self.token.switch_off();
        self.token.switch_on();
        // The clock may step on between the two looks; then both are taken again.
        loop {
            let before = self.token.clock().0;
            let display = self.token.display(Profile::new(profile));
            if self.token.clock().0 == before {
                let at = u64::try_from(before).expect("the token's clock was set after 1970");
                return match display {
                    Display::Code(shown) if !shown.stale => Some((shown.code, at)),
                    _ => None,
                };
            }
        }
    }

    /// Whether profile 0 shows what `oathtool` computes from this seed.
    pub fn shows(&self, seed_base32: &str) -> bool {
        self.read(0).is_some_and(|(code, at)| code == oathtool::code(seed_base32, "sha1", 6, 30, at))
    }

    /// The seeds in its memory, by profile, in hex: the token's own truth.
    #[track_caller]
    pub fn seeds(&self) -> Vec<String> {
        super::hand::seeds_in(&serde_json::from_str(&self.token.save()).expect("a token's memory is JSON"))
    }
}

/// Why a token is back in the person's hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// The slot said "take", with these words.
    Taken(String),
    /// The slot wanted somebody to look, with these words.
    Looked(String),
    /// It was torn off by its fault.
    Torn,
    /// The person didn't wait.
    Pulled,
    /// Nobody said anything about it.
    Ignored,
}

/// What the person does with it next.
pub enum Then {
    /// Back into the box, to be put down again.
    Again,
    /// Laid aside.
    Aside,
}

enum At {
    /// Nothing lies there, and the slot is known to have noticed.
    Free,
    /// A token lies there since then; views of the slot up to that number are older.
    On(Box<(Piece, Card)>, Instant, u64),
    /// It was taken off; the slot may not know yet.
    Cleared,
}

struct Spot {
    reader: Reader,
    at: At,
}

/// What was heard, on a thread of its own, of one connection.
struct Ear {
    news: Receiver<News>,
}

/// The bench and its person.
pub struct Floor {
    spots: Vec<Spot>,
    notices: Notices,
    ear: Ear,
    home: Home,
    heard: u64,
    shown: HashMap<String, (SlotView, u64)>,
    batches: HashMap<String, BatchView>,
    /// The serials of which a job was burned, as told.
    pub burned: HashSet<String>,
    /// How often a batch that was paused, or a slot, was set going again by the person.
    pub resumed: u32,
}

impl Floor {
    /// Stands at the bench of a station that runs.
    #[track_caller]
    pub fn new(pcscd: &Pcscd, kiln: &Kiln) -> Self {
        let home = Home::at(kiln.home());
        let (ear, snapshot) = listen(&home);
        let spots =
            pcscd.readers().iter().map(|reader| Spot { reader: reader.clone(), at: At::Cleared }).collect();
        let mut floor = Self {
            spots,
            notices: pcscd.notices(),
            ear,
            home,
            heard: 0,
            shown: HashMap::new(),
            batches: HashMap::new(),
            burned: HashSet::new(),
            resumed: 0,
        };
        floor.take_in(snapshot);
        floor
    }

    /// Asks the station, in a connection of its own.
    #[track_caller]
    pub fn ask(&self, command: Command) -> Reply {
        let said = format!("{command:?}");
        let mut client = Client::connect(&self.home, Mode::Full).unwrap_or_else(|error| panic!("{error}"));
        client.ask(command).unwrap_or_else(|error| panic!("{said}: {error}"))
    }

    /// Serves the bench until `enough` says so, or for `limit`: then the test fails. `decide` says what becomes of each
    /// token that comes back; `enough` gets the number of tokens in the box and on the readers.
    #[track_caller]
    pub fn serve(
        &mut self,
        chance: &mut Chance,
        tokens: &mut Vec<Piece>,
        aside: &mut Vec<Piece>,
        limit: Duration,
        mut decide: impl FnMut(&mut Floor, &mut Piece, &Back) -> Then,
        mut enough: impl FnMut(&Floor, usize, usize) -> bool,
    ) {
        let start = Instant::now();
        while !enough(self, tokens.len(), self.lying()) {
            assert!(
                start.elapsed() < limit,
                "not done after {limit:?}: {} in the box; {}",
                tokens.len(),
                self.describe()
            );
            self.listen_in();
            self.see_to_pauses();
            let mut back = Vec::new();
            for at in 0..self.spots.len() {
                if let Some(came) = self.step(at, chance, tokens) {
                    back.push(came);
                }
            }
            for (mut piece, why) in back {
                match decide(self, &mut piece, &why) {
                    Then::Again => {
                        let at = chance.below(tokens.len() + 1);
                        tokens.insert(at, piece);
                    }
                    Then::Aside => aside.push(piece),
                }
            }
            std::thread::sleep(Duration::from_millis(4));
        }
    }

    /// Takes every token away, whatever the slots say.
    pub fn clear(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for spot in &mut self.spots {
            if let At::On(on, ..) = std::mem::replace(&mut spot.at, At::Cleared) {
                pieces.push(on.0);
            }
        }
        pieces
    }

    /// The station was started anew: what was heard of the old one counts no more.
    #[track_caller]
    pub fn reconnect(&mut self) {
        let (ear, snapshot) = listen(&self.home);
        self.ear = ear;
        self.shown.clear();
        self.take_in(snapshot);
    }

    /// How many tokens lie on readers.
    pub fn lying(&self) -> usize {
        self.spots.iter().filter(|spot| matches!(spot.at, At::On(..))).count()
    }

    /// Every job of a batch.
    #[track_caller]
    pub fn jobs(&self, batch: &str) -> Vec<JobView> {
        let page = Page { offset: 0, limit: 1000 };
        let command = Command::Jobs { batch: batch.into(), filter: JobFilter::default(), page };
        match self.ask(command) {
            Reply::Jobs(page) => page.items,
            other => panic!("{other:?}"),
        }
    }

    /// Puts failed jobs back: what failed before anything was written is for the next token that comes.
    #[track_caller]
    pub fn retry_failed(&mut self) {
        self.listen_in();
        let failed = self.batches.values().filter(|batch| batch.jobs.failed > 0);
        for name in failed.map(|batch| batch.name.clone()).collect::<Vec<_>>() {
            self.ask(Command::BatchRetry { name });
        }
    }

    /// Whether every slot waits for a token.
    pub fn is_idle(&mut self) -> bool {
        self.listen_in();
        (0..self.spots.len()).all(|at| self.is_free(at))
    }

    /// Whether no batch gives jobs away or waits for a token.
    pub fn all_done(&self) -> bool {
        self.batches.values().all(|batch| batch.state == "done")
    }

    /// One reader: takes away what is to be taken, puts down what may be.
    fn step(&mut self, at: usize, chance: &mut Chance, tokens: &mut Vec<Piece>) -> Option<(Piece, Back)> {
        let family = Family::of(&self.spots[at].reader);
        match &self.spots[at].at {
            At::On(on, since, heard) => {
                let (piece, card) = &**on;
                let why =
                    if card.lies() { self.says(at, piece, *since, *heard, chance)? } else { Back::Torn };
                let At::On(on, ..) = std::mem::replace(&mut self.spots[at].at, At::Cleared) else {
                    return None;
                };
                let (piece, card) = *on;
                drop(card);
                Some((piece, why))
            }
            At::Cleared => {
                if self.is_free(at) {
                    self.spots[at].at = At::Free;
                }
                None
            }
            At::Free => {
                // A person's hands are not at all readers at once.
                if self.is_free(at) && chance.once_in(4) {
                    let fits = tokens.iter().position(|piece| piece.family == family)?;
                    let mut piece = tokens.remove(fits);
                    piece.tries += 1;
                    let mut card = Card::new(self.spots[at].reader.port, piece.token.clone(), |_, _| ());
                    card.place().unwrap_or_else(|error| panic!("{error}"));
                    self.spots[at].at = At::On(Box::new((piece, card)), Instant::now(), self.heard);
                }
                None
            }
        }
    }

    /// What makes the person take the token at a reader away, if anything does.
    fn says(
        &self,
        at: usize,
        piece: &Piece,
        since: Instant,
        heard: u64,
        chance: &mut Chance,
    ) -> Option<Back> {
        let (view, number) = self.shown.get(&self.spots[at].reader.name)?;
        let is_news = *number > heard;
        let ours = view.serial.as_ref().is_some_and(|serial| serial.as_str() == piece.serial);
        let words = || view.says.clone().unwrap_or_default();
        match view.doing {
            Doing::Take if is_news => Some(Back::Taken(words())),
            Doing::Look if is_news => Some(Back::Looked(words())),
            Doing::Wait if ours && piece.hasty && piece.tries == 1 && chance.once_in(3) => Some(Back::Pulled),
            _ if since.elapsed() > PATIENCE => Some(Back::Ignored),
            _ => None,
        }
    }

    /// The slot says "place", and pcscd knows as well that nothing lies there: what comes sooner might not be seen.
    fn is_free(&mut self, at: usize) -> bool {
        let name = &self.spots[at].reader.name;
        self.shown.get(name).is_some_and(|(view, _)| view.doing == Doing::Place)
            && !self.notices.has_card(name)
    }

    /// Starts again what was paused: the test's tokens are known to be bad, so there is nothing to find out.
    fn see_to_pauses(&mut self) {
        let paused: Vec<String> = self
            .batches
            .values()
            .filter(|batch| batch.state == "paused")
            .map(|batch| batch.name.clone())
            .collect();
        let slot_paused = self.shown.values().any(|(view, _)| {
            view.serial.is_none()
                && view.says.as_ref().is_some_and(|says| says.contains("this slot is paused"))
        });
        if paused.is_empty() && !slot_paused {
            return;
        }
        self.resumed += 1;
        let running: Vec<String> = self
            .batches
            .values()
            .filter(|batch| slot_paused && batch.state == "running")
            .map(|batch| batch.name.clone())
            .collect();
        for name in &running {
            self.ask(Command::BatchPause { name: name.clone() });
        }
        for name in paused.into_iter().chain(running) {
            self.ask(Command::BatchStart { name: name.clone() });
            self.batches.remove(&name);
        }
        self.shown.retain(|_, (view, _)| {
            !view.says.as_ref().is_some_and(|says| says.contains("this slot is paused"))
        });
    }

    fn listen_in(&mut self) {
        loop {
            match self.ear.news.try_recv() {
                Ok(News::Event(numbered)) => self.hear(numbered.event),
                Ok(News::Lagged { snapshot, .. }) => self.take_in(*snapshot),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn take_in(&mut self, snapshot: Snapshot) {
        for view in snapshot.slots {
            self.hear(Event::Slot(view));
        }
        self.batches = snapshot.batches.into_iter().map(|batch| (batch.name.clone(), batch)).collect();
    }

    fn hear(&mut self, event: Event) {
        self.heard += 1;
        match event {
            Event::Slot(view) => {
                self.shown.insert(view.slot.0.clone(), (view, self.heard));
            }
            Event::SlotGone { slot } => {
                self.shown.remove(&slot.0);
            }
            Event::Batch(batch) => {
                self.batches.insert(batch.name.clone(), batch);
            }
            Event::Job { state: kiln::domain::JobState::Burned, serial: Some(serial), .. } => {
                self.burned.insert(serial.as_str().to_owned());
            }
            _ => {}
        }
    }

    /// For a failure: what every reader and slot is at.
    pub fn describe(&self) -> String {
        let mut out = String::new();
        for spot in &self.spots {
            let lies = match &spot.at {
                At::Free => "free".to_owned(),
                At::Cleared => "cleared".to_owned(),
                At::On(on, since, _) => {
                    format!("{} ({:?}) for {:?}", on.0.serial, on.0.fault, since.elapsed())
                }
            };
            let shown = self.shown.get(&spot.reader.name).map(|(view, _)| (view.doing, &view.says));
            out += &format!("\n{}: {lies}; the slot: {shown:?}", spot.reader.name);
        }
        for batch in self.batches.values() {
            out += &format!("\nbatch {}: {} {:?}", batch.name, batch.state, batch.jobs);
        }
        out
    }
}

#[track_caller]
fn listen(home: &Home) -> (Ear, Snapshot) {
    let client = Client::connect(home, Mode::Full).unwrap_or_else(|error| panic!("{error}"));
    let (snapshot, stream) = client.subscribe().unwrap_or_else(|error| panic!("{error}"));
    let (send, news) = channel();
    std::thread::spawn(move || {
        for item in stream.map_while(Result::ok) {
            if send.send(item).is_err() {
                break;
            }
        }
    });
    (Ear { news }, snapshot)
}

/// User, seed and period of each serial, from an export in Entra's format.
#[track_caller]
pub fn exported(text: &str) -> HashMap<String, String> {
    text.lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split(',').collect();
            assert_eq!(columns.len(), 6, "an export has six columns");
            (columns[1].to_owned(), columns[2].to_owned())
        })
        .collect()
}

/// The word at `name` of a JSON object.
#[track_caller]
pub fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}
