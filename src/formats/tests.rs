use super::*;
use crate::remedy::Remedy;
use proptest::prelude::*;

const CSV: &str = "upn,serial number,secret key,time interval,manufacturer,model\r\n\
    alice@example.com,0012345678901,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,30,Token2,miniOTP-2\r\n\
    bob@example.com,0012345678902,CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ,60,Token2,miniOTP-2\r\n";
const URIS: &str = "# two\n\
    otpauth://totp/Acme:bob?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme&period=60\n\
    otpauth://totp/bob?secret=CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ\n";
const SEEDS: [&str; 2] = ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ"];

/// All that a reading says to people.
fn messages(result: &Result<Parsed, FileError>) -> String {
    match result {
        Ok(parsed) => {
            let bad = parsed.bad.iter().map(|bad| format!("{bad} {bad:?} {}\n", bad.problem.remedy()));
            let notes = parsed.notes.iter().map(|n| format!("{n} {n:?} {}\n", n.kind.remedy()));
            bad.chain(notes).collect()
        }
        Err(error) => format!("{error} {error:?} {}", error.remedy()),
    }
}

#[test]
fn formats_are_told_by_their_content() {
    assert_eq!(parse(CSV.as_bytes(), None).unwrap().format, Format::EntraCsv);
    assert_eq!(parse(URIS.as_bytes(), None).unwrap().format, Format::KeyUriList);
    assert_eq!(Format::ALL.map(|format| format.word().parse()), Format::ALL.map(Ok));
    let unknown = "xls".parse::<Format>().unwrap_err();
    assert!(unknown.to_string().contains("entra-csv") && unknown.to_string().contains("twofas"), "{unknown}");
}

#[test]
fn a_forced_format_is_not_second_guessed() {
    let error = parse(URIS.as_bytes(), Some(Format::EntraCsv)).unwrap_err();
    assert_eq!(error, FileError::NoHeader);
    let parsed = parse(CSV.as_bytes(), Some(Format::KeyUriList)).unwrap();
    assert_eq!((parsed.lines.len(), parsed.bad_lines()), (0, 3));
    let zip = parse(b"PK\x03\x04....", Some(Format::EntraCsv)).unwrap_err();
    assert_eq!(zip, FileError::Unreadable { content: Content::Zip });
}

#[test]
fn an_empty_or_huge_file_is_refused() {
    assert_eq!(parse(b"", None).unwrap_err(), FileError::Empty);
    assert_eq!(parse(b"\xEF\xBB\xBF \r\n\r\n", None).unwrap_err(), FileError::Empty);
    assert_eq!(parse(b"# nothing here\n", Some(Format::KeyUriList)).unwrap_err(), FileError::NoLines);
    let huge = vec![b' '; MAX_FILE_BYTES + 1];
    assert!(matches!(parse(&huge, None), Err(FileError::TooLarge { .. })));
}

/// One valid file of each format, all with the same seeds.
fn samples() -> Vec<(Format, String)> {
    let [a, b] = SEEDS;
    let hex =
        |seed: &str| data_encoding::HEXLOWER.encode(&data_encoding::BASE32.decode(seed.as_bytes()).unwrap());
    let base64 =
        |seed: &str| data_encoding::BASE64.encode(&data_encoding::BASE32.decode(seed.as_bytes()).unwrap());
    let key = |serial: &str, seed: &str| {
        format!(
            "<KeyPackage><DeviceInfo><SerialNo>{serial}</SerialNo></DeviceInfo>\n\
             <Key Id=\"k\" Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:totp\"><AlgorithmParameters>\
             <ResponseFormat Encoding=\"DECIMAL\" Length=\"6\"/></AlgorithmParameters><Data>\
             <Secret><PlainValue>{}</PlainValue></Secret>\
             <TimeInterval><PlainValue>30</PlainValue></TimeInterval></Data></Key></KeyPackage>\n",
            base64(seed)
        )
    };
    let device = |serial: &str, seed: &str| {
        format!(
            "{{\"serialNumber\":\"{serial}\",\"secretKey\":\"{seed}\",\"timeIntervalInSeconds\":30,\
             \"manufacturer\":\"T\",\"model\":\"m\"}}"
        )
    };
    let token = |serial: &str, seed: &str| {
        format!("<token><serial>{serial}</serial><seed>{}</seed></token>\n", hex(seed))
    };
    let entry = |name: &str, seed: &str| {
        format!(
            "{{\"type\":\"totp\",\"name\":\"{name}\",\"issuer\":\"I\",\"info\":{{\"secret\":\"{seed}\",\
             \"algo\":\"SHA1\",\"digits\":6,\"period\":30}}}}"
        )
    };
    let service = |name: &str, seed: &str| {
        format!("{{\"name\":\"{name}\",\"secret\":\"{seed}\",\"otp\":{{\"tokenType\":\"TOTP\"}}}}")
    };
    let migration = {
        let mut message = Vec::new();
        for seed in SEEDS {
            let secret = data_encoding::BASE32.decode(seed.as_bytes()).unwrap();
            message.extend([0x0A, 28, 0x0A, 20]);
            message.extend(secret);
            message.extend([0x20, 1, 0x28, 1, 0x30, 2]);
        }
        let data = data_encoding::BASE64.encode(&message);
        format!("otpauth-migration://offline?data={}\n", data.replace('+', "%2B").replace('=', "%3D"))
    };
    vec![
        (Format::EntraCsv, CSV.to_owned()),
        (Format::SeedTable, format!("serial,seed,type\n1000,{a},totp\n1001,{b},totp\n")),
        (Format::OktaCsv, format!("login,sharedSecret\na@example.com,{a}\nb@example.com,{b}\n")),
        (Format::GraphJson, format!("[{},\n{}]", device("1000", a), device("1001", b))),
        (
            Format::Pskc,
            format!(
                "<KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\">\n{}{}</KeyContainer>\n",
                key("1000", a),
                key("1001", b)
            ),
        ),
        (
            Format::DualShieldXml,
            format!(
                "<data><header><productCode>ST</productCode><encode>HEX</encode></header><tokens>\n{}{}</tokens></data>\n",
                token("1000", a),
                token("1001", b)
            ),
        ),
        (Format::PrivacyIdeaCsv, format!("1000, {}, TOTP, 6, 30\n1001, {}, TOTP\n", hex(a), hex(b))),
        (Format::LinOtpCsv, format!("1000,{},totp,6,30,sha1\n1001,{},totp,8,60,sha1\n", hex(a), hex(b))),
        (
            Format::YubicoCsv,
            format!("1000,,0,{},,2026-01-02T03:04:05,\n1001,,0,{},,2026-01-02T03:04:05,\n", hex(a), hex(b)),
        ),
        (Format::KeyUriList, URIS.to_owned()),
        (Format::Migration, migration),
        (
            Format::Aegis,
            format!(
                "{{\"version\":1,\"header\":{{\"slots\":null,\"params\":null}},\"db\":{{\"entries\":[{},{}]}}}}",
                entry("a", a),
                entry("b", b)
            ),
        ),
        (
            Format::TwoFas,
            format!("{{\"services\":[{},{}],\"schemaVersion\":4}}", service("a", a), service("b", b)),
        ),
    ]
}

/// Every spelling in which a seed of the samples could be told, in pieces.
fn tells_a_seed(told: &str) -> bool {
    let bytes = SEEDS.map(|seed| data_encoding::BASE32.decode(seed.as_bytes()).unwrap());
    let spelled = bytes.iter().flat_map(|seed| {
        [
            data_encoding::BASE32.encode(seed),
            data_encoding::HEXLOWER.encode(seed),
            data_encoding::BASE64.encode(seed),
        ]
    });
    spelled.into_iter().any(|text| {
        text.as_bytes().windows(8).any(|piece| told.contains(std::str::from_utf8(piece).unwrap()))
    })
}

#[test]
fn every_sample_is_what_it_is_meant_to_be() {
    for (format, text) in samples() {
        let parsed = parse(text.as_bytes(), None).unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!((parsed.format, parsed.lines.len(), &parsed.bad[..]), (format, 2, &[][..]));
        for (line, seed) in parsed.lines.iter().zip(SEEDS) {
            assert_eq!(*crate::domain::seed_text::base32(&line.seed), seed, "{format}");
        }
        assert_eq!(sealed(text.as_bytes()), None, "{format}");
    }
}

#[test]
fn what_keeps_a_files_meaning_is_read_in_every_format() {
    for (format, text) in samples() {
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (what, bytes) in [
            ("byte-order mark", [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
            ("CRLF", text.replace('\n', "\r\n").into_bytes()),
            ("CR", text.replace('\n', "\r").into_bytes()),
            ("UTF-16 LE", [b"\xFF\xFE", &le[..]].concat()),
            ("UTF-16 BE", [b"\xFE\xFF", &be[..]].concat()),
        ] {
            let parsed = parse(&bytes, None).unwrap_or_else(|error| panic!("{format}, {what}: {error}"));
            assert_eq!((parsed.format, parsed.lines.len(), parsed.bad.len()), (format, 2, 0), "{what}");
        }
    }
}

/// Cut off anywhere: what remains whole is read, or the file is refused; never is a piece of a seed taken for one.
#[test]
fn a_truncated_file_never_gives_another_seed() {
    let whole = SEEDS.map(|seed| Seed::new(data_encoding::BASE32.decode(seed.as_bytes()).unwrap()));
    for (format, text) in samples() {
        // A line of a table or list that ends within its last cell can't be told from a whole one: the seeds of
        // these formats stand before it, or the encoding shows the cut.
        for end in 0..text.len() {
            let Ok(parsed) = parse(&text.as_bytes()[..end], Some(format)) else { continue };
            for line in &parsed.lines {
                let is_whole = whole.iter().any(|seed| seed.same_as(&line.seed));
                let is_cut_list = matches!(
                    format,
                    Format::KeyUriList
                        | Format::PrivacyIdeaCsv
                        | Format::OktaCsv
                        | Format::SeedTable
                        | Format::LinOtpCsv
                );
                assert!(is_whole || is_cut_list, "{format} cut at {end}");
            }
        }
    }
}

#[test]
fn junk_of_every_kind_is_refused_in_bounded_memory() {
    let short_lines = |head: &str| [head.as_bytes(), &b"a\n".repeat(2_000_000)].concat();
    for bytes in [
        short_lines("serial number,secret key,time interval\n"),
        short_lines("otpauth://totp/a?secret=A\n"),
        short_lines("otpauth-migration://offline?data=A\n"),
        short_lines("1,3132333435363738393031323334353637383930,totp\n"),
        [&b"{\"services\":["[..], &b"{},".repeat(1_000_000), b"{}]}"].concat(),
    ] {
        assert_eq!(parse(&bytes, None).unwrap_err(), FileError::TooManyLines);
    }
    let mut noise = vec![0u8; MAX_FILE_BYTES];
    let mut state = 1u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = state.to_be_bytes()[0] | 1;
    }
    assert!(matches!(parse(&noise, None), Err(FileError::NotText | FileError::Unreadable { .. })));
}

fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    let byte = prop_oneof![
        prop::sample::select(b",;\t\r\n\"=+@#0189 \xA0\xFF\x00<>&{}[]:".as_slice()),
        any::<u8>(),
    ];
    proptest::collection::vec((any::<prop::sample::Index>(), 0u8..10, byte), 1..6)
}

fn damaged(mut bytes: Vec<u8>, damage: Vec<(prop::sample::Index, u8, u8)>) -> Vec<u8> {
    for (at, kind, byte) in damage {
        let at = at.index(bytes.len().max(1)).min(bytes.len());
        match kind {
            0..3 if at < bytes.len() => bytes[at] = byte,
            3..6 if at < bytes.len() => drop(bytes.remove(at)),
            6 => bytes.truncate(at),
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for forced in std::iter::once(None).chain(Format::ALL.map(Some)) {
            let _ = parse(&bytes, forced);
        }
        let _ = (sealed(&bytes), entra_errors::read(&bytes), serial_list::read(&bytes));
    }

    /// Valid files, damaged in a few places: no panic, every line is accounted for or the file is refused, and no
    /// message tells a seed.
    #[test]
    fn damaged_files_never_panic_and_never_tell_a_seed(
        sample in any::<prop::sample::Index>(),
        damage in damage(),
        is_forced in any::<bool>(),
    ) {
        let mut samples = samples();
        let (format, text) = samples.swap_remove(sample.index(samples.len()));
        let bytes = damaged(text.into_bytes(), damage);
        let result = parse(&bytes, is_forced.then_some(format));
        let told = messages(&result);
        prop_assert!(!tells_a_seed(&told), "{told}");
        if let Ok(parsed) = result {
            let good: Vec<Place> = parsed.lines.iter().map(|line| line.place).collect();
            prop_assert!(good.is_sorted());
            prop_assert!(parsed.bad.iter().all(|bad| !good.contains(&bad.place)));
            prop_assert!(parsed.bad.is_sorted_by_key(|bad| bad.place));
        }
    }

    /// Encrypted files, damaged: opened with the right secret they are refused, or give the seed they were made with.
    #[test]
    fn a_damaged_sealed_file_gives_its_seed_or_nothing(name in 0usize..2, damage in damage()) {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/seed-files.json")).unwrap();
        let vector = &vectors[["pskc_preshared", "pskc_password"][name]];
        // Fewer rounds would need another vector; the damage may not make more of them.
        let text = vector["document"].as_str().unwrap();
        let bytes = damaged(text.as_bytes().to_vec(), damage);
        prop_assume!(name == 0 || String::from_utf8_lossy(&bytes).contains("<IterationCount>20000<"));
        let secret = match vector["password"].as_str() {
            Some(password) => FileSecret::passphrase(password),
            None => FileSecret::key(vector["key"].as_str().unwrap()).unwrap(),
        };
        let result = unseal(&bytes, &secret);
        if let Err(error) = &result {
            let told = format!("{error} {error:?} {}", error.remedy());
            prop_assert!(!told.contains("3132333435") && !told.contains("MTIzNDU2"), "{told}");
        }
        if let Ok(plain) = result
            && let Ok(parsed) = parse(&plain, None)
        {
            for line in &parsed.lines {
                prop_assert_eq!(line.seed.expose(), b"12345678901234567890");
            }
        }
    }
}
