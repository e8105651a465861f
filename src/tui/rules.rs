//! What a batch may do with what it finds on a token, and how soon its turn comes: the fields that both forms share which
//! make batches. Each says nothing until somebody changes it, so that the station's defaults hold.

use super::form::{Choice, Field, Form};
use crate::{
    domain::{OnFound, SeenPolicy},
    face::BatchPolicy,
};

/// How many fields there are.
pub const FIELDS: usize = 4;

const FACTORY: usize = 0;
const FOREIGN: usize = 1;
const SEEN: usize = 2;
const PRIORITY: usize = 3;

/// What the fields say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// What the batch allows.
    pub policy: BatchPolicy,
    /// Of several running batches the one with the highest number is served first.
    pub priority: i32,
}

/// A field that says something else than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// Which field of the form.
    pub field: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The fields, at the end of a form.
pub fn fields() -> [Field; FIELDS] {
    let found = |usual: OnFound| {
        let choice = |found: OnFound| {
            let label = match found {
                OnFound::Refuse => "is left alone",
                OnFound::Ask => "waits for a person's word",
                OnFound::Replace => "is written over",
            };
            let usual = found == usual;
            Choice::new(
                if usual { "" } else { found.word() },
                if usual { format!("{label} (as usual)") } else { label.to_owned() },
            )
        };
        let mut choices = OnFound::ALL.map(choice).to_vec();
        // What holds unless something is chosen stands first.
        choices.sort_by_key(|choice| !choice.name.is_empty());
        choices
    };
    let usual = crate::domain::Policy::default();
    [
        Field::choice(
            "as delivered",
            "a token with the vendor's seed, or none; Right changes",
            found(usual.factory),
        ),
        Field::choice(
            "foreign seed",
            "a token with a seed that is not on record here; Right changes",
            found(usual.foreign),
        ),
        Field::text(
            "to be seen",
            "which tokens a person proves by typing a code: the first so many, then each so-manieth; empty: 1,25",
        ),
        Field::text("priority", "of several running batches the highest number is served first; empty: 0"),
    ]
}

/// What the fields from `from` on say.
pub fn read(form: &Form, from: usize) -> Result<Rules, Wrong> {
    let found = |at: usize| OnFound::from_word(form.text(from + at));
    let seen = form.said(from + SEEN).map(|text| text.parse::<SeenPolicy>()).transpose();
    let seen = seen.map_err(|_| Wrong {
        field: from + SEEN,
        problem: "to be seen: two numbers, as in 1,25 (0,0: none)",
    })?;
    let priority = form.said(from + PRIORITY).map_or(Ok(0), |text| text.parse());
    let priority = priority
        .map_err(|_| Wrong { field: from + PRIORITY, problem: "the priority is a whole number, as in 5" })?;
    let policy =
        BatchPolicy { factory: found(FACTORY), foreign: found(FOREIGN), seen, ..BatchPolicy::default() };
    Ok(Rules { policy, priority })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form::new(std::iter::once(Field::text("name", "")).chain(fields()).collect())
    }

    #[test]
    fn what_nobody_changed_is_left_to_the_station() {
        assert_eq!(read(&form(), 1), Ok(Rules::default()));
        assert!(form().fields[1 + FACTORY].kind.shown().ends_with("(as usual)"));
    }

    #[test]
    fn what_was_changed_is_said() {
        let mut form = form();
        form.choose(1 + FACTORY, "ask");
        form.choose(1 + FOREIGN, "replace");
        form.input(1 + SEEN).unwrap().paste("0,0");
        form.input(1 + PRIORITY).unwrap().paste("-3");
        let rules = read(&form, 1).unwrap();
        assert_eq!(
            (rules.policy.factory, rules.policy.foreign),
            (Some(OnFound::Ask), Some(OnFound::Replace))
        );
        assert_eq!((rules.policy.seen, rules.priority), (Some(SeenPolicy { first: 0, every: 0 }), -3));
    }

    #[test]
    fn a_number_that_is_none_is_named_with_its_field() {
        for (at, text) in [(SEEN, "1"), (PRIORITY, "high")] {
            let mut form = form();
            form.input(1 + at).unwrap().paste(text);
            assert_eq!(read(&form, 1).unwrap_err().field, 1 + at);
        }
    }
}
