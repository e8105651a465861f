//! A batch with random seeds, by the screen: model, recipe, target and count. Each change is looked at by the station at
//! once, so that what doesn't fit is said before anything is made.

use super::{
    form::{Choice, Did, Field, Form},
    import::{choice, with_none},
    msg::{Asked, Effect},
    rules,
};
use crate::face::{CatalogView, Command, Failure, ImportReport, MadeFor, NewBatch, Reply};
use crossterm::event::KeyEvent;

/// Fields of the form.
const NAME: usize = 0;
const MODEL: usize = 1;
const RECIPE: usize = 2;
const TARGET: usize = 3;
const COUNT: usize = 4;
const KEY: usize = 5;
const RULES: usize = 6;

/// The dialog that makes a batch.
#[derive(Debug)]
pub struct Making {
    /// What is filled in.
    pub form: Form,
    /// What came of the last look.
    pub looked: Option<Result<ImportReport, Failure>>,
    /// It is being made.
    pub busy: bool,
    catalog: CatalogView,
    /// What is being looked at.
    in_flight: Option<NewBatch>,
    /// What was looked at last.
    last: Option<NewBatch>,
}

impl Default for Making {
    /// Nothing filled in.
    fn default() -> Self {
        let mut fields = vec![
            Field::text("name", "what the batch is called"),
            Field::choice("model", "the kind of token; Right changes, a letter finds", Vec::new()),
            Field::choice("recipe", "what is put on each token; Right changes", Vec::new()),
            Field::choice(
                "login target",
                "the server that will check the codes; Right changes",
                with_none("not said: nothing is checked", std::iter::empty()),
            ),
            Field::text("tokens", "how many: 1 to 100000"),
            Field::choice(
                "customer key",
                "what the tokens want before they take writes",
                with_none("the one they are delivered with", std::iter::empty()),
            ),
        ];
        fields.extend(rules::fields());
        Self {
            form: Form::new(fields),
            looked: None,
            busy: false,
            catalog: CatalogView::default(),
            in_flight: None,
            last: None,
        }
    }
}

impl Making {
    /// What there is to choose from.
    pub fn take_catalog(&mut self, catalog: &CatalogView) {
        self.catalog = catalog.clone();
        self.form.offer(MODEL, catalog.models.iter().map(choice).collect());
        self.form
            .offer(TARGET, with_none("not said: nothing is checked", catalog.targets.iter().map(choice)));
        self.offer_recipes();
    }

    /// Which customer keys there are.
    pub fn take_keys(&mut self, names: &[String]) {
        let keys = names.iter().map(|name| Choice::new(name.clone(), name.clone()));
        self.form.offer(KEY, with_none("the one they are delivered with", keys));
    }

    /// Only recipes that the chosen model can do, and that need no file.
    fn offer_recipes(&mut self) {
        let model = self.form.text(MODEL).to_owned();
        let fits =
            self.catalog.recipes.iter().filter(|recipe| !recipe.wants_file && recipe.models.contains(&model));
        let fits = fits.map(|recipe| choice(&recipe.named)).collect();
        self.form.offer(RECIPE, fits);
    }

    /// What is missing for a look; none once all is there.
    pub fn missing(&self) -> Option<&'static str> {
        if self.form.text(NAME).is_empty() {
            Some("the batch needs a name")
        } else if self.form.text(RECIPE).is_empty() {
            Some("no recipe with random seeds is for this model")
        } else if self.form.text(COUNT).parse::<u32>().is_err() {
            Some("how many tokens?")
        } else {
            rules::read(&self.form, RULES).err().map(|wrong| wrong.problem)
        }
    }

    fn batch(&self, dry_run: bool) -> Option<NewBatch> {
        if self.missing().is_some() {
            return None;
        }
        let rules = rules::read(&self.form, RULES).ok()?;
        Some(NewBatch {
            name: self.form.text(NAME).to_owned(),
            count: self.form.text(COUNT).parse().ok()?,
            model: self.form.text(MODEL).to_owned(),
            recipe: self.form.text(RECIPE).to_owned(),
            login_target: self.form.said(TARGET),
            key: self.form.said(KEY),
            policy: rules.policy,
            priority: rules.priority,
            made_for: MadeFor::default(),
            dry_run,
        })
    }

    /// Asks the station to look, if the form says something new; one look at a time, so that a slow line is not
    /// flooded.
    pub fn look(&mut self) -> Vec<Effect> {
        let wanted = self.batch(true);
        if wanted.is_none() {
            self.looked = None;
            self.last = None;
        }
        match wanted {
            Some(wanted) if self.in_flight.is_none() && self.last.as_ref() != Some(&wanted) => {
                self.in_flight = Some(wanted.clone());
                vec![Effect::Ask(Asked::Look, Command::BatchNew(wanted))]
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// What came of a look.
    pub fn answered(&mut self, result: Result<Reply, Failure>) -> Vec<Effect> {
        self.last = self.in_flight.take();
        self.looked = match result {
            Ok(Reply::Imported(report)) => Some(Ok(report)),
            Ok(_) => None,
            Err(failure) => Some(Err(failure)),
        };
        self.look()
    }

    /// Whether what is filled in was looked at, and can be made.
    pub fn is_good(&self) -> bool {
        matches!(self.looked, Some(Ok(_))) && self.last.is_some() && self.last == self.batch(true)
    }

    /// Lets `key` fill in; Enter makes the batch, which starts nothing yet.
    pub fn key(&mut self, key: &KeyEvent) -> Vec<Effect> {
        if self.busy {
            return Vec::new();
        }
        match self.form.key(key) {
            Did::Edited => {
                if self.form.at == MODEL {
                    self.offer_recipes();
                }
                self.look()
            }
            Did::Done if self.is_good() => match self.batch(false) {
                Some(batch) => {
                    self.busy = true;
                    vec![Effect::Ask(Asked::Make(batch.name.clone()), Command::BatchNew(batch))]
                }
                None => Vec::new(),
            },
            Did::Done => {
                // On to what is missing.
                self.form.at = (self.form.at + 1) % self.form.fields.len();
                Vec::new()
            }
            Did::Moved | Did::Nothing => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample::{catalog, failure};
    use crossterm::event::{KeyCode, KeyModifiers};

    fn type_in(making: &mut Making, text: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for c in text.chars() {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                c => KeyCode::Char(c),
            };
            effects.extend(making.key(&KeyEvent::new(code, KeyModifiers::NONE)));
        }
        effects
    }

    fn report() -> Result<Reply, Failure> {
        Ok(Reply::Imported(ImportReport {
            dry_run: true,
            format: "random".into(),
            batch: Some("x".into()),
            taken: 5,
            left_out: 0,
            jobs: 5,
            missing: Vec::new(),
            lines: Vec::new(),
            notes: Vec::new(),
        }))
    }

    #[test]
    fn each_change_is_looked_at_one_look_at_a_time() {
        let mut making = Making::default();
        making.take_catalog(&catalog());
        assert!(type_in(&mut making, "x\t\t\t\t").is_empty());
        assert_eq!(making.missing(), Some("how many tokens?"));
        let effects = type_in(&mut making, "50");
        assert!(matches!(&effects[..], [Effect::Ask(Asked::Look, Command::BatchNew(batch))]
            if batch.count == 5 && batch.dry_run && batch.recipe == "single-random"));
        assert!(type_in(&mut making, "\n").is_empty(), "what is shown was not looked at yet");
        let again = making.answered(report());
        assert!(matches!(&again[..], [Effect::Ask(_, Command::BatchNew(batch))] if batch.count == 50));
        assert!(!making.is_good());
        assert!(making.answered(report()).is_empty());
        making.form.at = COUNT;
        let made = type_in(&mut making, "\n");
        assert!(matches!(&made[..], [Effect::Ask(Asked::Make(_), Command::BatchNew(batch))]
            if !batch.dry_run && batch.count == 50));
    }

    #[test]
    fn what_does_not_fit_is_not_made() {
        let mut making = Making::default();
        making.take_catalog(&catalog());
        type_in(&mut making, "x\t\t\t\t5");
        making.answered(Err(failure("Duo does not accept 8 digits: 6 would fit")));
        assert!(type_in(&mut making, "\n").is_empty());
    }

    #[test]
    fn recipes_follow_the_model() {
        let mut making = Making::default();
        making.take_catalog(&catalog());
        assert_eq!(making.form.text(RECIPE), "single-random");
        type_in(&mut making, "\tm");
        assert_eq!((making.form.text(MODEL), making.form.text(RECIPE)), ("molto2-v2", "molto2-ten-random"));
    }
}
