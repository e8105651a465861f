//! Real readers: a `pcscd` of the test's own with virtual readers, and what PC/SC makes of cards on them. These hold
//! the harness (and the picture of PC/SC that kiln is built on) to account; kiln's own tests stand on it.

mod support;

use pcsc::{Context, Error, Protocols, ReaderState, Scope, ShareMode, State};
use std::{ffi::CString, time::Duration};
use support::{
    LONG,
    card::{Answer, Card, ISO_DEP},
    namespace::isolated,
    pcscd::{Pcscd, Reader},
    until,
};

const LIMIT: Duration = Duration::from_secs(120);

fn context() -> Context {
    Context::establish(Scope::User).expect("pcscd runs")
}

/// Waits until the reader's state has (or lacks) a card.
#[track_caller]
fn wait_for_card(context: &Context, reader: &Reader, wanted: State) {
    let name = CString::new(reader.name.as_str()).expect("names hold no zero byte");
    let mut states = [ReaderState::new(name, State::UNAWARE)];
    until(&format!("{wanted:?} on {}", reader.name), LONG, || {
        match context.get_status_change(Duration::from_secs(1), &mut states) {
            Ok(()) | Err(Error::Timeout) => {}
            Err(error) => panic!("{}: {error}", reader.name),
        }
        states[0].sync_current_state();
        states[0].event_state().contains(wanted).then_some(())
    });
}

fn connect(context: &Context, reader: &Reader) -> Result<pcsc::Card, Error> {
    let name = CString::new(reader.name.as_str()).expect("names hold no zero byte");
    context.connect(&name, ShareMode::Exclusive, Protocols::ANY)
}

/// A card that says every command back, with its own mark in front.
fn echo(mark: u8) -> impl FnMut(&[u8]) -> Answer + Send + 'static {
    move |command| Answer::Bytes([&[mark], command, &[0x90, 0x00]].concat())
}

#[test]
fn each_reader_has_its_own_card() {
    isolated("each_reader_has_its_own_card", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "Kiln B", "Kiln C"]);
        let context = context();
        let listed = context.list_readers_owned().expect("readers can be listed");
        assert_eq!((listed.len(), pcscd.readers().len()), (6, 6));

        // One from each entry, and the second reader of one: three libraries, two readers in one of them.
        let used: Vec<&Reader> = [0, 1, 3, 4].iter().map(|at| &pcscd.readers()[*at]).collect();
        let cards: Vec<Card> = used
            .iter()
            .zip(1..)
            .map(|(reader, mark)| Card::insert(reader.port, ISO_DEP, echo(mark)))
            .collect();
        for (reader, mark) in used.iter().zip(1..) {
            wait_for_card(&context, reader, State::PRESENT);
            let card = connect(&context, reader).expect("the card can be taken");
            assert_eq!(card.status2_owned().expect("a card has a status").atr(), ISO_DEP);
            let mut buffer = [0; 64];
            let answer = card.transmit(&[0x80, 0x41, 0, 0, 2], &mut buffer).expect("the card answers");
            assert_eq!(answer, [mark, 0x80, 0x41, 0, 0, 2, 0x90, 0x00], "{}", reader.name);
        }
        let empty = &pcscd.readers()[2];
        assert_eq!(connect(&context, empty).err(), Some(Error::NoSmartcard));

        drop(cards);
        for reader in used {
            wait_for_card(&context, reader, State::EMPTY);
        }
    });
}

#[test]
fn a_card_that_leaves_in_mid_command_answers_nothing_and_can_come_back() {
    isolated("a_card_that_leaves_in_mid_command_answers_nothing_and_can_come_back", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let (context, reader) = (context(), &pcscd.readers()[0]);
        let yanked = Card::insert(reader.port, ISO_DEP, |_| Answer::Leave);
        wait_for_card(&context, reader, State::PRESENT);
        let card = connect(&context, reader).expect("the card can be taken");
        let mut buffer = [0; 64];
        assert_eq!(card.transmit(&[0x80, 0x41, 0, 0, 2], &mut buffer), Ok(&[][..]));
        drop(card);
        drop(yanked);
        pcscd.await_removal(reader);

        let _back = Card::insert(reader.port, ISO_DEP, echo(7));
        pcscd.await_insertion(reader);
        let card = connect(&context, reader).expect("the card can be taken");
        let answer = card.transmit(&[0x80, 0x41, 0, 0], &mut buffer).expect("the card answers");
        assert_eq!(answer, [7, 0x80, 0x41, 0, 0, 0x90, 0x00]);
    });
}

#[test]
fn readers_come_back_after_the_service_was_stopped_or_killed() {
    isolated("readers_come_back_after_the_service_was_stopped_or_killed", LIMIT, || {
        let mut pcscd = Pcscd::start(&["Kiln A", "Kiln B"]);
        let before = pcscd.pid();
        pcscd.stop();
        assert_eq!(Context::establish(Scope::User).err(), Some(Error::NoService));
        pcscd.resume();
        assert_ne!(pcscd.pid(), before);
        pcscd.kill9();
        pcscd.resume();
        let context = context();
        let reader = pcscd.readers()[3].clone();
        let _card = Card::insert(reader.port, ISO_DEP, echo(1));
        wait_for_card(&context, &reader, State::PRESENT);
    });
}
