//! The three kinds of exchange that both families have: reading, answering a challenge, changing something.

use super::error::{Change, OpenError, ReadError, Reading, UnlockError, WriteError};
use crate::domain::Serial;
use crate::link::{Apdu, ApduLink, LinkError, Response, StatusWord};
use crate::wire::sm4::Key;
use crate::wire::{self, Challenge, EncodeError, Info, ReplyError};

/// A link and the serial of the token behind it. Shared inside of both families' sessions.
pub(super) struct Talk<L> {
    pub(super) link: L,
    pub(super) serial: Serial,
}

/// The commands of an authentication, which the families spell differently.
pub(super) struct Handshake {
    pub(super) get_challenge: fn() -> Apdu,
    pub(super) parse_challenge: fn(&[u8]) -> Result<Challenge, ReplyError>,
    pub(super) answer: fn(&Key, &Challenge) -> Apdu,
    /// What a status word to the answer means, where it is a refusal that the family knows.
    pub(super) refusal: fn(&Serial, StatusWord) -> Option<UnlockError>,
}

/// Asks whatever is on the link for its identity. One exchange.
pub(super) fn identity<L: ApduLink>(
    link: &mut L,
    command: &Apdu,
    parse: fn(&[u8]) -> Result<Info, ReplyError>,
) -> Result<Info, OpenError> {
    let reply = link.exchange(command)?;
    if reply.status != StatusWord::OK {
        return Err(OpenError::Status(reply.status));
    }
    parse(&reply.data).map_err(OpenError::Malformed)
}

/// How many parts a long answer may have: a hundred credentials fill fewer than forty.
pub(super) const MOST_PARTS: usize = 64;

/// A link on which long answers come whole: what a key keeps back is asked for.
pub(super) struct Whole<L> {
    inner: L,
    /// The question for the next part, where a status says that there is one.
    next_part: fn(StatusWord) -> Option<Apdu>,
}

impl<L> Whole<L> {
    pub(super) fn new(inner: L, next_part: fn(StatusWord) -> Option<Apdu>) -> Self {
        Self { inner, next_part }
    }
}

impl<L: ApduLink> ApduLink for Whole<L> {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let mut reply = self.inner.exchange(command)?;
        for _ in 1..MOST_PARTS {
            let Some(question) = (self.next_part)(reply.status) else { break };
            let next = self.inner.exchange(&question)?;
            reply.data.extend(next.data);
            reply.status = next.status;
        }
        Ok(reply)
    }

    fn answer_to_reset(&self) -> &[u8] {
        self.inner.answer_to_reset()
    }
}

impl<L: ApduLink> Talk<L> {
    pub(super) fn read<T>(
        &mut self,
        reading: Reading,
        command: &Apdu,
        parse: fn(&[u8]) -> Result<T, ReplyError>,
    ) -> Result<T, ReadError> {
        let serial = || self.serial.clone();
        let reply = self.link.exchange(command).map_err(|cause| ReadError::Link {
            serial: serial(),
            reading,
            cause,
        })?;
        if reply.status != StatusWord::OK {
            return Err(ReadError::Status { serial: serial(), reading, status: reply.status });
        }
        parse(&reply.data).map_err(|cause| ReadError::Malformed { serial: serial(), reading, cause })
    }

    /// Serial and clock; the serial must still be the one of this conversation.
    pub(super) fn info(
        &mut self,
        command: &Apdu,
        parse: fn(&[u8]) -> Result<Info, ReplyError>,
    ) -> Result<Info, ReadError> {
        let info = self.read(Reading::Info, command, parse)?;
        if info.serial == self.serial {
            Ok(info)
        } else {
            Err(ReadError::OtherToken { expected: self.serial.clone(), found: info.serial })
        }
    }

    /// Proves knowledge of the key, once. Two exchanges; the second is the one that a token counts.
    pub(super) fn authenticate(&mut self, key: &Key, with: &Handshake) -> Result<(), UnlockError> {
        // Before every attempt, since a broken host costs tries like a wrong key, and it takes only microseconds.
        wire::self_test()?;
        let serial = || self.serial.clone();
        let reply = self
            .link
            .exchange(&(with.get_challenge)())
            .map_err(|cause| UnlockError::Link { serial: serial(), cause })?;
        if reply.status != StatusWord::OK {
            return Err(UnlockError::Challenge { serial: serial(), status: reply.status });
        }
        let challenge = (with.parse_challenge)(&reply.data)
            .map_err(|cause| UnlockError::Malformed { serial: serial(), cause })?;

        let status = self
            .link
            .exchange(&(with.answer)(key, &challenge))
            .map_err(|cause| UnlockError::AnswerLost { serial: serial(), cause })?
            .status;
        if status == StatusWord::OK {
            return Ok(());
        }
        Err((with.refusal)(&self.serial, status)
            .unwrap_or_else(|| UnlockError::Status { serial: serial(), status }))
    }

    /// Sends a change and returns the status word, whatever it is.
    pub(super) fn send(
        &mut self,
        change: Change,
        command: Result<Apdu, EncodeError>,
    ) -> Result<StatusWord, WriteError> {
        let serial = || self.serial.clone();
        let command = command.map_err(|cause| WriteError::Cannot { serial: serial(), change, cause })?;
        match self.link.exchange(&command) {
            Ok(reply) => Ok(reply.status),
            Err(cause) => Err(WriteError::Unknown { serial: serial(), change, cause }),
        }
    }

    /// Sends a change that must be confirmed by `wanted`.
    pub(super) fn change(
        &mut self,
        change: Change,
        command: Result<Apdu, EncodeError>,
        wanted: StatusWord,
    ) -> Result<(), WriteError> {
        let status = self.send(change, command)?;
        if status == wanted {
            return Ok(());
        }
        Err(WriteError::Refused { serial: self.serial.clone(), change, status })
    }
}
