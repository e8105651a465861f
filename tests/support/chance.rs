//! Chance that can be had again: numbers from a seed that is printed, and that a person can hand back.

use std::env;

/// Says, as a decimal number, from what to draw.
const SEED: &str = "KILN_TEST_SEED";

/// Draws numbers. Not for secrets.
pub struct Chance(u64);

impl Chance {
    /// From the seed in `KILN_TEST_SEED`, else from `usual`. Prints which, so that a failure can be run again.
    #[allow(clippy::print_stdout, reason = "whoever runs a failure again needs the number")]
    pub fn from_seed(usual: u64) -> Self {
        let seed = env::var(SEED).map_or(usual, |text| {
            text.parse().unwrap_or_else(|_| panic!("{SEED} is a decimal number, not {text:?}"))
        });
        println!("drawn from {SEED}={seed}");
        Self(seed)
    }

    /// The next number: splitmix64 (Steele, Lea and Flood 2014), whose every seed is as good as another.
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to less than `bound`, which is small: what the modulus prefers is not noticed.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("an index fits");
        usize::try_from(self.draw() % bound).expect("it is less than an index")
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Puts a list in another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}
