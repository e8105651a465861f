//! Seeds out, by the screen: as what, for which server, where to and how protected; then what would be written, what
//! stays out and what the server would make of it; then, on a person's word, the file. It is written and encrypted here,
//! by the client, as `kiln export` does it.

use super::{
    form::{Choice, Did, Field, Form},
    import::{choice, with_none},
    input::{Input, Passphrase},
    msg::{Effect, ExportTo, Place, Protect},
};
use crate::{
    domain::Profile,
    face::{
        CatalogView, Clocked, DuoKind, ExportFormat, ExportLine, ExportOptions, Failure, OnLint,
        ProfileChoice, Reply,
    },
};
use crossterm::event::{KeyCode, KeyEvent};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Fields of the form.
const FORMAT: usize = 0;
const TARGET: usize = 1;
const PROFILE: usize = 2;
const FILE: usize = 3;
const PROTECT: usize = 4;
const TO: usize = 5;
const PASSWORD: usize = 6;
const AGAIN: usize = 7;

/// Formats by the words of `kiln export --format`, and what people read. The rest of them have choices of their own.
const FORMATS: [(&str, &str); 17] = [
    ("entra", "Entra ID's CSV"),
    ("graph", "Microsoft Graph, a bulk upload"),
    ("pskc", "PSKC container (RFC 6030)"),
    ("pskc-pi", "PSKC container for privacyIDEA"),
    ("privacyidea", "privacyIDEA's CSV"),
    ("okta", "Okta's fields as a table"),
    ("tseeds", "Deepnet tseeds.csv"),
    ("hseeds", "Deepnet hseeds.csv"),
    ("tseeds-xml", "DualShield XML"),
    ("duo-totp6", "lines for Duo, TOTP 6"),
    ("duo-totp8", "lines for Duo, TOTP 8"),
    ("key-uris", "key URIs, one in each line"),
    ("qr-sheet", "QR codes to print (HTML)"),
    (PICTURES, "QR codes as pictures (PNG), into a directory"),
    ("labels", "labels to print (HTML), no seeds"),
    ("report", "one line for each profile (CSV), no seeds"),
    (AUDIT, "the batch for an auditor (HTML), no seeds"),
];

/// What becomes a directory.
const PICTURES: &str = "qr-png";

/// What is no export: a report that the station answers and this side draws.
const AUDIT: &str = "audit";

/// The format that a word names.
fn format(word: &str) -> ExportFormat {
    let deepnet = |kind| ExportFormat::DeepnetCsv { kind, encoding: None };
    match word {
        "graph" => ExportFormat::GraphJson,
        "pskc" => ExportFormat::Pskc { for_privacyidea: false },
        "pskc-pi" => ExportFormat::Pskc { for_privacyidea: true },
        "privacyidea" => ExportFormat::PrivacyideaCsv,
        "okta" => ExportFormat::OktaCsv { encoding: None, factor_profile: None },
        "tseeds" => deepnet(Clocked::Time),
        "hseeds" => deepnet(Clocked::Counter),
        "tseeds-xml" => {
            ExportFormat::DualShieldXml { kind: Clocked::Time, manufacturer_code: None, product_code: None }
        }
        "duo-totp6" => ExportFormat::Duo { kind: DuoKind::Totp6 },
        "duo-totp8" => ExportFormat::Duo { kind: DuoKind::Totp8 },
        "key-uris" => ExportFormat::KeyUris,
        "qr-sheet" => ExportFormat::QrSheet,
        PICTURES => ExportFormat::QrCodes,
        "labels" => ExportFormat::Labels { qr: false, html: true },
        "report" => ExportFormat::Report,
        _ => ExportFormat::EntraCsv { old_interval_column: false },
    }
}

/// The names of the protections.
const PRIVATE: &str = "private";
const AGE: &str = "age";
const PGP: &str = "pgp";
const WITH_PASSWORD: &str = "password";

/// Where an export is.
#[derive(Debug)]
pub enum Stage {
    /// The form is being filled in.
    Filling,
    /// The station looks at what would be written.
    Looking,
    /// This would be; from this line on.
    Report(Box<Look>, u16),
    /// What the server would refuse goes in once its target's name is typed.
    Naming(Box<Look>, Naming),
    /// It can't be, or not so; from this line on.
    Refused(Failure, u16),
    /// It is being written.
    Writing,
}

/// What came of a look.
#[derive(Debug, Default)]
pub struct Look {
    /// Tokens that would go in.
    pub tokens: u32,
    /// Those that would not.
    pub left_out: Vec<String>,
    /// What has no place in the format.
    pub cannot_carry: Vec<String>,
    /// By whose rules it was looked at.
    pub target: Option<String>,
    /// What that server would refuse or take for something else.
    pub lint: Vec<ExportLine>,
}

impl Look {
    /// How many lines would not come through.
    pub fn bad_lines(&self) -> usize {
        self.lint.iter().map(|line| &line.place).collect::<BTreeSet<_>>().len()
    }

    /// The name of the target whose rules are broken; none where they are those of several, which no one name allows.
    pub fn breaks(&self) -> Option<&str> {
        let names: BTreeSet<&str> = self.lint.iter().map(|line| line.target.as_str()).collect();
        names.first().copied().filter(|_| names.len() == 1)
    }
}

/// The name that is being typed.
#[derive(Debug, Default)]
pub struct Naming {
    /// It.
    pub input: Input,
    /// It is another.
    pub is_wrong: bool,
}

/// The dialog that exports a batch.
#[derive(Debug)]
pub struct Export {
    /// Of which batch.
    pub batch: String,
    /// What is filled in.
    pub form: Form,
    /// What is missing in the form.
    pub problem: Option<&'static str>,
    /// Where it is.
    pub stage: Stage,
    /// What the server would refuse stays out.
    good_lines_only: bool,
}

impl Export {
    /// Nothing filled in but the batch.
    pub fn of(batch: String) -> Self {
        let formats = FORMATS.iter().map(|(name, label)| Choice::new(*name, *label)).collect();
        let form = Form::new(vec![
            Field::choice("format", "what is written; Right changes, a letter finds", formats),
            Field::choice("login target", "the server that will read it; Right changes", Vec::new()),
            Field::text(
                "profile",
                "one of each token, by number or title; empty: all, or the first that fits",
            ),
            Field::text("file", "its path; there must be none of that name"),
            Field::choice("protection", "Right changes; a PSKC container can have a password", Vec::new()),
            Field::text(
                "to",
                "age1…, an SSH public key, or a FILE of them; for OpenPGP a FILE with public keys",
            ),
            Field::secret("password", "whoever imports the file is asked for it; it does not show"),
            Field::secret("once more", "the same again, so that it is what you meant"),
        ]);
        let mut export = Self { batch, form, problem: None, stage: Stage::Filling, good_lines_only: false };
        export.take_catalog(&CatalogView::default());
        export.fit();
        export
    }

    /// What fits the format that was chosen: its protections, and the kind of place.
    fn fit(&mut self) {
        let format = self.form.text(FORMAT).to_owned();
        let mut protections = vec![
            Choice::new(PRIVATE, "for this account alone to read"),
            Choice::new(AGE, "encrypted with age"),
            Choice::new(PGP, "encrypted with OpenPGP"),
        ];
        if matches!(format.as_str(), "pskc" | "pskc-pi") {
            protections.push(Choice::new(WITH_PASSWORD, "the seeds in it encrypted with a password"));
        }
        let hint = match format.as_str() {
            PICTURES => "a directory, made where there is none; a picture of each code goes there",
            _ => "its path; there must be none of that name",
        };
        self.form.offer(PROTECT, protections);
        if let Some(file) = self.form.fields.get_mut(FILE) {
            file.label = if format == PICTURES { "directory" } else { "file" };
            file.hint = hint.into();
        }
    }

    /// What targets there are.
    pub fn take_catalog(&mut self, catalog: &CatalogView) {
        let targets = catalog.targets.iter().map(choice);
        self.form.offer(TARGET, with_none("the batch's, else the format's own", targets));
    }

    /// Whether a field is of no use for what was chosen.
    pub fn is_idle(&self, field: usize) -> bool {
        let for_people = matches!(self.form.text(FORMAT), "labels" | "report" | AUDIT);
        match field {
            TARGET | PROFILE => for_people,
            TO => !matches!(self.form.text(PROTECT), AGE | PGP),
            PASSWORD | AGAIN => self.form.text(PROTECT) != WITH_PASSWORD,
            _ => false,
        }
    }

    /// The file as it was typed.
    pub fn file(&self) -> &str {
        self.form.text(FILE)
    }

    /// Lets `key` fill in, page through what would be, or say yes to it.
    pub fn key(&mut self, key: &KeyEvent) -> Vec<Effect> {
        match &mut self.stage {
            Stage::Filling => return self.fill(key),
            Stage::Looking | Stage::Writing => return Vec::new(),
            Stage::Naming(look, naming) => {
                if !matches!(key.code, KeyCode::Enter) {
                    naming.is_wrong &= !naming.input.edit(key);
                    return Vec::new();
                }
                let Some(name) = look.breaks().filter(|name| *name == naming.input.text().trim()) else {
                    naming.is_wrong = true;
                    return Vec::new();
                };
                let on_lint = OnLint::Despite(name.to_owned());
                return self.write(on_lint);
            }
            Stage::Report(_, scroll) | Stage::Refused(_, scroll) => {
                *scroll = scroll.saturating_add_signed(super::dialog::lines_moved(key));
            }
        }
        match (key.code, &mut self.stage) {
            (KeyCode::Char('y' | 'Y'), Stage::Report(look, _)) if look.tokens > 0 && look.lint.is_empty() => {
                let on_lint = if self.good_lines_only { OnLint::GoodLinesOnly } else { OnLint::Refuse };
                return self.write(on_lint);
            }
            // What the server takes, and no more: looked at again before it is written.
            (KeyCode::Char('g' | 'G'), Stage::Report(look, _)) if !look.lint.is_empty() => {
                self.good_lines_only = true;
                return self.look();
            }
            (KeyCode::Char('w' | 'W'), Stage::Report(look, _)) if look.breaks().is_some() => {
                let look = std::mem::take(look);
                self.stage = Stage::Naming(look, Naming::default());
            }
            (KeyCode::Char('n' | 'N' | 'b') | KeyCode::Backspace | KeyCode::Left, _) => self.back(),
            _ => {}
        }
        Vec::new()
    }

    /// One step back: to what was reported, or to the form as it was filled in.
    pub fn back(&mut self) {
        match &mut self.stage {
            Stage::Naming(look, _) => self.stage = Stage::Report(std::mem::take(look), 0),
            _ => {
                self.stage = Stage::Filling;
                self.good_lines_only = false;
            }
        }
    }
    fn fill(&mut self, key: &KeyEvent) -> Vec<Effect> {
        match self.form.key(key) {
            Did::Moved => {
                while self.is_idle(self.form.at) {
                    self.form.key(key);
                }
            }
            Did::Edited => {
                self.problem = None;
                if self.form.at == FORMAT {
                    self.fit();
                }
            }
            Did::Done => return self.done(),
            Did::Nothing => {}
        }
        Vec::new()
    }

    fn done(&mut self) -> Vec<Effect> {
        self.problem = if self.form.text(FILE).is_empty() {
            self.form.at = FILE;
            Some(if self.form.text(FORMAT) == PICTURES { "which directory?" } else { "which file?" })
        } else if self.form.text(TO).is_empty() && !self.is_idle(TO) {
            self.form.at = TO;
            Some("to whom is it encrypted?")
        } else if self.form.text(PASSWORD).is_empty() && !self.is_idle(PASSWORD) {
            self.form.at = PASSWORD;
            Some("which password?")
        } else if self.form.text(PASSWORD) != self.form.text(AGAIN) && !self.is_idle(AGAIN) {
            self.form.at = AGAIN;
            Some("it was typed in two different ways")
        } else {
            None
        };
        if self.problem.is_some() {
            return Vec::new();
        }
        if self.form.text(FORMAT) == AUDIT {
            // Nothing can stay out of it, and it shows no secret.
            self.stage = Stage::Writing;
            return vec![Effect::Report { batch: self.batch.clone(), to: self.to() }];
        }
        self.look()
    }

    /// Lets the station say what would be written, and what is wrong with it.
    fn look(&mut self) -> Vec<Effect> {
        self.stage = Stage::Looking;
        let on_lint = if self.good_lines_only { OnLint::GoodLinesOnly } else { OnLint::Tell };
        vec![self.effect(ExportOptions { on_lint, dry_run: true, ..self.options() })]
    }

    fn write(&mut self, on_lint: OnLint) -> Vec<Effect> {
        self.stage = Stage::Writing;
        vec![self.effect(ExportOptions { on_lint, ..self.options() })]
    }

    fn effect(&self, options: ExportOptions) -> Effect {
        Effect::Export { options, to: self.to() }
    }

    fn to(&self) -> ExportTo {
        let to = self.form.text(TO).to_owned();
        let protect = match self.form.text(PROTECT) {
            AGE => Protect::Age(to),
            PGP => Protect::OpenPgp(to),
            WITH_PASSWORD => Protect::Password {
                password: Passphrase(Zeroizing::new(self.form.text(PASSWORD).to_owned())),
                for_privacyidea: self.form.text(FORMAT) == "pskc-pi",
            },
            _ => Protect::Private,
        };
        let path = self.form.text(FILE).to_owned();
        let place =
            if self.form.text(FORMAT) == PICTURES { Place::Pictures(path) } else { Place::File(path) };
        ExportTo { place, protect }
    }

    fn options(&self) -> ExportOptions {
        let profile =
            self.form.said(PROFILE).filter(|_| !self.is_idle(PROFILE)).map(|text| match text.parse::<u8>() {
                Ok(number) => ProfileChoice::Number(Profile::new(number)),
                Err(_) => ProfileChoice::Title(text),
            });
        ExportOptions {
            batch: Some(self.batch.clone()),
            profile,
            login_target: self.form.said(TARGET).filter(|_| !self.is_idle(TARGET)),
            ..ExportOptions::of(format(self.form.text(FORMAT)))
        }
    }

    /// What the station, or the file's writing, said. Gives the sentence about a file that was written.
    pub fn answered(&mut self, result: Result<Exporting, Failure>) -> Option<String> {
        match result {
            Ok(Exporting::Looked(Reply::Exported(exported))) => {
                let look = Look {
                    tokens: exported.tokens,
                    left_out: exported.left_out,
                    cannot_carry: exported.cannot_carry,
                    target: exported.login_target,
                    lint: exported.lint,
                };
                self.stage = Stage::Report(Box::new(look), 0);
                None
            }
            Ok(Exporting::Looked(_)) => {
                self.stage = Stage::Filling;
                None
            }
            Ok(Exporting::Written(said)) => Some(said),
            Err(failure) => {
                self.stage = Stage::Refused(failure, 0);
                None
            }
        }
    }
}

/// How far an export came.
#[derive(Debug)]
pub enum Exporting {
    /// The station has said what would be written.
    Looked(Reply),
    /// It is written; a sentence about the file.
    Written(String),
}

#[cfg(test)]
mod tests;
