//! The demo with the terminal UI in front: the same station and the same operator, at the pace of a person, until
//! whoever looks on leaves.

use super::{Host, Operator, ThrowAway, connect, prepare, slot_names, start_batches};
use crate::{
    face::{Doing, Event, Failure},
    service::{Client, Home, News},
    sim::Bench,
    tui::Left,
};
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// An exchange takes so long that one sees the steps of a burn.
const EXCHANGE: Duration = Duration::from_millis(150);

/// How long a hand takes to put a token down, or to take one away.
const HAND: Duration = Duration::from_millis(500);

/// Runs the demo on `slots` virtual readers with `tokens` tokens behind `screen`, and ends it when that was left.
pub fn on_screen(
    slots: u16,
    tokens: u32,
    screen: impl FnOnce(&Home) -> Result<Left, Failure>,
) -> Result<(), Failure> {
    let dir = ThrowAway::make()?;
    let home = Home::at(&dir.0);
    let (names, usb) = slot_names(slots);
    let bench = Bench::new(names.clone());
    let host = Host::start(&home, bench.clone())?;
    let mut client = connect(&home)?;
    let pile = prepare(&mut client, tokens, usb, EXCHANGE)?;
    start_batches(&mut client, &pile)?;
    let operator = Operator::new(bench.clone(), names.clone(), pile);
    let watching = connect(&home)?;
    let (leave, left) = channel::<()>();
    let hands = thread::spawn(move || work(operator, client, watching, &left));
    let shown = screen(&home);
    drop(leave);
    // What was begun ends where it is: nobody waits for tokens that don't exist.
    take_all(&bench, &names);
    host.end();
    // An error of the operator's means that the station ended before him.
    let _ = hands.join();
    shown.map(|_| ())
}

fn take_all(bench: &Bench, slots: &[String]) {
    for slot in slots {
        bench.take(slot);
    }
}

/// What the operator does until every token is burned, or `left` closes.
fn work(
    mut operator: Operator,
    mut client: Client,
    watching: Client,
    left: &Receiver<()>,
) -> Result<(), Failure> {
    let (snapshot, news) = watching.subscribe().map_err(crate::service::ClientError::into_failure)?;
    operator.begin();
    // Slots that were there already have said what they want.
    operator.catch_up(&snapshot, &mut client)?;
    for told in news {
        match told.map_err(crate::service::ClientError::into_failure)? {
            News::Event(numbered) => {
                let wants_hands = matches!(
                    &numbered.event,
                    Event::Slot(slot) if matches!(slot.doing, Doing::Place | Doing::Take | Doing::Look)
                );
                if wants_hands && left.recv_timeout(HAND) != Err(RecvTimeoutError::Timeout) {
                    return Ok(());
                }
                operator.react(&numbered.event, &mut client)?;
            }
            News::Lagged { snapshot, .. } => operator.catch_up(&snapshot, &mut client)?,
        }
        if operator.is_done() {
            return Ok(());
        }
    }
    Ok(())
}
