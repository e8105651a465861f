use super::*;
use crate::{
    formats::{Hints, SeedLine, parse_with},
    remedy::Remedy,
};
use proptest::prelude::*;

/// Every output that is read again, with each choice that changes its content.
fn outputs() -> Vec<Output> {
    let mut all = vec![
        Output::EntraCsv(SpellingOfInterval::Current),
        Output::EntraCsv(SpellingOfInterval::Older),
        Output::GraphJson,
        Output::DualShieldXml(DualShieldCodes::default()),
        Output::DualShieldXml(DualShieldCodes { product: "XT".into(), ..DualShieldCodes::default() }),
        Output::DualShieldXml(counting()),
        Output::Pskc(SuiteSpelling::Usual),
        Output::Pskc(SuiteSpelling::PrivacyIdea),
        Output::PrivacyIdeaCsv,
        Output::KeyUriList,
    ];
    all.extend([DuoType::Totp6, DuoType::Totp8, DuoType::Hotp6, DuoType::Hotp8].map(Output::Duo));
    for encoding in Encoding::ALL {
        all.extend(
            [DeepnetKind::Time, DeepnetKind::Counter].map(|kind| Output::DeepnetCsv { kind, encoding }),
        );
        all.push(Output::OktaCsv { encoding, factor_profile: Some("fp, 1".into()) });
    }
    all
}

/// Codes of a counter-based product, as if one were public.
fn counting() -> DualShieldCodes {
    DualShieldCodes { product: "EV".into(), kind: DeepnetKind::Counter, ..DualShieldCodes::default() }
}

/// What a row is made of.
#[derive(Debug)]
struct Spec {
    serial: Serial,
    seed: Seed,
    parameters: Parameters,
    upn: Option<String>,
    issuer: Option<String>,
    account: Option<String>,
    manufacturer: String,
    model: String,
    title: Option<String>,
}

impl Spec {
    fn row(&self) -> OutRow<'_> {
        OutRow {
            serial: &self.serial,
            profile: Profile::ZERO,
            title: self.title.as_deref(),
            seed: &self.seed,
            parameters: self.parameters,
            upn: self.upn.as_deref(),
            issuer: self.issuer.as_deref(),
            account: self.account.as_deref(),
            manufacturer: &self.manufacturer,
            model: &self.model,
        }
    }

    /// The same token as far as a file has told it; what the file had no place for comes from here.
    fn retold(&self, line: &SeedLine) -> Self {
        let mut stated = line.stated;
        stated.hash = stated.hash.or(Some(self.parameters.hash));
        Self {
            serial: line.serial.clone().unwrap_or_else(|| self.serial.clone()),
            seed: line.seed.duplicate(),
            parameters: stated.or_standard(),
            upn: line.upn.clone(),
            issuer: line.issuer.clone(),
            account: line.account.clone(),
            manufacturer: line.manufacturer.clone().unwrap_or_else(|| self.manufacturer.clone()),
            model: line.model.clone().unwrap_or_else(|| self.model.clone()),
            title: None,
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9]([A-Za-z0-9&<>'. -]{0,10}[A-Za-z0-9])?"
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let hash = proptest::sample::select(&Hash::ALL[..]);
    let digits = prop_oneof![Just(6u64), Just(8), 4u64..=10].prop_map(|n| Digits::new(n).unwrap());
    let period = prop_oneof![Just(30u64), Just(60), 1u64..200].prop_map(|s| Period::from_secs(s).unwrap());
    let mode = prop_oneof![
        period.prop_map(|period| Mode::Totp { period, t0: UnixTime(0) }),
        prop_oneof![Just(0), any::<u64>()].prop_map(|counter| Mode::Hotp { counter }),
    ];
    (hash, digits, mode).prop_map(|(hash, digits, mode)| Parameters { hash, digits, mode })
}

/// Seed, parameters, user, issuer, account, maker, model.
type Rest = (Vec<u8>, Parameters, Option<String>, Option<String>, Option<String>, String, String);

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let seed = proptest::collection::vec(any::<u8>(), 1..=80)
        .prop_filter("zeros", |seed| seed.iter().any(|byte| *byte != 0));
    let upn = proptest::option::of("[a-z]{1,8}@[a-z]{1,8}\\.example");
    let rest =
        (seed, parameters(), upn, proptest::option::of(name()), proptest::option::of(name()), name(), name());
    proptest::collection::btree_map("[1-9][0-9]{12}", rest, 1..6).prop_map(|rows| {
        let spec = |(serial, rest): (String, Rest)| {
            let (seed, parameters, upn, issuer, account, manufacturer, model) = rest;
            Spec {
                serial: serial.parse().unwrap(),
                seed: Seed::new(seed),
                parameters,
                upn,
                issuer,
                account,
                manufacturer,
                model,
                title: None,
            }
        };
        rows.into_iter().map(spec).collect()
    })
}

/// Writes those of `specs` that go together with `output`, and reads them again.
fn through<'s>(output: &Output, specs: &'s [Spec]) -> Vec<(&'s Spec, SeedLine)> {
    let fitting: Vec<&Spec> = specs.iter().filter(|spec| output.against(&spec.row()).is_empty()).collect();
    if fitting.is_empty() {
        return Vec::new();
    }
    let rows: Vec<OutRow<'_>> = fitting.iter().map(|spec| spec.row()).collect();
    let file = output.write(&rows).unwrap();
    let encoding = match output {
        Output::DeepnetCsv { encoding, .. } | Output::OktaCsv { encoding, .. } => Some(*encoding),
        _ => None,
    };
    let hints = Hints { format: output.reads_as(), encoding, ..Hints::default() };
    let read = parse_with(&file, &hints).unwrap_or_else(|error| panic!("{output}: {error}"));
    assert_eq!(read.bad, [], "{output}");
    assert_eq!(read.lines.len(), rows.len(), "{output}");
    for (index, line) in read.lines.iter().enumerate() {
        assert_eq!(line.place, output.place(index), "{output}");
    }
    fitting.into_iter().zip(read.lines).collect()
}

/// Whether a line says what the token is, as far as `outputs`, through which it went, can say it.
fn assert_told(spec: &Spec, line: &SeedLine, outputs: &[&Output]) {
    let what = outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ");
    let lost = |loss| outputs.iter().any(|output| output.losses(&spec.row()).contains(&loss));
    let through = |kind: fn(&Output) -> bool| outputs.iter().all(|output| kind(output));
    assert!(line.seed.same_as(&spec.seed), "{what}");
    if !lost(Loss::Serial) {
        assert_eq!(line.serial.as_ref(), Some(&spec.serial), "{what}");
    }
    let (said, meant) = (line.stated.or_standard(), spec.parameters);
    // A file that leaves the hash open says so, and asks.
    if !lost(Loss::Hash) && line.stated.hash.is_some() {
        assert_eq!(said.hash, meant.hash, "{what}");
    }
    if !lost(Loss::Digits) {
        assert_eq!(said.digits, meant.digits, "{what}");
    }
    match (said.mode, meant.mode) {
        (Mode::Totp { period, t0 }, Mode::Totp { period: meant, t0: from }) => {
            assert!(lost(Loss::Period) || period == meant, "{what}: {period}");
            assert_eq!(t0, from, "{what}");
        }
        (Mode::Hotp { counter }, Mode::Hotp { counter: meant }) => {
            assert!(lost(Loss::Counter) || counter == meant, "{what}: {counter}");
        }
        (said, meant) => panic!("{what}: {said:?} for {meant:?}"),
    }
    if through(|o| matches!(o, Output::EntraCsv(_) | Output::Pskc(_))) {
        assert_eq!(line.upn, spec.upn, "{what}");
    }
    if through(|o| matches!(o, Output::Pskc(_) | Output::KeyUriList)) {
        assert_eq!(line.issuer, spec.issuer, "{what}");
    }
    if through(|o| matches!(o, Output::GraphJson)) {
        assert_eq!(line.account, spec.account, "{what}");
    }
    if spec.upn.is_none() && through(|o| matches!(o, Output::Pskc(_) | Output::GraphJson)) {
        assert_eq!(line.account, spec.account, "{what}");
    }
    if through(|o| matches!(o, Output::EntraCsv(_) | Output::Pskc(_) | Output::GraphJson)) {
        assert_eq!(line.manufacturer.as_ref(), Some(&spec.manufacturer), "{what}");
        assert_eq!(line.model.as_ref(), Some(&spec.model), "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_in_any_format_is_read_back_and_written_in_any_other(specs in specs()) {
        for first in &outputs() {
            let told = through(first, &specs);
            for (spec, line) in &told {
                assert_told(spec, line, &[first]);
            }
            let retold: Vec<Spec> = told.iter().map(|(spec, line)| spec.retold(line)).collect();
            for second in &outputs() {
                for (again, line) in through(second, &retold) {
                    let at = retold.iter().position(|one| std::ptr::eq(one, again)).unwrap();
                    // What the first file lost, the second can't say.
                    assert_told(again, &line, &[second]);
                    assert_told(told[at].0, &line, &[first, second]);
                }
            }
        }
    }

    /// Entries of a QR sheet and of lines for pictures hold the same URIs as the list.
    #[test]
    fn lines_for_pictures_hold_the_key_uris(specs in specs()) {
        let rows: Vec<OutRow<'_>> =
            specs.iter().map(Spec::row).filter(|row| Output::QrLines.against(row).is_empty()).collect();
        let lines = Output::QrLines.write(&rows).unwrap();
        let uris = Output::KeyUriList.write(&rows).unwrap();
        let (lines, uris) = (std::str::from_utf8(&lines).unwrap(), std::str::from_utf8(&uris).unwrap());
        for ((line, uri), row) in lines.lines().zip(uris.lines()).zip(&rows) {
            prop_assert_eq!(line, format!("{}\t0\t{uri}", row.serial));
        }
    }
}

fn spec(parameters: Parameters, seed_len_bytes: usize) -> Spec {
    Spec {
        serial: "0012345678901".parse().unwrap(),
        seed: Seed::new(vec![0x31; seed_len_bytes]),
        parameters,
        upn: Some("alice@example.com".into()),
        issuer: None,
        account: None,
        manufacturer: "Token2".into(),
        model: "C302-i".into(),
        title: Some("Office".into()),
    }
}

fn text(output: &Output, spec: &Spec) -> String {
    String::from_utf8(output.write(&[spec.row()]).unwrap().to_vec()).unwrap()
}

#[test]
fn each_format_is_as_its_reader_documents_it() {
    let totp = spec(Parameters::totp(Hash::Sha1, Digits::SIX, Period::SIXTY), 20);
    let hotp = spec(Parameters { mode: Mode::Hotp { counter: 7 }, ..Parameters::standard() }, 20);
    let hex = "3131313131313131313131313131313131313131";
    assert_eq!(text(&Output::PrivacyIdeaCsv, &totp), format!("0012345678901, {hex}, TOTP, 6, 60\n"));
    assert_eq!(text(&Output::PrivacyIdeaCsv, &hotp), format!("0012345678901, {hex}, HOTP, 6, 7\n"));
    assert_eq!(text(&Output::Duo(DuoType::Totp6), &totp), format!("0012345678901,{hex},60\r\n"));
    assert_eq!(text(&Output::Duo(DuoType::Hotp6), &hotp), format!("0012345678901,{hex},7\r\n"));
    let hseeds = Output::DeepnetCsv { kind: DeepnetKind::Counter, encoding: Encoding::Hex };
    assert_eq!(text(&hseeds, &hotp), format!("0012345678901,{hex}\r\n"));
    let tseeds = Output::DeepnetCsv { kind: DeepnetKind::Time, encoding: Encoding::Base64 };
    assert_eq!(text(&tseeds, &totp), "0012345678901,MTExMTExMTExMTExMTExMTExMTE=\r\n");
    let okta = Output::OktaCsv { encoding: Encoding::Base32, factor_profile: None };
    assert_eq!(
        text(&okta, &totp),
        "login,serial,factorProfileId,sharedSecret,algorithm,digits,timeStep\r\n\
         alice@example.com,0012345678901,,GEYTCMJRGEYTCMJRGEYTCMJRGEYTCMJR,SHA1,6,60\r\n"
    );
    assert!(text(&Output::GraphJson, &totp).contains(
        "{\"@contentId\":\"1\",\"serialNumber\":\"0012345678901\",\"manufacturer\":\"Token2\",\"model\":\"C302-i\",\
         \"secretKey\":\"GEYTCMJRGEYTCMJRGEYTCMJRGEYTCMJR\",\"timeIntervalInSeconds\":60,\
         \"hashFunction\":\"hmacsha1\",\"displayName\":\"Office\"}"
    ));
    let xml = text(&Output::DualShieldXml(DualShieldCodes::default()), &totp);
    assert!(
        xml.contains("<productCode>ST</productCode>") && xml.contains(&format!("<seed>{hex}</seed>")),
        "{xml}"
    );
}

#[test]
fn what_would_give_other_codes_is_refused_with_what_to_do() {
    let t0 = Mode::Totp { period: Period::THIRTY, t0: UnixTime(60) };
    let started = spec(Parameters { mode: t0, ..Parameters::standard() }, 20);
    let sha512 = spec(Parameters::totp(Hash::Sha512, Digits::SIX, Period::THIRTY), 20);
    let eight = spec(Parameters::totp(Hash::Sha1, Digits::EIGHT, Period::THIRTY), 20);
    let odd = spec(Parameters::totp(Hash::Sha1, Digits::SIX, Period::from_secs(45).unwrap()), 20);
    let counted = spec(Parameters { mode: Mode::Hotp { counter: 7 }, ..Parameters::standard() }, 20);
    let broken = Spec { upn: None, title: Some("a\nb".into()), ..spec(Parameters::standard(), 20) };
    let okta = Output::OktaCsv { encoding: Encoding::Hex, factor_profile: None };
    let entra = Output::EntraCsv(SpellingOfInterval::Current);
    for (output, spec, why) in [
        (&Output::Pskc(SuiteSpelling::Usual), &started, "no place for a start time"),
        (&Output::GraphJson, &sha512, "cannot state SHA-512"),
        (&Output::GraphJson, &eight, "cannot state 8 digits"),
        (&Output::GraphJson, &odd, "30 or 60 s, not 45 s"),
        (&entra, &odd, "30 or 60 s, not 45 s"),
        (&Output::PrivacyIdeaCsv, &sha512, "would not take a seed of 20 bytes for SHA-512"),
        (&Output::Duo(DuoType::Totp6), &eight, "cannot state 8 digits"),
        (&Output::Duo(DuoType::Hotp6), &eight, "counter-based tokens only"),
        (&Output::Duo(DuoType::Totp8), &sha512, "cannot state SHA-512"),
        (&okta, &counted, "time-based tokens only"),
        (&Output::DualShieldXml(DualShieldCodes::default()), &counted, "time-based tokens only"),
        (&Output::KeyUriList, &broken, "control character"),
    ] {
        let against = output.against(&spec.row());
        let told = against.iter().map(ToString::to_string).collect::<String>();
        assert!(told.contains(why), "{output}: {told}");
        assert!(against.iter().all(|reason| reason.remedy().len() > 20 && !reason.remedy().ends_with('.')));
        assert!(output.write(&[spec.row()]).is_err(), "{output}");
    }
    assert!(Output::KeyUriList.against(&started.row()).is_empty(), "it has a parameter of ours");
}

#[test]
fn what_has_no_place_is_told_with_what_to_do() {
    let full = Spec {
        title: Some("Office".into()),
        account: Some("ann".into()),
        ..spec(Parameters::totp(Hash::Sha256, Digits::EIGHT, Period::SIXTY), 32)
    };
    let tseeds = Output::DeepnetCsv { kind: DeepnetKind::Time, encoding: Encoding::Base32 };
    assert_eq!(tseeds.losses(&full.row()), [Loss::Hash, Loss::Digits, Loss::Period, Loss::Title, Loss::User]);
    assert_eq!(Output::Pskc(SuiteSpelling::Usual).losses(&full.row()), [Loss::Title]);
    assert_eq!(Output::QrSheet.losses(&full.row()), []);
    let t0 = Mode::Totp { period: Period::THIRTY, t0: UnixTime(60) };
    let started = spec(Parameters { mode: t0, ..Parameters::standard() }, 20);
    assert!(Output::KeyUriList.losses(&started.row()).contains(&Loss::StartTime));
    let counted = spec(Parameters { mode: Mode::Hotp { counter: 7 }, ..Parameters::standard() }, 20);
    let hseeds_xml = Output::DualShieldXml(counting());
    assert_eq!(hseeds_xml.losses(&counted.row()), [Loss::Kind, Loss::Counter, Loss::Title, Loss::User]);
    for loss in [
        Loss::Title,
        Loss::User,
        Loss::Account,
        Loss::GraphUser,
        Loss::NoUser,
        Loss::Serial,
        Loss::Kind,
        Loss::Hash,
        Loss::Digits,
        Loss::Period,
        Loss::Counter,
        Loss::StartTime,
    ] {
        assert!(loss.remedy().len() > 20 && !loss.remedy().ends_with('.'), "{loss}");
    }
}

#[test]
fn a_sheet_of_qr_codes_has_one_for_each_profile_and_escapes_what_it_tells() {
    let odd = Spec { title: Some("<b>".into()), ..spec(Parameters::standard(), 20) };
    let second =
        Spec { serial: "0012345678902".parse().unwrap(), title: None, ..spec(Parameters::standard(), 63) };
    let page = Output::QrSheet.write(&[odd.row(), second.row()]).unwrap();
    let page = std::str::from_utf8(&page).unwrap();
    assert_eq!((page.matches("<figure>").count(), page.matches("<path").count()), (2, 2));
    assert!(
        page.contains("&lt;b&gt;") && page.contains("0012345678902") && page.contains("alice@example.com")
    );
    for foreign in ["src=", "href=", "<script", "url(", "otpauth"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let long = Spec { issuer: Some("i".repeat(2000)), ..spec(Parameters::standard(), 20) };
    assert!(!Output::QrSheet.against(&long.row()).is_empty());
}
