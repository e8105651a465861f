//! The real terminal: taken over, given back whatever happens, its keyboard and signals as messages.

use super::{
    Look,
    ansi::{self, Ansi},
    msg::{Effect, Msg},
    plain::{Echo, Heard, Line, Plain},
    run::{Handled, Left, drive},
    worker::{Connector, Desk, Workers},
};
use crate::domain::Clock;
use crossterm::{
    event::Event,
    terminal::{disable_raw_mode, enable_raw_mode, size},
};
use nix::{
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, SetArg, tcgetattr, tcsetattr},
    },
    unistd::{Pid, getpgrp, getsid},
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    panic, process,
    sync::mpsc::{Sender, channel},
    thread,
};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

/// Takes the terminal over while it lives.
struct Taken;

impl Taken {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        let taken = Self;
        write_now(ansi::ENTER)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

fn write_now(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// As it was before. Nothing can be done about a terminal that doesn't listen.
fn give_back() {
    let _ = write_now(ansi::LEAVE);
    let _ = disable_raw_mode();
}

/// What a Rust program that panicked ends with.
const PANICKED: i32 = 101;

/// Shows the screen on the terminal of standard input and output until somebody leaves. Panics anywhere give the
/// terminal back first, and end the process: a screen that lost one of its threads would go on painting over what the
/// panic said, and show a state that no longer changes. SIGTERM and SIGHUP leave in order.
pub fn run(
    connector: Connector,
    desk: Desk,
    clock: &dyn Clock,
    look: Look,
    inside_tmux: bool,
) -> io::Result<Left> {
    let (out, messages) = channel();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // Held to the end: what another thread has yet to paint, or that it wants the mouse, must not come after this.
        let _nobody_else = io::stdout().lock();
        give_back();
        before(info);
        process::exit(PANICKED);
    }));
    signals(out.clone())?;
    let taken = Taken::take()?;
    let keyboard = out.clone();
    thread::spawn(move || read(&keyboard));
    let workers = Workers::start(connector, desk, out);
    let mut backend = Ansi::new(io::stdout(), size);
    let left = drive(&mut backend, look, &messages, clock, &mut |effect, backend| {
        let Some(effect) = workers.take(effect) else { return Ok(Handled::Done) };
        match effect {
            Effect::Bell => backend.add(b"\x07"),
            Effect::Copy(text) => backend.add(ansi::clipboard(&text, inside_tmux).as_bytes()),
            Effect::Redraw => {
                // After a stop the shell has set the terminal its own way, whatever crossterm remembers.
                disable_raw_mode()?;
                enable_raw_mode()?;
                write_now(ansi::ENTER)?;
                return Ok(Handled::Redraw);
            }
            Effect::Mouse(true) => backend.add(ansi::MOUSE_ON.as_bytes()),
            Effect::Mouse(false) => backend.add(ansi::MOUSE_OFF.as_bytes()),
            Effect::Suspend => return suspend(),
            Effect::Quit
            | Effect::Ask(..)
            | Effect::Unlock(..)
            | Effect::Init(..)
            | Effect::Complete(_)
            | Effect::Import { .. }
            | Effect::Export { .. }
            | Effect::Report { .. }
            | Effect::Start => {}
        }
        Ok(Handled::Done)
    });
    drop(taken);
    left
}

/// Tells what happens in lines and takes typed words, until somebody leaves. `input` is read on a thread of its own;
/// where it is a terminal, passphrases are typed without an echo.
pub fn run_plain(
    connector: Connector,
    desk: Desk,
    clock: &dyn Clock,
    input: File,
    out: &mut dyn Write,
) -> io::Result<Left> {
    let (messages, inbox) = channel();
    let (told, heard) = channel();
    signals(messages.clone())?;
    let workers = Workers::start(connector, desk, messages);
    let forward = told.clone();
    thread::spawn(move || {
        for msg in inbox {
            if forward.send(Heard::Msg(msg.into())).is_err() {
                return;
            }
        }
    });
    let echo = Echoing(input.try_clone()?);
    thread::spawn(move || lines(input, &told));
    let mut plain = Plain::new(clock.now());
    while !plain.model.quit {
        let Ok(heard) = heard.recv() else { break };
        plain.model.now = clock.now();
        let (lines, effects) = plain.hear(heard);
        for line in lines {
            writeln!(out, "{line}")?;
        }
        for effect in effects {
            match workers.take(effect) {
                Some(Effect::Bell) => write!(out, "\x07")?,
                Some(Effect::Suspend) => {
                    echo.set(Echo::Shown);
                    drop(stop_job());
                }
                Some(_) | None => {}
            }
        }
        out.flush()?;
        echo.set(plain.echo());
    }
    echo.set(Echo::Shown);
    Ok(Left {
        in_hand: plain.model.station.in_hand(),
        connected: matches!(plain.model.link, super::model::Link::Up),
    })
}

/// The terminal's echo of what is typed; nothing where the input is none.
struct Echoing(File);

impl Echoing {
    fn set(&self, echo: Echo) {
        if let Ok(mut modes) = tcgetattr(&self.0) {
            modes.local_flags.set(LocalFlags::ECHO, echo == Echo::Shown);
            // A terminal that is gone shows nothing.
            let _ = tcsetattr(&self.0, SetArg::TCSANOW, &modes);
        }
    }
}

impl Drop for Echoing {
    fn drop(&mut self) {
        self.set(Echo::Shown);
    }
}

/// Typed lines, until there are no more.
fn lines(input: File, told: &Sender<Heard>) {
    let mut input = BufReader::new(input);
    loop {
        let mut line = Zeroizing::new(String::with_capacity(256));
        let heard = match input.read_line(&mut line) {
            Ok(0) | Err(_) => Heard::End,
            Ok(_) => {
                let end = line.trim_end_matches(['\r', '\n']).len();
                line.truncate(end);
                Heard::Line(Line(line))
            }
        };
        let ended = matches!(heard, Heard::End);
        if told.send(heard).is_err() || ended {
            return;
        }
    }
}

/// Stops the whole job, as the terminal's own Ctrl-Z would: whoever started kiln (make, cargo) stops with it.
fn suspend() -> io::Result<Handled> {
    if !has_shell() {
        return Ok(Handled::Not("there is no shell here to go back to"));
    }
    give_back();
    stop_job()?;
    Ok(Handled::Suspended)
}

/// In the session leader's group no shell waits to bring us back.
fn has_shell() -> bool {
    getsid(None).is_ok_and(|leader| leader != getpgrp())
}

fn stop_job() -> io::Result<()> {
    if has_shell() {
        kill(Pid::from_raw(0), Signal::SIGSTOP)?;
    }
    Ok(())
}

/// Keys, pastes and sizes as messages, until nobody listens.
fn read(out: &Sender<Msg>) {
    loop {
        let msg = match crossterm::event::read() {
            Ok(Event::Key(key)) => Msg::Key(key),
            Ok(Event::Paste(text)) => Msg::Paste(text),
            Ok(Event::Resize(columns, rows)) => Msg::Resize(columns, rows),
            Ok(Event::Mouse(event)) => Msg::Mouse(event),
            Ok(Event::FocusGained | Event::FocusLost) => continue,
            Err(_) => Msg::End,
        };
        let ended = matches!(msg, Msg::End);
        if out.send(msg).is_err() || ended {
            return;
        }
    }
}

/// Signals as messages, on a thread of their own.
fn signals(out: Sender<Msg>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let listening = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::from_raw(Signal::SIGTSTP as i32))?,
            signal(SignalKind::from_raw(Signal::SIGCONT as i32))?,
        )
    };
    thread::spawn(move || {
        let (mut terminate, mut hangup, mut interrupt, mut stop, mut go_on) = listening;
        runtime.block_on(async {
            loop {
                let msg = tokio::select! {
                    _ = terminate.recv() => Msg::End,
                    _ = hangup.recv() => Msg::End,
                    _ = interrupt.recv() => Msg::End,
                    _ = stop.recv() => Msg::Stop,
                    _ = go_on.recv() => Msg::Continued,
                };
                if out.send(msg).is_err() {
                    return;
                }
            }
        });
    });
    Ok(())
}
