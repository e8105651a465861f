//! What an error owes the operator who meets it: what must happen before another try can succeed.
//!
//! The message of an error (its `Display`) says what was tried and what came back. The remedy stands apart, so
//! that a screen can lay it out, a client can show it, and a test can ask every variant for one. This module
//! stands beside the map of layers, not in it: every layer may use it and it uses none.

/// What must happen before the same attempt can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing but time: the same attempt may be made again by itself.
    Soon,
    /// A person must do what the remedy says first.
    AfterOperator,
    /// The same attempt will never succeed.
    Never,
}

/// An error that tells the operator what to do now.
pub trait Remedy {
    /// One sentence in the imperative, without a final full stop.
    fn remedy(&self) -> &'static str;
    /// Whether, and after what, the same attempt may be made again.
    fn retry(&self) -> Retry;
}
