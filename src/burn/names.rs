//! Numbers for profiles that a key knows by names.
//!
//! The key keeps no numbers; this station's records do. A job's entries come with the numbers of their recipe, which
//! says nothing about what earlier batches put on the same key. So each profile gets the number under which its name is on
//! record already, else its own where that is free, else the first free one.

use super::plan::Write;
use crate::domain::{CredentialName, Profile, credential::Naming};

/// Why profiles can't be numbered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNumbered {
    /// Two of the job's profiles would be one on the key.
    #[error("two profiles of the job would be called \"{0}\", and a key knows its profiles by their names")]
    SameName(CredentialName),
    /// Every number is taken.
    #[error("every one of the 256 numbers of this key is on record as taken")]
    NoNumber,
}

impl crate::remedy::Remedy for NotNumbered {
    fn remedy(&self) -> &'static str {
        match self {
            Self::SameName(_) => "give the recipe's profiles titles that differ",
            Self::NoNumber => "use another key",
        }
    }

    fn retry(&self) -> crate::remedy::Retry {
        crate::remedy::Retry::Never
    }
}

/// Gives each write its number on this key. `recorded` are the names on record for it, each with its number. Returns what
/// each number was before, for those that changed.
pub fn number(
    writes: &mut [Write],
    recorded: &[(Profile, CredentialName)],
    naming: Naming,
) -> Result<Vec<(Profile, Profile)>, NotNumbered> {
    let mut taken: Vec<Profile> = recorded.iter().map(|(profile, _)| *profile).collect();
    let mut numbers: Vec<Option<Profile>> = Vec::new();
    let mut names: Vec<CredentialName> = Vec::new();
    for write in writes.iter() {
        let name = write.name(naming);
        if names.contains(&name) {
            return Err(NotNumbered::SameName(name));
        }
        let known = recorded.iter().find(|(_, known)| *known == name).map(|(profile, _)| *profile);
        let own = (!taken.contains(&write.profile)).then_some(write.profile);
        taken.extend(known.is_none().then_some(own).flatten());
        numbers.push(known.or(own));
        names.push(name);
    }
    let mut moved = Vec::new();
    for (write, number) in writes.iter_mut().zip(numbers) {
        let free = || (0..=u8::MAX).map(Profile::new).find(|profile| !taken.contains(profile));
        let number = number.or_else(free).ok_or(NotNumbered::NoNumber)?;
        taken.push(number);
        if number != write.profile {
            moved.push((write.profile, number));
            write.profile = number;
        }
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Parameters, SeedId, Touch};
    use crate::remedy::Remedy;
    use proptest::prelude::*;

    const NAMING: Naming = Naming::WithPeriod;

    fn write(number: u8, title: &str) -> Write {
        Write {
            profile: Profile::new(number),
            seed: SeedId([number; 16]),
            parameters: Parameters::standard(),
            title: Some(title.to_owned()),
            touch: Touch::Free,
            display_timeout_s: 30,
        }
    }

    fn recorded(pairs: &[(u8, &str)]) -> Vec<(Profile, CredentialName)> {
        pairs.iter().map(|(n, name)| (Profile::new(*n), CredentialName::told((*name).to_owned()))).collect()
    }

    fn numbers(writes: &[Write]) -> Vec<u8> {
        writes.iter().map(|write| write.profile.number()).collect()
    }

    #[test]
    fn a_fresh_key_gets_the_recipes_numbers() {
        let mut writes = [write(0, "a"), write(4, "b")];
        assert_eq!(number(&mut writes, &[], NAMING), Ok(vec![]));
        assert_eq!(numbers(&writes), [0, 4]);
    }

    #[test]
    fn another_name_never_takes_the_place_of_one_on_record() {
        let mut writes = [write(0, "new"), write(1, "old"), write(2, "more")];
        let moved = number(&mut writes, &recorded(&[(0, "old"), (1, "older")]), NAMING).unwrap();
        assert_eq!(numbers(&writes), [3, 0, 2]);
        let expected = [(0, 3), (1, 0)].map(|(from, to)| (Profile::new(from), Profile::new(to)));
        assert_eq!(moved, expected);
    }

    #[test]
    fn two_profiles_of_one_name_are_refused() {
        let refused = number(&mut [write(0, "a"), write(1, "a")], &[], NAMING).unwrap_err();
        assert_eq!(refused, NotNumbered::SameName(CredentialName::told("a".into())));
        let full: Vec<_> =
            (0..=255).map(|n| (Profile::new(n), CredentialName::told(format!("x{n}")))).collect();
        let none = number(&mut [write(0, "a")], &full, NAMING).unwrap_err();
        assert_eq!(none, NotNumbered::NoNumber);
        assert!([refused, none].iter().all(|error| error.remedy().len() > 10));
    }

    proptest! {
        #[test]
        fn no_two_profiles_share_a_number(
            own in proptest::collection::btree_set(0u8..12, 1..8), on_record in proptest::collection::btree_map(0u8..12, 0u8..12, 0..8)
        ) {
            let mut writes: Vec<Write> = own.iter().map(|n| write(*n, &format!("t{n}"))).collect();
            let mut names = std::collections::BTreeSet::new();
            let known: Vec<_> = on_record
                .iter()
                .filter(|(_, title)| names.insert(**title))
                .map(|(n, title)| (Profile::new(*n), CredentialName::told(format!("t{title}"))))
                .collect();
            number(&mut writes, &known, NAMING).unwrap();
            let mut all: Vec<u8> = numbers(&writes);
            for write in &writes {
                let of_name = known.iter().find(|(_, name)| *name == write.name(NAMING));
                prop_assert!(of_name.is_none_or(|(n, _)| *n == write.profile));
            }
            all.extend(known.iter().filter(|(_, name)| writes.iter().all(|w| w.name(NAMING) != *name)).map(|(n, _)| n.number()));
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(all.len(), count);
        }
    }
}
