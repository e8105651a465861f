//! The screen as it is drawn: at every size, without colour, with few bytes, by the real loop.

use super::*;

#[test]
fn nothing_is_said_by_colour_alone() {
    // Without colours and without Unicode the same words and marks are there.
    let mut model = model(100, 30);
    wants_eyes(&mut model, "8659610000003");
    let with: String = text(&model);
    model.look = Look { colour: false, unicode: false };
    let buf = buffer(&model);
    assert!(buf.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(buf.content().iter().all(|cell| cell.symbol().is_ascii()));
    assert!(buf.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
    let without = text(&model);
    assert_eq!(with.lines().count(), without.lines().count());
    for word in ["PLACE", "WAIT", "TAKE", "LOOK", "ALARM", "EYES", "burned"] {
        assert!(without.contains(word), "{word}");
    }
    is_golden("station-ascii", &model);
}

#[test]
fn no_size_is_too_small_and_none_panics() {
    for columns in [0, 1, 2, 5, 12, 20, 40, 300] {
        for rows in [0, 1, 2, 3, 5, 8, 12, 100] {
            let mut model = model(columns, rows);
            for keys in ["", "b\n", "t/x", "\nl", "?", ":", ""] {
                type_in(&mut model, keys);
                buffer(&model);
                press(&mut model, KeyCode::Esc);
            }
        }
    }
}

#[test]
fn what_a_device_says_cannot_move_the_cursor() {
    let mut model = model(80, 24);
    let evil = SlotView { says: Some("\u{1b}[2Jx\u{202e}y".into()), ..slot("Reader 01", Doing::Look, None) };
    hear(&mut model, Event::Slot(evil));
    assert!(!text(&model).contains(['\u{1b}', '\u{202e}']));
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        NOW
    }

    fn state(&self) -> ClockState {
        ClockState::Simulated
    }
}

/// Runs the real loop over `messages` on a screen in memory; what it wanted done, and the screen in the end.
fn looped(messages: Vec<Msg>) -> (Vec<String>, TestBackend) {
    let (out, inbox) = channel();
    for msg in messages {
        out.send(msg).unwrap();
    }
    drop(out);
    let mut backend = TestBackend::new(80, 24);
    let mut effects = Vec::new();
    let look = Look { colour: true, unicode: true };
    drive(&mut backend, look, &inbox, &Still, &mut |effect, _: &mut TestBackend| {
        effects.push(format!("{effect:?}"));
        Ok(match effect {
            Effect::Suspend => Handled::Not("there is no shell here to go back to"),
            Effect::Redraw => Handled::Redraw,
            _ => Handled::Done,
        })
    })
    .unwrap();
    (effects, backend)
}

fn key(code: KeyCode) -> Msg {
    Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn the_loop_takes_keys_and_leaves_on_q_alone() {
    let keys = [KeyCode::Esc, KeyCode::Char('b'), KeyCode::Char('P'), KeyCode::Char('q'), KeyCode::Char('S')];
    let (effects, _) = looped([attached()].into_iter().chain(keys.map(key)).collect());
    assert!(effects.iter().any(|effect| effect.contains("BatchPause")), "{effects:?}");
    assert_eq!(effects.last().map(String::as_str), Some("Quit"), "nothing is taken after it");
}

#[test]
fn ctrl_z_without_a_shell_says_so_and_goes_on() {
    let stop = Msg::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL));
    let (effects, _) = looped(vec![attached(), stop, key(KeyCode::Char('q'))]);
    assert_eq!(effects, ["Suspend", "Quit"]);
}

/// Counts what reaches the terminal.
#[derive(Default)]
struct Counting {
    writes: usize,
    bytes: usize,
}

impl std::io::Write for &mut Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writes += 1;
        self.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn written(before: &Model, after: &Model) -> Counting {
    let mut counting = Counting::default();
    let mut ansi = Ansi::new(&mut counting, || Ok((120, 40)));
    let (before, after) = (buffer(before), buffer(after));
    ansi.draw(before.diff(&after).into_iter()).unwrap();
    ansi.flush().unwrap();
    counting
}

#[test]
fn a_gauge_costs_at_most_80_bytes_a_frame_9_kilobytes_and_nothing_nothing() {
    let before = model(120, 40);
    let mut after = model(120, 40);
    let nothing = written(&before, &after);
    assert_eq!((nothing.writes, nothing.bytes), (0, 0));
    let mut moved = snapshot().slots.into_iter().find(|slot| slot.slot.0 == "Reader 01").unwrap();
    moved.progress = Some((2, 7));
    hear(&mut after, Event::Slot(moved));
    let gauge = written(&before, &after);
    assert!(gauge.writes == 1 && gauge.bytes <= 80, "{} bytes in {} writes", gauge.bytes, gauge.writes);
    let mut blank = model(120, 40);
    blank.link = Link::Connecting;
    blank.station = Default::default();
    let frame = written(&blank, &before);
    assert!(frame.writes == 1 && frame.bytes <= 9_000, "{} bytes in {} writes", frame.bytes, frame.writes);
}
