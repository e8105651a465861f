//! Seeds from a file, by the screen: which file, what for; then what the station would make of it, line by line; then,
//! on a person's word, the import itself. The file is read here, by the client: the server sees bytes and a name.

use super::{
    form::{Choice, Did, Field, Form},
    msg::Effect,
    rules,
};
use crate::{
    domain::Hash,
    envelope::question::{Answer, Question},
    face::{CatalogView, Failure, ImportOptions, ImportReport, ImportTarget, Named, Reply},
};
use crossterm::event::{KeyCode, KeyEvent};

/// Fields of the form.
pub const FILE: usize = 0;
const USE: usize = 1;
const NAME: usize = 2;
const RECIPE: usize = 3;
const TARGET: usize = 4;
const HASH: usize = 5;
const KEY: usize = 6;
const RULES: usize = 7;

/// The names of the two uses.
const BURN: &str = "burn";
const INVENTORY: &str = "inventory";

/// The longest name that is made of a file's.
const NAME_LETTERS: usize = 32;

/// Where an import is.
#[derive(Debug)]
pub enum Stage {
    /// The form is being filled in.
    Filling,
    /// It is wrapped, and only the person knows how it opens.
    Asked(Question, Box<Form>),
    /// The station looks at the file.
    Looking,
    /// This would come of it; from this line on.
    Report(ImportReport, u16),
    /// Nothing of it can be used, or the file can't be read; from this line on.
    Refused(Failure, u16),
    /// It is being imported.
    Importing,
}

/// The dialog that imports a file.
#[derive(Debug)]
pub struct Import {
    /// What is filled in.
    pub form: Form,
    /// What the typed path could become.
    pub found: Vec<String>,
    /// What is missing in the form.
    pub problem: Option<&'static str>,
    /// Where it is.
    pub stage: Stage,
    /// What the person said when asked how the file opens.
    answers: Vec<Answer>,
}

impl Default for Import {
    /// Nothing filled in.
    fn default() -> Self {
        let uses = vec![
            Choice::new(BURN, "burn them onto tokens: a new batch"),
            Choice::new(INVENTORY, "only record them: the tokens hold them already"),
        ];
        let mut fields = vec![
            Field::text("file", "its path; Tab completes it"),
            Field::choice(
                "seeds are to",
                "burning destroys for good what a token was delivered with; Right changes",
                uses,
            ),
            Field::text("batch", "a name for it"),
            Field::choice("recipe", "what is put on each token; Right changes", Vec::new()),
            Field::choice("login target", "the server that will check the codes; Right changes", Vec::new()),
            Field::choice(
                "hash",
                "for files that don't say it, as the vendor states it; Right changes",
                hashes(),
            ),
            Field::choice("customer key", "what the tokens want before they take writes", Vec::new()),
        ];
        fields.extend(rules::fields());
        let mut import = Self {
            form: Form::new(fields),
            found: Vec::new(),
            problem: None,
            stage: Stage::Filling,
            answers: Vec::new(),
        };
        import.take_catalog(&CatalogView::default());
        import.take_keys(&[]);
        import
    }
}

impl Import {
    /// What recipes and targets there are.
    pub fn take_catalog(&mut self, catalog: &CatalogView) {
        let recipes = catalog.recipes.iter().filter(|recipe| recipe.wants_file);
        let recipes = recipes.map(|recipe| choice(&recipe.named));
        self.form.offer(RECIPE, with_none("one profile, as each line states", recipes));
        self.form
            .offer(TARGET, with_none("not said: nothing is checked", catalog.targets.iter().map(choice)));
    }

    /// Which customer keys there are.
    pub fn take_keys(&mut self, names: &[String]) {
        let keys = names.iter().map(|name| Choice::new(name.clone(), name.clone()));
        self.form.offer(KEY, with_none("the one they are delivered with", keys));
    }

    /// Whether a field is of no use for what was chosen.
    pub fn is_idle(&self, field: usize) -> bool {
        self.form.text(USE) == INVENTORY && (matches!(field, NAME | KEY) || field >= RULES)
    }

    /// What the typed path could become came.
    pub fn complete(&mut self, typed: &str, found: Vec<String>) {
        if self.form.text(FILE) != typed || self.form.at != FILE {
            return;
        }
        let longer = common_start(&found);
        if let Some(input) = self.form.input(FILE).filter(|_| longer.len() > typed.len()) {
            drop(input.take());
            input.paste(&longer);
            self.found = if found.len() > 1 { found } else { Vec::new() };
        } else if matches!(&found[..], [one] if one == typed && !one.ends_with('/')) {
            // It is complete.
            self.found.clear();
            self.leave_file();
        } else {
            self.found = found;
        }
    }

    /// A batch is called as its file, unless a person says otherwise.
    fn leave_file(&mut self) {
        self.form.at = USE;
        let path = self.form.text(FILE);
        let file = path.rsplit('/').next().unwrap_or(path);
        let stem: String = file.split('.').next().unwrap_or(file).chars().take(NAME_LETTERS).collect();
        if let Some(name) = self.form.input(NAME).filter(|name| name.text().is_empty()) {
            name.paste(&stem);
        }
    }

    /// Lets `key` fill in, page through the report, or say yes to it.
    pub fn key(&mut self, key: &KeyEvent) -> Vec<Effect> {
        match &mut self.stage {
            Stage::Filling => self.fill(key),
            Stage::Asked(question, form) => {
                let Did::Done = form.key(key) else { return Vec::new() };
                let text = form.answer();
                if text.is_empty() {
                    return Vec::new();
                }
                self.answers.push(Answer { to: question.clone(), text });
                self.look()
            }
            Stage::Looking | Stage::Importing => Vec::new(),
            Stage::Report(_, scroll) | Stage::Refused(_, scroll) => {
                let by = super::dialog::lines_moved(key);
                *scroll = scroll.saturating_add_signed(by);
                match (key.code, &self.stage) {
                    (KeyCode::Char('y' | 'Y'), Stage::Report(report, _)) if report.taken > 0 => {
                        let Some(mut options) = self.options(false) else { return Vec::new() };
                        // The person has seen which lines are left out.
                        options.good_lines_only = report.left_out > 0;
                        self.stage = Stage::Importing;
                        vec![self.import(options)]
                    }
                    (KeyCode::Char('n' | 'N' | 'b') | KeyCode::Backspace | KeyCode::Left, _) => {
                        self.back();
                        Vec::new()
                    }
                    _ => Vec::new(),
                }
            }
        }
    }

    /// Back to what is filled in. What was said of how the file opens may be why it didn't.
    pub fn back(&mut self) {
        self.stage = Stage::Filling;
        self.answers.clear();
    }

    fn look(&mut self) -> Vec<Effect> {
        self.stage = Stage::Looking;
        self.options(true).map(|options| self.import(options)).into_iter().collect()
    }

    fn import(&self, options: ImportOptions) -> Effect {
        Effect::Import { path: self.form.text(FILE).to_owned(), answers: self.answers.clone(), options }
    }

    /// The file is wrapped: this has to be known first.
    pub fn asks(&mut self, question: Question) {
        let field = match &question {
            Question::Secret(what) => Field::secret("it is", what.clone()),
            Question::PrivateKey => Field::text(
                "key file",
                "the file is encrypted to a key: where is its private key (OpenPGP, age or SSH)?",
            ),
            Question::Entry(names) => Field::choice(
                "which",
                "the archive holds several files, which are imported one by one; Right changes",
                names.iter().map(|name| Choice::new(name.clone(), name.clone())).collect(),
            ),
        };
        self.stage = Stage::Asked(question, Box::new(Form::new(vec![field])));
    }

    fn fill(&mut self, key: &KeyEvent) -> Vec<Effect> {
        if self.form.at == FILE && key.code == KeyCode::Tab {
            return vec![Effect::Complete(self.form.text(FILE).to_owned())];
        }
        let was_at = self.form.at;
        match self.form.key(key) {
            Did::Moved => {
                if was_at == FILE && self.form.at == USE {
                    self.leave_file();
                }
                while self.is_idle(self.form.at) {
                    self.form.key(key);
                }
            }
            Did::Edited => {
                self.problem = None;
                self.found.clear();
            }
            Did::Done => return self.done(),
            Did::Nothing => {}
        }
        Vec::new()
    }

    fn done(&mut self) -> Vec<Effect> {
        if self.form.at == FILE && !self.form.text(FILE).is_empty() {
            self.leave_file();
            return Vec::new();
        }
        self.problem = if self.form.text(FILE).is_empty() {
            self.form.at = FILE;
            Some("which file?")
        } else if self.form.text(NAME).is_empty() && !self.is_idle(NAME) {
            self.form.at = NAME;
            Some("the batch needs a name")
        } else if let Err(wrong) = rules::read(&self.form, RULES) {
            self.form.at = wrong.field;
            Some(wrong.problem)
        } else {
            None
        };
        if self.problem.is_some() {
            return Vec::new();
        }
        self.look()
    }

    /// None where a field says something else than it should.
    fn options(&self, dry_run: bool) -> Option<ImportOptions> {
        let burn = self.form.text(USE) == BURN;
        let target =
            if burn { ImportTarget::Batch(self.form.text(NAME).to_owned()) } else { ImportTarget::Inventory };
        let rules = rules::read(&self.form, RULES).ok()?;
        Some(ImportOptions {
            recipes: self.form.said(RECIPE).into_iter().collect(),
            login_target: self.form.said(TARGET),
            dry_run,
            key: self.form.said(KEY).filter(|_| burn),
            hash: self.form.text(HASH).parse().ok(),
            policy: rules.policy,
            priority: rules.priority,
            ..ImportOptions::to(target)
        })
    }

    /// What the station, or the file's reading, said. Gives the report of an import that was done.
    pub fn answered(&mut self, result: Result<Reply, Failure>) -> Option<ImportReport> {
        match result {
            Ok(Reply::Imported(report)) if report.dry_run => self.stage = Stage::Report(report, 0),
            Ok(Reply::Imported(report)) => return Some(report),
            Ok(_) => self.stage = Stage::Filling,
            Err(failure) => self.stage = Stage::Refused(failure, 0),
        }
        None
    }

    /// The file's name without its folders.
    pub fn file_name(&self) -> &str {
        let path = self.form.text(FILE);
        path.rsplit('/').next().unwrap_or(path)
    }
}

/// A file that says its hash needs none of them.
fn hashes() -> Vec<Choice> {
    with_none(
        "as the file says",
        [Hash::Sha1, Hash::Sha256, Hash::Sha512]
            .into_iter()
            .map(|hash| Choice::new(hash.to_string(), hash.to_string())),
    )
}

/// A choice of an item of the catalog.
pub fn choice(named: &Named) -> Choice {
    Choice::new(named.name.clone(), format!("{}: {}", named.name, named.label))
}

/// `choices` after one for none.
pub fn with_none(label: &str, choices: impl Iterator<Item = Choice>) -> Vec<Choice> {
    std::iter::once(Choice::new("", label)).chain(choices).collect()
}

/// How all of `texts` begin.
fn common_start(texts: &[String]) -> String {
    let Some(first) = texts.first() else { return String::new() };
    let alike = |length: &usize| texts.iter().all(|text| text.starts_with(&first[..*length]));
    let ends = first.char_indices().map(|(at, c)| at + c.len_utf8());
    first[..ends.take_while(alike).last().unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    fn press(import: &mut Import, code: KeyCode) -> Vec<Effect> {
        import.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn type_in(import: &mut Import, text: &str) {
        for c in text.chars() {
            press(import, KeyCode::Char(c));
        }
    }

    fn report(taken: u32, left_out: u32) -> ImportReport {
        ImportReport {
            dry_run: true,
            format: "Entra ID CSV".into(),
            batch: Some("spring".into()),
            taken,
            left_out,
            jobs: taken,
            missing: Vec::new(),
            lines: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_path_is_completed_and_names_its_batch() {
        let mut import = Import::default();
        type_in(&mut import, "sp");
        assert!(matches!(&press(&mut import, KeyCode::Tab)[..], [Effect::Complete(typed)] if typed == "sp"));
        import.complete("s", vec!["south.csv".into()]);
        assert_eq!(import.form.text(FILE), "sp", "an answer to what was typed before");
        import.complete("sp", vec!["spring.csv".into(), "spring.old".into()]);
        assert_eq!((import.form.text(FILE), import.found.len()), ("spring.", 2));
        type_in(&mut import, "c");
        import.complete("spring.c", vec!["spring.csv".into()]);
        import.complete("spring.csv", vec!["spring.csv".into()]);
        assert_eq!((import.form.at, import.form.text(NAME)), (USE, "spring"));
    }

    #[test]
    fn nothing_is_imported_before_its_report_was_answered_with_yes() {
        let mut import = Import::default();
        type_in(&mut import, "a.csv");
        for _ in 0..2 {
            assert!(press(&mut import, KeyCode::Down).is_empty());
        }
        let looked = press(&mut import, KeyCode::Enter);
        assert!(
            matches!(&looked[..], [Effect::Import { path, options, .. }] if path == "a.csv" && options.dry_run)
        );
        assert!(press(&mut import, KeyCode::Enter).is_empty(), "one look at a time");
        assert!(import.answered(Ok(Reply::Imported(report(22, 2)))).is_none());
        for code in [KeyCode::Enter, KeyCode::Char(' '), KeyCode::Down] {
            assert!(press(&mut import, code).is_empty());
        }
        let effects = press(&mut import, KeyCode::Char('y'));
        assert!(matches!(&effects[..], [Effect::Import { options, .. }]
            if !options.dry_run && options.good_lines_only
                && options.target == ImportTarget::Batch("a".into())));
        let done = ImportReport { dry_run: false, ..report(22, 2) };
        assert!(import.answered(Ok(Reply::Imported(done))).is_some());
    }

    #[test]
    fn where_no_line_is_good_there_is_no_yes() {
        let mut import = Import { stage: Stage::Report(report(0, 3), 0), ..Import::default() };
        assert!(press(&mut import, KeyCode::Char('y')).is_empty());
        press(&mut import, KeyCode::Char('n'));
        assert!(matches!(import.stage, Stage::Filling));
    }

    #[test]
    fn an_inventory_needs_no_batch() {
        let mut import = Import::default();
        type_in(&mut import, "a.csv");
        press(&mut import, KeyCode::Down);
        press(&mut import, KeyCode::Right);
        press(&mut import, KeyCode::Down);
        assert_eq!(import.form.at, RECIPE, "the batch's name is passed over");
        let effects = press(&mut import, KeyCode::Enter);
        assert!(matches!(&effects[..], [Effect::Import { options, .. }]
            if options.target == ImportTarget::Inventory));
    }

    #[test]
    fn hash_and_rules_go_with_the_file() {
        let mut import = Import::default();
        type_in(&mut import, "a.csv");
        press(&mut import, KeyCode::Down);
        import.form.choose(HASH, "SHA-256");
        import.form.at = RULES + 3;
        type_in(&mut import, "x");
        assert!(press(&mut import, KeyCode::Enter).is_empty());
        assert_eq!(import.problem, Some("the priority is a whole number, as in 5"));
        press(&mut import, KeyCode::Backspace);
        type_in(&mut import, "7");
        let effects = press(&mut import, KeyCode::Enter);
        assert!(matches!(&effects[..], [Effect::Import { options, .. }]
            if options.hash == Some(Hash::Sha256) && options.priority == 7 && options.policy.seen.is_none()));
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut import = Import::default();
        assert!(press(&mut import, KeyCode::Enter).is_empty());
        assert_eq!(import.problem, Some("which file?"));
    }
}
