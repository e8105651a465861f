//! Slots and the live queue. Slots are cards where there is room for them, else rows; both say first what hands have
//! to do.

use super::paint::{cells, fit, frame, gauge, put, put_right, rule, select, sparkline, width, wrap};
use crate::{
    domain::JobState,
    face::{BatchView, Doing, JobView, ResyncView, SlotView},
    tui::{
        look::{self, BAD, FRAME, GOOD, PLAIN, STRONG},
        model::Model,
        pace::span,
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// A card needs so many columns to hold a serial, a model and a drift.
const CARD_COLUMNS: u16 = 33;
/// And so many rows with its frame, so that a sentence and its remedy have one each.
const CARD_ROWS: u16 = 6;
/// The most rows that a card is given.
const CARD_ROWS_MOST: u16 = 9;
/// The queue keeps so many rows whatever the slots want.
const QUEUE_ROWS: u16 = 4;

/// Draws the view.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let slots = &model.station.slots;
    if slots.is_empty() {
        let text = "no slot: plug in a reader; it shows here by itself";
        put(buf, area, area.x + 1, area.y, text, STRONG);
        queue(model, below(area, 2), buf);
        return;
    }
    let across = (area.width / CARD_COLUMNS).max(1);
    let count = u16::try_from(slots.len()).unwrap_or(u16::MAX);
    // Not more columns than make the rows even: eight slots are two rows of four, not five and three.
    let down = count.div_ceil(across);
    let across = count.div_ceil(down);
    // Cards where they leave a third of the room for the queue.
    let for_cards = area.height.saturating_sub(QUEUE_ROWS.max(area.height / 3));
    let used = if across > 1 && down.saturating_mul(CARD_ROWS) <= for_cards {
        let high = (for_cards / down).clamp(CARD_ROWS, CARD_ROWS_MOST);
        for (n, slot) in (0u16..).zip(slots) {
            let wide = area.width / across;
            let (column, line) = (n % across, n / across);
            let room = Rect { x: area.x + column * wide, y: area.y + line * high, width: wide, height: high };
            card(model, slot, room, usize::from(n) == model.slot_at(), buf);
        }
        down * high
    } else {
        rows(model, area, buf)
    };
    queue(model, below(area, used), buf);
}

fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height.saturating_sub(rows), ..area }
}

/// The glyph and the word.
fn hands(slot: &SlotView) -> String {
    format!(" {} {} ", slot.doing.glyph(), slot.doing.word().to_uppercase())
}

/// Whether the steps of a burn are worth showing.
fn burning(slot: &SlotView) -> Option<(u64, u64)> {
    let (done, of) = slot.progress?;
    (slot.job.is_some() && done < of).then_some((done.into(), of.into()))
}

fn card(model: &Model, slot: &SlotView, area: Rect, selected: bool, buf: &mut Buffer) {
    let style = if selected { STRONG } else { FRAME };
    // The mark says it where bold doesn't.
    let title = if selected { format!("▸ {}", slot.slot) } else { slot.slot.to_string() };
    let inside = frame(buf, area, &title, style);
    let x = put(buf, inside, inside.x, inside.y, &hands(slot), look::doing(slot.doing));
    match burning(slot) {
        Some((done, of)) => {
            let text =
                format!("{} {done}/{of}", gauge(done, of, (inside.right() - x).saturating_sub(8).min(16)));
            put_right(buf, inside, inside.y, &text, PLAIN);
        }
        None => {
            if let Some(drift) = slot.drift {
                put_right(buf, inside, inside.y, &format!("clock {drift}"), PLAIN);
            }
        }
    }
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    let token = match (&slot.serial, &slot.model) {
        (Some(serial), Some(model)) => format!("{serial}  {model}"),
        (Some(serial), None) => format!("{serial}  unknown model"),
        (None, model) => model.clone().unwrap_or_default(),
    };
    put(buf, text, text.x, inside.y + 1, &token, STRONG);
    let room = usize::from(inside.height.saturating_sub(2));
    let wants = |words: Option<&str>| words.map_or_else(Vec::new, |words| wrap(words, text.width));
    let says = wants(slot.says.as_deref());
    let remedy = wants(remedy(model, slot).map(|remedy| format!("-> {remedy}")).as_deref());
    // Both get at least one row; a remedy is worth more than the rest of the sentence before it.
    let for_says = says.len().min(room.saturating_sub(remedy.len().min(room.saturating_sub(1))).max(1));
    let style = if slot.doing == Doing::Look { BAD } else { PLAIN };
    let lines = cut(&says, for_says, text.width).into_iter().map(|line| (line, style));
    let left = room.saturating_sub(for_says);
    let lines = lines.chain(cut(&remedy, left, text.width).into_iter().map(|line| (line, PLAIN)));
    for (y, (line, style)) in (inside.y + 2..).zip(lines) {
        put(buf, text, text.x, y, &line, style);
    }
}

/// The first `room` lines; the mark at the end says that there are more (Enter shows them).
fn cut(lines: &[String], room: usize, width: u16) -> Vec<String> {
    let mut kept: Vec<String> = lines.iter().take(room).cloned().collect();
    if lines.len() > room
        && let Some(last) = kept.last_mut()
    {
        *last = fit(&format!("{last} {}", lines[room]), width);
        if !last.ends_with('…') {
            last.push('…');
        }
    }
    kept
}

/// What to do: the station words it for a command line; here a code is simply typed.
pub fn remedy(model: &Model, slot: &SlotView) -> Option<String> {
    let serial = slot.serial.as_ref();
    if model.station.eyes.iter().any(|eyes| Some(&eyes.serial) == serial) {
        return Some("take it, switch it off and on, and type the code it shows".into());
    }
    let remedy = slot.remedy.as_ref()?;
    let here =
        [("kiln batch start", "press S to start a batch"), ("kiln unlock", "press u to unlock the vault")];
    let key = here.into_iter().find(|(command, _)| remedy.contains(command));
    Some(key.map_or_else(|| remedy.clone(), |(_, key)| key.to_owned()))
}

/// One or two lines for each slot; tells how many were used.
fn rows(model: &Model, area: Rect, buf: &mut Buffer) -> u16 {
    let slots = &model.station.slots;
    let count = u16::try_from(slots.len()).unwrap_or(u16::MAX);
    let remedies =
        u16::try_from(slots.iter().filter(|slot| slot.remedy.is_some()).count()).unwrap_or(u16::MAX);
    let room = area.height.saturating_sub(QUEUE_ROWS);
    let all = count.saturating_add(remedies) <= room;
    let name = slots.iter().map(|slot| width(&slot.slot.0)).max().unwrap_or(0).max(6).min(area.width / 5);
    let mut y = area.y;
    for (n, slot) in slots.iter().enumerate() {
        let selected = n == model.slot_at();
        let lines = Rect { height: room.max(count).min(area.height), ..area };
        row(slot, name, lines, y, buf);
        if selected {
            // Its first columns keep the loud style of the word for the hands.
            let from = 12.min(area.width);
            select(buf, Rect { x: area.x + from, width: area.width.saturating_sub(from), ..area }, y);
            put(buf, area, area.x, y, "▸", look::doing(slot.doing));
        }
        y += 1;
        // Where there is no room for all remedies, there is for that of the selected slot.
        if let Some(remedy) = remedy(model, slot).filter(|_| all || selected && count < room) {
            put(buf, area, area.x + 12, y, &format!("-> {remedy}"), PLAIN);
            y += 1;
        }
    }
    (y - area.y).min(area.height)
}

fn row(slot: &SlotView, name: u16, area: Rect, y: u16, buf: &mut Buffer) {
    let wide = area.width >= 100;
    let x = put(buf, area, area.x, y, &format!("{:<9}", hands(slot)), look::doing(slot.doing));
    let rest = Rect { x: x.max(area.x + 12).min(area.right()), ..area };
    let rest = Rect { width: area.right() - rest.x, ..rest };
    let serial = slot.serial.as_ref().map(ToString::to_string).unwrap_or_default();
    let model = slot.model.clone().unwrap_or_default();
    let drift = slot.drift.filter(|_| wide).map(|drift| drift.to_string()).unwrap_or_default();
    let (mut says, style) = match burning(slot) {
        Some((done, of)) => {
            let mut says = vec![format!("{} {done}/{of}", gauge(done, of, 12))];
            says.extend(slot.says.clone());
            (says, PLAIN)
        }
        None if slot.doing == Doing::Look => (slot.says.clone().into_iter().collect(), BAD),
        None => (slot.says.clone().into_iter().collect(), PLAIN),
    };
    // Without columns of their own these come after what matters more.
    if !wide && slot.doing != Doing::Look {
        says.extend(slot.model.clone());
        says.extend(slot.drift.map(|drift| format!("clock {drift}")));
    }
    let says = says.join(" · ");
    let mut columns = vec![(slot.slot.0.as_str(), name, STRONG), (serial.as_str(), 15, PLAIN)];
    if wide {
        columns.extend([(model.as_str(), 12, PLAIN), (drift.as_str(), 9, PLAIN)]);
    }
    columns.push((says.as_str(), 0, style));
    cells(buf, rest, y, &columns);
}

fn queue(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let station = &model.station;
    let x = rule(buf, area, area.y, "queue");
    let rate = rate(model);
    if !rate.is_empty() {
        let room = area.right().saturating_sub(x + 2);
        let rate = fit(&format!(" {rate} "), room);
        put_right(buf, Rect { width: area.width.saturating_sub(1), ..area }, area.y, &rate, PLAIN);
    }
    let mut y = area.y + 1;
    let live: Vec<&BatchView> =
        station.batches.iter().filter(|batch| matches!(batch.state.as_str(), "running" | "paused")).collect();
    let waiting: Vec<&BatchView> = station.batches.iter().filter(|batch| batch.state == "draft").collect();
    if station.batches.is_empty() && station.vault.is_some() {
        put(
            buf,
            area,
            area.x + 1,
            y,
            "no batch yet: press i to import a seed file, n to make one with random seeds",
            PLAIN,
        );
        return;
    }
    // Most of what is left is for jobs, but each live batch says how it goes as long as that leaves one job in sight.
    let most = usize::from(area.bottom().saturating_sub(y + 1).max(1));
    for batch in live.iter().take(most) {
        batch_line(batch, area, y, buf);
        y += 1;
    }
    if live.is_empty() && !waiting.is_empty() {
        let names: Vec<&str> = waiting.iter().map(|batch| batch.name.as_str()).collect();
        put(buf, area, area.x + 1, y, &format!("not started: {} (S starts)", names.join(", ")), STRONG);
        y += 1;
    } else if live.is_empty() {
        put(buf, area, area.x + 1, y, "every batch is done; b shows them", PLAIN);
        y += 1;
    }
    let room = usize::from(area.bottom().saturating_sub(y));
    let jobs = &station.queue;
    // The window ends long before a large queue does; the batches know how long it is.
    let open = live.iter().map(|batch| batch.jobs.queued + batch.jobs.claimed + batch.jobs.unfinished);
    let open = open.sum::<u64>().max(jobs.len() as u64);
    for (n, job) in jobs.iter().take(room).enumerate() {
        if open > room as u64 && n + 1 == room && room > 1 {
            let more = open - n as u64;
            put(buf, area, area.x + 1, y, &format!("… and {more} more; b shows all jobs"), FRAME);
        } else {
            job_line(job, Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area }, y, buf);
        }
        y += 1;
    }
}

/// Burns a minute, time left, and how it went over the last minutes.
fn rate(model: &Model) -> String {
    let pace = &model.station.pace;
    let Some(per_minute) = pace.per_minute(model.now) else { return String::new() };
    let left = model.station.left();
    let time = match pace.seconds_left(model.now, left) {
        Some(seconds) if left > 0 => format!(", {} left", span(seconds)),
        Some(_) | None => String::new(),
    };
    let history = sparkline(&pace.by_minute(model.now, 12));
    format!("{history} {per_minute:.1} a minute{time}")
}

/// One line: how a batch goes.
pub fn batch_line(batch: &BatchView, area: Rect, y: u16, buf: &mut Buffer) {
    let jobs = &batch.jobs;
    let total = jobs.total();
    let bar = gauge(jobs.burned, total, (area.width / 8).clamp(6, 20));
    let numbers = format!("{bar} {}/{total} burned", jobs.burned);
    let mut x = put(buf, area, area.x + 1, y, &fit(&batch.name, area.width / 4), STRONG);
    x = put(buf, area, x + 1, y, &batch.state, if batch.state == "paused" { BAD } else { PLAIN });
    if let Some(sweep) = &batch.sweep {
        // How many will come is not known, so that there is no bar.
        let went_wrong = sweep.swept.failed + sweep.swept.refused + sweep.swept.unfinished > 0;
        let words = format!("clocks: {}", sweep.words());
        put(buf, area, x + 1, y, &words, if went_wrong { BAD } else { PLAIN });
        return;
    }
    x = put(buf, area, x + 1, y, &numbers, if jobs.burned == total { GOOD } else { PLAIN });
    for (count, word) in [
        (jobs.failed, "failed"),
        (jobs.unfinished, "unfinished"),
        (jobs.scrapped, "scrapped"),
        (batch.proofs.waiting_for_eyes, "want eyes"),
    ] {
        if count > 0 {
            x = put(buf, area, x + 2, y, &format!("{count} {word}"), BAD);
        }
    }
}

/// One line: where a job stands.
pub fn job_line(job: &JobView, area: Rect, y: u16, buf: &mut Buffer) {
    let number = format!("#{}", job.job);
    let style = match job.state {
        JobState::Failed | JobState::Unfinished | JobState::Scrapped => BAD,
        JobState::Burned => GOOD,
        JobState::Queued | JobState::Claimed | JobState::Cancelled => PLAIN,
    };
    let serial = job.serial.as_ref().map_or_else(|| "any token".to_owned(), ToString::to_string);
    let mut rest = Vec::new();
    rest.extend(job.reason.clone());
    rest.extend(job.resync.map(ResyncView::words).filter(|words| !words.is_empty()));
    rest.extend(
        job.slot.as_ref().filter(|_| job.state == JobState::Claimed).map(|slot| format!("on {slot}")),
    );
    rest.extend(job.upn.clone());
    if job.profiles > 1 {
        rest.push(format!("{} profiles", job.profiles));
    }
    if job.wants_eyes {
        rest.push("wants eyes".into());
    } else {
        rest.extend(job.proof.map(|proof| proof.to_string()));
    }
    let rest = rest.join(" · ");
    let model = job.model.as_deref().unwrap_or("any model");
    let columns = [
        (number.as_str(), 7, FRAME),
        (job.resync.map_or(job.state.word(), |resync| resync.word(job.state)), 10, style),
        (serial.as_str(), 15, PLAIN),
        (model, 12, PLAIN),
        (rest.as_str(), 0, PLAIN),
    ];
    if area.width >= 100 {
        let mut wide = columns.to_vec();
        wide.insert(1, (job.batch.as_str(), 16, PLAIN));
        cells(buf, area, y, &wide);
    } else {
        cells(buf, area, y, &columns);
    }
}
