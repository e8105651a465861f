//! The diagnose view: the next step on its first line, then the token, the explanations, and what the token shows under
//! each of them.

use super::{
    paint::{cells, first_line, fit, put, put_right, rule, select, wrap},
    timing,
};
use crate::{
    diagnose::{Cause, Diagnosis, Finding, Symptom},
    domain::UnixMillis,
    face::ShownRow,
    tui::{
        diagnose::{
            Found, How, Pane, Picked,
            act::on_readers,
            question::{Odds, odds, place, seconds_left},
            steps,
        },
        look::{BAD, FRAME, PLAIN, SELECTED, STRONG},
        model::Model,
        spots::{self, Spot, Spots},
    },
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// From this width on, the displays stand beside the explanations.
const WIDE: u16 = 130;
/// Columns of the displays there.
const DISPLAYS: u16 = 58;
/// Lines of explanations in a list, where there isn't room for more.
const LISTED: u16 = 5;

/// Draws the view.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    spots.note(area, Spot::Pane(spots::Pane::Lines));
    if area.height == 0 {
        return;
    }
    let x = put(buf, area, area.x, area.y, "▸ ", STRONG);
    put(buf, area, x, area.y, &steps::next(model), STRONG);
    let rest = below(area, 1);
    if let Some(presses) = &model.diagnose.timing {
        timing::draw(model, presses, rest, buf);
        return;
    }
    let rest = head(model, rest, buf);
    let view = &model.diagnose;
    if let Some(at) = view.choosing {
        choices(at, rest, buf, spots);
        return;
    }
    if let Some(problem) = &view.problem {
        let again = if view.answer().is_none() { "Enter asks once more, " } else { "" };
        rule(buf, rest, rest.y, &format!("that did not work ({again}Esc goes on)"));
        lines(below(rest, 1), buf, &[(&problem.message, BAD), (&format!("-> {}", problem.remedy), PLAIN)]);
        return;
    }
    match (&view.pane, &view.picked, &view.found) {
        (Pane::Owners(owners), ..) => {
            let texts = owners.as_ref().map(|owners| {
                let line = |found: &crate::diagnose::whose::Match| {
                    let clock = found
                        .offset
                        .map_or_else(String::new, |offset| format!(" · clock {:+} s", offset.seconds));
                    let profile = found.token.profile;
                    format!(
                        "{:5.1} %  {} profile {profile}{clock}",
                        found.posterior * 100.0,
                        found.token.serial
                    )
                };
                owners.matches.iter().map(line).collect::<Vec<_>>()
            });
            let heading = match owners {
                Some(owners) => format!("whose code it is, of {} seeds on record", owners.tokens),
                None => "whose code it is".into(),
            };
            let kept = owners.as_ref().map_or(0, |owners| owners.withheld);
            let none = if kept > 0 { kept_back(kept) } else { NOTHING_FOUND.to_owned() };
            list(&heading, texts, view.selected, &none, rest, buf, spots);
        }
        (Pane::Times(times), ..) => {
            let texts = times.as_ref().map(|times| {
                let line = |shown: &crate::diagnose::when::Shown| {
                    format!(
                        "{} to {}, give or take {} s",
                        moment(shown.from),
                        clock(shown.until),
                        shown.uncertainty_s
                    )
                };
                times.times.iter().map(line).collect::<Vec<_>>()
            });
            let heading = match times {
                Some(times) => {
                    format!("when it was shown, {} to {}", moment(times.since), moment(times.until))
                }
                None => "when it was shown".into(),
            };
            list(&heading, texts, view.selected, NOTHING_FOUND, rest, buf, spots);
        }
        (_, None, _) => tokens(model, rest, buf, spots),
        (_, Some(_), None) => {}
        (Pane::Searched, Some(_), Some(found)) => searched(found, view.selected, rest, buf, spots),
        (Pane::Findings, Some(_), Some(found)) => explained(model, found, rest, buf, spots),
    }
}

fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}

/// Lines of text, wrapped, as far as there is room; tells what is below them.
fn lines(area: Rect, buf: &mut Buffer, texts: &[(&str, Style)]) -> Rect {
    let mut y = area.y;
    for (text, style) in texts {
        for line in wrap(text, area.width.saturating_sub(2)) {
            put(buf, area, area.x + 1, y, &line, *style);
            y += 1;
        }
    }
    below(area, y - area.y)
}

/// The token and what was seen; tells what is below.
fn head(model: &Model, area: Rect, buf: &mut Buffer) -> Rect {
    let view = &model.diagnose;
    let mut texts = Vec::new();
    if let Some(picked) = &view.picked {
        texts.push(token_text(picked));
        texts.push(profile_text(picked));
        texts.push(clock_text(model, picked));
    }
    let seen: Vec<String> =
        view.seen.iter().rev().map(|seen| format!("{} at {}", seen.code, clock(seen.at))).collect();
    match view.shows {
        Some(shown) => texts.push(format!("shows    {}", words(shown))),
        None if !seen.is_empty() => texts.push(format!("typed    {}", seen.join(", before that "))),
        None => {}
    }
    for (y, text) in (area.y..area.bottom()).zip(&texts) {
        put(buf, area, area.x + 1, y, text, PLAIN);
    }
    below(area, u16::try_from(texts.len()).unwrap_or(u16::MAX))
}

fn token_text(picked: &Picked) -> String {
    let mut parts = vec![format!("token    {}", picked.serial)];
    if let Some(token) = &picked.token {
        parts.extend(token.line.model.clone());
        parts.extend(token.line.upn.clone());
        parts.extend(token.line.scrapped.map(|_| "SCRAPPED".to_owned()));
    }
    parts.join(" · ")
}

fn clock_text(model: &Model, picked: &Picked) -> String {
    let reading = model.diagnose.found.as_ref().and_then(|found| found.reading);
    let said = match (&picked.how, reading) {
        (How::Tapped(slot), Some(reading)) => {
            format!("{} just read on {slot}; reckoned with", reading.drift)
        }
        (_, Some(reading)) => {
            format!("{} when last read, {}; reckoned with", reading.drift, moment(reading.at.floor_second()))
        }
        (How::Tapped(slot), None) => format!("on {slot}"),
        (How::Chosen | How::Verified, None) => {
            "never read: put the token on a reader, then it is known".to_owned()
        }
    };
    format!("clock    {said}")
}

fn profile_text(picked: &Picked) -> String {
    let held = picked.held();
    let Some(mapping) = held.iter().find(|mapping| mapping.profile == picked.profile) else {
        let none = if picked.token.is_some() { ": no seed on record there" } else { "" };
        return format!("profile  {}{none}", picked.profile);
    };
    let several = if held.len() > 1 { format!(" of {} (p: the next)", held.len()) } else { String::new() };
    let title = mapping.title.as_ref().map(|title| format!(" \"{title}\"")).unwrap_or_default();
    format!("profile  {}{several}{title} · on record: {}", picked.profile, mapping.parameters)
}

fn words(shown: Symptom) -> &'static str {
    match shown {
        Symptom::Dashes => "dashes instead of a code",
        Symptom::Blank => "nothing at all",
        Symptom::Error => "an error",
        Symptom::Frozen => "a code that never changes",
    }
}

fn choices(selected: usize, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    rule(buf, area, area.y, "what the display shows instead of a code");
    let rows = below(area, 1);
    for (y, (n, shown)) in (rows.y..rows.bottom()).zip(Symptom::ALL.into_iter().enumerate()) {
        let (mark, style) = if n == selected { ("▸", SELECTED) } else { (" ", PLAIN) };
        spots.line(rows, y, Spot::Line(n as u64));
        put(buf, rows, rows.x + 1, y, &format!("{mark} {}", words(shown)), style);
    }
}

/// A list of lines under a heading; `None` while it is asked for.
fn list(
    heading: &str,
    texts: Option<Vec<String>>,
    selected: usize,
    none: &str,
    area: Rect,
    buf: &mut Buffer,
    spots: &mut Spots,
) {
    rule(buf, area, area.y, heading);
    let rows = below(area, 1);
    let Some(texts) = texts else {
        put(buf, rows, rows.x + 1, rows.y, "searching", PLAIN);
        return;
    };
    if texts.is_empty() {
        put(buf, rows, rows.x + 1, rows.y, none, PLAIN);
    }
    let first = first_line(selected as u64, texts.len() as u64, rows.height);
    let first = usize::try_from(first).unwrap_or(0);
    for (y, (n, text)) in (rows.y..rows.bottom()).zip(texts.iter().enumerate().skip(first)) {
        spots.line(rows, y, Spot::Line(n as u64));
        put(buf, rows, rows.x + 1, y, &format!("{} {text}", if n == selected { "▸" } else { " " }), PLAIN);
        if n == selected {
            select(buf, rows, y);
        }
    }
}

/// Tokens to pick from: those on readers, then the inventory.
fn tokens(model: &Model, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let view = &model.diagnose;
    let filter = view.filter.text();
    let heading = match filter {
        "" => "choose the token (Enter), or / to search".to_owned(),
        filter => format!("tokens that hold \"{filter}\" (Enter takes one)"),
    };
    rule(buf, area, area.y, &heading);
    let total = format!(" {} ", view.list.total);
    put_right(buf, Rect { width: area.width.saturating_sub(1), ..area }, area.y, &total, PLAIN);
    let rows = below(area, 1);
    let readers = on_readers(model);
    let count = readers.len() as u64 + view.list.total;
    if count == 0 {
        let text = if filter.is_empty() { "no token is on record yet" } else { "none (Esc shows all)" };
        put(buf, rows, rows.x + 1, rows.y, text, PLAIN);
    }
    let first = first_line(view.pick, count, rows.height);
    for (y, at) in (rows.y..rows.bottom()).zip(first..count) {
        let mark = if at == view.pick { "▸" } else { " " };
        spots.line(rows, y, Spot::Line(at));
        let reader = usize::try_from(at).ok().and_then(|at| readers.get(at));
        let (serial, text) = match reader {
            Some(slot) => {
                let serial = slot.serial.as_ref().map(ToString::to_string).unwrap_or_default();
                (serial, format!("on {} now", slot.slot))
            }
            None => match view.list.at(at - readers.len() as u64) {
                Some(token) => {
                    let model = token.model.as_deref().unwrap_or("-");
                    (token.serial.to_string(), format!("{model:<12} {}", token.upn.as_deref().unwrap_or("-")))
                }
                None => (String::new(), String::new()),
            },
        };
        put(buf, rows, rows.x + 1, y, &format!("{mark} {serial:<16} {text}"), PLAIN);
        if at == view.pick {
            select(buf, rows, y);
        }
    }
}

/// All that was searched, and how wide.
fn searched(found: &Found, selected: usize, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let Some(diagnosis) = &found.diagnosis else { return };
    let line =
        |searched: &crate::diagnose::Searched| format!("{:>10}  {}", searched.candidates, searched.what);
    let texts = diagnosis.searched.iter().map(line).collect();
    list(
        "candidates that were checked, in this order (c: the explanations)",
        Some(texts),
        selected,
        NOTHING_FOUND,
        area,
        buf,
        spots,
    );
}

/// The explanations and the displays, below or beside each other.
fn explained(model: &Model, found: &Found, area: Rect, buf: &mut Buffer, spots: &mut Spots) {
    let rows = u16::try_from(found.rows.len()).unwrap_or(u16::MAX);
    let high = if found.rows.is_empty() { 0 } else { rows.saturating_add(1).min(area.height / 2) };
    let (above, under) = if area.width >= WIDE {
        let left = Rect { width: area.width - DISPLAYS - 1, ..area };
        (left, Rect { x: left.right() + 1, width: DISPLAYS, ..area })
    } else {
        let left = Rect { height: area.height - high, ..area };
        (left, Rect { y: left.bottom(), height: high, ..area })
    };
    let odds = found.diagnosis.as_ref().map(|diagnosis| odds(diagnosis, &found.answers));
    if let (Some(diagnosis), Some(odds)) = (&found.diagnosis, &odds) {
        findings(model, diagnosis, odds, above, buf, spots);
    } else if above.height > 1 {
        rule(buf, above, above.y, "explanations");
        put(buf, above, above.x + 1, above.y + 1, "none yet: no code was typed", PLAIN);
    }
    if high > 0 {
        displays(model.now, found, odds.as_ref(), under, buf);
    }
}

fn findings(
    model: &Model,
    diagnosis: &Diagnosis,
    odds: &Odds,
    area: Rect,
    buf: &mut Buffer,
    spots: &mut Spots,
) {
    let tried: u64 = diagnosis.searched.iter().fold(0, |sum, stage| sum.saturating_add(stage.candidates));
    rule(buf, area, area.y, &format!("explanations, of {tried} candidates checked (c)"));
    let area = below(area, 1);
    let mut ranks = steps::ranked(odds);
    // What was ruled out stays in sight at the end.
    ranks.extend((0..odds.findings.len()).filter(|n| odds.findings[*n] <= 0.0));
    let selected = model.diagnose.selected.min(ranks.len().saturating_sub(1));
    let Some(chosen) = ranks.get(selected).map(|n| (*n, &diagnosis.findings[*n])) else {
        let kept = diagnosis.withheld;
        let text = if kept > 0 { kept_back(kept) } else { "nothing explains this".to_owned() };
        let why = diagnosis.why_ask.as_deref().unwrap_or_default();
        lines(area, buf, &[(&text, STRONG), (why, PLAIN)]);
        return;
    };
    let shown = LISTED.min(area.height / 2).max(area.height / 3).max(1);
    let first = first_line(selected as u64, ranks.len() as u64, shown);
    let first = usize::try_from(first).unwrap_or(0);
    let list = Rect { height: shown.min(area.height), ..area };
    let mut used = 0;
    for (y, (at, n)) in (list.y..list.bottom()).zip(ranks.iter().enumerate().skip(first)) {
        let finding = &diagnosis.findings[*n];
        spots.line(list, y, Spot::Line(at as u64));
        let mark = if at == selected { "▸" } else { " " };
        let odds = if odds.findings[*n] > 0.0 { percent(odds.findings[*n]) } else { "ruled out".into() };
        let number = (n + 1).to_string();
        let texts = [mark, &number, &odds, &finding.what];
        let widths = [1, 2, 9, 0];
        let line: Vec<(&str, u16, Style)> =
            texts.into_iter().zip(widths).map(|(text, width)| (text, width, PLAIN)).collect();
        cells(buf, Rect { x: list.x + 1, width: list.width.saturating_sub(1), ..list }, y, &line);
        if at == selected && ranks.len() > 1 {
            select(buf, list, y);
        }
        used += 1;
    }
    details(model, diagnosis, odds, chosen, below(area, used), buf);
}

/// What an empty list says.
const NOTHING_FOUND: &str = "nothing was found";

/// What those who only look on are not told yet.
fn kept_back(count: usize) -> String {
    match count {
        1 => "1 that fits is told once the next code confirms it".to_owned(),
        several => format!("{several} that fit are told once the next code confirms one of them"),
    }
}

/// What there is to say about one explanation: the remedy first, since there may be room for little more.
fn details(
    model: &Model,
    diagnosis: &Diagnosis,
    odds: &Odds,
    (n, finding): (usize, &Finding),
    area: Rect,
    buf: &mut Buffer,
) {
    let sure = steps::is_sure(diagnosis, odds, n);
    let told = if sure { "do" } else { "if so" };
    let mut texts = vec![(
        format!("{told}: {}", steps::here(&finding.remedy, model.role)),
        if sure { STRONG } else { PLAIN },
    )];
    let accidental = finding.accidental * odds.fewer;
    let chance = if accidental > 0.0 {
        format!("chance alone would find {} such; ", rounded(accidental))
    } else {
        String::new()
    };
    let none = percent(odds.none);
    texts.push((format!("how sure: {chance}none of these {none}"), PLAIN));
    if n == 0 && !diagnosis.also_affected.is_empty() {
        texts.push((format!("check these, too: {}", diagnosis.also_affected.join(", ")), PLAIN));
    }
    texts.extend(finding.tie_break.as_ref().map(|tie| (format!("or else: {tie}"), PLAIN)));
    texts.extend(diagnosis.why_ask.iter().filter(|_| !sure).map(|why| (format!("not sure: {why}"), PLAIN)));
    let texts: Vec<(&str, Style)> = texts.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    lines(area, buf, &texts);
}

/// What the token shows about now, before and after.
fn displays(now: UnixMillis, found: &Found, odds: Option<&Odds>, area: Rect, buf: &mut Buffer) {
    let label = area.width.saturating_sub(40).clamp(12, 36);
    let widths = [label, 8, 10, 8, 0];
    let end = rule(buf, area, area.y, "what it shows");
    let head = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
    let mut x = head.x;
    for (text, width) in ["", "before", " now", "after", "changes in"].into_iter().zip(widths) {
        if x >= end && !text.is_empty() {
            put(buf, head, x.saturating_sub(1), area.y, &format!(" {text} "), FRAME);
        }
        x = x.saturating_add(width + 1);
    }
    let rows = below(head, 1);
    for (y, row) in (rows.y..rows.bottom()).zip(&found.rows) {
        let at = place(row, now);
        let of = |at: Option<usize>| -> String {
            let lead = at.and_then(|at| row.leads.get(at));
            lead.map_or_else(|| "-".to_owned(), |lead| masked(lead.expose(), row.digits.get()))
        };
        let shown = format!("[{}]", of(Some(at)));
        let before = of(at.checked_sub(1));
        let after = of(at.checked_add(1));
        let left = seconds_left(row, now).map_or_else(|| "a press".to_owned(), |left| format!("{left} s"));
        let ruled_out = odds.is_some_and(|odds| {
            !row.findings.is_empty()
                && row.findings.iter().all(|n| odds.findings.get(*n).is_none_or(|o| *o <= 0.0))
        });
        let mut label_text = labelled(row, found.diagnosis.as_ref());
        if ruled_out {
            label_text = format!("ruled out: {label_text}");
        }
        let label_text = fit(&label_text, label);
        let texts = [label_text.as_str(), &before, &shown, &after, &left];
        let style = |n: usize| if n == 2 && !ruled_out { STRONG } else { PLAIN };
        let line: Vec<(&str, u16, Style)> = texts
            .into_iter()
            .zip(widths)
            .enumerate()
            .map(|(n, (text, width))| (text, width, style(n)))
            .collect();
        cells(buf, rows, y, &line);
    }
}

fn labelled(row: &ShownRow, diagnosis: Option<&Diagnosis>) -> String {
    let names = |n: &usize| {
        let causes =
            diagnosis.and_then(|diagnosis| diagnosis.findings.get(*n)).map(|finding| &finding.causes);
        let names: Vec<&str> =
            causes.iter().flat_map(|causes| causes.iter()).map(|cause| cause.name()).collect();
        format!("{} {}", n + 1, names.join("+"))
    };
    let only_ok = |n: &usize| {
        diagnosis.and_then(|d| d.findings.get(*n)).is_some_and(|finding| finding.causes == [Cause::Ok])
    };
    let mut parts: Vec<String> = row.recorded.then(|| "on record".to_owned()).into_iter().collect();
    parts.extend(row.findings.iter().filter(|n| !(row.recorded && only_ok(n))).map(names));
    parts.join(", ")
}

/// The first digits, and a mark for each that isn't told.
fn masked(lead: &str, digits: u8) -> String {
    let rest = usize::from(digits).saturating_sub(lead.len());
    format!("{lead}{}", "·".repeat(rest))
}

fn percent(odds: f64) -> String {
    match odds * 100.0 {
        p if p > 99.9 => "> 99.9 %".to_owned(),
        p if p < 0.1 => "< 0.1 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

fn rounded(count: f64) -> String {
    match count {
        n if n >= 0.1 => format!("{n:.1}"),
        n if n >= 0.0001 => format!("{n:.4}"),
        _ => "less than 0.0001".to_owned(),
    }
}

/// The time of day, in UTC.
pub fn clock(at: crate::domain::UnixTime) -> String {
    at.to_string()
        .split('T')
        .nth(1)
        .map_or_else(|| at.to_string(), |time| time.trim_end_matches('Z').to_owned())
}

/// Day and time, in UTC.
fn moment(at: crate::domain::UnixTime) -> String {
    at.to_string().replace('T', " ").trim_end_matches('Z').to_owned()
}
