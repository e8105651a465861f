//! One station, four slots, one kind of token on each: single-profile, Molto2 and a key with the OATH applet behind a real
//! `pcscd`, a Token2 key on USB in process. Every job ends burned, each with the strongest proof that its kind allows.

mod support;

use kiln::{
    app::system_clock::SystemClock,
    domain::{Clock, Proof, catalog::Catalog},
    drivers::pcsc::PcscSource,
    face::{Command, Doing, Event, HolderFile, JobFilter, JobView, Page, Reply, Role, SecretBytes},
    link::{LinkError, LinkSource, Listing, Port},
    sim::{Bench, Challenges, Fault, Surroundings, VirtualToken, token2_otp},
    station::{Caller, Limits, Parts, Station, StationHandle, no_crossing, no_probe},
    store::Store,
    vault::DataKey,
};
use std::{sync::Arc, thread, time::Duration};
use support::{LONG, hand::Token, namespace::isolated, pcscd::Pcscd, shop::of_one, until};

const LIMIT: Duration = Duration::from_secs(240);

/// The port on which the key hangs.
const USB: &str = "USB port 1-2";

/// Readers behind pcscd and USB ports, as the shipped station has both.
struct Both {
    readers: PcscSource,
    ports: Bench,
}

impl LinkSource for Both {
    fn list(&self) -> Listing {
        [self.readers.list().names, self.ports.list().names].concat().into()
    }

    fn open_port(&self, name: &str) -> Result<Box<dyn Port>, LinkError> {
        if self.ports.list().names.iter().any(|port| port == name) {
            self.ports.open_port(name)
        } else {
            self.readers.open_port(name)
        }
    }
}

struct Shop {
    runtime: tokio::runtime::Runtime,
    door: StationHandle,
    station: Station,
    ports: Bench,
    _dir: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let ports = Bench::default();
        ports.add_usb_port(USB);
        let clock = Arc::new(SystemClock);
        let parts = Parts {
            store: Store::open(&dir.path().join("kiln.db"), clock.now()).expect("a store"),
            catalog: Catalog::built_in(),
            clock,
            source: Arc::new(Both { readers: PcscSource::new(), ports: ports.clone() }),
            limits: Limits::default(),
            clients: Arc::default(),
            probe: no_probe(),
            crossing: no_crossing(),
        };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (station, door) = runtime.block_on(async { Station::start(parts).expect("a station") });
        let shop = Self { runtime, door, station, ports, _dir: dir };
        let key = DataKey::generate().expect("the system has randomness");
        let holder =
            HolderFile { name: "test".into(), kind: "age".into(), recipient: None, file: String::new() };
        shop.ask(Command::VaultInit { holder, data_key: SecretBytes::new(*key.expose()) });
        shop.ask(Command::ClockOverride { seconds: 3600 });
        shop
    }

    #[track_caller]
    fn ask(&self, command: Command) -> Reply {
        let caller = Caller { who: "tester".into(), uid: 0, role: Role::Operator };
        self.runtime
            .block_on(self.door.ask(command, caller))
            .unwrap_or_else(|failure| panic!("{}; {}", failure.message, failure.remedy))
    }

    #[track_caller]
    fn batch(&self, name: &str, model: &str, recipe: &str) {
        self.ask(Command::BatchNew(of_one(name, model, recipe)));
        self.ask(Command::BatchStart { name: name.into() });
    }

    #[track_caller]
    fn job(&self, batch: &str) -> JobView {
        let (batch, filter) = (batch.to_owned(), JobFilter::default());
        match self.ask(Command::Jobs { batch, filter, page: Page { offset: 0, limit: 10 } }) {
            Reply::Jobs(page) => page.items.into_iter().next().expect("it has one job"),
            other => panic!("no jobs: {other:?}"),
        }
    }

    #[track_caller]
    fn burned(&self, batch: &str, proof: Proof) -> JobView {
        until(&format!("the job of {batch}"), LONG, || {
            let job = self.job(batch);
            (job.state == kiln::domain::JobState::Burned).then_some(())
        });
        let job = self.job(batch);
        assert_eq!(job.proof, Some(proof), "{job:?}");
        job
    }

    fn end(self) {
        self.station.stopper().stop();
        self.runtime.block_on(self.station.stopped());
    }
}

fn usb_key(serial: &str) -> VirtualToken {
    let settings = token2_otp::Settings::new(serial.parse().expect("a serial"));
    VirtualToken::token2_otp(settings, Surroundings::new(Arc::new(SystemClock), Challenges::random()))
}

#[test]
fn four_kinds_of_token_are_burned_side_by_side_each_proven_as_well_as_it_can_be() {
    isolated("four_kinds_of_token_are_burned_side_by_side_each_proven_as_well_as_it_can_be", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "TOKEN2 Molto2 A"]);
        let shop = Shop::open();
        let by_name = |word: &str| {
            let mut named = pcscd.readers().iter().filter(|reader| reader.name.contains(word));
            (named.next().expect("a reader").clone(), named.next().expect("another").clone())
        };
        let ((nfc, ccid), (molto, _)) = (by_name("Kiln A"), by_name("Molto2"));
        for (batch, model, recipe) in [
            ("nfc", "c301-i", "single-random"),
            ("molto", "molto2-v2", "molto2-ten-random"),
            ("oath", "yubikey-5", "key-three-random"),
            ("usb", "token2-pin-plus", "key-three-random"),
        ] {
            shop.batch(batch, model, recipe);
        }
        let _single = Token::place_new("c301-i", "86596100000001", &nfc, &[]);
        let _several = Token::place_new("molto2-v2", "10000000000001", &molto, &[]);
        let key = usb_key("96105000000017");
        shop.ports.place(USB, &key).expect("the port is free");
        let finger = {
            let key = key.clone();
            thread::spawn(move || key.touch_within(LONG))
        };
        let mut oath = Token::place_new("yubikey-5", "12345678", &ccid, &[]);
        oath.touch();
        shop.burned("nfc", Proof::Written);
        shop.burned("molto", Proof::ReadBack);
        shop.burned("oath", Proof::Computed);
        let job = shop.burned("usb", Proof::Computed);
        assert_eq!(job.serial.map(|serial| serial.to_string()).as_deref(), Some("96105000000017"));
        assert!(finger.join().expect("the finger"), "its touchy entry was proven by a touch");
        assert_eq!(key.standing().filled, 3);
        shop.end();
    });
}

#[test]
fn a_usb_key_that_wants_a_touch_nobody_foresaw_says_so_on_its_slot() {
    isolated("a_usb_key_that_wants_a_touch_nobody_foresaw_says_so_on_its_slot", LIMIT, || {
        let _pcscd = Pcscd::start(&["Kiln A"]);
        let shop = Shop::open();
        let mut events = shop.door.events();
        let settings = token2_otp::Settings {
            touch_to_write: true,
            ..token2_otp::Settings::new("96105000000025".parse().expect("a serial"))
        };
        let around = Surroundings::new(Arc::new(SystemClock), Challenges::random());
        let key = VirtualToken::token2_otp(settings, around);
        shop.batch("usb", "token2-pin-plus", "key-random");
        shop.ports.place(USB, &key).expect("the port is free");
        // Nobody touches it before the slot says so.
        shop.runtime.block_on(async {
            loop {
                let told = events.recv().await.expect("the station goes on");
                if let Event::Slot(view) = &told.event
                    && view.doing == Doing::Touch
                {
                    assert!(
                        view.remedy.as_deref().is_some_and(|remedy| remedy.contains("kiln slots give-up"))
                    );
                    break;
                }
            }
        });
        assert!(key.touch_within(LONG));
        shop.burned("usb", Proof::Computed);
        shop.end();
    });
}

#[test]
fn a_wait_for_a_touch_is_given_up_and_the_job_goes_on_when_the_key_is_back() {
    isolated("a_wait_for_a_touch_is_given_up_and_the_job_goes_on_when_the_key_is_back", LIMIT, || {
        let _pcscd = Pcscd::start(&["Kiln A"]);
        let shop = Shop::open();
        let mut events = shop.door.events();
        let give_up = || {
            let caller = Caller { who: "tester".into(), uid: 0, role: Role::Operator };
            shop.runtime.block_on(shop.door.ask(Command::SlotGiveUp { slot: USB.into() }, caller))
        };
        let mut until_slot = |doing: Doing| {
            shop.runtime.block_on(async {
                loop {
                    if let Event::Slot(view) = &events.recv().await.expect("the station goes on").event
                        && view.doing == doing
                        && view.slot.0 == USB
                    {
                        return view.clone();
                    }
                }
            })
        };
        let nothing = give_up().expect_err("no key is there");
        assert!(nothing.message.contains("no key on slot") && !nothing.remedy.is_empty(), "{nothing:?}");

        // It would wait for a minute, and nobody touches it.
        let settings = token2_otp::Settings {
            touch_to_write: true,
            patience: Duration::from_secs(60),
            ..token2_otp::Settings::new("96105000000041".parse().expect("a serial"))
        };
        let around = Surroundings::new(Arc::new(SystemClock), Challenges::random());
        let key = VirtualToken::token2_otp(settings, around);
        shop.batch("usb", "token2-pin-plus", "key-random");
        shop.ports.place(USB, &key).expect("the port is free");
        until_slot(Doing::Touch);
        give_up().expect("it waits");
        let said = until_slot(Doing::Look);
        assert!(said.says.as_deref().is_some_and(|says| says.contains("was given up")), "{said:?}");
        assert!(said.remedy.as_deref().is_some_and(|todo| todo.contains("without touching it")), "{said:?}");
        let job = shop.job("usb");
        assert_eq!(job.state, kiln::domain::JobState::Unfinished, "{job:?}");
        assert_eq!(key.standing().filled, 0);
        give_up().expect_err("nothing waits any more: the slot leaves it alone");

        // Back with a finger on it.
        shop.ports.take(USB).expect("it was there");
        let finger = {
            let key = key.clone();
            thread::spawn(move || key.touch_within(LONG))
        };
        shop.ports.place(USB, &key).expect("the port is free");
        shop.burned("usb", Proof::Computed);
        assert!(finger.join().expect("the finger"));
        assert_eq!(key.standing().filled, 1);
        let Reply::Audit(log) = shop
            .ask(Command::AuditShow { query: "touch given up".into(), page: Page { offset: 0, limit: 10 } })
        else {
            panic!("no log");
        };
        assert_eq!(log.total, 1);
        shop.end();
    });
}

#[test]
fn a_usb_key_pulled_out_in_the_middle_of_a_write_goes_on_when_it_is_back() {
    isolated("a_usb_key_pulled_out_in_the_middle_of_a_write_goes_on_when_it_is_back", LIMIT, || {
        let _pcscd = Pcscd::start(&["Kiln A"]);
        let shop = Shop::open();
        shop.ports.add_usb_port("USB port 1-3");
        let key = usb_key("96105000000033");
        // Public key, configuration, serial, list, public key, write; the answer to that is lost.
        key.arm(Fault::YankAfter(std::num::NonZeroU32::new(6).expect("six")));
        shop.batch("usb", "token2-pin-plus", "key-random");
        shop.ports.place(USB, &key).expect("the port is free");
        until("the burn to be cut short", LONG, || {
            (shop.job("usb").state == kiln::domain::JobState::Unfinished).then_some(())
        });
        let before = key.save();
        assert_eq!(key.standing().filled, 1, "the write took effect");
        // Back on another port.
        shop.ports.place("USB port 1-3", &key).expect("the port is free");
        shop.burned("usb", Proof::Computed);
        let seed = |saved: &str| {
            let saved: serde_json::Value = serde_json::from_str(saved).expect("JSON");
            support::hand::seeds_in(&saved)
        };
        assert_eq!(seed(&before), seed(&key.save()), "the same seed");
        shop.end();
    });
}
