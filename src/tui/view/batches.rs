//! Batches above (or at the left of) the jobs of the selected one.

use super::{
    paint::{first_line, put, put_right, rule, select, wrap},
    station::{batch_line, job_line},
};
use crate::{
    face::BatchDetail,
    tui::{
        look::{FRAME, PLAIN, STRONG},
        model::Model,
        spots::{Pane, Spot, Spots},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the view.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let all = &model.station.batches;
    let shown = model.batches.shown(all);
    let filter = model.batches.filter.text();
    if shown.is_empty() {
        let text = if filter.is_empty() {
            "no batch yet: press i to import a seed file, n to make one with random seeds".to_owned()
        } else {
            format!("no batch's name holds \"{filter}\" (Esc shows all)")
        };
        put(buf, area, area.x + 1, area.y, &text, PLAIN);
        return;
    }
    let current = model.batches.current(all).map(|batch| batch.name.as_str());
    let count = u16::try_from(shown.len()).unwrap_or(u16::MAX);
    let rows = count.min(area.height / 3).max(1);
    let place = shown.iter().position(|batch| Some(batch.name.as_str()) == current).unwrap_or(0);
    let first = first_line(place as u64, shown.len() as u64, rows);
    let list = Rect { height: rows, ..area };
    let skip = usize::try_from(first).unwrap_or(0);
    for (y, (n, batch)) in (list.y..list.bottom()).zip(shown.iter().enumerate().skip(skip)) {
        let text = Rect { x: list.x + 1, width: list.width.saturating_sub(1), ..list };
        batch_line(batch, text, y, buf);
        spots.line(list, y, Spot::Batch(batch.name.clone()));
        if n == place {
            put(buf, list, list.x, y, "▸", STRONG);
            if !model.batches.in_jobs {
                select(buf, text, y);
            }
        }
    }
    let Some(name) = current else { return };
    let rest = Rect { y: list.bottom(), height: area.height.saturating_sub(rows), ..area };
    if rest.height < 2 {
        return;
    }
    let which = model.batches.of.state.map_or_else(|| "all jobs".to_owned(), |state| format!("{state} jobs"));
    spots.note(rest, Spot::Pane(Pane::Jobs));
    rule(buf, rest, rest.y, &format!("{which} of {name} (f: others)"));
    let total = model.batches.jobs.total;
    put_right(
        buf,
        Rect { width: rest.width.saturating_sub(1), ..rest },
        rest.y,
        &format!(" {total} "),
        PLAIN,
    );
    let mut y = rest.y + 1;
    if let Some(detail) = model.batches.detail.as_ref().filter(|detail| detail.batch.name == name) {
        for line in wrap(&about(detail), rest.width.saturating_sub(2)) {
            put(buf, rest, rest.x + 1, y, &line, FRAME);
            y += 1;
        }
    }
    jobs(model, Rect { y, height: rest.bottom().saturating_sub(y), ..rest }, buf, spots);
}

/// What a batch does and allows, in one line.
fn about(detail: &BatchDetail) -> String {
    use crate::domain::OnFound;
    let found = |on: OnFound| match on {
        OnFound::Refuse => "refused",
        OnFound::Ask => "asked about",
        OnFound::Replace => "written over",
    };
    if let Some(sweep) = &detail.batch.sweep {
        return format!("sets the clocks of {}", sweep.of_whom());
    }
    let mut parts = Vec::new();
    parts.extend(detail.source.as_ref().map(|source| format!("from {}", source.name)));
    parts.extend(detail.recipe.as_ref().map(|recipe| format!("recipe {recipe}")));
    parts.extend(detail.login_target.as_ref().map(|target| format!("for {target}")));
    parts.extend(detail.key.as_ref().map(|key| format!("key {key}")));
    parts.push(format!("factory tokens {}", found(detail.policy.factory)));
    parts.push(format!("foreign ones {}", found(detail.policy.foreign)));
    let seen = detail.policy.seen;
    let every = if seen.every > 0 { format!(", every {}th", seen.every) } else { String::new() };
    parts.push(format!("eyes on the first {}{every}", seen.first));
    parts.join(" · ")
}

fn jobs(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let list = &model.batches.jobs;
    if list.total == 0 {
        put(buf, area, area.x + 1, area.y, "none", PLAIN);
        return;
    }
    let first = first_line(list.selected, list.total, area.height);
    for (y, place) in (area.y..area.bottom()).zip(first..list.total) {
        let text = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
        spots.line(area, y, Spot::Job(place));
        match list.at(place) {
            Some(job) => job_line(job, text, y, buf),
            None => {
                put(buf, text, text.x, y, "…", FRAME);
            }
        }
        if model.batches.in_jobs && place == list.selected {
            select(buf, text, y);
            put(buf, area, area.x, y, "▸", STRONG);
        }
    }
}
