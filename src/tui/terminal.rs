//! The real terminal: taken over, given back whatever happens, its keyboard and signals as messages.

use super::{
    Look,
    ansi::{self, Ansi},
    msg::{Effect, Msg},
    run::{Handled, Left, drive},
    worker::{Connector, Workers},
};
use crate::domain::Clock;
use crossterm::{
    event::Event,
    terminal::{disable_raw_mode, enable_raw_mode, size},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getpgrp, getsid},
};
use std::{
    io::{self, Write},
    panic,
    sync::mpsc::{Sender, channel},
    thread,
};
use tokio::signal::unix::{SignalKind, signal};

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

/// Shows the screen on the terminal of standard input and output until somebody leaves. Panics anywhere give the
/// terminal back first; SIGTERM and SIGHUP leave in order.
pub fn run(connector: Connector, clock: &dyn Clock, look: Look, inside_tmux: bool) -> io::Result<Left> {
    let (out, messages) = channel();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        give_back();
        before(info);
    }));
    signals(out.clone())?;
    let taken = Taken::take()?;
    let keyboard = out.clone();
    thread::spawn(move || read(&keyboard));
    let workers = Workers::start(connector, out);
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
            Effect::Suspend => return suspend(),
            Effect::Quit | Effect::Ask(..) | Effect::Unlock(..) | Effect::Start => {}
        }
        Ok(Handled::Done)
    });
    drop(taken);
    left
}

/// Stops the whole job, as the terminal's own Ctrl-Z would: whoever started kiln (make, cargo) stops with it.
fn suspend() -> io::Result<Handled> {
    // In the session leader's group no shell waits to bring us back.
    if getsid(None).is_ok_and(|leader| leader == getpgrp()) {
        return Ok(Handled::Not("there is no shell here to go back to"));
    }
    give_back();
    kill(Pid::from_raw(0), Signal::SIGSTOP)?;
    Ok(Handled::Suspended)
}

/// Keys, pastes and sizes as messages, until nobody listens.
fn read(out: &Sender<Msg>) {
    loop {
        let msg = match crossterm::event::read() {
            Ok(Event::Key(key)) => Msg::Key(key),
            Ok(Event::Paste(text)) => Msg::Paste(text),
            Ok(Event::Resize(columns, rows)) => Msg::Resize(columns, rows),
            Ok(Event::FocusGained | Event::FocusLost | Event::Mouse(_)) => continue,
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
