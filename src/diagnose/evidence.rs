//! What was seen: codes, and when they were read.

use crate::{
    domain::{Code, UnixTime},
    remedy::{Remedy, Retry},
};

/// Codes in the order in which they were shown, at least one, with what is known of when.
pub struct Evidence {
    codes: Vec<Code>,
    read: Read,
}

/// When the codes were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// They are successive displays, and the first was read at this moment.
    First(UnixTime),
    /// They are successive displays, and the last was read at this moment.
    Last(UnixTime),
    /// Each at a moment of its own, not before the one before it.
    Each(Vec<UnixTime>),
    /// Each typed at a moment of its own, up to some twenty seconds after it was read: over the phone, say. No two are of the
    /// same display.
    Typed(Vec<UnixTime>),
}

/// How long it takes to read a code out, hear it and type it, in seconds. Assumed.
pub const TELLING_S: i64 = 20;

/// Codes that were typed can lie in so many ways at most; then only the likeliest are looked at.
const MOST_LAYOUTS: usize = 64;

/// Evidence that can't be searched with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// No code at all.
    #[error("there is no code to look for")]
    NoCode,
    /// More than anybody reads off a display.
    #[error("{given} codes were given, more than {} at once", Evidence::MOST)]
    TooMany {
        /// How many.
        given: usize,
    },
    /// Not as many moments as codes, or not in their order.
    #[error("each code needs its moment, in the order in which they were read")]
    Moments,
    /// A moment outside the years that tokens can show.
    #[error("the codes were read at {at}, which no token's clock can reach")]
    TooFar {
        /// That moment.
        at: UnixTime,
    },
}

impl Remedy for EvidenceError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoCode => "give the code that the token showed, or say what it shows instead with --shows",
            Self::TooMany { .. } => "give the two or three last codes",
            Self::Moments => "give the moment of each code, the earliest first",
            Self::TooFar { .. } => "check the time that was given",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Where the codes lie if the clock is as expected: the step of the first, and of each one its distance from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) first: i64,
    pub(super) after: Vec<u64>,
}

impl Evidence {
    /// The most codes that one search takes.
    pub const MOST: usize = 16;

    /// Codes as read; refused where they and their moments don't fit each other.
    pub fn new(codes: Vec<Code>, read: Read) -> Result<Self, EvidenceError> {
        if codes.is_empty() {
            return Err(EvidenceError::NoCode);
        }
        if codes.len() > Self::MOST {
            return Err(EvidenceError::TooMany { given: codes.len() });
        }
        let moments = match &read {
            Read::First(at) | Read::Last(at) => std::slice::from_ref(at),
            Read::Each(moments) | Read::Typed(moments)
                if moments.len() == codes.len() && moments.is_sorted() =>
            {
                moments
            }
            Read::Each(_) | Read::Typed(_) => return Err(EvidenceError::Moments),
        };
        // The years 1653 to 2286: room for any centre of the search without an overflow.
        if let Some(at) = moments.iter().find(|at| at.0.unsigned_abs() >= 10_000_000_000) {
            return Err(EvidenceError::TooFar { at: *at });
        }
        Ok(Self { codes, read })
    }

    /// The codes.
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// When.
    pub fn read(&self) -> &Read {
        &self.read
    }

    /// The moment from which clock errors are reckoned.
    pub fn anchor(&self) -> UnixTime {
        match &self.read {
            Read::First(at) | Read::Last(at) => *at,
            Read::Each(moments) | Read::Typed(moments) => moments[0],
        }
    }

    /// Where the codes can lie for a token whose clock is `drift_s` ahead. More than one way where each code has a
    /// moment of its own: the phase of the token's steps is not known.
    pub(super) fn layouts(&self, period_s: i64, t0: i64, drift_s: i64) -> Vec<Layout> {
        let step = |at: i64| at.saturating_add(drift_s).saturating_sub(t0).div_euclid(period_s);
        let successive: Vec<u64> = (0..self.codes.len() as u64).collect();
        match &self.read {
            Read::First(at) => vec![Layout { first: step(at.0), after: successive }],
            Read::Last(at) => {
                vec![Layout { first: step(at.0) - (self.codes.len() as i64 - 1), after: successive }]
            }
            Read::Each(moments) => {
                // One layout for each phase at which some code would fall into its next step.
                let mut phases: Vec<i64> = vec![0];
                phases.extend(moments.iter().map(|at| {
                    period_s - at.0.saturating_add(drift_s).saturating_sub(t0).rem_euclid(period_s)
                }));
                let mut layouts: Vec<Layout> = Vec::new();
                for phase in phases.into_iter().filter(|phase| *phase < period_s) {
                    let first = step(moments[0].0 + phase);
                    let after: Vec<u64> =
                        moments.iter().map(|at| step(at.0 + phase).abs_diff(first)).collect();
                    if layouts.iter().all(|layout| layout.after != after) {
                        layouts.push(Layout { first: step(moments[0].0), after });
                    }
                }
                layouts
            }
            Read::Typed(moments) => {
                let mut afters: Vec<Vec<u64>> = vec![vec![0]];
                for pair in moments.windows(2) {
                    let gap = pair[1].0 - pair[0].0;
                    let least = (gap - TELLING_S).div_euclid(period_s).max(1).unsigned_abs();
                    let most = (gap + TELLING_S + period_s - 1).div_euclid(period_s).max(1).unsigned_abs();
                    // The likeliest first: one display after the other.
                    afters = (least..=most)
                        .flat_map(|steps| {
                            afters.iter().map(move |after| {
                                let last = after.last().copied().unwrap_or(0);
                                [after.as_slice(), &[last.saturating_add(steps)]].concat()
                            })
                        })
                        .take(MOST_LAYOUTS)
                        .collect();
                }
                let first = step(moments[0].0);
                afters.into_iter().map(|after| Layout { first, after }).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(n: usize) -> Vec<Code> {
        vec![Code::parse("123456").unwrap(); n]
    }

    #[test]
    fn successive_codes_end_now_or_begin_at_the_given_time() {
        let last = Evidence::new(codes(3), Read::Last(UnixTime(300))).unwrap();
        assert_eq!(last.layouts(30, 0, 0), [Layout { first: 8, after: vec![0, 1, 2] }]);
        let first = Evidence::new(codes(3), Read::First(UnixTime(300))).unwrap();
        assert_eq!(first.layouts(30, 0, -1), [Layout { first: 9, after: vec![0, 1, 2] }]);
    }

    #[test]
    fn codes_with_moments_of_their_own_allow_for_the_tokens_phase() {
        let each = Read::Each(vec![UnixTime(300), UnixTime(329)]);
        let layouts = Evidence::new(codes(2), each).unwrap().layouts(30, 0, 0);
        let after: Vec<_> = layouts.iter().map(|layout| layout.after.clone()).collect();
        assert_eq!(after, [vec![0, 0], vec![0, 1]]);
    }

    #[test]
    fn codes_that_were_typed_may_lie_a_display_further_or_nearer_than_their_moments() {
        let after = |moments: &[i64]| -> Vec<Vec<u64>> {
            let typed = Read::Typed(moments.iter().map(|at| UnixTime(*at)).collect());
            let layouts = Evidence::new(codes(moments.len()), typed).unwrap().layouts(30, 0, 0);
            assert!(layouts.iter().all(|layout| layout.first == moments[0].div_euclid(30)));
            layouts.into_iter().map(|layout| layout.after).collect()
        };
        // Never the same display twice, however soon the second one came.
        assert_eq!(after(&[300, 308]), [vec![0, 1]]);
        // Read at 328 and 331, or with a display between them that nobody read.
        assert_eq!(after(&[300, 340]), [vec![0, 1], vec![0, 2]]);
        assert_eq!(after(&[300, 330, 360]).len(), 4);
        assert_eq!(after(&[300; 16]).len(), 1);
        assert!(after(&(0..16).map(|n| 300 + n * 40).collect::<Vec<_>>()).len() <= MOST_LAYOUTS);
    }

    #[test]
    fn evidence_that_fits_no_search_is_refused_with_a_cure() {
        let refused = |codes, read| Evidence::new(codes, read).err().unwrap();
        let backwards = Read::Each(vec![UnixTime(2), UnixTime(1)]);
        for (error, expected) in [
            (refused(vec![], Read::First(UnixTime(0))), EvidenceError::NoCode),
            (refused(codes(17), Read::First(UnixTime(0))), EvidenceError::TooMany { given: 17 }),
            (refused(codes(2), backwards), EvidenceError::Moments),
            (
                refused(codes(1), Read::Last(UnixTime(i64::MIN))),
                EvidenceError::TooFar { at: UnixTime(i64::MIN) },
            ),
        ] {
            assert_eq!(error, expected);
            assert!(error.remedy().len() > 10 && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
