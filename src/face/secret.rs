//! The one type in which a secret crosses the socket.

use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Secret bytes on their way over the socket: the vault's data key at unlock, a file to import, an export, a revealed key URI. Base64 in
/// JSON; wiped when dropped; `Debug` shows the length alone.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zeroizing::new(data_encoding::BASE64.encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        data_encoding::BASE64
            .decode(text.as_bytes())
            .map(Self)
            .map_err(|_| serde::de::Error::custom("secret bytes are base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_bytes_cross_and_are_not_printed() {
        let sent = SecretBytes::new(*b"12345678901234567890");
        assert_eq!(format!("{sent:?}"), "SecretBytes(20 bytes)");
        let text = serde_json::to_string(&sent).unwrap();
        assert_eq!(serde_json::from_str::<SecretBytes>(&text).unwrap().expose(), sent.expose());
        let error = serde_json::from_str::<SecretBytes>("\"not base64!\"").unwrap_err().to_string();
        assert!(!error.contains("not base64!"), "{error}");
    }
}
