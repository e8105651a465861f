use super::*;
use crate::sim::{
    device::{Challenges, Surroundings},
    token2_single::{Settings, TimeSync},
    vectors::HandClock,
};
use std::{net::TcpListener, sync::mpsc};

const GET_ATR: &[u8] = &[4];
const ATR: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
const INFO: &[u8] = &[0x80, 0x41, 0, 0, 2, 2, 0x11];

/// A reader's driver, as far as a card sees it.
struct Driver(TcpListener);

impl Driver {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn accept(&self) -> Reader {
        let (stream, _) = self.0.accept().unwrap();
        // A test that hangs tells nothing.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Reader(stream)
    }
}

struct Reader(TcpStream);

impl Reader {
    fn say(&mut self, message: &[u8]) {
        self.0.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
        self.0.write_all(message).unwrap();
    }

    /// The next message; `None` when the card has left.
    fn hear(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        match self.0.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the card says nothing"),
            Err(_) => return None,
        }
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut message).unwrap();
        Some(message)
    }

    fn ask(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.say(message);
        self.hear()
    }
}

fn set_up() -> (Driver, VirtualToken, Card, mpsc::Receiver<Happened>) {
    let driver = Driver::new();
    let settings = Settings::new("86596220000001".parse().unwrap(), TimeSync::Restricted);
    let token =
        VirtualToken::token2_single(settings, Surroundings::new(HandClock::at(0), Challenges::random()));
    let (tell, told) = mpsc::channel();
    let card = Card::with_absence(Duration::ZERO, driver.port(), token.clone(), move |_, happened| {
        let _ = tell.send(happened);
    });
    (driver, token, card, told)
}

#[test]
fn only_get_atr_and_commands_are_answered() {
    let (driver, token, mut card, told) = set_up();
    card.place().unwrap();
    let mut reader = driver.accept();
    assert_eq!(reader.ask(GET_ATR), Some(ATR.to_vec()));
    for power in [1, 0, 2, 3, 9] {
        reader.say(&[power]);
    }
    reader.say(&[]);
    let info = reader.ask(INFO).unwrap();
    assert_eq!(info[3..18], *b"\x0e86596220000001");
    assert!(info.ends_with(&[0x90, 0]));
    assert_eq!((token.counters().commands, told.recv()), (1, Ok(Happened::Exchange)));
}

#[test]
fn messages_are_cut_by_their_length_not_by_their_segment() {
    let (driver, _, mut card, _told) = set_up();
    card.place().unwrap();
    let mut reader = driver.accept();
    reader.0.write_all(&[0, 1, 4, 0, 1, 1, 0, 1]).unwrap();
    assert_eq!(reader.hear(), Some(ATR.to_vec()));
    reader.0.write_all(&[4]).unwrap();
    assert_eq!(reader.hear(), Some(ATR.to_vec()));
}

#[test]
fn a_reset_by_the_reader_loses_the_challenge() {
    let (driver, _, mut card, _told) = set_up();
    card.place().unwrap();
    let mut reader = driver.accept();
    assert_eq!(reader.ask(&[0x80, 0x4B, 8, 0, 1, 0]).unwrap().len(), 10);
    reader.say(&[2]);
    let mut answer = vec![0x80, 0xCE, 0, 0, 16];
    answer.extend([0; 16]);
    assert_eq!(reader.ask(&answer), Some(vec![0x6A, 0x80]));
}

#[test]
fn a_yank_closes_the_line_and_only_place_brings_the_token_back() {
    let (driver, token, mut card, told) = set_up();
    card.place().unwrap();
    token.arm("yank-after:1".parse().unwrap());
    let mut reader = driver.accept();
    assert_eq!(reader.ask(INFO), None);
    assert_eq!(told.recv(), Ok(Happened::TornOff));
    card.place().unwrap();
    assert_eq!(driver.accept().ask(GET_ATR), Some(ATR.to_vec()));
    assert!(card.lies());
}

#[test]
fn a_mute_command_is_never_answered_nor_is_anything_after_it() {
    let (driver, token, mut card, told) = set_up();
    card.place().unwrap();
    token.arm("mute:1".parse().unwrap());
    let mut reader = driver.accept();
    reader.say(INFO);
    assert_eq!(told.recv(), Ok(Happened::Exchange));
    reader.say(GET_ATR);
    card.take();
    assert_eq!(reader.hear(), None);
    card.place().unwrap();
    assert!(driver.accept().ask(INFO).is_some(), "the fault is spent");
}

#[test]
fn taking_the_token_leaves_no_ghost() {
    let (driver, _, mut card, _told) = set_up();
    card.place().unwrap();
    let mut reader = driver.accept();
    card.take();
    assert_eq!(reader.hear(), None);
    card.place().unwrap();
    let mut reader = driver.accept();
    drop(card);
    assert_eq!(reader.hear(), None);
    driver.0.set_nonblocking(true).unwrap();
    assert!(driver.0.accept().is_err());
}

#[test]
fn a_token_that_is_switched_off_leaves_the_reader_and_comes_back_when_lit() {
    let (driver, token, mut card, told) = set_up();
    card.place().unwrap();
    let mut reader = driver.accept();
    token.switch_off();
    assert_eq!(reader.ask(GET_ATR), None);
    assert_eq!(told.recv(), Ok(Happened::WentDark));
    card.place().unwrap();
    assert!(card.lies());
    token.switch_on();
    card.place().unwrap();
    assert_eq!(driver.accept().ask(GET_ATR), Some(ATR.to_vec()));
}

#[test]
fn a_token_finds_its_reader_again_when_the_service_comes_back() {
    let (driver, _, mut card, told) = set_up();
    card.place().unwrap();
    drop(driver.accept());
    assert_eq!(told.recv(), Ok(Happened::ReaderLost));
    assert_eq!(driver.accept().ask(GET_ATR), Some(ATR.to_vec()));
}

#[test]
fn a_port_without_a_reader_is_an_error_with_a_remedy() {
    let (driver, _, mut card, _told) = set_up();
    drop(driver);
    let error = card.place().unwrap_err();
    assert!(matches!(error, VpcdError::NoReader { .. }));
    assert!(!card.lies());
    assert!(error.remedy().contains("vpcd"));
    assert!(VpcdError::NoThread(io::Error::other("none")).remedy().len() > 10);
}
