//! A fence between a reader's thread and its reader, for calls that do not come back.
//!
//! Nothing in PC/SC times out: a hung reader holds its thread for good, and a thread cannot be stopped. So whoever
//! watches holds a [`Fence`], sees that a call is overdue, and closes it. The thread that comes back at last finds the
//! fence closed: its reply is thrown away and it can send nothing more, since by then somebody else may have been told
//! that the token's fate is unknown. A closed fence stays closed; when the call has returned, the slot starts over with
//! another port and another fence.

use crate::link::{Apdu, ApduLink, HidLink, LinkError, Opened, Port, Presence, Report, Response};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The watcher's side. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Since when the call in hand has been owing its answer; a wait owes one only when its own time is up.
    owing_since: Option<Instant>,
    /// Set once: for how long the call in hand had been owing its answer.
    closed_after: Option<Duration>,
    /// How much longer than others exchanges may take now.
    granted: Duration,
}

impl Fence {
    /// An open fence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a call has been owing its answer for `limit` or longer.
    pub fn overdue(&self, limit: Duration) -> bool {
        self.state().is_overdue(limit)
    }

    /// Lets each exchange from now on take so much longer before it owes an answer, as those of a step may that waits for a
    /// person's touch; none longer with zero.
    pub fn grant(&self, longer: Duration) {
        self.state().granted = longer;
    }

    /// Whether a call is in hand. After closing: whether the thread is still stuck in it.
    pub fn is_busy(&self) -> bool {
        self.state().owing_since.is_some()
    }

    /// Closes the fence, whatever is in hand. Further calls fail without reaching the reader.
    pub fn close(&self) {
        self.state().close();
    }

    /// Closes the fence if a call has been owing its answer for `limit` or longer, and tells whether it did. In one
    /// step: an answer that comes just in time is either taken or fenced off, never both.
    pub fn close_if_overdue(&self, limit: Duration) -> bool {
        let mut state = self.state();
        let overdue = state.is_overdue(limit);
        if overdue {
            state.close();
        }
        overdue
    }

    /// Whether the fence was closed.
    pub fn is_closed(&self) -> bool {
        self.state().closed_after.is_some()
    }

    /// Runs one call that may take `allowance` before it owes an answer.
    fn pass<T>(
        &self,
        allowance: Duration,
        call: impl FnOnce() -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        self.state().begin(allowance)?;
        let _end = End(self);
        let result = call();
        let mut state = self.state();
        match state.closed_after {
            // What came too late is dropped before the call counts as returned: dropping a link is a call too.
            Some(after) => Err(LinkError::Deadline(after)),
            None => {
                state.owing_since = None;
                result
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left two independent fields behind, which are right at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_overdue(&self, limit: Duration) -> bool {
        self.owing_since.is_some_and(|since| {
            // `elapsed` of a moment to come is zero, which must not count even against a limit of zero.
            Instant::now().checked_duration_since(since).is_some_and(|owed| owed >= limit)
        })
    }

    fn close(&mut self) {
        let owed = self.owing_since.map_or(Duration::ZERO, |since| since.elapsed());
        self.closed_after.get_or_insert(owed);
    }

    fn begin(&mut self, allowance: Duration) -> Result<(), LinkError> {
        if let Some(after) = self.closed_after {
            return Err(LinkError::Deadline(after));
        }
        let now = Instant::now();
        let allowance = allowance + self.granted;
        self.owing_since = Some(now.checked_add(allowance).unwrap_or(now));
        Ok(())
    }
}

/// Marks the call as returned, also when it panicked.
struct End<'f>(&'f Fence);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.state().owing_since = None;
    }
}

/// A link that passes the fence with every exchange, and with its own end, which resets the token.
pub struct Fenced<L> {
    inner: Option<L>,
    fence: Fence,
}

impl<L> Fenced<L> {
    /// Puts the link behind the fence.
    pub fn new(inner: L, fence: Fence) -> Self {
        Self { inner: Some(inner), fence }
    }
}

impl<L: ApduLink> ApduLink for Fenced<L> {
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let Some(inner) = &mut self.inner else { return Err(LinkError::Gone) };
        self.fence.pass(Duration::ZERO, || inner.exchange(command))
    }

    fn answer_to_reset(&self) -> &[u8] {
        self.inner.as_ref().map_or(&[], L::answer_to_reset)
    }
}

/// Each report passes by itself. A wait for one owes an answer only when its own time is up: a key that works on, or
/// waits for a touch, is in nobody's way.
impl<L: HidLink> HidLink for Fenced<L> {
    fn send(&mut self, report: &Report) -> Result<(), LinkError> {
        let Some(inner) = &mut self.inner else { return Err(LinkError::Gone) };
        self.fence.pass(Duration::ZERO, || inner.send(report))
    }

    fn receive(&mut self, at_most: Duration) -> Result<Option<Report>, LinkError> {
        let Some(inner) = &mut self.inner else { return Err(LinkError::Gone) };
        self.fence.pass(at_most, || inner.receive(at_most))
    }
}

impl<L> Drop for Fenced<L> {
    /// Leaving a reader can hang like anything else, so it is watched; but it happens even behind a closed fence,
    /// since it takes away from the token what it had accepted.
    fn drop(&mut self) {
        self.fence.state().owing_since = Some(Instant::now());
        let _end = End(&self.fence);
        self.inner = None;
    }
}

/// A port that passes the fence with every call, and hands out links behind the same fence.
pub struct FencedPort {
    inner: Box<dyn Port>,
    fence: Fence,
}

impl FencedPort {
    /// Puts the port behind the fence.
    pub fn new(inner: Box<dyn Port>, fence: Fence) -> Self {
        Self { inner, fence }
    }
}

impl Port for FencedPort {
    fn wait_change(&mut self, known: Presence, at_most: Duration) -> Result<Presence, LinkError> {
        self.fence.pass(at_most, || self.inner.wait_change(known, at_most))
    }

    fn open(&mut self) -> Result<Opened, LinkError> {
        // A link that opened too late is dropped here, and with it the token's hold on the reader.
        let link = self.fence.pass(Duration::ZERO, || self.inner.open())?;
        let fence = self.fence.clone();
        Ok(match link {
            Opened::Card(link) => Opened::Card(Box::new(Fenced::new(link, fence))),
            Opened::Hid(link) => Opened::Hid(Box::new(Fenced::new(link, fence))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::StatusWord;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    /// Only so that a test that fails does not hang as well.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Says that it was called, then waits to be told to return.
    struct Blocking {
        called: Sender<&'static str>,
        go_on: Receiver<()>,
    }

    impl Blocking {
        fn call(&self, name: &'static str) {
            self.called.send(name).unwrap();
            // The sender is gone in tests that block nothing.
            let _ = self.go_on.recv_timeout(PATIENCE);
        }
    }

    impl ApduLink for Blocking {
        fn exchange(&mut self, _: &Apdu) -> Result<Response, LinkError> {
            self.call("exchange");
            Ok(Response { data: vec![], status: StatusWord::OK })
        }

        fn answer_to_reset(&self) -> &[u8] {
            &[0x3B]
        }
    }

    impl Drop for Blocking {
        fn drop(&mut self) {
            let _ = self.called.send("drop");
            let _ = self.go_on.recv_timeout(PATIENCE);
        }
    }

    fn blocking() -> (Blocking, Receiver<&'static str>, Sender<()>) {
        let (called, calls) = channel();
        let (go, go_on) = channel();
        (Blocking { called, go_on }, calls, go)
    }

    fn command() -> Apdu {
        Apdu::plain([0x80, 0x41, 0, 0])
    }

    #[test]
    fn a_grant_lasts_until_it_is_taken_back() {
        let fence = Fence::new();
        let hour = Duration::from_secs(3600);
        for (granted, overdue) in [(Some(hour), false), (None, false), (Some(Duration::ZERO), true)] {
            granted.into_iter().for_each(|granted| fence.grant(granted));
            let passed = fence.pass(Duration::ZERO, || Ok(fence.overdue(Duration::ZERO)));
            assert_eq!(passed, Ok(overdue));
        }
    }

    #[test]
    fn an_exchange_that_returns_too_late_is_discarded_and_no_other_follows() {
        let (link, calls, go) = blocking();
        let fence = Fence::new();
        let mut fenced = Fenced::new(link, fence.clone());
        assert!(!fence.overdue(Duration::ZERO) && !fence.is_busy());

        let reader = thread::spawn(move || {
            let late = fenced.exchange(&command());
            let next = fenced.exchange(&command());
            (late, next, fenced)
        });
        assert_eq!(calls.recv(), Ok("exchange"));
        assert!(fence.is_busy() && fence.overdue(Duration::ZERO));
        assert!(!fence.close_if_overdue(Duration::from_secs(3600)) && !fence.is_closed());
        assert!(fence.close_if_overdue(Duration::ZERO) && fence.is_closed());
        assert!(fence.is_busy(), "the thread is still in the call");
        go.send(()).unwrap();

        let (late, next, fenced) = reader.join().unwrap();
        assert!(matches!(late, Err(LinkError::Deadline(_))), "{late:?}");
        assert_eq!(late, next, "both say for how long the first one hung");
        assert!(calls.try_recv().is_err(), "the second exchange reached the reader");
        assert!(!fence.is_busy());
        drop(go);
        drop(fenced);
        assert_eq!(calls.recv(), Ok("drop"), "leaving resets the token even then");
    }

    #[test]
    fn an_open_fence_changes_nothing() {
        let (link, calls, go) = blocking();
        drop(go);
        let fence = Fence::new();
        let mut fenced = Fenced::new(link, fence.clone());
        assert_eq!(fenced.answer_to_reset(), [0x3B]);
        for _ in 0..2 {
            assert_eq!(fenced.exchange(&command()).unwrap().status, StatusWord::OK);
            assert_eq!(calls.recv(), Ok("exchange"));
        }
        assert!(!fence.is_busy() && !fence.is_closed());
    }

    #[test]
    fn leaving_the_reader_is_watched_too() {
        let (link, calls, go) = blocking();
        let fence = Fence::new();
        let fenced = Fenced::new(link, fence.clone());
        let reader = thread::spawn(move || drop(fenced));
        assert_eq!(calls.recv(), Ok("drop"));
        assert!(fence.overdue(Duration::ZERO));
        go.send(()).unwrap();
        reader.join().unwrap();
        assert!(!fence.is_busy());
    }

    struct BlockingPort(Blocking, Option<Blocking>);

    impl Port for BlockingPort {
        fn wait_change(&mut self, known: Presence, _: Duration) -> Result<Presence, LinkError> {
            self.0.call("wait");
            Ok(known)
        }

        fn open(&mut self) -> Result<Opened, LinkError> {
            self.0.call("open");
            Ok(Opened::Card(Box::new(self.1.take().unwrap())))
        }
    }

    #[test]
    fn a_wait_is_overdue_only_after_its_own_time() {
        let (port, calls, go) = blocking();
        let fence = Fence::new();
        let mut port = FencedPort::new(Box::new(BlockingPort(port, None)), fence.clone());
        let waits = [Duration::from_secs(3600), Duration::ZERO];
        let reader = thread::spawn(move || waits.map(|at_most| port.wait_change(Presence::Empty, at_most)));
        assert_eq!(calls.recv(), Ok("wait"));
        assert!(fence.is_busy() && !fence.overdue(Duration::ZERO));
        go.send(()).unwrap();
        assert_eq!(calls.recv(), Ok("wait"));
        assert!(fence.overdue(Duration::ZERO));
        drop(go);
        assert_eq!(reader.join().unwrap(), [Ok(Presence::Empty), Ok(Presence::Empty)]);
    }

    #[test]
    fn a_link_that_opens_too_late_is_left_at_once() {
        let (port, calls, go) = blocking();
        let (link, link_calls, link_go) = blocking();
        drop(link_go);
        let fence = Fence::new();
        let mut port = FencedPort::new(Box::new(BlockingPort(port, Some(link))), fence.clone());
        let reader = thread::spawn(move || {
            let late = port.open().err();
            (late, port.open().err(), port.wait_change(Presence::Empty, Duration::ZERO).err())
        });
        assert_eq!(calls.recv(), Ok("open"));
        fence.close();
        drop(go);
        let (late, again, wait) = reader.join().unwrap();
        assert!(matches!(late, Some(LinkError::Deadline(_))), "{late:?}");
        assert_eq!((again, wait), (late.clone(), late));
        assert_eq!(link_calls.recv(), Ok("drop"));
        assert_eq!(calls.recv(), Ok("drop"), "the port was called no second time");
    }

    fn card(opened: Opened) -> Box<dyn ApduLink> {
        match opened {
            Opened::Card(link) => link,
            Opened::Hid(_) => panic!("no card"),
        }
    }

    impl HidLink for Blocking {
        fn send(&mut self, _: &Report) -> Result<(), LinkError> {
            self.call("send");
            Ok(())
        }

        fn receive(&mut self, _: Duration) -> Result<Option<Report>, LinkError> {
            self.call("receive");
            Ok(None)
        }
    }

    #[test]
    fn a_wait_for_a_report_is_overdue_only_after_its_own_time() {
        let (link, calls, go) = blocking();
        let fence = Fence::new();
        let mut fenced = Fenced::new(link, fence.clone());
        let reader = thread::spawn(move || {
            let sent = fenced.send(&Report::new([0; 64]));
            let received = fenced.receive(Duration::from_secs(3600));
            (sent, received, fenced.send(&Report::new([0; 64])))
        });
        assert_eq!(calls.recv(), Ok("send"));
        assert!(fence.overdue(Duration::ZERO));
        go.send(()).unwrap();
        assert_eq!(calls.recv(), Ok("receive"));
        assert!(fence.is_busy() && !fence.overdue(Duration::ZERO));
        fence.close();
        drop(go);
        let (sent, received, late) = reader.join().unwrap();
        assert_eq!(sent, Ok(()));
        assert!(matches!(received, Err(LinkError::Deadline(_))), "{received:?}");
        assert!(matches!(late, Err(LinkError::Deadline(_))), "nothing is sent any more");
    }

    #[test]
    fn links_of_a_fenced_port_share_its_fence() {
        let (port, _calls, go) = blocking();
        let (link, link_calls, link_go) = blocking();
        drop((go, link_go));
        let fence = Fence::new();
        let mut port = FencedPort::new(Box::new(BlockingPort(port, Some(link))), fence.clone());
        let mut link = card(port.open().unwrap());
        fence.close();
        assert!(matches!(link.exchange(&command()), Err(LinkError::Deadline(_))));
        drop(link);
        assert_eq!(link_calls.recv(), Ok("drop"), "nothing was sent");
    }
}
