//! Tokens on record, and what goes wrong with them.

use super::token::{Numbers, display, value};
use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use kiln::diagnose::{
    self, Cause, Diagnosis, Evidence, Held, Known, Neighbour, PRIOR_NONE, Place, Read, Standing, Windows,
};
use kiln::domain::{Code, Digits, Hash, Parameters, Period, Profile, Seed, Serial, UnixTime};

/// What the records say, in the tests' own values.
#[derive(Clone, PartialEq)]
pub struct Setting {
    seed: Vec<u8>,
    hash: &'static str,
    digits: usize,
    period: i64,
}

pub struct World {
    pub record: Setting,
    earlier: Setting,
    profiles: Vec<Setting>,
    batch: Vec<(i64, Setting)>,
    inventory: Vec<Setting>,
    at: i64,
}

/// What is typed.
pub struct Case {
    codes: Vec<String>,
    /// When the first code was read.
    at: i64,
    last: bool,
}

/// What is wrong so far.
struct Fault {
    set: Setting,
    clock: i64,
    counter: Option<u64>,
    slip: Option<Cause>,
}

/// Pairs of faults that leave traces of both. (Drift beside a late code, say, is one distance and no more.)
pub const PAIRS: [[Cause; 2]; 32] = [
    [Cause::Drift, Cause::Typo],
    [Cause::Drift, Cause::Misread],
    [Cause::Zone, Cause::Typo],
    [Cause::Date, Cause::Typo],
    [Cause::PreviousSeed, Cause::Drift],
    [Cause::PreviousSeed, Cause::Zone],
    [Cause::PreviousSeed, Cause::Typo],
    [Cause::PreviousSeed, Cause::Hash],
    [Cause::OtherProfile, Cause::Drift],
    [Cause::OtherProfile, Cause::Typo],
    [Cause::BatchShift, Cause::Drift],
    [Cause::BatchShift, Cause::Zone],
    [Cause::BatchShift, Cause::Typo],
    [Cause::Hash, Cause::Drift],
    [Cause::Hash, Cause::Zone],
    [Cause::Hash, Cause::Date],
    [Cause::Hash, Cause::Period],
    [Cause::Hash, Cause::Digits],
    [Cause::Hash, Cause::Typo],
    [Cause::Period, Cause::Drift],
    [Cause::Period, Cause::Zone],
    [Cause::Period, Cause::Digits],
    [Cause::Period, Cause::Typo],
    [Cause::Digits, Cause::Drift],
    [Cause::Digits, Cause::Zone],
    [Cause::Hotp, Cause::Hash],
    [Cause::SeedEncoding, Cause::Hash],
    [Cause::SeedEncoding, Cause::Drift],
    [Cause::SeedEncoding, Cause::Zone],
    [Cause::SeedEncoding, Cause::Typo],
    [Cause::SeedTypo, Cause::Drift],
    [Cause::SeedTruncated, Cause::Period],
];

fn is_whole_setting(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::PreviousSeed
            | Cause::PreviousParameters
            | Cause::OtherProfile
            | Cause::OtherToken
            | Cause::BatchShift
    )
}

const HASHES: [&str; 3] = ["SHA1", "SHA256", "SHA512"];

impl World {
    pub fn new(n: &mut Numbers, digits: usize) -> Self {
        let hash = if n.part() < 0.8 { "SHA1" } else { "SHA256" };
        let period = if n.part() < 0.7 { 30 } else { 60 };
        let length = n.one_of(&[20, 20, 20, 32, 16]);
        let mut setting = || Setting { seed: n.bytes(length), hash, digits, period };
        let record = setting();
        let earlier = setting();
        let profiles = (0..4).map(|_| setting()).collect();
        let batch = [1, -1, 2, -2, 3, -3, 4, -4, 5, -5].map(|far| (far, setting())).to_vec();
        let inventory = (0..30).map(|_| setting()).collect();
        // From 2024 to the end of 2026.
        let at = n.within(1_704_067_200, 1_798_761_599);
        Self { record, earlier, profiles, batch, inventory, at }
    }

    /// `count` successive codes of a token that has these causes and no others.
    pub fn inject(&self, causes: &[Cause], count: usize, n: &mut Numbers) -> Case {
        let mut fault = Fault { set: self.record.clone(), clock: 0, counter: None, slip: None };
        // Whose seed it is comes before what else is wrong with it.
        let mut in_order = causes.to_vec();
        in_order.sort_by_key(|cause| !is_whole_setting(*cause));
        for cause in in_order {
            self.add(cause, &mut fault, n);
        }
        let Fault { set, clock, counter, slip } = fault;
        let now = self.at + clock;
        let first = counter.unwrap_or_else(|| (now / set.period) as u64);
        let values: Vec<u32> = (0..=count as u64).map(|i| value(&set.seed, set.hash, first + i)).collect();
        let shown: Vec<String> = values.iter().map(|value| display(*value, set.digits)).collect();
        let mut codes = shown[..count].to_vec();
        if let Some(slip) = slip {
            let i = n.next() as usize % count;
            let wrong =
                if slip == Cause::Typo { typo(&shown[i], n) } else { misread(&shown[i], &shown[i + 1], n) };
            match wrong {
                Some(wrong) if wrong != shown[i] => codes[i] = wrong,
                // This display has no such slip: another moment has.
                _ => {
                    let later = World { at: self.at + 86_400 + n.within(0, 86_400), ..self.clone_rest() };
                    return later.inject(causes, count, n);
                }
            }
        }
        self.case(codes, n, count, set.period)
    }

    fn add(&self, cause: Cause, fault: &mut Fault, n: &mut Numbers) {
        match cause {
            Cause::Ok => {}
            Cause::Late => fault.clock += -fault.set.period * n.one_of(&[1, 1, 1, 2]),
            Cause::Drift => {
                let far = 3_600 / fault.set.period;
                let uniform = n.within(1, far);
                let falling = (far as f64).powf(n.part()) as i64;
                let steps = n.one_of(&[uniform, falling.max(1)]);
                fault.clock += n.signed(fault.set.period * steps);
            }
            Cause::Zone => {
                let often = [3_600, 7_200, 3_600, 7_200];
                let hour = 3_600 * n.within(1, 12);
                let odd = n.one_of(&[19_800, 20_700, 34_200, 12_600, 45_900]);
                let zone = n.one_of(&[often[0], often[1], hour, hour, odd]);
                fault.clock += n.signed(zone);
            }
            Cause::Date => {
                let day = (400f64).powf(n.part()) as i64;
                let days = n.one_of(&[1, day, day, (n.0 & 0xFF) as i64 | 1]);
                let days = n.signed(86_400 * days);
                let since_2000 = 946_684_800 + n.within(0, 6 * 86_400) - self.at;
                fault.clock += n.one_of(&[days, days, since_2000]);
            }
            Cause::Period => {
                let all = [30, 60, 30, 60, 30, 60, 15, 120, 20, 90];
                fault.set.period = other(&all, self.record.period, n);
            }
            Cause::Hash => fault.set.hash = other(&HASHES, self.record.hash, n),
            Cause::Digits => fault.set.digits = if fault.set.digits == 6 { 8 } else { 6 },
            Cause::T0 => fault.clock += -n.one_of(&[946_684_800, 1_262_304_000, 315_964_800]),
            Cause::Hotp => {
                let low = (1_000f64).powf(n.part()) as u64;
                fault.counter = Some(n.one_of(&[low, n.0 % 1_000]));
            }
            Cause::SeedEncoding => fault.set.seed = self.misread(n),
            Cause::SeedTruncated => {
                let kept = n.one_of(&[10, fault.set.seed.len() - 1, fault.set.seed.len() - 4]);
                fault.set.seed.truncate(kept);
                // HMAC fills a key with zeros: without a zero at its end it is the same key.
                if self.record.seed[kept..].iter().all(|byte| *byte == 0) {
                    fault.set.seed.pop();
                }
            }
            Cause::SeedTypo => fault.set.seed = self.mistyped_seed(n),
            Cause::PreviousSeed => fault.set = self.earlier.clone(),
            // The record says that it had SHA-256 with the other period before.
            Cause::PreviousParameters => {
                fault.set.hash = if fault.set.hash == "SHA1" { "SHA256" } else { "SHA1" };
                fault.set.period = 90 - fault.set.period;
            }
            Cause::OtherProfile => fault.set = self.profiles[n.next() as usize % self.profiles.len()].clone(),
            Cause::OtherToken => {
                let near = self.batch[n.next() as usize % self.batch.len()].1.clone();
                let far = self.inventory[n.next() as usize % self.inventory.len()].clone();
                fault.set = if n.part() < 0.7 { near } else { far };
            }
            Cause::BatchShift => fault.set = self.batch[n.next() as usize % 2].1.clone(),
            Cause::Typo | Cause::Misread => fault.slip = Some(cause),
            Cause::NoSeed | Cause::NoPower | Cause::Fault | Cause::StaleDisplay => panic!("no code shows it"),
        }
    }

    fn clone_rest(&self) -> Self {
        Self {
            record: self.record.clone(),
            earlier: self.earlier.clone(),
            profiles: self.profiles.clone(),
            batch: self.batch.clone(),
            inventory: self.inventory.clone(),
            at: self.at,
        }
    }

    /// Codes that have nothing to do with anything.
    pub fn nothing(&self, count: usize, n: &mut Numbers) -> Case {
        let codes = (0..count).map(|_| display(n.next() as u32 >> 1, self.record.digits)).collect();
        self.case(codes, n, count, self.record.period)
    }

    /// Told by the first moment, or by the last; the latter only where the reader sees the token's real period.
    fn case(&self, codes: Vec<String>, n: &mut Numbers, count: usize, period: i64) -> Case {
        let last = n.next() & 1 == 0 && (count == 1 || period == self.record.period);
        Case { codes, at: self.at, last }
    }

    fn misread(&self, n: &mut Numbers) -> Vec<u8> {
        let seed = &self.record.seed;
        let base32 = BASE32_NOPAD.encode(seed);
        match n.next() % 7 {
            0 => base32.into_bytes(),
            1 => HEXLOWER.encode(seed).into_bytes(),
            2 => HEXLOWER.encode(seed).to_uppercase().into_bytes(),
            3 => BASE64.encode(seed).into_bytes(),
            4 => {
                let digits: String =
                    HEXLOWER.encode(seed).to_uppercase().chars().filter(|c| !"0189".contains(*c)).collect();
                let usable = digits.len() / 8 * 8;
                let mut decoded = BASE32_NOPAD.decode(&digits.as_bytes()[..usable]).unwrap();
                // What fills no group of eight still gives its whole bytes.
                let rest = &digits[usable..];
                let padded = format!("{rest:A<8}");
                let bytes = BASE32_NOPAD.decode(padded.as_bytes()).unwrap();
                decoded.extend(&bytes[..rest.len() * 5 / 8]);
                decoded
            }
            5 => seed.iter().rev().copied().collect(),
            _ => base32.to_lowercase().into_bytes(),
        }
    }

    fn mistyped_seed(&self, n: &mut Numbers) -> Vec<u8> {
        let twins = [('O', 'Q'), ('I', 'L'), ('S', '5'), ('Z', '2'), ('B', '6'), ('U', 'V'), ('M', 'N')];
        let text: Vec<char> = BASE32_NOPAD.encode(&self.record.seed).chars().collect();
        let start = n.next() as usize;
        for i in 0..text.len() {
            let place = (start + i) % text.len();
            for (a, b) in twins {
                let twin = if text[place] == a {
                    b
                } else if text[place] == b {
                    a
                } else {
                    continue;
                };
                let mut wrong = text.clone();
                wrong[place] = twin;
                let wrong: String = wrong.into_iter().collect();
                if let Ok(seed) = BASE32_NOPAD.decode(wrong.as_bytes()) {
                    return seed;
                }
            }
        }
        panic!("no letter of {text:?} has a twin")
    }

    /// What kiln says about it.
    pub fn diagnose(&self, case: &Case) -> Diagnosis {
        let parameters = |set: &Setting| {
            let hash: Hash = set.hash.parse().unwrap();
            let digits = Digits::new(set.digits as u64).unwrap();
            Parameters::totp(hash, digits, Period::from_secs(set.period as u64).unwrap())
        };
        let seed = |set: &Setting| Seed::new(set.seed.clone());
        let seeds: Vec<Seed> =
            [&self.record, &self.earlier].into_iter().chain(&self.profiles).map(seed).collect();
        let recorded = parameters(&self.record);
        let mut before = self.record.clone();
        before.hash = if before.hash == "SHA1" { "SHA256" } else { "SHA1" };
        before.period = 90 - before.period;
        let held = |seed, parameters, profile, standing| Held {
            profile: Profile::new(profile),
            seed,
            parameters,
            standing,
            from: None,
            to: None,
        };
        let mut history = vec![
            held(&seeds[0], recorded, 0, Standing::Current),
            held(&seeds[0], parameters(&before), 0, Standing::Before),
            held(&seeds[1], recorded, 0, Standing::Factory),
        ];
        for (profile, seed) in (1..).zip(&seeds[2..]) {
            history.push(held(seed, recorded, profile, Standing::Current));
        }
        let serial = |i: usize| -> Serial { format!("86596000{i:06}").parse().unwrap() };
        let known = Known {
            serial: Some(serial(0)),
            history,
            inventory: self.inventory.len() as u64,
            ..Known::bare(&seeds[0], recorded)
        };
        let neighbour = |i: usize, set: &Setting, place| Neighbour {
            serial: serial(i),
            profile: Profile::ZERO,
            seed: seed(set),
            parameters: parameters(set),
            drift: None,
            place,
        };
        let batch = self.batch.iter().map(|(far, set)| (set, Place::BurnOrder(*far)));
        let rest = self.inventory.iter().map(|set| (set, Place::Inventory));
        let mut others = (1..).zip(batch.chain(rest)).map(|(i, (set, place))| neighbour(i, set, place));
        let codes: Vec<Code> = case.codes.iter().map(|code| Code::parse(code).unwrap()).collect();
        let count = codes.len() as i64;
        let read = if case.last {
            Read::Last(UnixTime(case.at + (count - 1) * self.record.period))
        } else {
            Read::First(UnixTime(case.at))
        };
        let evidence = Evidence::new(codes, read).unwrap();
        diagnose::diagnose(&known, &evidence, Windows::default(), &mut others).unwrap()
    }
}

/// Whether the first finding is what was injected, or says that it cannot be told from it.
pub fn is_right(diagnosis: &Diagnosis, injected: &[Cause]) -> bool {
    match (diagnosis.findings.first(), injected) {
        (Some(first), [cause]) => first.causes == [*cause] || first.equivalent.contains(cause),
        (Some(first), [_, _, ..]) => {
            injected.iter().all(|cause| first.causes.contains(cause) || first.equivalent.contains(cause))
        }
        (found, injected) => found.is_none() && injected.is_empty(),
    }
}

/// A cause as often as its prior says, or none.
pub fn drawn(n: &mut Numbers) -> Option<Cause> {
    let mut left = n.part() * (1.0 - 1e-9);
    if left < PRIOR_NONE {
        return None;
    }
    left -= PRIOR_NONE;
    for cause in Cause::OF_CODES {
        if left < cause.prior() {
            return Some(cause);
        }
        left -= cause.prior();
    }
    Some(Cause::Ok)
}

fn other<T: Copy + PartialEq>(all: &[T], not: T, n: &mut Numbers) -> T {
    loop {
        let one = n.one_of(all);
        if one != not {
            return one;
        }
    }
}

fn typo(shown: &str, n: &mut Numbers) -> Option<String> {
    let mut digits: Vec<u8> = shown.bytes().collect();
    match n.next() % 10 {
        0..=5 => {
            let place = n.next() as usize % digits.len();
            digits[place] = b'0' + ((digits[place] - b'0') as u64 + 1 + n.next() % 9) as u8 % 10;
        }
        6..=8 => {
            let place = n.next() as usize % (digits.len() - 1);
            digits.swap(place, place + 1);
        }
        _ => return shown.strip_prefix('0').map(str::to_owned),
    }
    String::from_utf8(digits).ok()
}

fn misread(shown: &str, next: &str, n: &mut Numbers) -> Option<String> {
    match n.next() % 5 {
        0 => {
            let half = shown.len() / 2;
            Some(format!("{}{}", &shown[..half], &next[half..]))
        }
        1 => shown
            .chars()
            .rev()
            .map(|c| match c {
                '6' => Some('9'),
                '9' => Some('6'),
                '0' | '1' | '2' | '5' | '8' => Some(c),
                _ => None,
            })
            .collect(),
        _ => {
            let pairs = [('1', '7'), ('0', '8'), ('5', '6'), ('8', '9'), ('3', '9'), ('6', '8')];
            let (a, b) = n.one_of(&pairs);
            let place = shown.find([a, b])?;
            let twin = if shown[place..].starts_with(a) { b } else { a };
            Some(format!("{}{twin}{}", &shown[..place], &shown[place + 1..]))
        }
    }
}
