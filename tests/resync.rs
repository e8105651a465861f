//! Clocks set right as an operator does it: drifted tokens of both kinds behind a real `pcscd`, swept by the binary on
//! four slots. The tokens' own memories say that nothing but their clocks has changed, and `oathtool` that their displays
//! show what they should.

mod support;

use kiln::{
    app::system_clock::SystemClock,
    domain::{Clock, Profile},
    sim::{
        Challenges, Surroundings, VirtualToken, molto2,
        token2_single::{self, TimeSync},
        vpcd::Card,
    },
};
use serde_json::Value;
use std::{cell::RefCell, collections::HashSet, sync::Arc, time::Duration};
use support::{
    LONG, memory,
    namespace::isolated,
    oathtool,
    pcscd::{Pcscd, Reader},
    scene::{Scene, Watch},
    seed_file::{Line, entra},
    until,
};

const LIMIT: Duration = Duration::from_secs(240);

/// Differs from every default: whoever sets a clock and takes one of these from anywhere but the record is found out.
const ODD: &str = r#"
name = "odd"
label = "Nothing as usual"
models = ["c301-i", "c302-i"]
display_timeout_s = 120

[[profile]]
number = 0
hash = "SHA256"
digits = 6
period = 60
seed = "random"
seed_bytes = 32
"#;

/// A token in the test's hand.
struct Piece {
    token: VirtualToken,
    reader: Reader,
    card: Option<Card>,
}

impl Piece {
    fn new(token: VirtualToken, reader: &Reader) -> Self {
        Self { token, reader: reader.clone(), card: None }
    }

    fn single(serial: &str, time_sync: TimeSync, reader: &Reader) -> Self {
        let settings = token2_single::Settings::new(serial.parse().expect("a serial"), time_sync);
        Self::new(VirtualToken::token2_single(settings, around()), reader)
    }

    fn serial(&self) -> String {
        self.token.serial()
    }

    fn place(&mut self, desk: &Desk) {
        desk.clear(&self.reader);
        let mut card = Card::new(self.reader.port, self.token.clone(), |_, _| ());
        card.place().unwrap_or_else(|error| panic!("{error}"));
        self.card = Some(card);
    }

    fn take(&mut self) {
        self.card = None;
    }

    /// Sets its clock off by so many seconds, behind everybody's back.
    fn push(&self, seconds: i64) {
        memory::push(&self.token, seconds);
    }

    fn memory(&self) -> Value {
        memory::memory(&self.token)
    }

    /// Its clock minus this machine's, in seconds.
    fn off(&self) -> i64 {
        self.token.clock().0 - SystemClock.now().floor_second().0
    }

    /// The code of a profile, switched off and on, and the second of its clock at which it was read.
    fn code(&self, profile: u8) -> (String, u64) {
        self.token.switch_off();
        self.token.switch_on();
        loop {
            let before = self.token.clock().0;
            let display = self.token.display(Profile::new(profile));
            if self.token.clock().0 == before {
                let code = display.code().unwrap_or_else(|| panic!("no code: {display:?}")).to_owned();
                return (code, before.try_into().expect("after 1970"));
            }
        }
    }

    /// Every profile shows what `oathtool` computes from the seed in the token's memory, and the station calls it right.
    fn shows_what_it_did(&self, scene: &Scene) {
        let serial = self.serial();
        let view = scene.json(&["token", &serial]);
        let memory = self.memory();
        for mapping in view["mappings"].as_array().expect("a list").iter().filter(|one| one["to"].is_null()) {
            let profile = mapping["profile"].as_u64().expect("a number") as u8;
            let place =
                if memory["places"].is_null() { &memory } else { &memory["places"][usize::from(profile)] };
            let seed = place["seed"].as_str().expect("hex");
            let parameters = &mapping["parameters"];
            let number = |name: &str| parameters[name].as_u64().expect("a number") as u32;
            let hash = parameters["hash"].as_str().expect("a word").to_lowercase().replace('-', "");
            let (code, at) = self.code(profile);
            // oathtool knows no others; those are the station's to compare with the vault.
            if (6..=8).contains(&number("digits")) {
                let right =
                    oathtool::code(&oathtool::base32(seed), &hash, number("digits"), number("period"), at);
                assert_eq!(code, right, "profile {profile} of {serial}");
            }
            scene.run(&["verify", &serial, &code, "--profile", &profile.to_string()]);
        }
    }
}

/// The readers, and on which of them something lay already.
struct Desk {
    pcscd: Pcscd,
    used: RefCell<HashSet<String>>,
}

impl Desk {
    /// Waits until what lay on the reader before is known to be gone.
    fn clear(&self, reader: &Reader) {
        if !self.used.borrow_mut().insert(reader.name.clone()) {
            self.pcscd.await_removal(reader);
        }
    }
}

fn around() -> Surroundings {
    Surroundings::new(Arc::new(SystemClock), Challenges::random())
}

fn burn(pieces: &mut [&mut Piece], desk: &Desk, watch: &Watch) {
    for piece in pieces {
        piece.place(desk);
        watch.until_taken(&[piece.serial()]);
        piece.take();
    }
}

#[test]
fn drifted_tokens_are_swept_on_four_slots_and_keep_all_but_their_clocks() {
    isolated("drifted_tokens_are_swept_on_four_slots_and_keep_all_but_their_clocks", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "Kiln B", "TOKEN2 Molto2"]);
        let desk = Desk { pcscd, used: RefCell::default() };
        let scene = Scene::new();
        let _station = scene.start_with_recipe(ODD, &[]);
        let watch = Watch::start(&scene.kiln);
        // Three slots for NFC tokens, one for a Molto2.
        let slots = [0, 1, 2, 4].map(|at| desk.pcscd.readers()[at].clone());
        assert!(slots[3].name.contains("Molto2"), "{slots:?}");

        let strict = TimeSync::Restricted;
        let mut strict: Vec<Piece> =
            (0..3).map(|n| Piece::single(&format!("8659610000{:04}", 10 + n), strict, &slots[n])).collect();
        let loose = TimeSync::Unrestricted;
        let mut loose: Vec<Piece> =
            (0..3).map(|n| Piece::single(&format!("8659632000{:04}", 20 + n), loose, &slots[n])).collect();
        let settings =
            molto2::Settings::new("826718719844499".parse().expect("a serial"), molto2::Generation::V2);
        let mut usb = Piece::new(VirtualToken::molto2(settings, around()), &slots[3]);
        let mut stranger = Piece::single("86596100000099", TimeSync::Restricted, &slots[1]);

        scene.random_batch("strict", strict.len(), "c301-i", "odd");
        scene.random_batch("loose", loose.len(), "c302-i", "odd");
        scene.random_batch("usb", 1, "molto2-v2", "molto2-ten-random");
        burn(&mut strict.iter_mut().collect::<Vec<_>>(), &desk, &watch);
        burn(&mut loose.iter_mut().collect::<Vec<_>>(), &desk, &watch);
        burn(&mut [&mut usb], &desk, &watch);

        // A year or so in a drawer; one of them kept its time.
        let drifts = [-75, 43, 3];
        strict.iter().zip(drifts).for_each(|(piece, drift)| piece.push(drift));
        loose.iter().zip([130, -21, -600]).for_each(|(piece, drift)| piece.push(drift));
        usb.push(-3_605);
        stranger.push(500);
        let memories = |pieces: &[Piece]| pieces.iter().map(Piece::memory).collect::<Vec<_>>();
        let before = (memories(&strict), memories(&loose), usb.memory(), stranger.memory());

        let made = scene.json(&["drift", "resync", "--name", "june"]);
        assert_eq!((&made["name"], &made["state"]), (&"june".into(), &"running".into()), "{made}");

        // The sweep's key is tried on one token first. Then all slots at once; one token is torn off when its
        // configuration is written and its seed is gone.
        strict[0].place(&desk);
        watch.until_taken(&[strict[0].serial()]);
        strict[1].token.arm("yank-after:4".parse().expect("a fault"));
        strict[1].place(&desk);
        strict[2].place(&desk);
        usb.place(&desk);
        watch.until_taken(&[strict[2].serial(), usb.serial()]);
        until("the token to be torn off", LONG, || {
            strict[1].card.as_ref().is_none_or(|card| !card.lies()).then_some(())
        });
        until("its job to be unfinished", LONG, || {
            let job = scene.job_of("june", &strict[1].serial());
            job.is_some_and(|job| job["state"] == "unfinished").then_some(())
        });
        assert_eq!(strict[1].memory()["seed"], "", "the worst moment: its seed is gone");
        strict.iter_mut().chain([&mut usb]).for_each(Piece::take);

        // The stranger takes its place; then it comes back.
        stranger.place(&desk);
        loose[0].place(&desk);
        loose[2].place(&desk);
        watch.until_taken(&[stranger.serial(), loose[0].serial(), loose[2].serial()]);
        stranger.take();
        loose[0].take();
        strict[1].place(&desk);
        watch.until_taken(&[strict[1].serial()]);
        strict[1].take();
        loose[2].take();
        loose[1].place(&desk);
        watch.until_taken(&[loose[1].serial()]);
        loose[1].take();

        for piece in strict[..2].iter().chain(&loose).chain([&usb]) {
            assert!(piece.off().abs() <= 1, "{} is {} s off", piece.serial(), piece.off());
        }
        assert!((2..=4).contains(&strict[2].off()), "one that is right was left alone");
        assert!(stranger.off() >= 499, "one that is not known was left alone");
        let after = (memories(&strict), memories(&loose), usb.memory(), stranger.memory());
        assert_eq!(after, before, "seeds, parameters, titles and display timeouts are what they were");
        assert_eq!(stranger.token.counters().auth_attempts, 0);
        for piece in strict.iter().chain(&loose).chain([&usb]) {
            piece.shows_what_it_did(&scene);
            assert_eq!(piece.token.counters().wrong_answers, 0, "{}", piece.serial());
        }

        // The record.
        let swept = scene.json(&["drift", "swept", "june", "--all"]);
        let outcome = |serial: &str| {
            let all = swept["items"].as_array().expect("a list");
            let one =
                all.iter().find(|one| one["serial"] == serial).unwrap_or_else(|| panic!("{serial}: {swept}"));
            one.clone()
        };
        for piece in strict[..2].iter().chain(&loose).chain([&usb]) {
            let one = outcome(&piece.serial());
            assert_eq!(one["outcome"], "set", "{one}");
            assert!(one["before_ms"].as_i64().is_some_and(|ms| ms.abs() > 20_000), "{one}");
            assert!(one["after_ms"].as_i64().is_some_and(|ms| ms.abs() <= 1_500), "{one}");
            let view = scene.json(&["token", &piece.serial()]);
            assert!(view["clock_set"].as_i64() > view["mappings"][0]["from"].as_i64(), "{view}");
            assert_ne!(view["batch"], "june", "it stays a token of its batch: {view}");
        }
        assert_eq!(outcome(&strict[2].serial())["outcome"], "right");
        assert_eq!(outcome(&stranger.serial())["outcome"], "not known");
        let shown = scene.run(&["batch", "show", "june"]);
        assert!(shown.contains("6 set, 1 right, 1 not known"), "{shown}");
        scene.run(&["batch", "cancel", "june"]);
        assert_eq!(scene.json(&["batch", "show", "june"])["state"], "done");
        let refused = scene.kiln.run(&["drift", "resync", &stranger.serial()]).expect(1);
        assert!(refused.stderr.contains("no seed of it on record"), "{}", refused.stderr);
        scene.run(&["audit", "verify"]);
    });
}

#[test]
fn delivered_tokens_are_set_right_once_it_is_said_how_long_their_displays_stay_on() {
    isolated("delivered_tokens_are_set_right_once_it_is_said_how_long_their_displays_stay_on", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let desk = Desk { pcscd, used: RefCell::default() };
        let scene = Scene::new();
        let _station = scene.start(&[]);
        let watch = Watch::start(&scene.kiln);
        let slots: Vec<Reader> = desk.pcscd.readers().to_vec();
        let mut pieces = [
            Piece::single("86596100000031", TimeSync::Restricted, &slots[0]),
            Piece::single("86596320000032", TimeSync::Unrestricted, &slots[1]),
        ];
        // Their vendor filled them, and sends a file: of seeds, and of nothing that only concerns the tokens.
        let lines =
            [0, 1].map(|n| Line::new(n, &pieces[n as usize].serial(), ["C301-i", "C302-i"][n as usize]));
        for (piece, line) in pieces.iter().zip(&lines) {
            memory::change(&piece.token, |state| {
                state["memory"]["seed"] = data_encoding::HEXLOWER.encode(&line.seed).into();
                state["memory"]["display_timeout"] = 2.into();
            });
            piece.push(-95);
        }
        let file = scene.kiln.write("delivered.csv", entra(&lines)).display().to_string();
        scene.run(&["import", &file, "--inventory"]);
        let before = pieces.each_ref().map(Piece::memory);

        let serial = pieces[0].serial();
        let refused = scene.kiln.run(&["drift", "resync", &serial]).expect(1);
        assert!(refused.stderr.contains("--display-timeout 30s"), "{}", refused.stderr);
        let slip = scene.kiln.run(&["drift", "resync", &serial, "--display-timeout", "45s"]).expect(2);
        assert!(slip.stderr.contains("15s, 30s, 60s, 120s"), "{}", slip.stderr);
        scene.run(&["drift", "resync", "--display-timeout", "60s", "--name", "june"]);
        for piece in &mut pieces {
            piece.place(&desk);
            watch.until_taken(&[piece.serial()]);
            piece.take();
        }
        assert_eq!(
            pieces.each_ref().map(Piece::memory),
            before,
            "seeds, parameters, displays are what they were"
        );
        for piece in &pieces {
            assert!(piece.off().abs() <= 1, "{} is {} s off", piece.serial(), piece.off());
            assert_eq!(piece.token.counters().wrong_answers, 0);
            piece.shows_what_it_did(&scene);
            let shown = scene.run(&["token", &piece.serial()]);
            assert!(shown.contains("on for 60 s, as somebody said"), "{shown}");
        }
        scene.run(&["batch", "cancel", "june"]);

        // A year later nobody is asked again.
        pieces[0].push(-40);
        scene.run(&["drift", "resync", &serial]);
        pieces[0].place(&desk);
        watch.until_taken(&[serial]);
        assert!(pieces[0].off().abs() <= 1);
        assert_eq!(pieces[0].memory(), before[0]);
        scene.run(&["audit", "verify"]);
    });
}

#[test]
fn a_clock_watched_to_the_change_of_its_second_is_known_to_a_fraction_of_one() {
    isolated("a_clock_watched_to_the_change_of_its_second_is_known_to_a_fraction_of_one", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let desk = Desk { pcscd, used: RefCell::default() };
        let scene = Scene::new();
        let mut piece = Piece::single("86596100000041", TimeSync::Restricted, &desk.pcscd.readers()[0]);
        let serial = piece.serial();
        let station = scene.start(&[]);
        scene.random_batch("spring", 1, "c301-i", "single-random");
        burn(&mut [&mut piece], &desk, &Watch::start(&scene.kiln));
        station.stop(&scene.kiln);
        let readings = || {
            let view = scene.json(&["token", &serial]);
            let all = view["readings"].as_array().expect("a list").clone();
            all.into_iter().partition::<Vec<Value>, _>(|reading| reading["kind"] == "edge")
        };
        let uncertainty = |reading: &Value| reading["uncertainty_ms"].as_i64().expect("milliseconds");

        // No whole second, and none that rounding would find.
        memory::push_ms(&piece.token, 12_370);
        let (off_ms, before) = (memory::off_ms(&piece.token), piece.memory());
        let _station = scene.start(&[("KILN_PRECISE_CLOCKS", "1")]);
        let (watched, told) = readings();
        assert!(watched.is_empty() && !told.is_empty(), "nobody watched so far: {watched:?}");
        assert!(told.iter().all(|reading| uncertainty(reading) >= 500), "{told:?}");
        let watch = Watch::start(&scene.kiln);
        scene.run(&["drift", "resync", &serial, "--name", "june"]);
        piece.place(&desk);
        watch.until_taken(&[piece.serial()]);

        let (watched, _) = readings();
        let [reading] = &watched[..] else { panic!("one change was watched: {watched:?}") };
        let read_ms = (reading["drift"].as_f64().expect("seconds") * 1_000.0).round() as i64;
        let within_ms = uncertainty(reading);
        assert!(within_ms < 500, "not better than a whole second: {reading}");
        assert!((read_ms - off_ms).abs() <= within_ms, "{off_ms} ms off: {reading}");
        // It is what the sweep reckons with; and setting the clock is no worse for it.
        let swept = scene.json(&["drift", "swept", "june"]);
        let swept = &swept["items"][0];
        assert_eq!((&swept["outcome"], &swept["before_ms"]), (&"set".into(), &read_ms.into()), "{swept}");
        assert!(piece.off().abs() <= 1);
        assert_eq!(piece.memory(), before);
    });
}
