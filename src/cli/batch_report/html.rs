//! The report as a page to print: one file, no script, nothing loaded from anywhere. Words carry what colours might.

use super::{profiles, proof, sum_lines, verdict};
use crate::cli::table::plain;
use crate::face::BatchReport;
use std::fmt::{Display, Write as _};

const STYLE: &str = "\
@page { size: A4 landscape; margin: 12mm }
body { font: 10pt/1.4 \"Liberation Sans\", \"DejaVu Sans\", Arial, sans-serif; color: #111; background: #fff; \
max-width: 1100px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 18pt; margin: 0 0 .2em }
h2 { font-size: 13pt; margin: 1.6em 0 .4em; break-after: avoid }
p { margin: .2em 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1.2em; margin: .8em 0 }
dt { color: #555 }
dd { margin: 0; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .25em .6em .25em 0; border-bottom: .5pt solid #bbb }
th { border-bottom: 1pt solid #111; font-weight: bold }
thead { display: table-header-group }
tr { break-inside: avoid }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.mono { font-family: \"Liberation Mono\", \"DejaVu Sans Mono\", monospace; font-size: 9pt; overflow-wrap: anywhere }
.sums { width: auto; min-width: 26em }
.sums .d1 td:first-child { padding-left: 1.4em }
.sums .d2 td:first-child { padding-left: 2.8em; color: #444 }
.sums .d0 td { font-weight: bold }
.verdict { margin: .7em 0; padding: .4em .8em; border-left: 3pt solid #111; font-weight: bold }
.wrong { border: 2pt solid #111 }
@media print { body { margin: 0; max-width: none; padding: 0 } }
";

/// Text that a page shows as it is.
struct Shown<T>(T);

impl<T: Display> Display for Shown<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        for c in plain(&text).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The whole page.
pub(super) fn write(report: &BatchReport) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = page_of(report, &mut page);
    page
}

fn page_of(report: &BatchReport, page: &mut String) -> std::fmt::Result {
    let detail = &report.batch;
    let batch = &detail.batch;
    let name = Shown(&batch.name);
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>Batch {name}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>Report of batch {name}</h1>\n\
         <p>Written {} by kiln {}. The station&#39;s clock: {}.</p>\n\
         <p>Audit anchor: entry {}, <span class=\"mono\">{}</span></p>\n",
        report.at.floor_second(),
        Shown(&report.version),
        Shown(report.clock),
        report.anchor.entries,
        Shown(&report.anchor.hash)
    )?;
    page.push_str("<dl>\n");
    let seen = detail.policy.seen;
    let seen = format!("the first {}, then every {}th", seen.first, seen.every);
    let file = detail.source.as_ref().map(|source| source.name.clone());
    let sha256 = detail.source.as_ref().map(|source| source.sha256.clone());
    for (term, text) in [
        ("State", Some(batch.state.clone())),
        ("Made", Some(batch.created.floor_second().to_string())),
        ("File", file),
        ("SHA-256 of the file", sha256),
        ("Recipe", detail.recipe.clone()),
        ("Login target", detail.login_target.clone()),
        ("To be seen by a person", Some(seen)),
    ] {
        if let Some(text) = text {
            writeln!(page, "<dt>{term}</dt><dd>{}</dd>", Shown(text))?;
        }
    }
    page.push_str("</dl>\n<h2>Do the numbers add up?</h2>\n<table class=\"sums\">\n");
    for line in sum_lines(&report.sums) {
        writeln!(
            page,
            "<tr class=\"d{}\"><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            line.depth,
            Shown(line.name),
            line.number,
            Shown(line.note)
        )?;
    }
    let wrong = if report.sums.wrong.is_empty() { "" } else { " wrong" };
    writeln!(page, "</table>\n<p class=\"verdict{wrong}\">{}</p>", Shown(verdict(&report.sums)))?;
    writeln!(
        page,
        "<p>{} still to be seen by a person; {} activated at their server.</p>",
        report.sums.to_be_seen, report.sums.activated
    )?;
    jobs(report, page)?;
    activations(report, page)?;
    log(report, page)?;
    page.push_str("</body>\n</html>\n");
    Ok(())
}

fn head(page: &mut String, title: &str, columns: &[&str]) {
    page.push_str("<h2>");
    page.push_str(title);
    page.push_str("</h2>\n<table>\n<thead><tr>");
    for column in columns {
        page.push_str("<th>");
        page.push_str(column);
        page.push_str("</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
}

fn jobs(report: &BatchReport, page: &mut String) -> std::fmt::Result {
    head(page, "Tokens", &["No", "State", "Serial", "User", "Proof", "When", "Profiles", "Clocks"]);
    for job in &report.jobs {
        let serial = job.serial.as_ref().map(ToString::to_string).unwrap_or_default();
        let state = match &job.reason {
            Some(reason) => format!("{}: {reason}", job.state),
            None => job.state.to_string(),
        };
        write!(
            page,
            "<tr><td class=\"n\">{}</td><td>{}</td><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>",
            job.position,
            Shown(state),
            Shown(serial),
            Shown(job.user.as_deref().unwrap_or("")),
            Shown(proof(job)),
            job.moved.floor_second(),
        )?;
        for (at, profile) in profiles(job).into_iter().enumerate() {
            write!(page, "{}{}", if at == 0 { "" } else { "<br/>" }, Shown(profile))?;
        }
        page.push_str("</td><td>");
        if let Some(clock) = job.clock {
            write!(page, "{}", Shown(clock))?;
        }
        if let Some(drift) = job.drift {
            write!(page, "<br/>token {}", Shown(drift))?;
        }
        page.push_str("</td></tr>\n");
    }
    page.push_str("</tbody>\n</table>\n");
    Ok(())
}

fn activations(report: &BatchReport, page: &mut String) -> std::fmt::Result {
    if report.activations.is_empty() {
        return Ok(());
    }
    head(page, "Activated at their server", &["Serial", "When", "Code", "Who"]);
    for one in &report.activations {
        writeln!(
            page,
            "<tr><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            Shown(&one.serial),
            one.at.floor_second(),
            one.proof,
            Shown(&one.who)
        )?;
    }
    page.push_str(
        "</tbody>\n</table>\n<p>A code that the station computed proves nothing about the token in hand.</p>\n",
    );
    Ok(())
}

fn log(report: &BatchReport, page: &mut String) -> std::fmt::Result {
    head(page, "Who did what", &["Entry", "When", "Who", "What", "Station&#39;s clock", "Hash"]);
    for entry in &report.log {
        writeln!(
            page,
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"mono\">{}</td></tr>",
            entry.seq,
            entry.at.floor_second(),
            Shown(&entry.who),
            Shown(&entry.what),
            Shown(&entry.clock),
            Shown(entry.hash.chars().take(16).collect::<String>())
        )?;
    }
    page.push_str("</tbody>\n</table>\n");
    Ok(())
}
