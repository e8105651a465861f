//! One test for each thing that can be wrong, in the order in which they are listed where the search is described: a
//! token of the tests' own has it, and kiln says so first, with the words and the remedy that belong to it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "the calibration needs more of it")]
#[path = "calibrate/token.rs"]
mod token;

use data_encoding::{BASE32_NOPAD, BASE32HEX_NOPAD, BASE64, HEXLOWER, HEXUPPER};
use kiln::{
    diagnose::{
        Cause, Diagnosis, Evidence, Held, Known, Neighbour, Place, Read, Standing, Windows, diagnose,
    },
    domain::{Catalog, Code, Digits, Hash, Mode, Parameters, Period, Profile, Seed, Serial, UnixTime},
};

/// 2026-03-04T12:00:00Z, the first second of a step of every period that divides an hour.
const AT: i64 = 1_772_625_600;

/// What a token calculates with.
#[derive(Clone)]
struct Token {
    seed: Vec<u8>,
    hash: &'static str,
    digits: usize,
    period: i64,
    t0: i64,
    /// Its clock against the right one, in seconds.
    ahead: i64,
    /// Counter-based: the counter of its first code.
    counter: Option<u64>,
}

fn seed_of(n: u8) -> Vec<u8> {
    // Bytes without a pattern, from a generator of their own.
    token::Numbers(u64::from(n) * 7_919 + 5).bytes(20)
}

fn recorded() -> Token {
    Token { seed: seed_of(0), hash: "SHA1", digits: 6, period: 30, t0: 0, ahead: 0, counter: None }
}

impl Token {
    fn step(&self) -> u64 {
        self.counter.unwrap_or(((AT + self.ahead - self.t0).div_euclid(self.period)) as u64)
    }

    fn value(&self, i: u64) -> u32 {
        token::value(&self.seed, self.hash, self.step() + i)
    }

    /// Display number `i`, from 0.
    fn shows(&self, i: u64) -> String {
        token::display(self.value(i), self.digits)
    }

    fn codes(&self) -> Vec<String> {
        vec![self.shows(0), self.shows(1)]
    }

    fn parameters(&self) -> Parameters {
        let hash: Hash = self.hash.parse().unwrap();
        let digits = Digits::new(self.digits as u64).unwrap();
        let period = Period::from_secs(self.period as u64).unwrap();
        let mode = match self.counter {
            Some(counter) => Mode::Hotp { counter },
            None => Mode::Totp { period, t0: UnixTime(self.t0) },
        };
        Parameters { hash, digits, mode }
    }
}

fn serial(n: u32) -> Serial {
    format!("8659600000{n:04}").parse().unwrap()
}

/// A bench of records: what is on record of one token, and which others there are.
struct Records {
    record: Token,
    more: Vec<(u8, Standing, Token)>,
    others: Vec<(Place, Token)>,
}

impl Records {
    fn of(record: Token) -> Self {
        Self { record, more: vec![], others: vec![] }
    }

    fn and(mut self, profile: u8, standing: Standing, token: Token) -> Self {
        self.more.push((profile, standing, token));
        self
    }

    fn beside(mut self, place: Place, token: Token) -> Self {
        self.others.push((place, token));
        self
    }

    fn explain(&self, codes: &[String]) -> Diagnosis {
        self.explain_at(codes, Read::First(UnixTime(AT)), Windows::default())
    }

    fn explain_at(&self, codes: &[String], read: Read, windows: Windows) -> Diagnosis {
        let catalog = Catalog::built_in();
        let own = Seed::new(self.record.seed.clone());
        let seeds: Vec<Seed> = self.more.iter().map(|(.., token)| Seed::new(token.seed.clone())).collect();
        let mut history = vec![Held {
            profile: Profile::ZERO,
            seed: &own,
            parameters: self.record.parameters(),
            standing: Standing::Current,
            from: None,
            to: None,
        }];
        history.extend(self.more.iter().zip(&seeds).map(|((profile, standing, token), seed)| Held {
            profile: Profile::new(*profile),
            seed,
            parameters: token.parameters(),
            standing: *standing,
            from: None,
            to: None,
        }));
        let known = Known {
            serial: Some(serial(0)),
            model: catalog.model("c301-i"),
            target: catalog.target("privacyidea"),
            history,
            inventory: self.others.len() as u64,
            ..Known::bare(&own, self.record.parameters())
        };
        let mut others = (1..).zip(&self.others).map(|(n, (place, token))| Neighbour {
            serial: serial(n),
            profile: Profile::ZERO,
            seed: Seed::new(token.seed.clone()),
            parameters: token.parameters(),
            drift: None,
            place: *place,
        });
        let codes = codes.iter().map(|code| Code::parse(code).unwrap()).collect();
        diagnose(&known, &Evidence::new(codes, read).unwrap(), windows, &mut others).unwrap()
    }
}

/// The first finding has these causes and no question is left, its words hold `what`, and its remedy `remedy`.
#[track_caller]
fn is(found: &Diagnosis, causes: &[Cause], what: &str, remedy: &str) {
    let first = found.findings.first().unwrap_or_else(|| panic!("nothing found; {causes:?} expected"));
    let mut sorted = (first.causes.clone(), causes.to_vec());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1, "{}", first.what);
    assert!(first.what.contains(what), "\"{}\" says nothing of \"{what}\"", first.what);
    assert!(first.remedy.contains(remedy), "\"{}\" says nothing of \"{remedy}\"", first.remedy);
    assert!(!found.ask_another_code && first.posterior > 0.5, "{} {:?}", first.posterior, found.why_ask);
}

#[track_caller]
fn found(shown: &Token, causes: &[Cause], what: &str, remedy: &str) {
    is(&Records::of(recorded()).explain(&shown.codes()), causes, what, remedy);
}

fn ahead(seconds: i64) -> Token {
    Token { ahead: seconds, ..recorded() }
}

#[test]
fn nothing_is_wrong_with_the_token() {
    found(&recorded(), &[Cause::Ok], "nothing is wrong", "used already");
    let one = [recorded().shows(0)];
    is(&Records::of(recorded()).explain(&one), &[Cause::Ok], "right as recorded", "privacyIDEA");
    let ten = Token { digits: 10, ..recorded() };
    let records = Records::of(ten.clone());
    is(&records.explain(&[ten.shows(0)]), &[Cause::Ok], "", "PIN");
}

#[test]
fn late_and_early() {
    for steps in [1, 2] {
        let late = Records::of(recorded()).explain(&ahead(-30 * steps).codes());
        is(&late, &[Cause::Late], "after it was shown", "as soon as it appears");
        assert!(late.findings[0].equivalent.contains(&Cause::Drift) && late.findings[0].tie_break.is_some());
        let early = Records::of(recorded()).explain(&ahead(30 * steps).codes());
        let first = &early.findings[0];
        assert!(first.causes == [Cause::Drift] && first.equivalent.contains(&Cause::Late), "{first:?}");
    }
}

#[test]
fn drift() {
    for seconds in [-3_600 + 30, -420, 90, 1_230, 3_570] {
        found(&ahead(seconds), &[Cause::Drift], if seconds < 0 { "behind" } else { "ahead" }, "resync");
    }
}

#[test]
fn every_zone_in_quarters_of_an_hour() {
    for quarter in (-56..=56).filter(|quarter| *quarter != 0) {
        let found = Records::of(recorded()).explain(&ahead(quarter * 900).codes());
        // Half an hour could as well be drift, and says so.
        let first = &found.findings[0];
        let zone = first.causes == [Cause::Zone] || first.equivalent.contains(&Cause::Zone);
        assert!(zone, "{quarter}: {:?}", first.causes);
        assert!(!found.ask_another_code);
    }
    found(&ahead(19_800), &[Cause::Zone], "+05:30 from UTC", "kiln drift resync 86596000000000");
    found(&ahead(-3_600), &[Cause::Zone], "summer time", "kiln drift resync");
}

#[test]
fn dates_and_resets() {
    const DAY: i64 = 86_400;
    for days in [-400, -31, -2, 1, 7, 400] {
        found(&ahead(days * DAY), &[Cause::Date], "date", "kiln drift resync");
    }
    // 2025-03-04 and 2027-03-04, then 2026-02-04.
    found(&ahead(-365 * DAY), &[Cause::Date], "1 year behind", "set its clock");
    found(&ahead(365 * DAY), &[Cause::Date], "1 year ahead", "set its clock");
    found(&ahead(-28 * DAY), &[Cause::Date], "behind", "set its clock");
    // Day and month exchanged: 2026-04-03.
    found(&ahead(30 * DAY), &[Cause::Date], "date", "set its clock");
    for start in [0, 946_684_800, 1_262_304_000, 1_577_836_800] {
        let runs_for = 3 * DAY + 12_345;
        found(&ahead(start + runs_for - AT), &[Cause::Date], "was reset", "set its clock");
    }
}

#[test]
fn periods() {
    for period in [60, 15, 20, 45, 90, 120, 300] {
        let remedy = if period == 60 { "timeStep" } else { "kiln drift resync" };
        found(&Token { period, ..recorded() }, &[Cause::Period], "changes its code every", remedy);
    }
}

#[test]
fn hashes() {
    found(&Token { hash: "SHA256", ..recorded() }, &[Cause::Hash], "SHA-256", "hashlib");
    found(&Token { hash: "SHA512", ..recorded() }, &[Cause::Hash], "SHA-512", "hashlib");
}

#[test]
fn digits_from_four_to_ten() {
    for digits in [5, 7, 8, 9, 10] {
        let shown = Token { digits, ..recorded() };
        found(&shown, &[Cause::Digits], &format!("shows {digits} digits"), "");
    }
    // Four digits of which two codes were given are still few.
    let four = Records::of(recorded()).explain(&Token { digits: 4, ..recorded() }.codes());
    assert_eq!(four.findings[0].causes, [Cause::Digits]);
    // A code of eight digits ends in that of six, and the other way round.
    let eight = Token { digits: 8, ..recorded() };
    assert!(eight.shows(0).ends_with(&recorded().shows(0)));
    is(&Records::of(eight).explain(&recorded().codes()), &[Cause::Digits], "shows 6 digits", "");
}

#[test]
fn another_t0() {
    for t0 in [946_684_800, 315_964_800, -2_208_988_800] {
        found(&Token { t0, ..recorded() }, &[Cause::T0], "counts its steps from", "T0");
    }
}

#[test]
fn counter_based() {
    for counter in [0, 1, 77, 999] {
        let shown = Token { counter: Some(counter), ..recorded() };
        found(&shown, &[Cause::Hotp], &format!("code of counter {counter}"), "");
    }
    let far = Token { counter: Some(30_000), ..recorded() };
    assert_eq!(Records::of(recorded()).explain(&far.codes()).findings, []);
    let wider = Windows::default().widened(40);
    let found = Records::of(recorded()).explain_at(&far.codes(), Read::First(UnixTime(AT)), wider);
    // A clock that began again in 1970 counts the same numbers, one each period.
    let first = &found.findings[0];
    assert!(first.causes == [Cause::Hotp] || first.equivalent.contains(&Cause::Hotp), "{first:?}");
    // On record as counter-based: it ran ahead, or it is time-based.
    let records = || Records::of(Token { counter: Some(40), ..recorded() });
    is(&records().explain(&Token { counter: Some(77), ..recorded() }.codes()), &[Cause::Hotp], "77", "");
    is(&records().explain(&recorded().codes()), &[Cause::Hotp], "time-based", "");
}

#[test]
fn every_wrong_way_to_decode_a_seed() {
    let right = seed_of(0);
    let base32 = BASE32_NOPAD.encode(&right);
    let hex = HEXUPPER.encode(&right);
    let reversed = |group: usize| -> Vec<u8> {
        right.chunks(group).flat_map(|chunk| chunk.iter().rev().copied()).collect()
    };
    // Careless base32: what is no letter of it is skipped.
    let kept: String = hex.chars().filter(|c| !"0189".contains(*c)).collect();
    let whole = kept.len() * 5 / 8;
    let padded = format!("{kept}{}", "A".repeat((8 - kept.len() % 8) % 8));
    let hex_as_base32 = BASE32_NOPAD.decode(padded.as_bytes()).unwrap()[..whole].to_vec();
    let as_base64 = BASE64.decode(base32.as_bytes()).unwrap();
    let as_base32hex = |text: &str| {
        let usable: String = text.chars().filter(|c| *c <= 'V').collect();
        let whole = usable.len() * 5 / 8;
        let padded = format!("{usable}{}", "0".repeat((8 - usable.len() % 8) % 8));
        BASE32HEX_NOPAD.decode(padded.as_bytes()).unwrap()[..whole].to_vec()
    };
    for (wrong, what) in [
        (base32.clone().into_bytes(), "characters of its base32 text"),
        (base32.to_lowercase().into_bytes(), "lower case"),
        (HEXLOWER.encode(&right).into_bytes(), "characters of its hex text"),
        (hex.clone().into_bytes(), "in capitals"),
        (BASE64.encode(&right).into_bytes(), "base64 text, not decoded"),
        (hex_as_base32, "its hex text, decoded as base32"),
        (as_base64, "its base32 text, decoded as base64"),
        (as_base32hex(&base32), "base32hex"),
        (BASE32_NOPAD.encode(base32.as_bytes()).into_bytes(), "encoded twice"),
        (BASE32_NOPAD.encode(hex.as_bytes()).into_bytes(), "encoded twice"),
        (HEXLOWER.encode(hex.to_lowercase().as_bytes()).into_bytes(), "encoded twice"),
        (reversed(20), "reverse order"),
        (reversed(4), "32 bits"),
        (reversed(2), "16 bits"),
    ] {
        found(&Token { seed: wrong, ..recorded() }, &[Cause::SeedEncoding], what, "encoded");
    }
    // The other way round: the record holds the text, the token the bytes.
    for text in [base32.clone(), hex] {
        let records = Records::of(Token { seed: text.into_bytes(), ..recorded() });
        is(&records.explain(&recorded().codes()), &[Cause::SeedEncoding], "once more", "");
    }
    for kept in [10, 16, 19] {
        let seed = right[..kept].to_vec();
        found(&Token { seed, ..recorded() }, &[Cause::SeedTruncated], "first", "whole seed");
    }
    // One character that looks like another, at each place that has such a one.
    let mut tried = 0;
    for (from, to) in [('O', 'Q'), ('I', 'L'), ('S', '5'), ('Z', '2'), ('B', '6'), ('U', 'V'), ('M', 'N')] {
        for (place, _) in base32.match_indices(from) {
            let text = format!("{}{to}{}", &base32[..place], &base32[place + 1..]);
            let seed = BASE32_NOPAD.decode(text.as_bytes()).unwrap();
            found(&Token { seed, ..recorded() }, &[Cause::SeedTypo], &format!("place {}", place + 1), "scan");
            tried += 1;
        }
    }
    assert!(tried >= 3, "the seed has {tried} such characters");
}

#[test]
fn earlier_seeds_and_parameters() {
    let old = Token { seed: seed_of(1), ..recorded() };
    let other_settings = Token { hash: "SHA256", period: 60, ..recorded() };
    for (standing, what, remedy) in [
        (Standing::Before, "the earlier one", "switch the token off and on"),
        (Standing::Factory, "delivered with", "scrap"),
        (Standing::Unfinished, "did not come to its end", "put the token on a slot"),
        (Standing::Waiting, "waits to be burned", "put the token on a slot"),
    ] {
        let records = Records::of(recorded()).and(0, standing, old.clone());
        is(&records.explain(&old.codes()), &[Cause::PreviousSeed], what, remedy);
    }
    let records = Records::of(recorded()).and(0, Standing::Before, other_settings.clone());
    let found = records.explain(&other_settings.codes());
    is(&found, &[Cause::PreviousParameters], "SHA-256", "kiln drift resync");
    let both = Token { seed: seed_of(1), ..other_settings };
    let records = Records::of(recorded()).and(0, Standing::Before, both.clone());
    is(&records.explain(&both.codes()), &[Cause::PreviousSeed, Cause::PreviousParameters], "earlier", "");
    // The old seed with the parameters of now.
    let seed_alone = Token { seed: seed_of(1), ..recorded() };
    is(&records.explain(&seed_alone.codes()), &[Cause::PreviousSeed], "earlier", "");
}

#[test]
fn another_profile() {
    let other = Token { seed: seed_of(2), ..recorded() };
    let records = Records::of(recorded()).and(3, Standing::Current, other.clone());
    is(&records.explain(&other.codes()), &[Cause::OtherProfile], "profile 3", "choose profile 0");
}

#[test]
fn another_token() {
    let of = |n: u8| Token { seed: seed_of(n), ..recorded() };
    let records = || {
        (4..=8).fold(Records::of(recorded()), |records, n| {
            records
                .beside(Place::BurnOrder(i64::from(n) - 3), of(n))
                .beside(Place::BurnOrder(3 - i64::from(n)), of(n + 20))
        })
    };
    let next = records().explain(&of(4).codes());
    is(&next, &[Cause::OtherToken], "1 place after it", "86596000000001");
    assert_eq!(next.findings[0].equivalent, [Cause::BatchShift], "two codes of one token cannot tell");
    is(&records().explain(&of(28).codes()), &[Cause::OtherToken], "5 places before", "serial");
    let anywhere = records().beside(Place::Inventory, of(99));
    is(&anywhere.explain(&of(99).codes()), &[Cause::OtherToken], "token 86596000000011", "kiln token");
}

#[test]
fn typing_errors() {
    // A moment whose displays have what each slip needs.
    let find = |fits: &dyn Fn(&str, &str) -> bool| {
        (0..10_000)
            .map(|step| ahead(0).after(step))
            .find(|token| fits(&token.shows(0), &token.shows(1)))
            .unwrap()
    };
    type Slip = fn(&str, &str) -> String;
    let digit: Slip = |shown, _| {
        let last = (shown.as_bytes()[5] - b'0' + 5) % 10;
        format!("{}{last}", &shown[..5])
    };
    let swapped: Slip = |shown, _| format!("{}{}{}", &shown[1..2], &shown[..1], &shown[2..]);
    let lost: Slip = |shown, _| shown[1..].to_owned();
    let missing: Slip = |shown, _| shown[..5].to_owned();
    let extra: Slip = |shown, _| format!("{shown}{}", &shown[5..]);
    let look_alike: Slip = |shown, _| shown.replacen('8', "0", 1);
    let upside_down: Slip = |shown, _| {
        let turned = |c: char| match c {
            '6' => '9',
            '9' => '6',
            c => c,
        };
        shown.chars().rev().map(turned).collect()
    };
    let halves: Slip = |shown, next| format!("{}{}", &shown[..3], &next[3..]);
    let turnable = |shown: &str| shown.chars().all(|c| "0125689".contains(c));
    for (slip, what, cause, fits) in [
        (digit, "digit 6", Cause::Typo, &(|_: &str, _: &str| true) as &dyn Fn(&str, &str) -> bool),
        (swapped, "exchanged", Cause::Typo, &|a, _| a[..1] != a[1..2]),
        (lost, "leading zero", Cause::Typo, &|a, _| a.starts_with('0')),
        (missing, "is missing", Cause::Typo, &|a, _| !a.starts_with('0')),
        (extra, "too many", Cause::Typo, &|_, _| true),
        (look_alike, "looks like it", Cause::Misread, &|a, _| a.contains('8')),
        (upside_down, "upside down", Cause::Misread, &|a, _| {
            turnable(a) && a.contains('6') && a[..1] != a[5..]
        }),
        (halves, "display changed", Cause::Misread, &|a, b| a[..3] != b[..3] && a[3..] != b[3..]),
    ] {
        let token = find(fits);
        let typed = slip(&token.shows(0), &token.shows(1));
        assert_ne!(typed, token.shows(0));
        let read = Read::First(UnixTime(AT + token.ahead));
        // The second code was typed right.
        let codes = [typed, token.shows(1)];
        let found = Records::of(recorded()).explain_at(&codes, read, Windows::default());
        let first = &found.findings[0];
        assert!(first.causes == [cause] || first.equivalent.contains(&cause), "{what}: {first:?}");
        assert!(first.causes != [cause] || first.what.contains(what), "{what}: {}", first.what);
        assert!(first.remedy.contains("digit by digit"), "{}", first.remedy);
    }
}

impl Token {
    /// The same token so many steps later.
    fn after(mut self, steps: i64) -> Self {
        self.ahead += steps * self.period;
        self
    }
}

#[test]
fn two_things_at_once() {
    let shifted = Token { hash: "SHA256", ..ahead(7_200) };
    found(&shifted, &[Cause::Hash, Cause::Zone], "SHA-256", "hashlib");
    let text = BASE32_NOPAD.encode(&seed_of(0)).into_bytes();
    found(&Token { seed: text, ..ahead(600) }, &[Cause::SeedEncoding, Cause::Drift], "10 min", "encoded");
    let neighbour = Token { seed: seed_of(4), ..ahead(-5_400) };
    let records =
        Records::of(recorded()).beside(Place::BurnOrder(1), Token { seed: seed_of(4), ..recorded() });
    is(&records.explain(&neighbour.codes()), &[Cause::OtherToken, Cause::Zone], "-01:30", "serial");
    found(&ahead(3 * 86_400 + 5 * 3_600), &[Cause::Date, Cause::Zone], "another zone", "set its clock");
    let mut codes = ahead(420).codes();
    codes[0] = {
        let right = ahead(420).shows(0);
        let last = (right.as_bytes()[5] - b'0' + 5) % 10;
        format!("{}{last}", &right[..5])
    };
    is(&Records::of(recorded()).explain(&codes), &[Cause::Drift, Cause::Typo], "7 min", "");
}

#[test]
fn what_nothing_explains_lists_what_was_searched() {
    let found = Records::of(recorded()).explain(&["123456".into(), "654321".into()]);
    assert_eq!(found.findings, []);
    assert!(found.ask_another_code && found.none_of_these > 0.99);
    let searched: Vec<&str> = found.searched.iter().map(|stage| stage.stage.as_ref()).collect();
    for stage in
        ["as-recorded", "late", "drift", "zone", "date", "counter", "typing", "seed-text", "two-tokens"]
    {
        assert!(searched.contains(&stage), "{stage} is not in {searched:?}");
    }
    assert!(found.searched.iter().any(|stage| stage.what.contains("60 minutes")));
    assert!(found.searched.iter().all(|stage| stage.accidental < 1e-4), "{:?}", found.searched);
}

#[test]
fn one_code_of_six_digits_is_not_enough_far_from_the_record() {
    let found = Records::of(recorded()).explain(&[ahead(50_400).shows(0)]);
    assert!(found.ask_another_code, "{:?}", found.findings[0]);
    assert!(found.why_ask.unwrap().contains("accidental"));
    assert!(
        found.findings.iter().any(|finding| finding.causes == [Cause::Zone]),
        "it is listed all the same"
    );
}
