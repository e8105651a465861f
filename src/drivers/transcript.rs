//! A link for tests that replays a written exchange, and the vectors it is written in.

use crate::link::{Apdu, ApduLink, LinkError, Response};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Default)]
struct Script {
    expected: VecDeque<(Vec<u8>, Vec<u8>)>,
    sent: usize,
}

/// Answers each expected command with its reply and panics at any other. A reply without a status word stands for a
/// token taken off in the middle. Clones share one script, so that a test can count after the session took the link.
#[derive(Clone)]
pub(crate) struct Transcript {
    script: Rc<RefCell<Script>>,
    answer_to_reset: Vec<u8>,
}

impl Transcript {
    /// From pairs of command and reply in hex.
    pub(crate) fn new(exchanges: &[(&str, &str)]) -> Self {
        let expected =
            exchanges.iter().map(|(command, reply)| (bytes(command), bytes(reply))).collect::<VecDeque<_>>();
        Self { script: Rc::new(RefCell::new(Script { expected, sent: 0 })), answer_to_reset: Vec::new() }
    }

    /// From an `exchanges` list of a vector file.
    pub(crate) fn from_exchanges(list: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("hex text").to_owned();
        let pairs: Vec<(String, String)> = list
            .as_array()
            .expect("a list of exchanges")
            .iter()
            .map(|exchange| (text(&exchange["command"]), text(&exchange["response"])))
            .collect();
        Self::new(&pairs.iter().map(|(c, r)| (c.as_str(), r.as_str())).collect::<Vec<_>>())
    }

    /// The same with an answer to reset.
    pub(crate) fn with_answer_to_reset(mut self, hex: &str) -> Self {
        self.answer_to_reset = bytes(hex);
        self
    }

    /// How many commands came.
    pub(crate) fn sent(&self) -> usize {
        self.script.borrow().sent
    }

    /// How many expected commands did not come yet.
    pub(crate) fn left(&self) -> usize {
        self.script.borrow().expected.len()
    }
}

impl ApduLink for Transcript {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let mut script = self.script.borrow_mut();
        let (expected, reply) = script.expected.pop_front().expect("no further command was expected");
        assert_eq!(command.bytes(), expected);
        script.sent += 1;
        Response::from_bytes(reply)
    }

    fn answer_to_reset(&self) -> &[u8] {
        &self.answer_to_reset
    }
}

/// Bytes from lower-case hex.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex")
}

/// The vector file of a family.
pub(crate) fn vectors(name: &str) -> Value {
    let text = match name {
        "token2-single" => include_str!("../../tests/vectors/token2-single.json"),
        "molto2" => include_str!("../../tests/vectors/molto2.json"),
        "ykoath" => include_str!("../../tests/vectors/ykoath.json"),
        "token2-otp" => include_str!("../../tests/vectors/token2-otp.json"),
        other => panic!("no vectors called {other}"),
    };
    serde_json::from_str(text).expect("vectors are JSON")
}
