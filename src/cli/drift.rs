//! `kiln drift`: how the tokens' clocks run, and when they will be too far off for their servers.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    diagnose::DiagnoseVerbError,
    moment, resync,
    run::{Form, done, print_json},
    table::{Table, count, or_dash, plain},
    timing::{self, TimingVerbError},
    tokens::PageArgs,
};
use crate::domain::{ClockSetBy, Serial, UnixMillis, UnixTime};
use crate::face::{
    ClockCourse, ClockEvent, Command, DriftFilter, DriftLine, DriftReport, Fleet, PageOf, Ranged, RateBy,
    Reply, TokenView,
};
use clap::{Args, Subcommand};
use std::io::{self, Write};

/// `kiln drift`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DriftArgs {
    #[command(subcommand)]
    verb: Option<DriftVerb>,
    #[command(flatten)]
    list: ListArgs,
}

/// What can be asked of, or done to, the tokens' clocks.
#[derive(Debug, Subcommand)]
enum DriftVerb {
    /// Set the clocks of tokens right as they are put down; seeds and parameters stay as they are
    #[command(after_help = resync::EXAMPLES)]
    Resync(resync::ResyncArgs),
    /// What became of each token that came to a sweep
    Swept(resync::SweptArgs),
    /// One token's clock: its rate, its forecast, what happened to it, every reading
    Show {
        /// The token's serial
        serial: Serial,
    },
    /// Time the changes of a token's code by pressing Enter: a reading of a clock that no reader can read
    Timed {
        /// The token's serial
        serial: Serial,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only tokens with these words in their serial, model, batch, target or user
    query: Option<String>,
    /// Only tokens that are out of their server's window, or likely to be before this day (2027-06-01) or time
    #[arg(long, value_name = "DATE", value_parser = day)]
    before: Option<UnixTime>,
    /// Only tokens of this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// A day begins at midnight UTC; anything else is a moment.
fn day(text: &str) -> Result<UnixTime, String> {
    match text.trim().parse::<jiff::civil::Date>() {
        Ok(_) if text.trim().len() == 10 => moment::parse(&format!("{}T00:00:00Z", text.trim())),
        _ => moment::parse(text),
    }
    .map_err(|error| format!("{error}, or a day as 2027-06-01"))
}

/// Asks and prints.
pub fn run(args: DriftArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    match args.verb {
        Some(DriftVerb::Resync(args)) => resync::run(args, form, io, station),
        Some(DriftVerb::Swept(args)) => resync::swept(&args, form, io, station),
        Some(DriftVerb::Show { serial }) => show(serial, form, io, station),
        Some(DriftVerb::Timed { serial }) => timed(serial, io, station),
        None => list(args.list, form, io, station),
    }
}

fn list(args: ListArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let filter = DriftFilter {
        words: args.query.unwrap_or_default(),
        before: args.before.map(UnixTime::to_millis),
        batch: args.batch,
    };
    let mut last = None;
    let page = args.page.fetch(|page| {
        let command = Command::Drift { filter: filter.clone(), page };
        let report = answer!(station, command, Reply::Drift(report) => report);
        let DriftReport { at, total, items, fleet } = *report;
        last = Some((at, fleet));
        Ok(PageOf { total, items })
    })?;
    let Some((at, fleet)) = last else { return Ok(Exit::Done) };
    let report = DriftReport { at, total: page.total, items: page.items, fleet };
    if form == Form::Json {
        print_json(io.out, &report)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["SERIAL", "FAILS", "BETWEEN", ">OFF NOW", ">PPM", "WHAT TO DO"]);
    for line in &report.items {
        table.row([
            line.serial.to_string(),
            fails(line),
            between(line),
            line.now_s.map_or_else(|| "-".into(), |now| seconds(now.value)),
            rate(line),
            line.advice.clone(),
        ]);
    }
    table.write(io.out)?;
    tell(&report.fleet, report.total, &filter, io)?;
    let shown = PageOf { total: report.total, items: report.items };
    args.page.tell_rest(&shown, io)?;
    Ok(Exit::Done)
}

/// What there is to say of all of them.
fn tell(fleet: &Fleet, total: u64, filter: &DriftFilter, io: &mut Io<'_>) -> io::Result<()> {
    if total == 0 {
        let none = match (filter.before, *filter == DriftFilter::default()) {
            (_, true) => "no token on record has codes that go by its clock",
            (Some(_), _) => "none is likely to be out of its window before that",
            (None, _) => "no such token on record",
        };
        return writeln!(io.err, "{none}");
    }
    writeln!(
        io.err,
        "{}: {} out of the window now, {} more likely to be within half a year; the rates of {} are measured",
        count(total, "token"),
        fleet.outside,
        fleet.soon,
        fleet.measured
    )?;
    for odd in &fleet.odd {
        io.note(format!(
            "batch {} runs worse than other {}: {:.1} ppm off on average ({}), the others {:.1}",
            plain(&odd.batch),
            plain(&odd.model),
            odd.off_ppm,
            count(odd.tokens, "token"),
            odd.others_ppm
        ))?;
    }
    Ok(())
}

fn date(at: UnixMillis) -> String {
    at.floor_second().to_string().chars().take(10).collect()
}

fn fails(line: &DriftLine) -> String {
    if line.outside { "is out".into() } else { line.fails.map_or_else(|| "-".into(), date) }
}

fn between(line: &DriftLine) -> String {
    match (line.outside, line.fails_from, line.fails_to) {
        (true, ..) | (_, None, _) => "-".into(),
        (false, Some(from), Some(to)) => format!("{} and {}", date(from), date(to)),
        (false, Some(from), None) => format!("{} and later", date(from)),
    }
}

fn seconds(value: f64) -> String {
    if value.abs() < 1_000.0 { format!("{value:+.1} s") } else { format!("{value:+.0} s") }
}

/// `~` where it is a guess.
fn rate(line: &DriftLine) -> String {
    match line.by {
        RateBy::Own => format!("{:+.1}", line.rate_ppm.value),
        RateBy::Model => format!("~{:+.1}", line.rate_ppm.value),
        RateBy::Nothing => "-".into(),
    }
}

fn timed(serial: Serial, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let found = timing::press(io).map_err(DiagnoseVerbError::from)?;
    if found.wants_another() {
        return Err(DiagnoseVerbError::from(TimingVerbError::Unsure).into());
    }
    let (offset_ms, within_ms) = found.in_millis();
    let period_s = found.period.as_secs();
    let command = Command::ClockTimed { serial: serial.clone(), period_s, offset_ms, within_ms };
    done(station, command)?;
    writeln!(io.err, "{}: kept as a reading of the clock of {serial}", found.what())?;
    Ok(Exit::Done)
}

fn show(serial: Serial, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let token = answer!(station, Command::Token { serial }, Reply::Token(token) => token);
    if form == Form::Json {
        print_json(io.out, &token)?;
        return Ok(Exit::Done);
    }
    if let Some(clock) = &token.clock {
        print_course(clock, io.out)?;
    }
    readings(&token, io)?;
    Ok(Exit::Done)
}

fn print_course(clock: &ClockCourse, out: &mut dyn Write) -> io::Result<()> {
    let ClockCourse { line, events, .. } = clock;
    let ranged = |value: Ranged| format!("{:+.1} ({:+.1} to {:+.1})", value.value, value.low, value.high);
    let by = match line.by {
        RateBy::Own => format!("by {}", count(line.readings, "reading")),
        RateBy::Model => "as other tokens of its model run".into(),
        RateBy::Nothing => "as crystals run; its own is not known yet".into(),
    };
    writeln!(out, "serial   {}", line.serial)?;
    writeln!(out, "target   {}", plain(&or_dash(line.target.as_ref())))?;
    let follows = if line.learns { "; the server follows a clock that is used" } else { "" };
    writeln!(out, "window   {} s either way{follows}", line.window_s)?;
    writeln!(out, "rate     {} ppm, {by}", ranged(line.rate_ppm))?;
    let now = line.now_s.map_or_else(|| "not known".into(), |now| format!("{} s off", ranged(now)));
    writeln!(out, "now      {now}")?;
    writeln!(out, "fails    {}, between {}", fails(line), between(line))?;
    for event in events {
        writeln!(out, "event    {}", event_words(event))?;
    }
    writeln!(out, "advice   {}", plain(&line.advice))?;
    writeln!(out)
}

/// What happened to a clock, in words.
fn event_words(event: &ClockEvent) -> String {
    match event {
        ClockEvent::Set { at, by } => {
            let how = match by {
                ClockSetBy::Burn => "set by a burn",
                ClockSetBy::Resync => "set right",
                ClockSetBy::Reset => "reset to its factory state",
            };
            format!("{}  {how}", at.floor_second())
        }
        ClockEvent::Jumped { at, by_s } => {
            format!("{}  jumped by {} since the reading before", at.floor_second(), seconds(*by_s))
        }
        ClockEvent::Restarted { at, .. } => {
            format!("{}  began again at a date long past: it lost its power", at.floor_second())
        }
        ClockEvent::Zone { at, zone_s } => {
            let (sign, minutes) = (if *zone_s < 0 { '-' } else { '+' }, zone_s.abs() / 60);
            let zone = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
            format!("{}  runs {zone} off: a time zone, or summer time", at.floor_second())
        }
        ClockEvent::BadReading { at, off_s } => {
            format!(
                "{}  a reading {} off that nothing after it agrees with",
                at.floor_second(),
                seconds(*off_s)
            )
        }
    }
}

fn readings(token: &TokenView, io: &mut Io<'_>) -> io::Result<()> {
    if token.readings.is_empty() {
        let serial = &token.line.serial;
        writeln!(io.err, "no reading of the clock of {serial} is on record: put the token on a slot")?;
    }
    let mut table = Table::new(&["READ AT", ">DRIFT", ">GIVE OR TAKE", "HOW", "STATION'S CLOCK"]);
    for reading in &token.readings {
        table.row([
            reading.at.floor_second().to_string(),
            reading.drift.to_string(),
            format!("{} ms", reading.uncertainty_ms),
            reading.kind.to_string(),
            reading.clock.to_string(),
        ]);
    }
    table.write(io.out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted};
    use crate::domain::{ClockState, DriftSeconds, ReadingKind};
    use crate::face::{OddBatch, ReadingView, TokenLine};

    fn token(readings: Vec<ReadingView>, clock: Option<ClockCourse>) -> Reply {
        let line = TokenLine {
            serial: "86596000000017".parse().unwrap(),
            model: Some("c302-i".into()),
            upn: None,
            profiles: 1,
            proof: None,
            last_seen: Some(NOW),
            scrapped: None,
            batch: None,
        };
        let clock = clock.map(Box::new);
        Reply::Token(Box::new(TokenView {
            line,
            mappings: vec![],
            readings,
            jobs: vec![],
            clock,
            clock_set: None,
            timeouts_to_choose_s: vec![],
        }))
    }

    fn at(days: i64) -> UnixMillis {
        NOW.plus(days * 86_400_000)
    }

    fn line() -> DriftLine {
        DriftLine {
            serial: "86596000000017".parse().unwrap(),
            model: Some("c302-i".into()),
            batch: Some("spring".into()),
            upn: None,
            target: Some("Entra ID".into()),
            window_s: 30,
            learns: false,
            read: Some(NOW),
            readings: 5,
            by: RateBy::Own,
            rate_ppm: Ranged { value: -10.24, low: -11.0, high: -9.5 },
            now_s: Some(Ranged { value: -4.0, low: -4.5, high: -3.5 }),
            outside: false,
            fails: Some(at(29)),
            fails_from: Some(at(26)),
            fails_to: Some(at(33)),
            trouble: None,
            advice: "set its clock within 29 days".into(),
        }
    }

    fn report(items: Vec<DriftLine>) -> Reply {
        let odd = OddBatch {
            batch: "autumn".into(),
            model: "c302-i".into(),
            tokens: 12,
            off_ppm: 14.0,
            others_ppm: 2.04,
        };
        let fleet = Fleet { measured: 2, outside: 1, soon: 1, odd: vec![odd], ..Fleet::default() };
        Reply::Drift(Box::new(DriftReport { at: NOW, total: 3, items, fleet }))
    }

    #[test]
    fn clocks_are_listed_by_the_date_on_which_they_fail() {
        let out = DriftLine { outside: true, fails: Some(at(-3)), advice: "set its clock".into(), ..line() };
        let mut desk = Desk::default();
        let station = Scripted::new([report(vec![out, line()])]);
        assert_eq!(desk.kiln("drift --before 2026-06-01 --batch spring --limit 2", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "SERIAL          FAILS       BETWEEN                    OFF NOW    PPM  WHAT TO DO\n\
             86596000000017  is out      -                           -4.0 s  -10.2  set its clock\n\
             86596000000017  2026-01-31  2026-01-28 and 2026-02-04   -4.0 s  -10.2  set its clock within 29 days\n"
        );
        assert_eq!(
            desk.err(),
            "3 tokens: 1 out of the window now, 1 more likely to be within half a year; the rates of 2 are measured\n\
             note: batch autumn runs worse than other c302-i: 14.0 ppm off on average (12 tokens), the others 2.0\n\
             2 of 3 shown; --all, or --limit and --offset, show the others\n"
        );
        let asked = serde_json::json!({
            "do": "drift", "page": {"offset": 0, "limit": 2},
            "filter": {"words": "", "before": 1_780_272_000_000_i64, "batch": "spring"},
        });
        assert_eq!(station.asked(), [asked]);
    }

    #[test]
    fn a_clock_is_told_with_what_happened_to_it_and_every_reading() {
        let reading = ReadingView {
            at: NOW,
            drift: DriftSeconds(1.25),
            uncertainty_ms: 500,
            clock: ClockState::Synchronised { max_error_ms: 3 },
            kind: ReadingKind::Clock,
        };
        let events = vec![
            ClockEvent::Set { at: at(-9), by: ClockSetBy::Burn },
            ClockEvent::Zone { at: NOW, zone_s: -12_600 },
        ];
        let clock = ClockCourse { line: line(), events, fit: vec![] };
        let mut desk = Desk::default();
        let station = Scripted::new([token(vec![reading], Some(clock))]);
        assert_eq!(desk.kiln("drift show 86596000000017", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "serial   86596000000017
target   Entra ID
window   30 s either way
rate     -10.2 (-11.0 to -9.5) ppm, by 5 readings
now      -4.0 (-4.5 to -3.5) s off
fails    2026-01-31, between 2026-01-28 and 2026-02-04
event    2025-12-24T03:04:05Z  set by a burn
event    2026-01-02T03:04:05Z  runs -03:30 off: a time zone, or summer time
advice   set its clock within 29 days

READ AT                DRIFT  GIVE OR TAKE  HOW   STATION'S CLOCK
2026-01-02T03:04:05Z  +1.2 s        500 ms  read  synchronised (error at most 3 ms)
"
        );
    }

    #[test]
    fn a_token_without_a_reading_says_how_to_get_one() {
        let mut desk = Desk::default();
        desk.kiln("drift show 86596000000017", &Scripted::new([token(vec![], None)]));
        assert!(desk.out().is_empty() && desk.err().contains("put the token on a slot"), "{}", desk.err());
    }

    #[test]
    fn a_day_is_midnight_and_what_is_none_is_refused() {
        assert_eq!(day("1970-01-02"), Ok(UnixTime(86_400)));
        assert_eq!(day("1970-01-01T00:00:59Z"), Ok(UnixTime(59)));
        assert!(day("2027-06").is_err() && day("soon").is_err() && day("2027-06-01T12:00:00").is_err());
    }
}
