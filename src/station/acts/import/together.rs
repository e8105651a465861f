//! Lines of one file that tell of one key. A key holds many credentials and tells them apart by name, so several lines
//! may be right where on any other token one of them must be wrong. Together they are the key's share of the batch: one
//! job, which one visit to the key burns, with each line's user and names kept beside its own credential.

use super::said::Said;
use crate::{
    domain::{CredentialName, Profile, Serial, credential::Naming},
    formats::{Place, Problem},
    remedy::{Remedy, Retry},
    store::{JobFacts, NewEntry, NewJob},
};
use std::collections::{BTreeMap, HashMap};

/// A job that a file comes to.
#[derive(Clone)]
pub struct Planned {
    /// The job.
    pub job: NewJob,
    /// Which line each of its entries is from.
    pub from: Vec<(Profile, Place)>,
    /// What keys it is for, if it is for keys alone.
    pub keys: Option<Keys>,
}

/// What is the same of all keys that a line may be for.
#[derive(Clone)]
pub struct Keys {
    /// How they name their credentials.
    pub namings: Vec<Naming>,
    /// How many the roomiest of them holds.
    pub room: usize,
    /// Those of them that take no password, by their labels.
    pub open: Vec<String>,
    /// Whether there are others.
    pub some_take_password: bool,
}

/// Why a line can't go to the key that another line of the file is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NotTogether {
    #[error("{other} calls a credential of this key \"{name}\" too")]
    SameName { other: Place, name: CredentialName },
    #[error("with this line the key would hold more than the {room} credentials that it has room for")]
    NoRoom { room: usize },
    #[error("{other} says that this key is a {model}")]
    OtherModel { other: Place, model: String },
}

impl Remedy for NotTogether {
    fn remedy(&self) -> &'static str {
        match self {
            Self::SameName { .. } => {
                "a key tells credentials apart by their names: give one another issuer or account, or take the line out"
            }
            Self::NoRoom { .. } => "give the rest of these lines another key",
            Self::OtherModel { .. } => "find out which model it is, and correct the other line",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

/// Whose key a line is for.
#[derive(PartialEq, Eq, Hash)]
enum Whose {
    Serial(Serial),
    User(String),
}

/// Which lines without a serial go to one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unnamed {
    /// Each to another one.
    Apart,
    /// Those of one user.
    ByUser,
}

/// Makes one job of the lines that are for one key; says of each line why where it can't be. Of two lines with the serial
/// of another token nobody can tell which is right: neither is taken.
pub fn together(planned: Vec<Planned>, unnamed: Unnamed, said: &mut Said) -> Vec<Planned> {
    let mut kept: Vec<Option<Planned>> = Vec::new();
    let mut firsts: HashMap<Whose, (usize, Place)> = HashMap::new();
    for one in planned {
        let Some(&(_, place)) = one.from.first() else { continue };
        let Some(whose) = one.whose(unnamed) else {
            kept.push(Some(one));
            continue;
        };
        let &mut (at, first) = firsts.entry(whose).or_insert((kept.len(), place));
        match kept.get_mut(at) {
            None => kept.push(Some(one)),
            Some(Some(job)) if job.keys.is_some() && one.keys.is_some() => {
                if let Err(error) = job.take_in(one, place) {
                    said.refuse(place, "serial number".to_owned(), error.to_string(), error.remedy());
                }
            }
            Some(earlier) => {
                if earlier.take().is_some() {
                    refuse_twin(first, place, said);
                }
                refuse_twin(place, first, said);
            }
        }
    }
    kept.into_iter().flatten().collect()
}

fn refuse_twin(place: Place, other: Place, said: &mut Said) {
    let problem = Problem::SerialTwice { other };
    said.refuse(place, "serial number".to_owned(), problem.to_string(), problem.remedy());
}

/// How many users have several lines without a serial, each of which goes to a key of its own.
pub fn users_apart(planned: &[Planned]) -> usize {
    let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
    for one in planned.iter().filter(|one| one.keys.is_some() && one.job.reserved.is_none()) {
        if let Some(user) = user(&one.job.facts) {
            *lines.entry(user).or_default() += 1;
        }
    }
    lines.into_values().filter(|count| *count > 1).count()
}

fn user(facts: &JobFacts) -> Option<&str> {
    facts.upn.as_deref().or_else(|| facts.more.get("account").map(String::as_str))
}

impl Planned {
    fn whose(&self, unnamed: Unnamed) -> Option<Whose> {
        match (&self.job.reserved, unnamed) {
            (Some(serial), _) => Some(Whose::Serial(serial.clone())),
            (None, Unnamed::ByUser) if self.keys.is_some() => {
                user(&self.job.facts).map(|user| Whose::User(user.to_owned()))
            }
            (None, Unnamed::Apart | Unnamed::ByUser) => None,
        }
    }

    /// Which line an entry is from.
    pub fn place_of(&self, profile: Profile) -> Option<Place> {
        self.from.iter().find(|(of, _)| *of == profile).or_else(|| self.from.first()).map(|(_, place)| *place)
    }

    /// Takes the entries of another line, from `place`, into this key's job; all of them or none.
    fn take_in(&mut self, other: Self, place: Place) -> Result<(), NotTogether> {
        let Self { job, from, keys } = self;
        if let (Some(model), Some(others)) = (&job.model, &other.job.model)
            && model != others
        {
            let other = from.first().map_or(place, |(_, first)| *first);
            return Err(NotTogether::OtherModel { other, model: model.clone() });
        }
        let namings = keys.iter().chain(&other.keys).flat_map(|keys| keys.namings.iter().copied());
        for naming in namings {
            for entry in &other.job.entries {
                let name = name(naming, entry);
                if let Some(twin) = job.entries.iter().find(|one| self::name(naming, one) == name) {
                    let other = from.iter().find(|(of, _)| *of == twin.profile).map_or(place, |(_, at)| *at);
                    return Err(NotTogether::SameName { other, name });
                }
            }
        }
        let room = keys.iter().chain(&other.keys).map(|keys| keys.room).min().unwrap_or(0);
        if job.entries.len() + other.job.entries.len() > room {
            return Err(NotTogether::NoRoom { room });
        }
        // From now on each entry has its own.
        for entry in &mut job.entries {
            entry.facts.get_or_insert_with(|| job.facts.clone());
        }
        job.facts = in_common(&job.facts, &other.job.facts);
        job.model = job.model.take().or(other.job.model);
        for entry in other.job.entries {
            let is_free = |profile: &Profile| job.entries.iter().all(|one| one.profile != *profile);
            let free = || (0..=u8::MAX).map(Profile::new).find(is_free);
            let Some(profile) = Some(entry.profile).filter(is_free).or_else(free) else {
                return Err(NotTogether::NoRoom { room });
            };
            from.push((profile, place));
            job.entries.push(NewEntry { profile, facts: Some(other.job.facts.clone()), ..entry });
        }
        Ok(())
    }
}

fn name(naming: Naming, entry: &NewEntry) -> CredentialName {
    CredentialName::on(naming, entry.title.as_deref().unwrap_or_default(), entry.parameters.mode)
}

/// What holds for all of a key.
fn in_common(one: &JobFacts, other: &JobFacts) -> JobFacts {
    let is_same = |column: &String, text: &String| other.more.get(column) == Some(text);
    JobFacts {
        line: one.line,
        upn: one.upn.clone().filter(|upn| other.upn.as_ref() == Some(upn)),
        more: one.more.clone().into_iter().filter(|(column, text)| is_same(column, text)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Parameters, Seed, SeedId, Touch},
        store::{NewSeed, Reserve, SeedOrigin},
        vault::DataKey,
    };

    fn line(number: u32, serial: Option<&str>, user: &str, title: &str) -> Planned {
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        let id = SeedId([u8::try_from(number).unwrap(); 16]);
        let seed = Seed::new(id.0);
        let more = [("account".to_owned(), user.to_owned()), ("issuer".to_owned(), title.to_owned())];
        let entry = NewEntry {
            profile: Profile::ZERO,
            seed: NewSeed {
                id,
                sealed: key.seal_seed(id, &seed).unwrap(),
                fingerprint: key.seed_fingerprint(&seed),
                len_bytes: 16,
                origin: SeedOrigin::Imported,
            },
            parameters: Parameters::standard(),
            title: Some(format!("{title}:{user}")),
            display_timeout_s: None,
            touch: Touch::Free,
            facts: None,
        };
        Planned {
            job: NewJob {
                reserved: serial.map(|serial| serial.parse().unwrap()),
                model: None,
                facts: JobFacts { line: Some(number.into()), upn: None, more: more.into() },
                entries: vec![entry],
                reserve: Reserve::BesideOthers,
            },
            from: vec![(Profile::ZERO, Place::Line(number))],
            keys: Some(Keys {
                namings: vec![Naming::WithPeriod, Naming::TwoNames],
                room: 3,
                open: vec![],
                some_take_password: true,
            }),
        }
    }

    /// Titles of each job that is left, and what was refused why.
    fn put(lines: Vec<Planned>, unnamed: Unnamed) -> (Vec<Vec<String>>, Vec<(u32, String)>) {
        let mut said = Said::default();
        let jobs = together(lines, unnamed, &mut said);
        for planned in &jobs {
            let profiles: Vec<Profile> = planned.job.entries.iter().map(|entry| entry.profile).collect();
            assert_eq!(planned.from.iter().map(|(of, _)| *of).collect::<Vec<_>>(), profiles);
            assert!((0..).map(Profile::new).zip(&profiles).all(|(number, of)| number == *of));
        }
        let titles = |planned: Planned| {
            planned.job.entries.into_iter().map(|entry| entry.title.unwrap_or_default()).collect()
        };
        let refused = said.lines.into_iter().map(|(place, line)| (place.number(), line.problem)).collect();
        (jobs.into_iter().map(titles).collect(), refused)
    }

    #[test]
    fn lines_of_one_serial_become_one_job_and_each_keeps_its_own_facts() {
        let lines = vec![
            line(1, Some("100"), "ann", "Mail"),
            line(2, Some("200"), "bob", "Mail"),
            line(3, Some("100"), "ann", "Bank"),
        ];
        let mut said = Said::default();
        let jobs = together(lines, Unnamed::Apart, &mut said);
        assert!(said.lines.is_empty() && jobs.len() == 2);
        let ann = &jobs[0].job;
        assert_eq!(ann.facts.more.get("account").map(String::as_str), Some("ann"));
        assert_eq!(ann.facts.more.get("issuer"), None, "not the same of both");
        let issuers: Vec<_> = ann
            .entries
            .iter()
            .map(|entry| entry.facts.as_ref().and_then(|facts| facts.more.get("issuer")).unwrap().as_str())
            .collect();
        assert_eq!(issuers, ["Mail", "Bank"]);
        assert_eq!(jobs[0].place_of(Profile::new(1)), Some(Place::Line(3)));
        assert_eq!(jobs[1].job.entries[0].facts, None, "alone, it has its job's");
    }

    #[test]
    fn a_name_twice_or_one_too_many_is_refused_and_the_rest_stays() {
        let (jobs, refused) = put(
            vec![
                line(1, Some("100"), "ann", "Mail"),
                line(2, Some("100"), "ann", "Mail"),
                line(3, Some("100"), "ann", "Bank"),
                line(4, Some("100"), "ann", "Shop"),
                line(5, Some("100"), "ann", "Door"),
            ],
            Unnamed::Apart,
        );
        assert_eq!(jobs, [["Mail:ann", "Bank:ann", "Shop:ann"]]);
        assert_eq!(refused[0], (2, "line 1 calls a credential of this key \"Mail:ann\" too".to_owned()));
        assert!(refused[1].0 == 5 && refused[1].1.contains("the 3 credentials"), "{refused:?}");
    }

    #[test]
    fn lines_of_one_user_go_to_one_key_only_where_that_was_said() {
        let lines =
            || vec![line(1, None, "ann", "Mail"), line(2, None, "bob", "Mail"), line(3, None, "ann", "Bank")];
        assert_eq!(users_apart(&lines()), 1);
        assert_eq!(put(lines(), Unnamed::Apart).0.len(), 3);
        let (jobs, refused) = put(lines(), Unnamed::ByUser);
        assert_eq!(jobs, [vec!["Mail:ann", "Bank:ann"], vec!["Mail:bob"]]);
        assert_eq!(refused, []);
    }

    #[test]
    fn of_two_lines_with_another_tokens_serial_neither_is_taken() {
        let lines = (1..=4)
            .map(|number| {
                let serial = if number == 2 { "200" } else { "100" };
                Planned { keys: None, ..line(number, Some(serial), "ann", "Mail") }
            })
            .collect();
        let (jobs, refused) = put(lines, Unnamed::ByUser);
        assert_eq!(jobs, [["Mail:ann"]]);
        let mut places: Vec<u32> = refused.iter().map(|(place, _)| *place).collect();
        places.sort_unstable();
        assert_eq!(places, [1, 3, 4]);
    }

    #[test]
    fn a_key_of_two_models_is_asked_about() {
        let of = |model: &str, mut planned: Planned| {
            planned.job.model = Some(model.to_owned());
            planned
        };
        let lines = vec![
            of("yubikey-5", line(1, Some("100"), "ann", "Mail")),
            of("canokey", line(2, Some("100"), "ann", "Bank")),
        ];
        let (jobs, refused) = put(lines, Unnamed::Apart);
        assert!(jobs.len() == 1 && refused[0].1.contains("a yubikey-5"), "{refused:?}");
        let first = Place::Line(1);
        for error in [
            NotTogether::SameName { other: first, name: CredentialName::told("a".into()) },
            NotTogether::NoRoom { room: 3 },
            NotTogether::OtherModel { other: first, model: "canokey".into() },
        ] {
            assert!(error.remedy().len() > 20 && error.retry() == Retry::AfterOperator, "{error}");
        }
    }
}
