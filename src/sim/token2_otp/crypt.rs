//! How a key opens what a host sealed for it: the curve's own arithmetic on its private number, the block cipher taken
//! apart by hand. `protocols/token2-otp.md`, section 7.

use aes::{
    Aes256,
    cipher::{Block, BlockCipherDecrypt, KeyInit},
};
use p256::{
    AffinePoint, EncodedPoint, ProjectivePoint, Scalar,
    elliptic_curve::{
        PrimeField,
        point::AffineCoordinates,
        sec1::{FromEncodedPoint, ToEncodedPoint},
    },
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const BLOCK: usize = 16;

/// IV-1.
pub(super) const ENTRY_VECTOR: [u8; BLOCK] =
    [0x9D, 0xD8, 0x91, 0x8E, 0x34, 0xF3, 0xCC, 0xAB, 0x08, 0xCB, 0x75, 0x18, 0xF7, 0x19, 0x38, 0xF1];
/// IV-2.
pub(super) const BUTTON_VECTOR: [u8; BLOCK] = [0x00; BLOCK];

/// The device's number.
pub(super) struct PrivateKey(Scalar);

impl PrivateKey {
    /// The one that is given, else one made from the serial: the same for the same key, time after time.
    pub(super) fn new(given: Option<[u8; 32]>, serial: &str) -> Self {
        let made = (0u8..=u8::MAX).map(|salt| {
            <[u8; 32]>::from(
                Sha256::new()
                    .chain_update("kiln virtual key ")
                    .chain_update(serial)
                    .chain_update([salt])
                    .finalize(),
            )
        });
        let numbers = given.into_iter().chain(made);
        let found = numbers
            .filter_map(|bytes| Option::<Scalar>::from(Scalar::from_repr(bytes.into())))
            .find(|scalar| *scalar != Scalar::ZERO);
        Self(found.unwrap_or(Scalar::ONE))
    }

    /// X, then Y.
    pub(super) fn public(&self) -> [u8; 64] {
        let point = (ProjectivePoint::GENERATOR * self.0).to_affine().to_encoded_point(false);
        let mut both = [0; 64];
        for (half, coordinate) in both.chunks_exact_mut(32).zip([point.x(), point.y()]) {
            if let Some(coordinate) = coordinate {
                half.copy_from_slice(coordinate);
            }
        }
        both
    }

    /// What is in a sealed body; nothing where its point is none, or its blocks or padding are broken.
    pub(super) fn open(&self, body: &[u8], vector: [u8; BLOCK]) -> Option<Zeroizing<Vec<u8>>> {
        let (point, ciphertext) = body.split_at_checked(64)?;
        let (x, y) = point.split_at(32);
        let (x, y): ([u8; 32], [u8; 32]) = (x.try_into().ok()?, y.try_into().ok()?);
        let encoded = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
        let theirs = Option::<AffinePoint>::from(AffinePoint::from_encoded_point(&encoded))?;
        let shared = (ProjectivePoint::from(theirs) * self.0).to_affine();
        let key = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(shared.x())));
        let cipher = Aes256::new(&(*key).into());
        let (blocks, rest) = ciphertext.as_chunks::<BLOCK>();
        if blocks.is_empty() || !rest.is_empty() {
            return None;
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(ciphertext.len()));
        let mut before = vector;
        for sealed in blocks {
            let mut block: Block<Aes256> = (*sealed).into();
            cipher.decrypt_block(&mut block);
            plain.extend(block.iter().zip(before).map(|(byte, mask)| byte ^ mask));
            before = *sealed;
        }
        let count = usize::from(*plain.last()?);
        let kept = plain.len().checked_sub(count)?;
        let sound =
            (1..=BLOCK).contains(&count) && plain[kept..].iter().all(|byte| usize::from(*byte) == count);
        plain.truncate(kept);
        sound.then_some(plain)
    }
}
