//! The loop: takes what happened, draws what changed. Generic over its backend, so that tests drive the real one.

use super::{
    Look, Model,
    msg::{Effect, Msg},
    update::update,
    view::view,
};
use crate::domain::Clock;
use ratatui::{
    backend::Backend,
    buffer::Buffer,
    layout::{Rect, Size},
};
use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    time::{Duration, Instant},
};

/// News are drawn at most so often: a slow line is not for frames that nobody can read. Keys are drawn at once.
const BETWEEN_FRAMES: Duration = Duration::from_millis(40);
/// How often the time is told while something on the screen depends on it.
const TICK: Duration = Duration::from_secs(1);

/// What came of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It is done, or on its way.
    Done,
    /// The terminal may show anything now.
    Redraw,
    /// The terminal is not ours until [`Msg::Continued`].
    Suspended,
    /// It can't be done here: this says why.
    Not(&'static str),
}

/// How the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// How many burns were in hand.
    pub in_hand: usize,
    /// Whether the station was there.
    pub connected: bool,
}

/// Runs until somebody leaves. `handle` carries out effects.
pub fn drive<B: Backend>(
    backend: &mut B,
    look: Look,
    messages: &Receiver<Msg>,
    clock: &dyn Clock,
    handle: &mut dyn FnMut(Effect, &mut B) -> io::Result<Handled>,
) -> io::Result<Left>
where
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let Size { width, height } = backend.size().map_err(io::Error::other)?;
    let mut model = Model::new(look, (width, height), clock.now());
    let mut shown = Buffer::empty(Rect::new(0, 0, width, height));
    let mut suspended = false;
    let mut drawn = Instant::now();
    let mut told = Instant::now();
    // The first frame is due before anything happened.
    let mut pending = Pending::Now;
    if model.mouse {
        carry_out(vec![Effect::Mouse(true)], &mut model, backend, handle, &mut shown, &mut suspended)?;
    }
    while !model.quit {
        if !suspended
            && (pending == Pending::Now || pending == Pending::Soon && drawn.elapsed() >= BETWEEN_FRAMES)
        {
            draw(backend, &model, &mut shown)?;
            drawn = Instant::now();
            pending = Pending::Nothing;
        }
        let wait = match pending {
            Pending::Soon if !suspended => Some(BETWEEN_FRAMES.saturating_sub(drawn.elapsed())),
            _ if model.wants_time() => Some(TICK.saturating_sub(told.elapsed())),
            _ => None,
        };
        let first = match wait {
            Some(wait) => messages.recv_timeout(wait),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let mut next = match first {
            Ok(msg) => Some(msg),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if told.elapsed() >= TICK {
            told = Instant::now();
            let effects = update(&mut model, Msg::Tick(clock.now()));
            pending = pending.max(Pending::Soon);
            pending =
                pending.max(carry_out(effects, &mut model, backend, handle, &mut shown, &mut suspended)?);
        }
        // Everything that waits is taken before the next frame: a screen that fell behind catches up in one.
        while let Some(msg) = next {
            let urgency = if matches!(msg, Msg::News(_)) { Pending::Soon } else { Pending::Now };
            if matches!(msg, Msg::Continued) {
                suspended = false;
            }
            if matches!(msg, Msg::Key(_)) {
                // A code's moment, and that of its change, is the key's.
                let effects = update(&mut model, Msg::Tick(clock.now()));
                pending =
                    pending.max(carry_out(effects, &mut model, backend, handle, &mut shown, &mut suspended)?);
            }
            let effects = update(&mut model, msg);
            pending = pending.max(urgency);
            pending =
                pending.max(carry_out(effects, &mut model, backend, handle, &mut shown, &mut suspended)?);
            next = match messages.try_recv() {
                Ok(msg) if !model.quit => Some(msg),
                Ok(_) | Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
            };
        }
    }
    Ok(Left { in_hand: model.station.in_hand(), connected: matches!(model.link, super::model::Link::Up) })
}

/// Whether a frame is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pending {
    Nothing,
    Soon,
    Now,
}

fn carry_out<B: Backend>(
    effects: Vec<Effect>,
    model: &mut Model,
    backend: &mut B,
    handle: &mut dyn FnMut(Effect, &mut B) -> io::Result<Handled>,
    shown: &mut Buffer,
    suspended: &mut bool,
) -> io::Result<Pending>
where
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let mut pending = Pending::Nothing;
    for effect in effects {
        match handle(effect, backend)? {
            Handled::Done => {}
            Handled::Redraw => {
                backend.clear().map_err(io::Error::other)?;
                shown.reset();
                pending = Pending::Now;
            }
            Handled::Suspended => *suspended = true,
            Handled::Not(why) => {
                model.complain(why);
                pending = Pending::Now;
            }
        }
    }
    Ok(pending)
}

/// Sends what differs from what is shown. Nothing where nothing differs.
fn draw<B: Backend>(backend: &mut B, model: &Model, shown: &mut Buffer) -> io::Result<()>
where
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    if *shown.area() != area {
        backend.clear().map_err(io::Error::other)?;
        *shown = Buffer::empty(area);
    }
    let mut next = Buffer::empty(area);
    view(model, area, &mut next);
    let difference = shown.diff(&next);
    if !difference.is_empty() {
        backend.draw(difference.into_iter()).map_err(io::Error::other)?;
    }
    backend.flush().map_err(io::Error::other)?;
    *shown = next;
    Ok(())
}
