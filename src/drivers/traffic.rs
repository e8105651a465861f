//! What goes over a link, in the log at trace level: commands with their secret bytes masked, replies whole, since no
//! reply of any family carries a secret.

use crate::link::{Apdu, ApduLink, LinkError, Response};
use tracing::{Level, enabled, trace};

/// A link that writes down what passes.
pub struct Logged<L> {
    inner: L,
    reader: String,
}

impl<L> Logged<L> {
    /// Wraps the link to the reader of this name.
    pub fn new(inner: L, reader: impl Into<String>) -> Self {
        Self { inner, reader: reader.into() }
    }
}

impl<L: ApduLink> ApduLink for Logged<L> {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let reply = self.inner.exchange(command);
        if enabled!(Level::TRACE) {
            match &reply {
                Ok(Response { data, status }) => {
                    let data = data_encoding::HEXLOWER.encode(data);
                    trace!(reader = self.reader, ?command, reply = format_args!("{data} {status}"));
                }
                Err(error) => trace!(reader = self.reader, ?command, %error),
            }
        }
        reply
    }

    fn answer_to_reset(&self) -> &[u8] {
        self.inner.answer_to_reset()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Seed;
    use crate::drivers::transcript::Transcript;
    use crate::wire::token2_single;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn the_log_holds_commands_and_replies_but_no_secret_byte() {
        let key = token2_single::session_key(&token2_single::device_key()).unwrap();
        let seed = token2_single::write_seed(&key, &Seed::new(*b"12345678901234567890")).unwrap();
        let secret = data_encoding::HEXLOWER.encode(&seed.bytes()[5..]);
        let whole = data_encoding::HEXLOWER.encode(seed.bytes());

        let log = Log::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false).with_writer(log.clone());
        tracing::subscriber::with_default(subscriber.finish(), || {
            let mut link =
                Logged::new(Transcript::new(&[(&whole, "9000"), ("80410000020211", "")]), "Reader 7");
            link.exchange(&seed).unwrap();
            link.exchange(&token2_single::get_info()).unwrap_err();
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("Reader 7") && text.contains("84c5010024····"), "{text}");
        assert!(text.contains("9000") && text.contains("taken off"), "{text}");
        for at in 0..secret.len() - 8 {
            assert!(!text.contains(&secret[at..at + 8]), "{text}");
        }
    }
}
