//! The diagnose view of the real binary in a real terminal, by key presses alone, from what virtual tokens show: each of
//! them was burned by a running station, and then something befell it.

mod support;

use kiln::{
    domain::Profile,
    sim::{Display, vpcd::Card},
};
use std::time::Duration;
use support::{
    LONG,
    floor::{Family, Piece},
    namespace::isolated,
    pcscd::{Pcscd, Reader},
    scene::{Scene, Watch},
    screen::{Screen, command},
    seed_file::{self, Line},
    until,
};

const LIMIT: Duration = Duration::from_secs(400);

/// A display changes within this time, whatever the machine does.
const CHANGES: Duration = Duration::from_secs(45);

/// Lays it on the reader until the station has done with it.
#[track_caller]
fn burn(piece: &Piece, reader: &Reader, pcscd: &Pcscd, watch: &Watch) {
    let mut card = Card::new(reader.port, piece.token.clone(), |_, _| ());
    card.place().unwrap_or_else(|error| panic!("{error}"));
    watch.until(&format!("token {} to be burned", piece.serial), |event| {
        let here = event["event"] == "slot" && event["serial"] == *piece.serial;
        (here && event["doing"] == "take" && event["says"].as_str()?.starts_with("burned")).then_some(())
    });
    card.take();
    pcscd.await_removal(reader);
}

/// Changes what the token's memory holds, as no burn would.
#[track_caller]
fn befall(piece: &Piece, what: impl FnOnce(&mut serde_json::Value)) {
    let mut saved = serde_json::from_str(&piece.token.save()).expect("a token's memory is JSON");
    what(&mut saved);
    piece.token.restore(&saved.to_string()).unwrap_or_else(|error| panic!("{error}"));
}

/// What the display shows right now.
#[track_caller]
fn shown(piece: &Piece) -> String {
    match piece.token.display(Profile::ZERO) {
        Display::Code(shown) => shown.code,
        other => panic!("token {} shows {other:?}", piece.serial),
    }
}

/// Types codes of `piece`, one display after the other, until the view calls something the cause; what it shows then.
#[track_caller]
fn until_explained(screen: &Screen, piece: &Piece, first: String) -> String {
    let mut code = first;
    for _ in 0..3 {
        screen.types(&code);
        screen.until(&[&format!("scan: {code}")]);
        screen.press("Enter");
        screen.until(&[&format!("typed    {code}")]);
        screen.until_gone("▸ searching");
        let says = screen.shows(&[]);
        if says.contains("▸ do:") {
            return says;
        }
        // "Ask for the next code."
        assert!(says.contains("▸ ask"), "{says}");
        code = until("the next display", CHANGES, || Some(shown(piece)).filter(|now| *now != code));
    }
    panic!("three codes explain nothing:\n{}", screen.shows(&[]));
}

/// Begins a call about this serial.
#[track_caller]
fn call(screen: &Screen, serial: &str) {
    screen.press("n");
    screen.until(&["▸ which token?"]);
    screen.types(serial);
    screen.until(&[&format!("scan: {serial}")]);
    screen.press("Enter");
    screen.until(&[&format!("token    {serial}"), "▸ ask for the code"]);
    // What it should show is told by its first digits, and no more.
    screen.until(&["on record", "····]"]);
}

#[test]
fn four_faults_are_explained_by_key_presses_alone() {
    isolated("four_faults_are_explained_by_key_presses_alone", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A"]);
        let reader = &pcscd.readers()[0];
        let scene = Scene::new();
        let _station = scene.start(&[]);
        let mut lines: Vec<Line> = (1..=5)
            .map(|n| Line::new(n, &Family::Single.serial(usize::try_from(n).unwrap()), "C301-i"))
            .collect();
        scene.kiln.write("seeds.csv", seed_file::entra(&lines));
        scene.run(&["import", "seeds.csv", "--batch", "spring", "--target", "entra", "--seen", "1,0"]);
        let watch = Watch::start(&scene.kiln);
        scene.run(&["batch", "start", "spring"]);
        let pieces: Vec<Piece> = (1..=5).map(|n| Piece::new(Family::Single, n)).collect();
        for piece in &pieces {
            burn(piece, reader, &pcscd, &watch);
            piece.token.switch_off();
            piece.token.switch_on();
        }
        let [hash, zone, labelled, neighbour, stale] = &pieces[..] else { unreachable!() };
        befall(hash, |saved| saved["state"]["memory"]["algorithm"] = 2.into());
        befall(zone, |saved| {
            let clock = &mut saved["state"]["clock"]["device_ms"];
            *clock = (clock.as_i64().expect("the clock stands somewhere") + 2 * 3_600_000).into();
        });
        // Burned again with another seed, and not switched off and on since.
        lines[4].seed = seed_file::random(20);
        scene.kiln.write("again.csv", seed_file::entra(&lines[4..]));
        scene.run(&["import", "again.csv", "--batch", "again", "--seen", "0,0"]);
        scene.run(&["token", "allow", &stale.serial, "--replace", "--last-four", &stale.serial[10..]]);
        scene.run(&["batch", "start", "again"]);
        burn(stale, reader, &pcscd, &watch);
        let Display::Code(frozen) = stale.token.display(Profile::ZERO) else { panic!("no code") };
        assert!(frozen.stale, "it still shows what it showed before");

        // The first token of a batch wants eyes: a wrong code at the bench opens the view with everything filled in.
        let dir = scene.kiln.path("");
        let screen = Screen::start(&dir, 80, 24, &command(&scene.kiln, ""), &[("NO_COLOR", "1")]);
        screen.until(&["[station]", &format!("EYES on {}", hash.serial)]);
        let code = shown(hash);
        screen.types(&code);
        screen.until(&[&format!("scan: {code}")]);
        screen.press("Enter");
        screen.until(&["any key closes"]);
        screen.press("Space");
        screen.until(&["[diagnose]", &format!("token    {}", hash.serial), &format!("typed    {code}")]);
        screen.until(&["the token calculates with SHA-256", "switch it off and on"]);

        // The same by telephone.
        call(&screen, &hash.serial);
        let says = until_explained(&screen, hash, shown(hash));
        assert!(says.contains("the token calculates with SHA-256"), "{says}");
        call(&screen, &zone.serial);
        let says = until_explained(&screen, zone, shown(zone));
        assert!(says.contains("local time: it is +02:00 from UTC"), "{says}");
        // What is on the screen is gone when something else is looked at.
        assert!(says.contains("····]"));
        screen.press("s");
        screen.until(&["[station]"]);
        screen.until_gone("····");
        screen.press("d");
        screen.until(&["[diagnose]", "····]"]);
        screen.press("y");
        screen.until(&["sent to the terminal's clipboard: the report"]);

        call(&screen, &labelled.serial);
        let says = until_explained(&screen, neighbour, shown(neighbour));
        assert!(says.contains(&format!("that of token {}", neighbour.serial)), "{says}");
        call(&screen, &stale.serial);
        let says = until_explained(&screen, stale, shown(stale));
        assert!(says.contains("the earlier one") && says.contains("switch the token off and on"), "{says}");

        // Whose is it? By two codes, without a serial.
        screen.press("n");
        screen.until(&["▸ which token?"]);
        for _ in 0..2 {
            let code = until("another display", CHANGES, || {
                Some(shown(labelled)).filter(|code| !screen.shows(&[]).contains(code.as_str()))
            });
            screen.types(&code);
            screen.until(&[&format!("scan: {code}")]);
            screen.press("Enter");
            screen.until(&[&format!("typed    {code}")]);
        }
        screen.press("w");
        screen.until(&["▸ Enter takes the token", &labelled.serial]);
        screen.press("Enter");
        screen.until(&[&format!("token    {}", labelled.serial), "on record"]);
        screen.press("W");
        screen.until(&["when it was shown", "give or take"]);
        screen.press("q");
        screen.until(&["ended with 0"]);

        // A token that is put down is taken with its clock.
        let second = Screen::start(&dir, 160, 45, &command(&scene.kiln, ""), &[]);
        second.until(&["[station]"]);
        second.press("d");
        second.until(&["▸ which token?"]);
        let mut card = Card::new(reader.port, zone.token.clone(), |_, _| ());
        card.place().unwrap_or_else(|error| panic!("{error}"));
        second.until(&[&format!("token    {}", zone.serial), "just read on", "reckoned with"]);
        card.take();
        second.press("q");
        second.until(&["ended with 0"]);
        // Every time that displays were told is on record, and no code is.
        let log = scene.json(&["audit", "show", "--limit", "200"]);
        let entries = log["items"].as_array().expect("a page of entries");
        assert!(entries.iter().any(|entry| entry["what"] == "displays told"), "{log}");
    });
    // Inside, LONG is what a wait may take; the whole has its own limit.
    const { assert!(LIMIT.as_secs() > LONG.as_secs()) };
}
