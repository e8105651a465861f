//! The report as text, 80 columns where what it tells has bounds.

use super::{profiles, proof, sum_lines, verdict};
use crate::cli::table::{Table, or_dash, plain};
use crate::face::BatchReport;
use std::io::{self, Write};

pub(super) fn write(report: &BatchReport, out: &mut dyn Write) -> io::Result<()> {
    let detail = &report.batch;
    let batch = &detail.batch;
    writeln!(out, "Report of batch {}", plain(&batch.name))?;
    writeln!(out, "written {} by kiln {}", report.at.floor_second(), report.version)?;
    writeln!(out, "station's clock {}", report.clock)?;
    writeln!(out, "audit anchor {} {}", report.anchor.entries, report.anchor.hash)?;
    writeln!(out)?;
    let said = |text: &Option<String>| plain(text.as_deref().unwrap_or("-")).into_owned();
    writeln!(out, "state      {}", batch.state)?;
    writeln!(out, "made       {}", batch.created.floor_second())?;
    if let Some(source) = &detail.source {
        writeln!(out, "file       {}", plain(&source.name))?;
        writeln!(out, "sha256     {}", source.sha256)?;
    }
    writeln!(out, "recipe     {}", said(&detail.recipe))?;
    writeln!(out, "target     {}", said(&detail.login_target))?;
    let seen = detail.policy.seen;
    writeln!(out, "to be seen the first {}, then every {}th", seen.first, seen.every)?;
    writeln!(out)?;
    for line in sum_lines(&report.sums) {
        let name = format!("{}{}", "  ".repeat(line.depth), line.name);
        let note = if line.note.is_empty() { String::new() } else { format!("   {}", line.note) };
        writeln!(out, "{name:<36}{:>7}{note}", line.number)?;
    }
    writeln!(out, "{}", plain(&verdict(&report.sums)))?;
    writeln!(out, "{} still to be seen by a person", report.sums.to_be_seen)?;
    writeln!(out, "{} activated at their server", report.sums.activated)?;

    writeln!(out, "\nTokens")?;
    let mut jobs = Table::new(&[">NO", "STATE", "SERIAL", "PROOF", "WHEN", "USER", "CLOCK", "PROFILES"]);
    for job in &report.jobs {
        let drift = job.drift.map(|drift| format!(" ({drift})")).unwrap_or_default();
        let clock = job.clock.map(|clock| format!("{clock}{drift}")).unwrap_or_default();
        let mut what = profiles(job).join(", ");
        if let Some(reason) = &job.reason {
            what = if what.is_empty() { reason.clone() } else { format!("{what}; {reason}") };
        }
        jobs.row([
            job.position.to_string(),
            job.state.to_string(),
            or_dash(job.serial.as_ref()),
            proof(job),
            job.moved.floor_second().to_string(),
            or_dash(job.user.as_ref()),
            clock,
            what,
        ]);
    }
    jobs.write(out)?;

    if !report.activations.is_empty() {
        writeln!(out, "\nActivated (a computed code proves nothing about the token in hand)")?;
        let mut table = Table::new(&["SERIAL", "WHEN", "CODE", "WHO"]);
        for one in &report.activations {
            let row = [one.serial.to_string(), one.at.floor_second().to_string(), one.proof.to_string()];
            let [serial, at, proof] = row;
            table.row([serial, at, proof, one.who.clone()]);
        }
        table.write(out)?;
    }
    writeln!(out, "\nWho did what")?;
    let mut log = Table::new(&[">ENTRY", "WHEN", "WHO", "WHAT", "CLOCK", "HASH"]);
    for entry in &report.log {
        log.row([
            entry.seq.to_string(),
            entry.at.floor_second().to_string(),
            entry.who.clone(),
            entry.what.clone(),
            entry.clock.clone(),
            entry.hash.chars().take(16).collect(),
        ]);
    }
    log.write(out)
}
