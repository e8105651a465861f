//! What a login server, or whoever hands tokens out, is owed. Nothing is dropped in silence: a token that stays out is
//! named with its reason, and so is what of a token has no place in the format, and whatever its server would refuse or
//! take for something else.

mod choose;
mod lint;
mod without_seeds;

use self::choose::{Choice, Chosen};
use super::super::{core::Core, failure::failure, views};
use crate::{
    domain::{Seed, Serial, catalog::Catalog, seed_text::Encoding},
    face::{
        Clocked, DuoKind, ExportFormat, ExportOptions, Exported, Failure, FailureKind, Reply, SecretBytes,
    },
    formats::{
        DuoType,
        entra::SpellingOfInterval,
        out::{
            DeepnetKind, DualShieldCodes, OutRow, Output, SuiteSpelling,
            label::{Paper, Scan},
            qr_sheet,
        },
    },
    store::{BatchSummary, MappingRecord},
};
use std::collections::BTreeSet;

/// Writes what `options` ask for. It is on record before it is given away.
pub fn export(core: &Core, options: &ExportOptions, who: &str) -> Result<Reply, Failure> {
    let batch = options
        .batch
        .as_deref()
        .map(|name| core.store.batch_by_name(name)?.ok_or_else(|| super::batch::no_batch(name)))
        .transpose()?;
    let mappings = if options.inventory {
        core.store.delivered_mappings()?
    } else {
        core.store.burned_mappings(batch.as_ref().map(|batch| batch.id))?
    };
    let made = match &options.format {
        ExportFormat::Report => without_seeds::report(core, batch.as_ref(), &mappings)?,
        ExportFormat::Labels { qr, html } => {
            let scan = if *qr { Scan::Qr } else { Scan::Code128 };
            let paper = if *html { Paper::Html } else { Paper::Svg };
            without_seeds::labels(core, &mappings, options, scan, paper)
        }
        format => seeds(core, &output(format)?, options, &mappings)?,
    };
    if options.dry_run {
        let anchor = views::audit_head(&core.store.audit_head()?);
        return Ok(Reply::Exported(made.told(SecretBytes::new([]), anchor)));
    }
    // An empty report is an answer; a file without tokens is one that somebody uploads and wonders about.
    if made.tokens == 0 && options.format != ExportFormat::Report {
        return Err(nothing_to_write(options, &made.left_out));
    }
    let detail = serde_json::json!({
        "format": options.format,
        "batch": batch.as_ref().map(|batch| &batch.name),
        "tokens": made.tokens,
        "left_out": made.left_out.len(),
        "inventory": options.inventory,
        "unproven": options.unproven,
        "profile": options.profile,
        "target": made.login_target,
        "lint": made.lint.len(),
    });
    let head = core.store.audit_append("exported", None, detail, &core.stamp(who))?;
    let mut made = made;
    let content = std::mem::replace(&mut made.content, SecretBytes::new([]));
    Ok(Reply::Exported(made.told(content, views::audit_head(&head))))
}

fn nothing_to_write(options: &ExportOptions, left_out: &[String]) -> Failure {
    /// Reasons that are told; `--dry-run` tells all.
    const TOLD: usize = 3;
    let no = |message, remedy: &str| failure(FailureKind::No, message, remedy);
    if !left_out.is_empty() {
        let mut reasons = left_out.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
        if let Some(more @ 1..) = left_out.len().checked_sub(TOLD) {
            reasons.push_str(&format!("; and {more} more"));
        }
        return no(
            format!("no token would be in the file: {reasons}"),
            "do what is said of each; --dry-run lists them all",
        );
    }
    match &options.batch {
        _ if options.inventory => no(
            "no token on record was delivered with its seed".to_owned(),
            "leave --inventory out for what kiln burned, or import the vendor's file: kiln import FILE --inventory",
        ),
        Some(name) => no(
            format!("nothing of batch \"{name}\" is burned yet"),
            "burn it first; kiln batch show NAME tells how far it is",
        ),
        None => no(
            "nothing is burned yet".to_owned(),
            "burn a batch first (kiln batch list), or say --inventory for what tokens were delivered with",
        ),
    }
}

/// A file, and what there is to say about it.
struct Made {
    content: SecretBytes,
    tokens: u32,
    left_out: Vec<String>,
    cannot_carry: Vec<String>,
    login_target: Option<String>,
    lint: Vec<crate::face::ExportLine>,
}

impl Made {
    /// One that no server reads.
    fn for_people(content: Vec<u8>, tokens: usize, left_out: Vec<String>) -> Self {
        Self {
            content: SecretBytes::new(content),
            tokens: count(tokens),
            left_out,
            cannot_carry: Vec::new(),
            login_target: None,
            lint: Vec::new(),
        }
    }

    fn told(self, content: SecretBytes, anchor: crate::face::AuditHead) -> Exported {
        Exported {
            content,
            tokens: self.tokens,
            left_out: self.left_out,
            cannot_carry: self.cannot_carry,
            login_target: self.login_target,
            lint: self.lint,
            anchor,
        }
    }
}

/// The writer for `format`, which holds seeds.
fn output(format: &ExportFormat) -> Result<Output, Failure> {
    let kind = |kind: &Clocked| match kind {
        Clocked::Time => DeepnetKind::Time,
        Clocked::Counter => DeepnetKind::Counter,
    };
    Ok(match format {
        ExportFormat::EntraCsv { old_interval_column: true } => Output::EntraCsv(SpellingOfInterval::Older),
        ExportFormat::EntraCsv { old_interval_column: false } => {
            Output::EntraCsv(SpellingOfInterval::Current)
        }
        ExportFormat::GraphJson => Output::GraphJson,
        ExportFormat::DualShieldXml { kind: clocked, manufacturer_code, product_code } => {
            let codes = DualShieldCodes::default();
            let product = match (product_code, clocked) {
                (Some(code), _) => code.clone(),
                (None, Clocked::Time) => codes.product,
                // The codes of counter-based products are not published.
                (None, Clocked::Counter) => {
                    return Err(failure(
                        FailureKind::Usage,
                        "DualShield knows by the product code that tokens count, and that code is not public",
                        "say --product-code CODE; it stands in a file that your server has taken before",
                    ));
                }
            };
            let manufacturer = manufacturer_code.clone().unwrap_or(codes.manufacturer);
            Output::DualShieldXml(DualShieldCodes { manufacturer, product, kind: kind(clocked) })
        }
        ExportFormat::DeepnetCsv { kind: clocked, encoding } => {
            let usual = match clocked {
                // What Entra ID takes, for which this file is made.
                Clocked::Time => Encoding::Base32,
                Clocked::Counter => Encoding::Hex,
            };
            Output::DeepnetCsv { kind: kind(clocked), encoding: encoding.unwrap_or(usual) }
        }
        ExportFormat::Pskc { for_privacyidea: true } => Output::Pskc(SuiteSpelling::PrivacyIdea),
        ExportFormat::Pskc { for_privacyidea: false } => Output::Pskc(SuiteSpelling::Usual),
        ExportFormat::PrivacyideaCsv => Output::PrivacyIdeaCsv,
        ExportFormat::OktaCsv { encoding, factor_profile } => Output::OktaCsv {
            encoding: encoding.unwrap_or(Encoding::Base32),
            factor_profile: factor_profile.clone(),
        },
        ExportFormat::Duo { kind } => Output::Duo(match kind {
            DuoKind::Totp6 => DuoType::Totp6,
            DuoKind::Totp8 => DuoType::Totp8,
            DuoKind::Hotp6 => DuoType::Hotp6,
            DuoKind::Hotp8 => DuoType::Hotp8,
        }),
        ExportFormat::KeyUris => Output::KeyUriList,
        ExportFormat::QrSheet => Output::QrSheet,
        ExportFormat::QrCodes => Output::QrLines,
        ExportFormat::Labels { .. } | ExportFormat::Report => {
            return Err(failure(
                FailureKind::Usage,
                "this format holds no seeds",
                "report this as a fault of kiln",
            ));
        }
    })
}

/// The target whose own format this is.
fn own_target(format: &ExportFormat) -> Option<&'static str> {
    match format {
        ExportFormat::EntraCsv { .. } => Some("entra"),
        ExportFormat::GraphJson => Some("entra-graph"),
        ExportFormat::PrivacyideaCsv | ExportFormat::Pskc { for_privacyidea: true } => Some("privacyidea"),
        ExportFormat::OktaCsv { .. } => Some("okta"),
        ExportFormat::Duo { .. } => Some("duo"),
        ExportFormat::DualShieldXml { .. }
        | ExportFormat::DeepnetCsv { .. }
        | ExportFormat::Pskc { for_privacyidea: false }
        | ExportFormat::KeyUris
        | ExportFormat::QrSheet
        | ExportFormat::QrCodes
        | ExportFormat::Labels { .. }
        | ExportFormat::Report => None,
    }
}

fn seeds(
    core: &Core,
    output: &Output,
    options: &ExportOptions,
    mappings: &[MappingRecord],
) -> Result<Made, Failure> {
    let Choice { mut chosen, mut left_out } = choose::choose(core, output, options, mappings)?;
    let linted = lint::lint(core, output, options, &mut chosen, &mut left_out)?;
    if *output == Output::QrSheet && chosen.len() > qr_sheet::MOST {
        return Err(failure(
            FailureKind::Usage,
            format!("{} QR codes are more than one sheet has room for ({})", chosen.len(), qr_sheet::MOST),
            "export one batch after the other, or pictures of their own (--format qr-png)",
        ));
    }
    let rows: Vec<OutRow<'_>> = chosen.iter().map(|chosen| chosen.row(&core.catalog)).collect();
    let bytes = output.write(&rows).map_err(|error| {
        failure(FailureKind::No, error.to_string(), crate::remedy::Remedy::remedy(&error))
    })?;
    let tokens: BTreeSet<&Serial> = rows.iter().map(|row| row.serial).collect();
    Ok(Made {
        content: SecretBytes::new(&bytes[..]),
        tokens: count(tokens.len()),
        left_out,
        cannot_carry: choose::losses(output, &rows),
        login_target: linted.login_target,
        lint: linted.lines,
    })
}

/// A row of what `mapping` holds.
fn row<'a>(mapping: &'a MappingRecord, seed: &'a Seed, catalog: &'a Catalog) -> OutRow<'a> {
    let said = |column: &str| mapping.facts.more.get(column).map(String::as_str);
    OutRow {
        serial: &mapping.serial,
        profile: mapping.profile,
        title: mapping.title.as_deref(),
        seed,
        parameters: mapping.parameters,
        upn: mapping.facts.upn.as_deref(),
        issuer: said("issuer"),
        account: said("account"),
        manufacturer: said("manufacturer")
            .or_else(|| model(mapping, catalog).map(|model| model.maker.as_str()))
            .unwrap_or("unknown"),
        model: model_label(mapping, catalog),
    }
}

fn model<'a>(mapping: &MappingRecord, catalog: &'a Catalog) -> Option<&'a crate::domain::Model> {
    mapping.model.as_deref().and_then(|name| catalog.model(name))
}

/// The model as its file calls it, else as people do.
fn model_label<'a>(mapping: &'a MappingRecord, catalog: &'a Catalog) -> &'a str {
    let said = mapping.facts.more.get("model").map(String::as_str);
    said.or_else(|| model(mapping, catalog).map(|model| model.label.as_str())).unwrap_or("unknown")
}

impl Chosen<'_> {
    fn row<'a>(&'a self, catalog: &'a Catalog) -> OutRow<'a> {
        row(self.mapping, &self.seed, catalog)
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// All jobs of a batch, in its order.
pub(super) fn all_jobs(core: &Core, batch: &BatchSummary) -> Result<Vec<crate::store::JobRecord>, Failure> {
    use crate::store::{JobFilter, Page};
    /// Read at once.
    const AT_ONCE: u32 = 1000;
    let mut jobs = Vec::new();
    loop {
        let page = Page { offset: jobs.len() as u64, limit: AT_ONCE };
        let part = core.store.jobs(batch.id, &JobFilter::default(), page)?;
        if part.items.is_empty() {
            return Ok(jobs);
        }
        jobs.extend(part.items);
    }
}
