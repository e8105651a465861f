//! The answer: what explains the codes, how sure that is, and what was searched.

use super::cause::Cause;
use crate::domain::{Parameters, Profile, Serial};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What came out of a search. Serialises to what `kiln diagnose --json` prints, and comes
/// back from a station so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// All explanations, the likeliest first.
    pub findings: Vec<Finding>,
    /// Whether another code must be seen before the first finding may be called the cause.
    pub ask_another_code: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_ask: Option<String>,
    /// How likely it is that none of the findings is right.
    pub none_of_these: f64,
    /// What was searched, in its order, and how wide.
    pub searched: Vec<Searched>,
    /// Who else is affected, if the first finding lies in the records and not in one token or one person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_affected: Vec<String>,
    /// What the codes were compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Findings that are kept from the one who asked, since one code is too little to show them for; see
    /// [`Diagnosis::for_help_desk`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub withheld: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// What the codes were compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The token; none for a bare seed or key URI.
    pub serial: Option<Serial>,
    /// The profile that should have shown the codes.
    pub profile: Profile,
    /// What kind of token it is, as people call it.
    pub model: Option<String>,
    /// The parameters on record.
    pub recorded: Parameters,
    /// The server that checks its codes, as people call it.
    pub server: Option<String>,
    /// How many codes were given.
    pub codes: usize,
}

/// One explanation, or several that the codes cannot tell apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong; all of it at once.
    pub causes: Vec<Cause>,
    /// Other causes that explain the same codes by the same calculation, the likeliest first.
    pub equivalent: Vec<Cause>,
    /// Why `causes` stands before `equivalent`, and what would tell them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tie_break: Option<String>,
    /// How likely this finding (with its equivalents) is, given the codes.
    pub posterior: f64,
    /// How likely it was before the codes were looked at.
    pub prior: f64,
    /// How many accidental hits the search up to the stage that found this leads one to expect.
    pub accidental: f64,
    /// Candidates tried up to the end of that stage.
    pub candidates: u64,
    /// The chance that random codes would have matched one candidate of that stage.
    pub chance: f64,
    /// The stage, as in [`Searched::stage`].
    pub stage: Cow<'static, str>,
    /// The parameters that explain the codes. For HOTP the counter is that of the first code.
    pub parameters: Parameters,
    /// Where the token's clock stands; `None` for HOTP.
    pub offset: Option<Offset>,
    /// Whose seed it is, where that is on record.
    pub token: Option<Token>,
    /// What is wrong, in a sentence.
    pub what: String,
    /// What to do now, in a sentence.
    pub remedy: String,
}

/// Token clock minus the clock of the one who read the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// In whole steps of the finding's period.
    pub steps: i64,
    /// About as many seconds: exact to a period.
    pub seconds: i64,
}

/// A profile of a token on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The token.
    pub serial: Serial,
    /// The profile.
    pub profile: Profile,
}

/// One stage of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Searched {
    /// Its name.
    pub stage: Cow<'static, str>,
    /// What it tried, with its windows.
    pub what: String,
    /// How many candidates: seed, parameters, step and reading.
    pub candidates: u64,
    /// Accidental hits to be expected in it.
    pub accidental: f64,
}

impl Diagnosis {
    /// Above so many accidental hits to be expected, no finding may be called the cause without another code.
    pub const ASK_ABOVE: f64 = 1e-3;

    /// Below this, near certainty may be stated. Ten thousand random codes must not meet one such statement, and one
    /// accidental hit in a thousand would be ten.
    pub const NEAR_CERTAIN_BELOW: f64 = 6e-6;

    /// The most that is stated above [`NEAR_CERTAIN_BELOW`](Self::NEAR_CERTAIN_BELOW).
    pub const LESS_THAN_CERTAIN: f64 = 0.98;

    /// What may be told to people who may look on but not act. A wide search finds some code of the coming hours near
    /// any number that is typed, so somebody who types numbers could collect codes that are still to come. Findings that
    /// fewer codes than that back are left out, and the next code is asked for.
    pub fn for_help_desk(mut self) -> Self {
        let backed = |finding: &Finding| finding.accidental <= Self::NEAR_CERTAIN_BELOW;
        let before = self.findings.len();
        let likeliest_is_withheld = self.findings.first().is_some_and(|first| !backed(first));
        self.findings.retain(backed);
        self.withheld = before - self.findings.len();
        if likeliest_is_withheld {
            self.ask_another_code = true;
            self.why_ask = Some(
                "a search this wide explains so few digits by chance too often; those who only look on are told what the next code confirms: give it, too, or have an operator ask"
                    .into(),
            );
            self.also_affected = Vec::new();
        }
        self
    }

    /// Whether the code is right as recorded: nothing is wrong with the token.
    pub fn is_right(&self) -> bool {
        self.findings.first().is_some_and(|finding| finding.causes == [Cause::Ok])
    }
}
