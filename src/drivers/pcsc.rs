//! Readers behind PC/SC, that is pcscd on Linux.
//!
//! libpcsclite runs one call at a time on each context, so a pending wait or a slow card holds up every reader that
//! shares it: each port has a context of its own. A context does not survive a restart of pcscd (and still calls
//! itself valid): any error of the service drops it, and the next call makes a new one. A token gone in the middle of
//! a command is *success without bytes* here; a fast swap within pcscd's polling shows in its event counter only; and
//! nothing ever times out, which is what [`super::fence`] is for. Protocol page `pcsc`.

use super::{Logged, hid::UsbAddress};
use crate::link::{Apdu, ApduLink, LinkError, LinkSource, Listing, Opened, Port, Presence, Response};
use pcsc::{Attribute, Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a port leaves pcscd alone after a wait failed.
const PAUSE: Duration = Duration::from_millis(500);

/// All readers of this machine.
#[derive(Default)]
pub struct PcscSource {
    service: Mutex<Service>,
}

impl PcscSource {
    /// Talks to nobody yet: pcscd may start later.
    pub fn new() -> Self {
        Self::default()
    }
}

impl PcscSource {
    /// The names of all readers.
    pub fn readers(&self) -> Result<Vec<String>, LinkError> {
        // The mutex is held over the call: there is one context here, and libpcsclite would serialise it anyway.
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        let names = service.call(|context, _| match context.list_readers_owned() {
            Err(Error::NoReadersAvailable) => Ok(Vec::new()),
            other => other,
        })?;
        Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }

    /// Under which address a reader answers on USB; none for one that is no USB device, or whose driver does not tell.
    /// Opens the reader without what lies on it, which fails where another program has it for itself.
    pub fn usb_address(&self, reader: &str) -> Result<Option<UsbAddress>, LinkError> {
        let reader = CString::new(reader).map_err(|_| LinkError::ReaderGone)?;
        // A context of its own: one call at a time, and a reader that hangs must not hold up the listing of others.
        Service::default().call(|context, _| {
            let card = context.connect(&reader, ShareMode::Direct, Protocols::UNDEFINED)?;
            let mut buffer = [0; 8];
            let told = card.get_attribute(Attribute::ChannelId, &mut buffer).ok().and_then(usb_address);
            // Whatever lies there is somebody else's.
            match card.disconnect(Disposition::LeaveCard) {
                Ok(()) => Ok(told),
                Err((_, error)) => Err(error),
            }
        })
    }
}

/// The channel as libccid tells it: 4 bytes of the machine's order, 0x0020 for USB above bus and device (its
/// SCARDGETATTRIB.md; PC/SC part 3, section 3.1.4.3).
fn usb_address(channel: &[u8]) -> Option<UsbAddress> {
    match u32::from_ne_bytes(channel.try_into().ok()?).to_be_bytes() {
        [0x00, 0x20, bus, device] => Some(UsbAddress { bus, device }),
        _ => None,
    }
}

impl LinkSource for PcscSource {
    fn list(&self) -> Listing {
        self.readers().into()
    }

    fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError> {
        let reader = CString::new(name).map_err(|_| LinkError::ReaderGone)?;
        Ok(Box::new(PcscPort { reader, service: Service::default(), told: None, failed_at: None }))
    }
}

/// One reader, on a context of its own.
struct PcscPort {
    reader: CString,
    service: Service,
    /// When presence was last told: which context it came from, and pcscd's count of insertions and removals.
    told: Option<(u32, u32)>,
    /// When a wait last failed: pcscd was away, or the reader was.
    failed_at: Option<Instant>,
}

impl PcscPort {
    /// Keeps a caller that tries again at once from running in circles while pcscd or the reader is away.
    fn rest_after_failure(&mut self, at_most: Duration) {
        if let Some(failed_at) = self.failed_at.take() {
            thread::sleep(PAUSE.saturating_sub(failed_at.elapsed()).min(at_most));
        }
    }
}

impl Port for PcscPort {
    fn wait_change(&mut self, known: Presence, at_most: Duration) -> Result<Presence, LinkError> {
        let until = Instant::now() + at_most;
        self.rest_after_failure(at_most);
        let mut seen = ReaderState::new(self.reader.clone(), State::UNAWARE);
        let told = &mut self.told;
        let waited = self.service.call(|context, generation| {
            loop {
                // The first round knows nothing and returns at once; later ones block until something differs.
                // Never zero, which pcsc-lite's manual calls infinite (1.9.9 returns at once).
                let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
                match context.get_status_change(left, std::slice::from_mut(&mut seen)) {
                    Ok(()) => {}
                    Err(Error::Timeout) => return Ok(Ok(known)),
                    Err(error) => return Err(error),
                }
                let presence = match presence(seen.event_state()) {
                    Ok(presence) => presence,
                    Err(error) => return Ok(Err(error)),
                };
                let now = (generation, seen.event_count());
                let swapped = told.replace(now).is_some_and(|before| before != now);
                if presence != known {
                    return Ok(Ok(presence));
                }
                if presence == Presence::Present && swapped {
                    // What lay here was taken off, though something lies here again. A pcscd that was restarted
                    // cannot know, so that counts as well.
                    return Ok(Ok(Presence::Empty));
                }
                seen.sync_current_state();
            }
        });
        let verdict = waited.and_then(|verdict| verdict);
        if verdict.is_err() {
            self.failed_at = Some(Instant::now());
        }
        verdict
    }

    fn open(&mut self) -> Result<Opened, LinkError> {
        let name = self.reader.to_string_lossy().into_owned();
        // Exclusively: a transaction would make other programs wait without end, and their challenge would drop our
        // authentication. Nobody is thrown out for it; a busy reader is an error that names itself.
        let card = self
            .service
            .call(|context, _| context.connect(&self.reader, ShareMode::Exclusive, Protocols::ANY))?;
        let mut names = [0; 256];
        let mut atr = [0; pcsc::MAX_ATR_SIZE];
        let atr = card.status2(&mut names, &mut atr).map_err(link_error)?.atr().to_vec();
        Ok(Opened::Card(Box::new(Logged::new(PcscLink { card, atr }, name))))
    }
}

/// What a state says about presence.
fn presence(state: State) -> Result<Presence, LinkError> {
    if state.intersects(State::UNKNOWN | State::UNAVAILABLE | State::IGNORE) {
        Err(LinkError::ReaderGone)
    } else if state.contains(State::PRESENT) {
        // Also when it is mute or held by another program: opening says which.
        Ok(Presence::Present)
    } else {
        Ok(Presence::Empty)
    }
}

/// pcscd, through a context that is made when it is needed.
#[derive(Default)]
struct Service {
    context: Option<Context>,
    /// How many contexts were made so far.
    generation: u32,
}

impl Service {
    /// Runs a call on the context, made first where there is none. An error of the service drops the context; where
    /// it was an old one, that may be all that was wrong, and the call is made once more on a new one. Only for calls
    /// that send nothing to a token. The call also gets the context's number.
    fn call<T>(&mut self, mut call: impl FnMut(&Context, u32) -> Result<T, Error>) -> Result<T, LinkError> {
        let mut is_old = self.context.is_some();
        loop {
            let context = match self.context.take() {
                Some(context) => context,
                None => {
                    let context = Context::establish(Scope::User).map_err(link_error)?;
                    self.generation = self.generation.wrapping_add(1);
                    context
                }
            };
            let verdict = match call(&context, self.generation) {
                Ok(value) => {
                    self.context = Some(context);
                    return Ok(value);
                }
                Err(error) => link_error(error),
            };
            if verdict != LinkError::NoService {
                self.context = Some(context);
                return Err(verdict);
            }
            if !is_old {
                return Err(verdict);
            }
            is_old = false;
        }
    }
}

/// A token that was taken exclusively. Dropping the card disconnects with a reset (the crate's `Drop` says so), which
/// ends whatever the token had accepted.
struct PcscLink {
    card: Card,
    atr: Vec<u8>,
}

impl ApduLink for PcscLink {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
        let reply = self.card.transmit(command.bytes(), &mut buffer).map_err(link_error)?;
        Response::from_bytes(reply.to_vec())
    }

    fn answer_to_reset(&self) -> &[u8] {
        &self.atr
    }
}

/// What a code of PC/SC means for a station. The names are libpcsclite's.
fn link_error(error: Error) -> LinkError {
    match error {
        // Between two commands pcscd says "not transacted" until its next poll, then "removed".
        Error::NotTransacted | Error::RemovedCard | Error::NoSmartcard => LinkError::Gone,
        Error::ResetCard => LinkError::Reset,
        Error::SharingViolation => LinkError::Busy,
        // An answer to reset that makes no sense is a token that went off, or two in the field at once.
        Error::ProtoMismatch
        | Error::InvalidAtr
        | Error::UnresponsiveCard
        | Error::UnpoweredCard
        | Error::UnsupportedCard
        | Error::Timeout => LinkError::Mute,
        Error::UnknownReader | Error::ReaderUnavailable | Error::NoReadersAvailable => LinkError::ReaderGone,
        // The last two are what a context says whose pcscd was restarted; "communication error" is the socket's.
        Error::NoService
        | Error::ServiceStopped
        | Error::Shutdown
        | Error::ServerTooBusy
        | Error::SystemCancelled
        | Error::CommError
        | Error::InvalidHandle => LinkError::NoService,
        Error::SecurityViolation | Error::NoAccess => LinkError::Refused,
        other => LinkError::Reader(other as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_was_observed() {
        for (code, meaning) in [
            (Error::NotTransacted, LinkError::Gone),
            (Error::RemovedCard, LinkError::Gone),
            (Error::NoSmartcard, LinkError::Gone),
            (Error::ResetCard, LinkError::Reset),
            (Error::SharingViolation, LinkError::Busy),
            (Error::ProtoMismatch, LinkError::Mute),
            (Error::UnresponsiveCard, LinkError::Mute),
            (Error::UnpoweredCard, LinkError::Mute),
            (Error::UnknownReader, LinkError::ReaderGone),
            (Error::ReaderUnavailable, LinkError::ReaderGone),
            (Error::NoService, LinkError::NoService),
            (Error::ServiceStopped, LinkError::NoService),
            (Error::CommError, LinkError::NoService),
            (Error::InvalidHandle, LinkError::NoService),
            (Error::SecurityViolation, LinkError::Refused),
            (Error::NoAccess, LinkError::Refused),
            (Error::InvalidParameter, LinkError::Reader(0x8010_0004)),
            (Error::InternalError, LinkError::Reader(0x8010_0001)),
        ] {
            assert_eq!(link_error(code), meaning, "{code:?}");
        }
    }

    #[test]
    fn a_channel_on_usb_is_an_address() {
        let told = |channel: u32| usb_address(&channel.to_ne_bytes());
        assert_eq!(told(0x0020_0109), Some(UsbAddress { bus: 1, device: 9 }));
        assert_eq!(
            (told(0x0001_0001), usb_address(&[]), usb_address(&[0; 8])),
            (None, None, None),
            "a serial line"
        );
    }

    #[test]
    fn presence_is_read_from_the_state() {
        assert_eq!(presence(State::EMPTY | State::CHANGED), Ok(Presence::Empty));
        assert_eq!(presence(State::PRESENT), Ok(Presence::Present));
        for held in [State::MUTE, State::EXCLUSIVE, State::INUSE, State::UNPOWERED] {
            assert_eq!(presence(State::PRESENT | held), Ok(Presence::Present), "opening says why not");
        }
        assert_eq!(
            presence(State::UNKNOWN | State::UNAVAILABLE | State::CHANGED),
            Err(LinkError::ReaderGone)
        );
    }

    #[test]
    fn a_name_that_no_reader_can_have_is_a_reader_that_is_gone() {
        assert_eq!(PcscSource::new().open_port("a\0b").err(), Some(LinkError::ReaderGone));
    }
}
