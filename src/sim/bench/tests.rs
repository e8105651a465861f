use super::*;
use crate::{
    domain::Profile,
    sim::{
        device::{Challenges, Surroundings},
        foreign::ForeignCard,
        token2_single::{Settings, TimeSync},
        vectors::HandClock,
    },
};
use std::sync::mpsc;

const LONG: Duration = Duration::from_secs(60);
const INFO: [u8; 7] = [0x80, 0x41, 0, 0, 2, 2, 0x11];

fn token(serial: &str) -> VirtualToken {
    let settings = Settings::new(serial.parse().unwrap(), TimeSync::Restricted);
    VirtualToken::token2_single(settings, Surroundings::new(HandClock::at(0), Challenges::random()))
}

fn card(opened: Result<Opened, LinkError>) -> Box<dyn ApduLink> {
    match opened {
        Ok(Opened::Card(link)) => link,
        Ok(Opened::Hid(_)) => panic!("a reader opened as a USB device"),
        Err(error) => panic!("{error}"),
    }
}

fn info(link: &mut Box<dyn ApduLink>) -> Result<Response, LinkError> {
    link.exchange(&Apdu::plain(INFO))
}

/// A bench of one slot with a token in it, its port, and a link to it.
fn set_up() -> (Bench, VirtualToken, Box<dyn Port>, Box<dyn ApduLink>) {
    let bench = Bench::new(["left"]);
    let token = token("86596220000001");
    bench.place("left", &token).unwrap();
    let mut port = bench.open_port("left").unwrap();
    let link = card(port.open());
    (bench, token, port, link)
}

#[test]
fn a_waiting_port_is_woken_by_a_token_put_down_and_by_one_taken_away() {
    let bench = Bench::new(["left", "right"]);
    assert_eq!(bench.list().unwrap(), ["left", "right"]);
    let (to_hand, from_port) = mpsc::channel();
    thread::scope(|scope| {
        let mut port = bench.open_port("left").unwrap();
        scope.spawn(move || {
            to_hand.send(port.wait_change(Presence::Empty, LONG)).unwrap();
            to_hand.send(port.wait_change(Presence::Present, LONG)).unwrap();
        });
        bench.place("left", &token("1")).unwrap();
        assert_eq!(from_port.recv(), Ok(Ok(Presence::Present)));
        assert!(bench.take("left").is_some());
        assert_eq!(from_port.recv(), Ok(Ok(Presence::Empty)));
    });
}

#[test]
fn a_token_exchanged_for_another_between_two_looks_is_not_missed() {
    let (bench, _, mut port, link) = set_up();
    drop(link);
    bench.take("left");
    bench.place("left", &token("2")).unwrap();
    assert_eq!(port.wait_change(Presence::Present, LONG), Ok(Presence::Empty));
    assert_eq!(port.wait_change(Presence::Empty, LONG), Ok(Presence::Present));
}

#[test]
fn a_link_ends_when_its_token_leaves_even_if_it_comes_back() {
    let (bench, token, mut port, mut link) = set_up();
    assert!(info(&mut link).is_ok());
    bench.take("left");
    assert_eq!(info(&mut link), Err(LinkError::Gone));
    bench.place("left", &token).unwrap();
    assert_eq!(info(&mut link), Err(LinkError::Gone));
    assert!(info(&mut card(port.open())).is_ok());
}

#[test]
fn dropping_a_link_resets_the_token_and_frees_it() {
    let (bench, _, _port, mut link) = set_up();
    let mut other = bench.open_port("left").unwrap();
    assert_eq!(other.open().err(), Some(LinkError::Busy));
    assert_eq!(other.wait_change(Presence::Present, LONG), Ok(Presence::Empty));
    let challenge = link.exchange(&Apdu::plain([0x80, 0x4B, 8, 0, 1, 0])).unwrap();
    assert_eq!(challenge.data.len(), 8);
    drop(link);
    assert_eq!(other.wait_change(Presence::Empty, LONG), Ok(Presence::Present));
    let mut answer = vec![0x80, 0xCE, 0, 0, 16];
    answer.extend([0; 16]);
    let refused = card(other.open()).exchange(&Apdu::plain(answer)).unwrap();
    assert_eq!(refused.status.0, 0x6A80, "no challenge is outstanding any more");
}

#[test]
fn a_yank_leaves_the_slot_empty_until_the_token_is_placed_again() {
    for fault in ["yank-before:1", "yank-after:1"] {
        let (bench, token, mut port, mut link) = set_up();
        token.arm(fault.parse().unwrap());
        assert_eq!(info(&mut link), Err(LinkError::Gone));
        assert!(bench.lies_in("left").is_none());
        assert_eq!(port.wait_change(Presence::Present, LONG), Ok(Presence::Empty));
        bench.place("left", &token).unwrap();
        assert!(info(&mut card(port.open())).is_ok(), "the yank is spent");
    }
}

#[test]
fn a_mute_token_holds_the_call_until_it_is_taken_away() {
    let (bench, token, mut port, link) = set_up();
    drop(link);
    token.arm("mute:1".parse().unwrap());
    thread::scope(|scope| {
        let call = scope.spawn(move || info(&mut card(port.open())));
        // Whether the call has begun or not: it can't come back with an answer.
        while token.counters().commands == 0 {
            thread::yield_now();
        }
        assert!(!call.is_finished());
        bench.take("left");
        assert_eq!(call.join().unwrap(), Err(LinkError::Gone));
    });
}

#[test]
fn a_dark_token_lies_there_unseen_and_shows_afresh_when_lit() {
    let (bench, token, mut port, mut link) = set_up();
    bench.switch("left", Power::Off);
    assert_eq!(info(&mut link), Err(LinkError::Gone));
    assert_eq!(port.wait_change(Presence::Present, LONG), Ok(Presence::Empty));
    assert!(bench.lies_in("left").is_some());
    bench.switch("left", Power::On);
    assert_eq!(port.wait_change(Presence::Empty, LONG), Ok(Presence::Present));
    assert!(token.display(Profile::ZERO).code().is_none());
    let mut link = card(port.open());
    bench.switch("left", Power::OffAndOn);
    assert_eq!(info(&mut link), Err(LinkError::Gone));
    assert!(info(&mut card(port.open())).is_ok());
}

#[test]
fn resets_outages_and_unplugged_readers_are_told_apart() {
    let (bench, _, mut port, mut link) = set_up();
    bench.reset("left");
    assert_eq!(info(&mut link), Err(LinkError::Reset));
    drop(link);
    let mut link = card(port.open());
    bench.set_outage(Some(LinkError::NoService));
    assert_eq!(info(&mut link), Err(LinkError::NoService));
    assert_eq!(bench.list(), Err(LinkError::NoService));
    assert_eq!(port.wait_change(Presence::Present, LONG), Err(LinkError::NoService));
    bench.set_outage(None);
    assert!(info(&mut link).is_ok());
    assert!(bench.remove_slot("left").is_some());
    assert_eq!(info(&mut link), Err(LinkError::ReaderGone));
    assert_eq!(port.open().err(), Some(LinkError::ReaderGone));
    assert!(matches!(bench.open_port("left"), Err(LinkError::ReaderGone)));
}

#[test]
fn a_card_that_cannot_be_talked_to_fails_as_it_is_opened() {
    let bench = Bench::new(["left"]);
    bench.place("left", &VirtualToken::foreign(ForeignCard::Mute)).unwrap();
    assert_eq!(bench.open_port("left").unwrap().open().err(), Some(LinkError::Mute));
    bench.take("left");
    bench.place("left", &VirtualToken::foreign(ForeignCard::StorageCard)).unwrap();
    let link = card(bench.open_port("left").unwrap().open());
    assert!(link.answer_to_reset().starts_with(&[0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C]));
}

#[test]
fn hands_that_cannot_are_told_why() {
    let bench = Bench::new(["left", "right"]);
    let token = token("1");
    bench.place("left", &token).unwrap();
    let refusals = [
        bench.place("middle", &super::tests::token("2")).unwrap_err(),
        bench.place("left", &super::tests::token("2")).unwrap_err(),
        bench.place("right", &token).unwrap_err(),
    ];
    assert_eq!(
        refusals,
        [
            BenchError::NoSlot("middle".into()),
            BenchError::Taken("left".into()),
            BenchError::Elsewhere("left".into())
        ]
    );
    assert!(refusals.iter().all(|refusal| refusal.remedy().len() > 10));
}
