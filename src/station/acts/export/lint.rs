//! What the server that will read the file would refuse, or take for something else without a word: asked before
//! anything is written.

use super::super::super::{core::Core, failure::failure};
use super::choose::Chosen;
use super::own_target;
use crate::{
    domain::{Hash, Target},
    face::{ExportFormat, ExportLine, ExportOptions, Failure, FailureKind, Lint, OnLint},
    formats::out::Output,
    remedy::Remedy,
};
use std::collections::BTreeMap;

/// What is wrong is told of so many lines.
const TOLD: usize = 200;

pub(super) struct Linted {
    /// The server, as people call it; none where nobody said.
    pub(super) login_target: Option<String>,
    /// What goes in on a person's word.
    pub(super) lines: Vec<ExportLine>,
}

/// By which target each line is looked at: the one that was said, else its batch's, else the one whose format it is.
struct Targets<'a> {
    said: Option<&'a Target>,
    of_batches: BTreeMap<String, &'a Target>,
    own: Option<&'a Target>,
}

impl<'a> Targets<'a> {
    fn find(core: &'a Core, options: &ExportOptions) -> Result<Self, Failure> {
        let said = super::super::import::find_target(&core.catalog, options.login_target.as_deref())?;
        let mut of_batches = BTreeMap::new();
        for batch in core.store.batches()? {
            if let Some(target) = batch.target.as_deref().and_then(|name| core.catalog.target(name)) {
                of_batches.insert(batch.name, target);
            }
        }
        let own = own_target(&options.format).and_then(|name| core.catalog.target(name));
        Ok(Self { said, of_batches, own })
    }

    fn of(&self, batch: Option<&str>) -> Option<&'a Target> {
        self.said.or_else(|| batch.and_then(|name| self.of_batches.get(name).copied())).or(self.own)
    }
}

/// Looks at every line. Lines that stay out for it are taken from `chosen`, and said in `left_out`.
pub(super) fn lint(
    core: &Core,
    output: &Output,
    options: &ExportOptions,
    chosen: &mut Vec<Chosen<'_>>,
    left_out: &mut Vec<String>,
) -> Result<Linted, Failure> {
    let targets = Targets::find(core, options)?;
    let mut names: Vec<&str> = Vec::new();
    let mut label = None;
    let mut lines = Vec::new();
    let mut bad = vec![false; chosen.len()];
    for (index, one) in chosen.iter().enumerate() {
        let Some(target) = targets.of(one.mapping.batch.as_deref()) else { continue };
        label.get_or_insert_with(|| target.label.clone());
        for (lint, problem, remedy) in look(output, &options.format, target, one) {
            bad[index] = true;
            if !names.contains(&target.name.as_str()) {
                names.push(&target.name);
            }
            lines.push(ExportLine {
                place: output.place(index).to_string(),
                serial: one.mapping.serial.clone(),
                profile: one.mapping.profile,
                target: target.name.clone(),
                lint,
                problem,
                remedy,
            });
        }
    }
    match &options.on_lint {
        _ if lines.is_empty() => {}
        OnLint::Tell if options.dry_run => {}
        OnLint::Refuse | OnLint::Tell => return Err(refused(&lines, chosen.len(), &names)),
        OnLint::GoodLinesOnly => {
            left_out.extend(lines.iter().map(|line| {
                format!("token {}, profile {}: {}; {}", line.serial, line.profile, line.problem, line.remedy)
            }));
            let mut bad = bad.into_iter();
            chosen.retain(|_| bad.next() == Some(false));
            lines.clear();
        }
        OnLint::Despite(said) => {
            if let Some(other) = names.iter().find(|name| *name != said) {
                return Err(failure(
                    FailureKind::Usage,
                    format!("what is wrong is wrong for target {other}, and the word given is \"{said}\""),
                    format!("say --despite {other} if these tokens are to go in all the same"),
                ));
            }
        }
    }
    Ok(Linted { login_target: label, lines })
}

/// What `target` would make of a line.
fn look(
    output: &Output,
    format: &ExportFormat,
    target: &Target,
    one: &Chosen<'_>,
) -> Vec<(Lint, String, String)> {
    let (parameters, length) = (&one.mapping.parameters, one.seed.len_bytes());
    let mut found: Vec<(Lint, String, String)> = target
        .misfits(parameters, length)
        .iter()
        .map(|misfit| (Lint::Refused, misfit.to_string(), misfit.remedy().to_owned()))
        .collect();
    let by_length = target.silent_change(parameters, length).filter(|_| !output.states_hash());
    found.extend(by_length.map(|change| (Lint::Changed, change.to_string(), change.remedy().to_owned())));
    let usual_suite = matches!(format, ExportFormat::Pskc { for_privacyidea: false });
    if usual_suite && target.bare_suite_only && parameters.hash != Hash::Sha1 {
        found.push((
            Lint::Changed,
            format!("{} takes {} in its usual spelling for SHA-1", target.label, parameters.hash),
            "say --for-privacyidea, which spells it so that it is understood".to_owned(),
        ));
    }
    found
}

fn refused(lines: &[ExportLine], all: usize, names: &[&str]) -> Failure {
    let mut details: Vec<String> = lines.iter().take(TOLD).map(ExportLine::words).collect();
    if lines.len() > TOLD {
        details.push(format!("and {} more", lines.len() - TOLD));
    }
    let mut places: Vec<&str> = lines.iter().map(|line| line.place.as_str()).collect();
    places.dedup();
    Failure {
        kind: FailureKind::No,
        message: format!(
            "{} of {all} lines would not come through at the server; nothing was written",
            places.len()
        ),
        remedy: format!(
            "leave them out with --good-lines-only, or name the target to write them all the same: --despite {}",
            names.join(" ")
        ),
        details,
    }
}
