//! Commands over reports: a HID link, made into one that carries APDUs.

use crate::link::{Apdu, ApduLink, HidLink, LinkError, Response};
use crate::wire::token2_otp::frame::{Joined, Joiner, cut};
use std::time::{Duration, Instant};

/// Who stands by while a key works: is told when it waits for a touch, and can call that off.
pub trait Attendant {
    /// The key waits for a touch, as far as one can tell: it says for the third time that it is not done yet.
    fn touch_wanted(&mut self);

    /// Whether it is still worth waiting.
    fn waits_on(&mut self) -> bool;

    /// The key has answered, or is given up: nothing is waited for any more.
    fn wait_over(&mut self);
}

/// Nobody: the key is waited for as long as it is usual.
impl Attendant for () {
    fn touch_wanted(&mut self) {}

    fn waits_on(&mut self) -> bool {
        true
    }

    fn wait_over(&mut self) {}
}

/// After so many reports that say nothing but "not done yet" a person is asked for a touch. Section 4.
const ASK_AFTER: u32 = 3;

/// How often whoever stands by is asked whether to wait on.
const LOOK_UP: Duration = Duration::from_millis(250);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a key may say nothing at all. Where its function is off on USB, it says nothing for ever.
    pub silence: Duration,
    /// How long it may wait for a touch; a key gives up by itself before.
    pub touch: Duration,
}

impl Default for Limits {
    /// Those of the hosts that are known to work (section 4).
    fn default() -> Self {
        Self { silence: Duration::from_secs(3), touch: Duration::from_secs(25) }
    }
}

/// The link. One exchange at a time: a report that is there before anything was asked is another program's.
pub struct Framed<L, A> {
    inner: L,
    attendant: A,
    limits: Limits,
}

impl<L: HidLink, A: Attendant> Framed<L, A> {
    /// Over `inner`, with somebody who stands by.
    pub fn new(inner: L, attendant: A) -> Self {
        Self { inner, attendant, limits: Limits::default() }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    fn answer(&mut self) -> Result<Vec<u8>, LinkError> {
        let Limits { silence, touch } = self.limits;
        let mut joiner = Joiner::default();
        let (mut last_word, mut working, mut waiting_since) = (Instant::now(), 0, None);
        loop {
            // The first look is as long as any, so that a key which is quick costs one call.
            let report = self.inner.receive(LOOK_UP.min(silence))?;
            let joined = match report {
                None if last_word.elapsed() >= silence => return Err(LinkError::Deadline(silence)),
                None => None,
                Some(report) => {
                    last_word = Instant::now();
                    Some(joiner.take(&report).map_err(|_| LinkError::Garbled)?)
                }
            };
            match joined {
                Some(Joined::Whole(answer)) => return Ok(answer),
                // It has begun to answer, and waits for nothing any more.
                Some(Joined::More) => (working, waiting_since) = (0, None),
                Some(Joined::Working) => {
                    working += 1;
                    let since = *waiting_since.get_or_insert_with(Instant::now);
                    if working == ASK_AFTER {
                        self.attendant.touch_wanted();
                    }
                    if since.elapsed() >= touch {
                        return Err(LinkError::ButtonMissed(touch));
                    }
                }
                None => {}
            }
            if working > 0 && !self.attendant.waits_on() {
                return Err(LinkError::CalledOff);
            }
        }
    }
}

impl<L: HidLink, A: Attendant> ApduLink for Framed<L, A> {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        if self.inner.receive(Duration::ZERO)?.is_some() {
            return Err(LinkError::Interfered);
        }
        for report in cut(command.bytes()) {
            self.inner.send(&report)?;
        }
        let answer = self.answer();
        self.attendant.wait_over();
        let answer = answer?;
        // Too short for a status: here that is no token taken off, as with PC/SC, but half an answer.
        Response::from_bytes(answer).map_err(|_| LinkError::Garbled)
    }

    /// There is none: nothing of it is a card.
    fn answer_to_reset(&self) -> &[u8] {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::transcript::{bytes, vectors};
    use crate::link::{Report, StatusWord};
    use std::collections::VecDeque;

    /// Gives the reports it was given, one after another, once a command was sent; then nothing.
    #[derive(Default)]
    struct Script {
        early: Option<Report>,
        answers: VecDeque<Report>,
        sent: Vec<Report>,
    }

    impl HidLink for Script {
        fn send(&mut self, report: &Report) -> Result<(), LinkError> {
            self.sent.push(report.clone());
            Ok(())
        }

        fn receive(&mut self, _: Duration) -> Result<Option<Report>, LinkError> {
            if self.sent.is_empty() { Ok(self.early.take()) } else { Ok(self.answers.pop_front()) }
        }
    }

    fn reports(hex: &[&str]) -> VecDeque<Report> {
        hex.iter().map(|hex| Report::read(&bytes(&format!("{hex:0<128}"))).unwrap()).collect()
    }

    fn over(answers: &[&str]) -> Script {
        Script { answers: reports(answers), ..Script::default() }
    }

    #[derive(Default)]
    struct Person {
        asked: u32,
        leaves_after: Option<u32>,
        looks: u32,
        over: u32,
    }

    impl Attendant for &mut Person {
        fn touch_wanted(&mut self) {
            self.asked += 1;
        }

        fn waits_on(&mut self) -> bool {
            self.looks += 1;
            self.leaves_after.is_none_or(|most| self.looks <= most)
        }

        fn wait_over(&mut self) {
            self.over += 1;
        }
    }

    fn exchange(script: Script, person: &mut Person, limits: Limits) -> Result<Response, LinkError> {
        let command = Apdu::plain([0x80, 0xC5, 0x01, 0x00, 0x00]);
        Framed::new(script, person).with_limits(limits).exchange(&command)
    }

    #[test]
    fn the_busy_sequence_of_the_vectors_asks_for_a_touch_once() {
        let file = vectors("token2-otp");
        let busy: Vec<&str> = file["busy_sequence"]["reports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r.as_str().unwrap())
            .collect();
        let mut person = Person::default();
        let answer = exchange(over(&busy), &mut person, Limits::default()).unwrap();
        assert_eq!((answer.data, answer.status), (vec![0x5A], StatusWord::OK));
        assert_eq!((person.asked, person.over), (1, 1));
        let mut person = Person::default();
        exchange(over(&busy[1..]), &mut person, Limits::default()).unwrap();
        assert_eq!(person.asked, 0, "two are nothing to speak of");
    }

    #[test]
    fn a_key_that_says_nothing_is_given_up() {
        let limits = Limits { silence: Duration::ZERO, ..Limits::default() };
        let silent = exchange(over(&[]), &mut Person::default(), limits);
        assert_eq!(silent, Err(LinkError::Deadline(Duration::ZERO)));
        let stuck = exchange(over(&["21c0", "21203d"]), &mut Person::default(), limits);
        assert_eq!(stuck, Err(LinkError::Deadline(Duration::ZERO)));
    }

    #[test]
    fn a_touch_that_never_comes_is_given_up_and_one_can_call_it_off() {
        let working = ["21c0"; 9];
        let limits = Limits { touch: Duration::ZERO, ..Limits::default() };
        let missed = exchange(over(&working), &mut Person::default(), limits);
        assert_eq!(missed, Err(LinkError::ButtonMissed(Duration::ZERO)));
        let mut person = Person { leaves_after: Some(4), ..Person::default() };
        assert_eq!(exchange(over(&working), &mut person, Limits::default()), Err(LinkError::CalledOff));
        assert_eq!((person.asked, person.looks, person.over), (1, 5, 1));
    }

    #[test]
    fn what_was_not_asked_for_is_another_programs() {
        let script = Script { early: reports(&["2100029000"]).pop_front(), ..over(&["2100029000"]) };
        let interfered = exchange(script, &mut Person::default(), Limits::default());
        assert_eq!(interfered, Err(LinkError::Interfered));
        for garbled in ["ffffffff86", "2101029000", "21000190", "2100"] {
            let answer = exchange(over(&[garbled]), &mut Person::default(), Limits::default());
            assert_eq!(answer, Err(LinkError::Garbled), "{garbled}");
        }
    }
}
