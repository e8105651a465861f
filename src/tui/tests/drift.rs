//! The drift view: clocks in the order in which they fail, and one of them as a plot.

use super::*;
use crate::{
    domain::{ClockSetBy, DriftSeconds, ReadingKind},
    face::{
        ClockCourse, ClockEvent, DriftLine, DriftReport, FitPoint, Fleet, ModelRate, OddBatch, Ranged,
        RateBin, RateBy, ReadingView,
    },
    tui::{dialog::Dialog, drift::Wanted},
};

fn day(n: i64) -> UnixMillis {
    NOW.plus(n * 86_400_000)
}

fn line(n: i64) -> DriftLine {
    // Faster ones fail first.
    let rate = 24.0 - n as f64 * 2.6;
    let left = (30.0 / (rate * 0.0864)) as i64 - 20;
    DriftLine {
        serial: format!("86596100000{n:02}").parse().unwrap(),
        model: Some("c301-i".into()),
        batch: Some(if n < 3 { "autumn" } else { "spring" }.into()),
        upn: Some(format!("user{n:02}@example.com")),
        target: Some("Entra ID (CSV upload)".into()),
        window_s: 30,
        learns: false,
        read: Some(day(-1)),
        readings: 8,
        by: if n == 5 { RateBy::Model } else { RateBy::Own },
        rate_ppm: Ranged { value: rate, low: rate - 0.6, high: rate + 0.6 },
        now_s: Some(Ranged { value: rate * 0.0864 * 20.0, low: 0.0, high: 60.0 }),
        outside: left <= 0,
        fails: Some(day(left)),
        fails_from: Some(day(left - 3)),
        fails_to: Some(day(left + 4)),
        trouble: None,
        advice: if left <= 0 {
            "set its clock: put it on a slot (kiln drift resync)".into()
        } else {
            format!("set its clock within {left} days: put it on a slot (kiln drift resync)")
        },
    }
}

fn fleet() -> Fleet {
    let tokens = [0, 0, 0, 1, 4, 11, 30, 52, 61, 40, 22, 9, 6, 3, 0, 1];
    let bin = |(n, tokens)| RateBin { from_ppm: (n - 8) * 5, to_ppm: (n - 7) * 5, tokens };
    Fleet {
        measured: tokens.iter().sum(),
        outside: 1,
        soon: 11,
        rates: (0..).zip(tokens).map(bin).collect(),
        models: vec![ModelRate { model: "c301-i".into(), tokens: 240, ppm: 1.2, deviation_ppm: 8.0 }],
        odd: vec![OddBatch {
            batch: "autumn".into(),
            model: "c301-i".into(),
            tokens: 12,
            off_ppm: 19.5,
            others_ppm: 6.1,
        }],
    }
}

/// Tapped every ten days since it was set 90 days ago; a wild reading and an older series besides.
fn plotted(n: i64) -> TokenView {
    let line = line(n);
    let gains = 0.3;
    let reading = |at: i64, drift: f64| ReadingView {
        at: day(at),
        drift: DriftSeconds(drift),
        uncertainty_ms: 510,
        clock: ClockState::Synchronised { max_error_ms: 3 },
        kind: ReadingKind::Clock,
    };
    let mut readings: Vec<ReadingView> =
        (0..10).map(|n| reading(-90 + n * 10, (n * 10) as f64 * gains)).collect();
    readings.push(reading(-45, 500.0));
    readings.extend((0..4).map(|n| reading(-150 + n * 15, 4.0 + (n * 15) as f64 * gains)));
    let point = |n: i64| {
        let at = -90 + n * 4;
        let (value, wide) = ((at + 90) as f64 * gains, 0.4 + at.max(0) as f64 * 0.09);
        FitPoint { at: day(at), drift_s: Ranged { value, low: value - wide, high: value + wide } }
    };
    TokenView {
        readings,
        clock: Some(Box::new(ClockCourse {
            line: DriftLine { window_s: 30, ..line.clone() },
            events: vec![ClockEvent::Set { at: day(-90), by: ClockSetBy::Burn }],
            fit: (0..40).map(point).collect(),
        })),
        ..token(line.serial.as_str())
    }
}

fn shown(columns: u16, rows: u16) -> Model {
    let mut model = model(columns, rows);
    model.station.read_alarms();
    let effects = press(&mut model, KeyCode::Char('D'));
    assert!(matches!(asked(&effects)[..], [Command::Drift { filter, .. }] if filter.words.is_empty()));
    let report = DriftReport { at: NOW, total: 9, items: (0..9).map(line).collect(), fleet: fleet() };
    let effects = update(
        &mut model,
        Msg::Answer(Asked::Drift(Wanted::default(), 0), Ok(Reply::Drift(Box::new(report)))),
    );
    let [Command::Token { serial }] = asked(&effects)[..] else { panic!("{effects:?}") };
    let answer = Reply::Token(Box::new(plotted(0)));
    update(&mut model, Msg::Answer(Asked::Plot(serial.clone()), Ok(answer)));
    model
}

#[test]
fn clocks_that_fail_first_are_at_the_top_and_one_is_plotted() {
    for (columns, rows) in SIZES {
        is_golden("drift", &shown(columns, rows));
    }
}

#[test]
fn the_plot_is_legible_without_unicode_and_colour() {
    for (columns, rows) in SIZES {
        let mut model = shown(columns, rows);
        model.look = Look::BARE;
        is_golden("drift-ascii", &model);
        let text = text(&model);
        assert!(text.is_ascii() && !text.contains('?'.to_string().repeat(2).as_str()), "{text}");
        // Each mark is a letter of its own: readings, fit, span, window, the reading beyond the frame.
        for mark in ["*", "+", ":", "---", "^", "|"] {
            assert!(text.contains(mark), "{mark}: {text}");
        }
    }
}

#[test]
fn another_clock_is_plotted_when_it_is_selected_one_at_a_time() {
    let mut model = shown(80, 24);
    let effects = press(&mut model, KeyCode::Down);
    let [Command::Token { serial }] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(serial.as_str(), "8659610000001");
    let asked_for = Asked::Plot(serial.clone());
    assert!(asked(&press(&mut model, KeyCode::Down)).is_empty(), "one is on its way");
    let answer = Reply::Token(Box::new(plotted(1)));
    let effects = update(&mut model, Msg::Answer(asked_for, Ok(answer)));
    assert!(matches!(asked(&effects)[..], [Command::Token { serial }] if serial.as_str() == "8659610000002"));
    // A failure is told once and not asked for again.
    let asked_for = Asked::Plot("8659610000002".parse().unwrap());
    let effects = update(&mut model, Msg::Answer(asked_for, Err(no("the disk is full"))));
    assert!(asked(&effects).is_empty());
}

#[test]
fn a_token_that_was_read_is_asked_about_again_and_f_looks_ahead() {
    let mut model = shown(80, 24);
    let read = Event::TokenRead {
        slot: SlotName("Reader 02".into()),
        serial: "8659610000001".parse().unwrap(),
        model: None,
        drift: None,
    };
    let effects = hear(&mut model, read);
    assert!(matches!(asked(&effects)[..], [Command::Drift { .. }, Command::Token { .. }]), "{effects:?}");
    let report = || Box::new(DriftReport { at: NOW, total: 0, items: vec![], fleet: Fleet::default() });
    update(&mut model, Msg::Answer(Asked::Drift(Wanted::default(), 0), Ok(Reply::Drift(report()))));
    for ahead in [Some(0), Some(183), Some(366), None] {
        let effects = press(&mut model, KeyCode::Char('f'));
        let [Command::Drift { filter, .. }] = asked(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!(filter.before, ahead.map(day));
        let wanted = Wanted { words: String::new(), ahead_days: ahead };
        update(&mut model, Msg::Answer(Asked::Drift(wanted, 0), Ok(Reply::Drift(report()))));
    }
    assert!(text(&model).contains("none yet"), "{}", text(&model));
}

#[test]
fn enter_shows_all_about_the_selected_token() {
    let mut model = shown(80, 24);
    let effects = press(&mut model, KeyCode::Enter);
    assert!(matches!(asked(&effects)[..], [Command::Token { serial }] if serial.as_str() == "8659610000000"));
    assert!(matches!(model.dialogs.last(), Some(Dialog::Token { .. })));
}
