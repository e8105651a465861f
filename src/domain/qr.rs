//! A QR code (ISO/IEC 18004) as dark and light modules. It holds what it says, often a seed: the modules are wiped; the
//! buffers inside the crate that encodes are not within reach.

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

/// Blank modules that a QR code wants on each side. ISO/IEC 18004 section 6.3.8.
pub const QUIET: usize = 4;

/// How much of a QR code may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sturdiness {
    /// Little: on a screen larger modules serve better.
    Screen,
    /// More: for print.
    Print,
}

/// The modules of a QR code with its quiet zone. `Debug` shows no module.
pub struct Modules {
    /// Modules on a side, quiet zone included.
    side: usize,
    /// Row by row; true is dark.
    dark: Zeroizing<Vec<bool>>,
}

impl std::fmt::Debug for Modules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Modules({0}x{0})", self.side)
    }
}

impl Modules {
    /// Encodes `text`, with `quiet` blank modules on each side. `None` where the text is too long for any QR code.
    pub fn encode(text: &str, sturdiness: Sturdiness, quiet: usize) -> Option<Self> {
        let level = match sturdiness {
            Sturdiness::Screen => EcLevel::L,
            Sturdiness::Print => EcLevel::M,
        };
        let code = QrCode::with_error_correction_level(text, level).ok()?;
        let inner = code.width();
        let side = inner + 2 * quiet;
        let mut dark = Zeroizing::new(vec![false; side * side]);
        let mut colours = code.into_colors();
        for (index, colour) in colours.iter_mut().enumerate() {
            dark[(index / inner + quiet) * side + index % inner + quiet] = *colour == Color::Dark;
            *colour = Color::Light;
        }
        Some(Self { side, dark })
    }

    /// Modules on a side, quiet zone included.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Whether a module is dark; beyond the edge all is light.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.side && y < self.side && self.dark[y * self.side + x]
    }
}
