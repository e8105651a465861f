//! What each command of the OATH applet does to the memory.

use super::{
    Credential, FULL, Finger, LOCKED, Make, Memory, NO_SUCH_DATA, Token,
    bytes::{record, take_tagged},
};
use crate::sim::{
    apdu::sw,
    code::{self, DeviceHash},
    device::{Counters, Kept, Quirks},
};
use subtle::ConstantTimeEq;

impl Token {
    /// Section 5. Order is fixed; tag 78 has a value and no length.
    pub(super) fn put(&mut self, mut data: &[u8]) -> Result<(), u16> {
        let canokey = self.make() == Make::CanoKey;
        let name = take_tagged(&mut data, 0x71)?.to_vec();
        let key = take_tagged(&mut data, 0x73)?;
        let [kind, digits, secret @ ..] = key else { return Err(sw::BAD_DATA) };
        let most_key = if canokey { 66 } else { 2 + 128 };
        let digits_fit = if canokey { 4..=8 } else { 6..=8 };
        let hashes = match self.make() {
            Make::YubiKey | Make::CanoKey => 1..=3,
            Make::Nitrokey | Make::Solo => 1..=2,
        };
        let sound = (1..=64).contains(&name.len())
            && matches!(kind >> 4, 1 | 2)
            && hashes.contains(&(kind & 0x0F))
            && digits_fit.contains(digits)
            && !secret.is_empty()
            && key.len() <= most_key;
        if !sound {
            return Err(if canokey { sw::WRONG_LENGTH } else { sw::BAD_DATA });
        }
        let property = match data {
            [0x78, bits, rest @ ..] => {
                data = rest;
                *bits
            }
            _ => 0,
        };
        let counter = match data.first() {
            Some(0x7A) => {
                let value = take_tagged(&mut data, 0x7A)?;
                let value: [u8; 4] = value.try_into().map_err(|_| sw::BAD_DATA)?;
                if canokey && kind >> 4 == 2 {
                    return Err(sw::BAD_DATA);
                }
                u32::from_be_bytes(value)
            }
            _ => 0,
        };
        if !data.is_empty() {
            return Err(if canokey { sw::WRONG_LENGTH } else { sw::BAD_DATA });
        }
        let credential = Credential {
            name,
            kind: *kind,
            digits: *digits,
            key: Kept::from_slice(secret),
            touch: property & 0x02 != 0,
            rising: (property & 0x01 != 0).then(Vec::new),
            counter,
        };
        match (self.find(&credential.name), self.make()) {
            (Some(_), Make::CanoKey) => Err(sw::CONDITIONS),
            (Some(_), Make::Nitrokey) => Err(sw::REFUSED),
            (Some(at), Make::YubiKey | Make::Solo) => {
                self.memory.credentials[at] = credential;
                Ok(())
            }
            (None, _) if self.memory.credentials.len() >= self.settings.capacity => Err(FULL),
            (None, _) => {
                self.memory.credentials.push(credential);
                Ok(())
            }
        }
    }

    pub(super) fn delete(&mut self, mut data: &[u8]) -> Result<(), u16> {
        let name = take_tagged(&mut data, 0x71)?;
        match self.find(name) {
            Some(_) if self.make() == Make::Nitrokey && !self.is_touched() => Err(LOCKED),
            Some(at) => {
                self.memory.credentials.remove(at);
                Ok(())
            }
            None if self.make() == Make::Solo => Ok(()),
            None => Err(self.missing()),
        }
    }

    pub(super) fn rename(&mut self, mut data: &[u8]) -> Result<(), u16> {
        let (old, new) = (take_tagged(&mut data, 0x71)?, take_tagged(&mut data, 0x71)?);
        if !(1..=64).contains(&new.len()) || !data.is_empty() {
            return Err(sw::BAD_DATA);
        }
        let at = self.find(old).ok_or(self.missing())?;
        if self.find(new).is_some_and(|other| other != at) {
            return Err(sw::BAD_DATA);
        }
        self.memory.credentials[at].name = new.to_vec();
        Ok(())
    }

    pub(super) fn reset(&mut self) -> Result<(), u16> {
        if self.make() == Make::Nitrokey && !self.is_touched() {
            return Err(LOCKED);
        }
        let salt = self.challenges.draw().ok_or(sw::FAILED)?;
        self.memory = Memory { salt, ..Memory::default() };
        self.validated = false;
        Ok(())
    }

    /// Section 8: the key is taken only with the right answer to the challenge that comes with it.
    pub(super) fn set_code(&mut self, mut data: &[u8]) -> Result<(), u16> {
        let key = take_tagged(&mut data, 0x73)?;
        if key.is_empty() && data.is_empty() {
            self.memory.access_key = None;
            return Ok(());
        }
        let (challenge, answer) = (take_tagged(&mut data, 0x74)?, take_tagged(&mut data, 0x75)?);
        let [0x21, key @ ..] = key else { return Err(sw::BAD_DATA) };
        if key.len() != 16 || !data.is_empty() {
            return Err(sw::BAD_DATA);
        }
        if !bool::from(code::mac(key, DeviceHash::Sha1, challenge).ct_eq(answer)) {
            return Err(NO_SUCH_DATA);
        }
        self.memory.access_key = Some(Kept::from_slice(key));
        self.validated = true;
        Ok(())
    }

    pub(super) fn validate(
        &mut self,
        mut data: &[u8],
        quirks: Quirks,
        counters: &mut Counters,
    ) -> Result<Vec<u8>, u16> {
        let (answer, theirs) = (take_tagged(&mut data, 0x75)?, take_tagged(&mut data, 0x74)?);
        let (Some(own), Some(ours)) = (&self.memory.access_key, self.challenge.take()) else {
            return Err(NO_SUCH_DATA);
        };
        counters.auth_attempts += 1;
        let mut key = own.clone();
        if quirks.other_key {
            key.0.iter_mut().for_each(|byte| *byte = !*byte);
        }
        if !bool::from(code::mac(&key.0, DeviceHash::Sha1, &ours).ct_eq(answer)) {
            counters.wrong_answers += 1;
            // The same challenge may be answered again: nothing counts.
            self.challenge = Some(ours);
            return Err(sw::BAD_DATA);
        }
        self.validated = true;
        Ok(record(0x75, &code::mac(&key.0, DeviceHash::Sha1, theirs)))
    }

    pub(super) fn list(&self) -> Vec<u8> {
        let one = |credential: &Credential| {
            record(0x72, &[&[credential.kind], credential.name.as_slice()].concat())
        };
        self.memory.credentials.iter().flat_map(one).collect()
    }

    /// Uses up the touch that came.
    fn is_touched(&mut self) -> bool {
        std::mem::replace(&mut self.finger, Finger::Away) == Finger::Came
    }

    pub(super) fn calculate(&mut self, mut data: &[u8], short: bool) -> Result<Vec<u8>, u16> {
        let (name, challenge) = (take_tagged(&mut data, 0x71)?, take_tagged(&mut data, 0x74)?);
        let at = self.find(name).ok_or(self.missing())?;
        if self.memory.credentials[at].touch && !self.is_touched() {
            return Err(LOCKED);
        }
        let counts_first = self.make() == Make::CanoKey;
        let credential = &mut self.memory.credentials[at];
        if let Some(last) = &mut credential.rising {
            if challenge <= last.as_slice() && !last.is_empty() {
                return Err(LOCKED);
            }
            *last = challenge.to_vec();
        }
        let message = if credential.is_counted() {
            if counts_first {
                credential.counter = credential.counter.checked_add(1).ok_or(sw::CONDITIONS)?;
            }
            let counter = u64::from(credential.counter);
            if !counts_first {
                credential.counter = credential.counter.wrapping_add(1);
            }
            counter.to_be_bytes().to_vec()
        } else {
            challenge.to_vec()
        };
        Ok(response(credential, &message, short))
    }

    pub(super) fn calculate_all(&mut self, mut data: &[u8], short: bool) -> Result<Vec<u8>, u16> {
        let challenge = take_tagged(&mut data, 0x74)?;
        let one = |credential: &Credential| {
            let mut told = record(0x71, &credential.name);
            told.extend(match (credential.is_counted(), credential.touch) {
                (true, _) => record(0x77, &[credential.digits]),
                (false, true) => record(0x7C, &[credential.digits]),
                (false, false) => response(credential, challenge, short),
            });
            told
        };
        Ok(self.memory.credentials.iter().flat_map(one).collect())
    }
}

/// Section 6.
fn response(credential: &Credential, message: &[u8], short: bool) -> Vec<u8> {
    let mac = code::mac(&credential.key.0, credential.hash(), message);
    if short {
        let four = code::truncated(&mac).to_be_bytes();
        record(0x76, &[&[credential.digits], four.as_slice()].concat())
    } else {
        record(0x75, &[&[credential.digits], mac.as_slice()].concat())
    }
}
