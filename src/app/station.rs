//! The station on real readers: lock, socket, database, PC/SC, until somebody ends it.

use super::{
    catalog, doctor,
    notify::Notify,
    sources::{Sources, usb_keys},
    system_clock::SystemClock,
};
use crate::{
    domain::Clock,
    drivers::{hid::HidSource, pcsc::PcscSource},
    face::{Failure, FailureKind},
    remedy::Remedy,
    service::{
        self, Access, Attached, BindError, Home, HomeLock, Listener, Terms,
        launch::{self, Readiness},
        logging,
        process::{self, EndSignals, Hold},
    },
    station::{Crossing, Limits, Parts, Station, StationHandle},
    store::Store,
};
use std::{ffi::OsString, io::Write, sync::Arc};
use tokio::{runtime::Runtime, sync::oneshot};

/// Runs the station of the home that `env` names until it is asked to end. Detached, it leaves its terminal and tells
/// the client that started it when it is ready; else it says so on `out`.
pub fn run(env: impl Fn(&str) -> Option<OsString>, hold: Hold, out: &mut dyn Write) -> Result<(), Failure> {
    process::harden().map_err(|error| service::failure(&error))?;
    let home = Home::find(&env).map_err(|error| service::failure(&error))?;
    let owner = nix::unistd::geteuid().as_raw();
    let access = Access::find(owner, &env).map_err(|error| service::failure(&error))?;
    let mut announce = match hold {
        Hold::Detached => {
            home.prepare().map_err(|error| service::failure(&error))?;
            Announce::Client(launch::detach(&home.log()).map_err(launch::LaunchError::into_failure)?)
        }
        Hold::Foreground => Announce::Terminal(out),
    };
    let listener = match Listener::bind(&home, &access) {
        Ok(listener) => listener,
        Err(error) => {
            let failure = service::failure(&error);
            announce.not_bound(&error);
            return Err(failure);
        }
    };
    let keeper = Keeper {
        // One that a client started has no service manager: what stands in its environment is the client's.
        notify: match hold {
            Hold::Detached => Notify::nobody(),
            Hold::Foreground => Notify::find(&env, std::process::id()),
        },
        hold,
    };
    let limits = limits(&env);
    let crossing = crossing(&env);
    serve(&home, access, listener, keeper, limits, crossing, announce)
}

/// What holds the server, besides the clients that need it.
struct Keeper {
    hold: Hold,
    notify: Notify,
}

fn serve(
    home: &Home,
    access: Access,
    listener: Listener,
    keeper: Keeper,
    limits: Limits,
    crossing: Crossing,
    mut announce: Announce<'_>,
) -> Result<(), Failure> {
    let Keeper { hold, notify } = keeper;
    let attached = Attached::default();
    let made = make_parts(home, &attached, limits, crossing).and_then(|parts| Ok((parts, runtime()?)));
    let (parts, runtime) = match made {
        Ok(made) => made,
        Err(failure) => {
            announce.failed(failure.clone());
            return Err(failure);
        }
    };
    runtime.block_on(async {
        let started = Station::start(parts)
            .and_then(|started| Ok((started, EndSignals::listen(hold).map_err(|e| service::failure(&e))?)));
        let ((station, door), mut signals) = match started {
            Ok(started) => started,
            Err(failure) => {
                announce.failed(failure.clone());
                return Err(failure);
            }
        };
        announce.ready(home);
        notify.ready(&format!("answers on {}", home.socket().display()));
        let manager = {
            let door = door.clone();
            tokio::spawn(async move { notify.attend(&door).await })
        };
        let crier = station.crier();
        attached.tell(move |event| crier.cry(event));
        let terms = Terms { access, demo: false, attached };
        let stopper = station.stopper();
        tokio::spawn(async move {
            let signal = signals.asked().await;
            tracing::info!(signal, "asked to end");
            stopper.stop();
        });
        let served = serve_until_stopped(listener, station, door, terms).await;
        manager.abort();
        let _ = manager.await;
        served.map(drop).map_err(|error| service::failure(&error))
    })
}

/// Serves the clients of a station until it has stopped, and waits for its last burn either way.
pub(super) async fn serve_until_stopped(
    listener: Listener,
    station: Station,
    door: StationHandle,
    terms: Terms,
) -> Result<HomeLock, BindError> {
    // The socket closes when the slots have laid down what they had in hand, so that watchers see the end.
    let (ended, end) = oneshot::channel();
    let slots = tokio::spawn(async move {
        station.stopped().await;
        // The server may have ended by itself.
        let _ = ended.send(());
    });
    let served = service::serve(listener, door, terms, async {
        let _ = end.await;
    })
    .await;
    // A panic there is in the log; the lock is given back either way, after the last burn.
    let _ = slots.await;
    served
}

/// What a station's server runs on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|error| {
        Failure {
            kind: FailureKind::Environment,
            message: format!("the station's threads can't be started: {error}"),
            remedy: "raise the limit on processes (ulimit -u)".into(),
            details: Vec::new(),
        }
    })
}

fn make_parts(
    home: &Home,
    attached: &Attached,
    limits: Limits,
    crossing: Crossing,
) -> Result<Parts, Failure> {
    let filter = std::env::var("KILN_LOG").ok();
    logging::init(&home.log(), filter.as_deref()).map_err(|error| service::failure(&error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open(&home.database(), clock.now()).map_err(|error| Failure {
        kind: FailureKind::Environment,
        message: error.to_string(),
        remedy: error.remedy().to_owned(),
        details: Vec::new(),
    })?;
    let catalog = catalog::load(home.profiles())?;
    let source = Arc::new(Sources::new(PcscSource::new(), HidSource::start(usb_keys(&catalog))));
    Ok(Parts {
        store,
        catalog,
        clock,
        source,
        limits,
        clients: attached.counter(),
        probe: doctor::probe(home.clone()),
        crossing,
    })
}

/// Who is told that the station is ready.
enum Announce<'a> {
    /// The client that started it.
    Client(Readiness),
    /// Whoever reads the terminal.
    Terminal(&'a mut dyn Write),
    /// Nobody any more.
    Told,
}

impl Announce<'_> {
    fn ready(&mut self, home: &Home) {
        match std::mem::replace(self, Self::Told) {
            Self::Client(readiness) => readiness.ready(),
            Self::Terminal(out) => {
                // A closed terminal is no reason to end.
                let _ = writeln!(out, "kiln station ready at {}", home.socket().display());
                let _ = out.flush();
            }
            Self::Told => {}
        }
    }

    fn not_bound(&mut self, error: &BindError) {
        if let Self::Client(readiness) = std::mem::replace(self, Self::Told) {
            readiness.not_bound(error);
        }
    }

    fn failed(&mut self, failure: Failure) {
        if let Self::Client(readiness) = std::mem::replace(self, Self::Told) {
            readiness.failed(failure);
        }
    }
}

/// The usual limits; `KILN_PRECISE_CLOCKS=1` watches tokens' clocks to the change of their second. A debug build takes a shorter deadline from `KILN_EXCHANGE_DEADLINE_MS`, so that a test needn't
/// wait for the real one.
fn limits(env: impl Fn(&str) -> Option<OsString>) -> Limits {
    let set = env("KILN_PRECISE_CLOCKS").is_some_and(|value| !value.is_empty() && value != "0");
    let mut limits = Limits { precise_clocks: set, ..Limits::default() };
    if cfg!(debug_assertions)
        && let Some(millis) = env("KILN_EXCHANGE_DEADLINE_MS").and_then(|text| text.to_str()?.parse().ok())
    {
        limits.exchange = std::time::Duration::from_millis(millis);
    }
    limits
}

/// Nothing happens at a crossing of the shipped station. A debug build kills itself at the one that `KILN_CROSSING`
/// names (`NAME`, or `NAME:K` for the K-th time it is passed), as a power cut would: that is how the tests cut a burn
/// short at each of its steps.
#[cfg(debug_assertions)]
fn crossing(env: impl Fn(&str) -> Option<OsString>) -> Crossing {
    use nix::sys::signal::{Signal, kill};
    use std::sync::atomic::{AtomicU32, Ordering};

    let Some(armed) = env("KILN_CROSSING").and_then(|text| text.into_string().ok()) else {
        return crate::station::no_crossing();
    };
    let (name, at) = match armed.split_once(':') {
        Some((name, at)) => (name.to_owned(), at.parse().unwrap_or(1)),
        None => (armed, 1),
    };
    let passed = AtomicU32::new(0);
    Arc::new(move |here| {
        if here == name && passed.fetch_add(1, Ordering::Relaxed) + 1 == at {
            let _ = kill(nix::unistd::Pid::this(), Signal::SIGKILL);
        }
    })
}

#[cfg(not(debug_assertions))]
fn crossing(_: impl Fn(&str) -> Option<OsString>) -> Crossing {
    crate::station::no_crossing()
}
