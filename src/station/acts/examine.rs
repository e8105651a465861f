//! What the diagnose panel asks: the explanations of what was seen so far, and the first digits of what the token shows
//! about now under each of them. Those come from seeds, so each time is on record with who asked.

use super::{
    super::{
        core::Core,
        failure::{failure, told},
        views,
    },
    diagnose::{codes, symptom},
    opened::Opened,
};
use crate::{
    diagnose::{self, DiagnoseError, Diagnosis, Evidence, Read, Windows, shows},
    domain::{Clock, Profile, Serial},
    face::{Examined, Failure, FailureKind, Lead, Reply, SeenCode, ShownRow},
};

/// Explains what was seen, and tells what rivals would show.
pub fn examine(
    core: &Core,
    serial: &Serial,
    profile: Profile,
    seen: &[SeenCode],
    shows: Option<&str>,
    who: &str,
) -> Result<Reply, Failure> {
    let opened = Opened::new(core, serial, profile)?;
    let known = opened.known(core)?;
    let nothing = |error: DiagnoseError| told(FailureKind::No, &error);
    let recorded = known.current().ok_or(DiagnoseError::NothingOnRecord).map_err(nothing)?.parameters;
    let (found, rivals): (Option<Diagnosis>, _) = match (shows, seen) {
        (Some(word), _) => (Some(diagnose::symptom(&known, symptom(word)?).map_err(nothing)?), Vec::new()),
        (None, []) => (None, Vec::new()),
        (None, seen) => {
            let texts: Vec<String> = seen.iter().map(|seen| seen.code.clone()).collect();
            let read = Read::Typed(seen.iter().map(|seen| seen.at).collect());
            let evidence = Evidence::new(codes(&texts)?, read).map_err(|e| told(FailureKind::Usage, &e))?;
            let mut others = opened.others(core)?;
            let (diagnosis, rivals) =
                diagnose::explain(&known, &evidence, Windows::default(), &mut others).map_err(nothing)?;
            (Some(diagnosis), rivals)
        }
    };
    let at = core.clock.now();
    let table = shows::table(shows::Shows::recorded(&known), rivals, at.floor_second());
    let causes = found.as_ref().and_then(|found| found.findings.first()).map(|first| first.causes.clone());
    let detail = serde_json::json!({
        "profile": profile, "codes": seen.len(), "shows": shows, "causes": causes,
        "displays": table.rows.len(), "digits_of_each": table.rows.first().map(|row| row.leads[0].len()),
    });
    // Before anything is told.
    core.store.audit_append("displays told", Some(serial), detail, &core.stamp(who))?;
    let report = found.as_ref().map(Diagnosis::report);
    let diagnosis = found.map(serde_json::to_value).transpose().map_err(|error| {
        failure(
            FailureKind::Environment,
            format!("the answer can't be written: {error}"),
            "report this as a fault of kiln",
        )
    })?;
    let reading = core.store.last_reading(serial)?.as_ref().map(views::reading);
    let row = |row: shows::Row| ShownRow {
        recorded: row.recorded,
        findings: row.findings,
        digits: row.digits,
        period: row.period,
        since: row.since,
        leads: row.leads.iter().map(|lead| Lead::of(lead)).collect(),
    };
    Ok(Reply::Examined(Box::new(Examined {
        at,
        recorded,
        reading,
        diagnosis,
        report,
        rows: table.rows.into_iter().map(row).collect(),
        until: table.until,
    })))
}
