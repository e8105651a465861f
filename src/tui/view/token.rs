//! All about one token: what its profiles hold and held, its clock as a plot, its jobs.

use super::{
    boxes::{Styled, room, wrapped},
    plot,
};
use crate::{
    face::TokenView,
    tui::look::{BAD, FRAME, PLAIN, STRONG},
};
use ratatui::layout::Rect;

/// How high the plot of its clock is, with axis and days.
const PLOT_ROWS: u16 = 9;
/// So many of its readings are told in figures.
const LAST_READINGS: usize = 4;

/// All of it.
pub fn lines(token: &TokenView, area: Rect) -> Vec<Styled> {
    let drawn = plot::Plot { readings: &token.readings, clock: token.clock.as_deref(), now: None };
    let plot = plot::lines(&drawn, room(area), PLOT_ROWS);
    all(token, area, plot.into_iter().map(|line| (line, PLAIN)).collect())
}

/// The same without the plot, which can't be read aloud.
pub fn facts(token: &TokenView, area: Rect) -> Vec<Styled> {
    all(token, area, Vec::new())
}

fn all(token: &TokenView, area: Rect, plot: Vec<Styled>) -> Vec<Styled> {
    let mut lines = about(token, area);
    if !token.readings.is_empty() {
        heading(&mut lines, "its clock against the station's");
        lines.extend(plot);
        lines.extend(readings(token));
    }
    jobs(token, area, &mut lines);
    lines
}

fn heading(lines: &mut Vec<Styled>, text: &str) {
    lines.push((String::new(), PLAIN));
    lines.push((text.to_owned(), STRONG));
}

fn about(token: &TokenView, area: Rect) -> Vec<Styled> {
    let line = &token.line;
    let mut lines = vec![(format!("model    {}", line.model.as_deref().unwrap_or("not known")), PLAIN)];
    lines.extend(line.batch.as_ref().map(|batch| (format!("batch    {batch}"), PLAIN)));
    lines.extend(line.last_seen.map(|at| (format!("seen     {}", at.floor_second()), PLAIN)));
    lines.extend(token.clock_set.map(|at| (format!("clock    set {}", at.floor_second()), PLAIN)));
    lines.extend(line.upn.as_ref().map(|upn| (format!("user     {upn}"), PLAIN)));
    lines.extend(line.scrapped.map(|at| (format!("SCRAPPED {at}"), BAD)));
    heading(&mut lines, "what its profiles hold and held, newest first");
    for mapping in &token.mappings {
        let until = match (&mapping.to, &mapping.ended_by) {
            (Some(to), by) => {
                let by = by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
                format!("until {}{by}", to.floor_second())
            }
            (None, _) => "now".to_owned(),
        };
        let proof = mapping.proof.map(|proof| format!(", proof: {proof}")).unwrap_or_default();
        let title = mapping.title.as_ref().map(|title| format!(" \"{title}\"")).unwrap_or_default();
        let text = format!(
            "{}{title}: {} {} digits, {} since {} {until}{proof}",
            mapping.profile,
            mapping.parameters.hash,
            mapping.parameters.digits,
            mapping.origin,
            mapping.from.floor_second(),
        );
        lines.extend(wrapped(&text, area, if mapping.to.is_none() { PLAIN } else { FRAME }));
    }
    lines
}

/// The last readings, in figures.
fn readings(token: &TokenView) -> impl Iterator<Item = Styled> {
    token.readings.iter().take(LAST_READINGS).map(|reading| {
        let sure = if reading.uncertainty_ms < 1000 {
            format!("within {} ms", reading.uncertainty_ms)
        } else {
            format!("within {} s", reading.uncertainty_ms.div_ceil(1000))
        };
        (format!("{}  {:>9}  {sure}", reading.at.floor_second(), reading.drift.to_string()), PLAIN)
    })
}

fn jobs(token: &TokenView, area: Rect, lines: &mut Vec<Styled>) {
    if token.jobs.is_empty() {
        return;
    }
    heading(lines, "its jobs, newest first");
    for job in &token.jobs {
        let reason = job.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        lines.extend(wrapped(&format!("#{} of {}: {}{reason}", job.job, job.batch, job.state), area, PLAIN));
    }
}
