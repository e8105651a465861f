//! What a login server or an auditor is owed.

use super::super::{core::Core, failure::failure, views};
use crate::{
    domain::Proof,
    face::{ExportFormat, Exported, Failure, FailureKind, Reply, SecretBytes},
    formats::{entra, report},
    store::MappingRecord,
};

/// Writes the tokens of `batch` (of all batches, where there is none) in `format`.
pub fn export(
    core: &Core,
    format: ExportFormat,
    batch: Option<&str>,
    unproven: bool,
    who: &str,
) -> Result<Reply, Failure> {
    if let Some(name) = batch {
        core.store.batch_by_name(name)?.ok_or_else(|| super::batch::no_batch(name))?;
    }
    let mappings = core.store.burned_mappings(batch)?;
    let (content, tokens, left_out) = match format {
        ExportFormat::EntraCsv { old_interval_column } => {
            entra_csv(core, &mappings, unproven, old_interval_column)?
        }
        ExportFormat::Report => report_csv(core, batch, &mappings)?,
    };
    let detail = serde_json::json!({
        "format": format, "batch": batch, "tokens": tokens, "left_out": left_out.len(), "unproven": unproven,
    });
    let head = core.store.audit_append("exported", None, &detail, &core.stamp(who))?;
    Ok(Reply::Exported(Exported { content, tokens, left_out, anchor: views::audit_head(&head) }))
}

type Written = (SecretBytes, u32, Vec<String>);
