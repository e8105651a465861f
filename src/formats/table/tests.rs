//! Each case says first what was done to the file.

use super::*;
use crate::{
    domain::{Digits, Hash, Mode, Parameters, Period, Stated, seed_text::SeedTextError},
    formats::{Parsed, parse, parse_with},
};

const SEED: &str = "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ";
const SEED_HEX: &str = "1669ebdcc7108c272fd876ed6e7f562583be16a9";
const SIX: &str = "upn,serial number,secret key,time interval,manufacturer,model";

fn read_bytes(bytes: &[u8]) -> Parsed {
    let parsed = parse(bytes, None).unwrap();
    assert_eq!(parsed.format, Format::EntraCsv);
    parsed
}

fn read(text: &str) -> Parsed {
    read_bytes(text.as_bytes())
}

/// The problems of a file of one row below the six columns.
fn row_problems(row: &str) -> Vec<(Option<Field>, Problem)> {
    let parsed = read(&format!("{SIX}\n{row}\n"));
    assert!(parsed.lines.is_empty(), "{row}");
    assert!(parsed.bad.iter().all(|bad| bad.place == Place::Line(2)));
    parsed.bad.into_iter().map(|bad| (bad.field, bad.problem)).collect()
}

/// Checks that the one line says what Microsoft's sample says.
fn assert_sample(parsed: &Parsed, case: &str) {
    let [line] = &parsed.lines[..] else { panic!("{case}: {:?}", parsed.bad) };
    assert_eq!(line.serial.as_ref().unwrap().as_str(), "0012345678901", "{case}");
    assert_eq!(*seed_text::hex(&line.seed), SEED_HEX, "{case}");
    assert_eq!(line.stated, Stated { period: Some(Period::THIRTY), ..Stated::default() }, "{case}");
    assert_eq!(line.manufacturer.as_deref(), Some("Token2"), "{case}");
    assert_eq!(line.model.as_deref(), Some("miniOTP-2"), "{case}");
    assert_eq!(parsed.bad, [], "{case}");
}

fn sample() -> String {
    format!("{SIX}\nalice@example.com,0012345678901,{SEED},30,Token2,miniOTP-2\n")
}

#[test]
fn the_documented_form_is_read_without_a_word() {
    let parsed = read(&sample());
    assert_sample(&parsed, "sample");
    assert_eq!(
        (parsed.lines[0].place, parsed.lines[0].upn.as_deref()),
        (Place::Line(2), Some("alice@example.com"))
    );
    assert_eq!(parsed.notes, []);
}

#[test]
fn every_spelling_that_keeps_the_meaning_is_read() {
    let text = sample();
    let quoted: String = text
        .lines()
        .map(|line| line.split(',').map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    for (case, text) in [
        ("byte-order mark", format!("\u{FEFF}{text}")),
        ("CRLF", text.replace('\n', "\r\n")),
        ("lone CR", text.replace('\n', "\r")),
        ("no last line end", text.trim_end().to_owned()),
        ("semicolons", text.replace(',', ";")),
        ("tabs", text.replace(',', "\t")),
        ("sep line", format!("sep=;\n{}", text.replace(',', ";"))),
        ("everything quoted", quoted),
        ("old name of the interval", text.replace("time interval", "timeinterval")),
        ("names in another case", text.replace(SIX, &SIX.to_uppercase())),
        ("names with underscores", text.replace("serial number", "Serial_Number")),
        ("trailing commas", text.replace('\n', ",,\n")),
        ("blank lines", text.replace('\n', "\n\n  \n,,,,,\n")),
        ("blanks round cells", text.replace(',', " , ")),
        ("padding", text.replace(SEED, &format!("{SEED}===="))),
        ("typographic quotes", text.replace("Token2", "\u{201C}Token2\u{201D}")),
        ("non-breaking blank at the end", text.replace("alice@example.com", "alice@example.com\u{A0}")),
    ] {
        if case == "padding" {
            // 32 characters need none: the text is not what its writer meant.
            assert!(matches!(read(&text).bad[0].problem, Problem::Seed(SeedTextError::Padding { .. })));
            continue;
        }
        assert_sample(&read(&text), case);
    }
}

#[test]
fn padding_that_belongs_there_is_dropped() {
    let parsed = read(&sample().replace(SEED, "AAAQEAYEAUDAOCAJBIFQYDIOB4======"));
    assert_eq!(parsed.lines[0].seed.len_bytes(), 16);
}

#[test]
fn utf_16_with_tabs_is_read_and_told() {
    let text = sample().replace(',', "\t").replace('\n', "\r\n");
    let bytes: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let parsed = read_bytes(&bytes);
    assert_sample(&parsed, "UTF-16");
    let kinds: Vec<_> = parsed.notes.iter().map(|note| &note.kind).collect();
    assert_eq!(kinds, [&NoteKind::Separator('\t'), &NoteKind::Utf16]);
}

#[test]
fn five_columns_without_the_user_are_read_and_told() {
    let text = format!(
        "serial number,secret key,timeinterval,manufacturer,model\n0012345678901,{SEED},30,Token2,miniOTP-2\n"
    );
    let parsed = read(&text);
    assert_sample(&parsed, "five columns");
    assert_eq!(parsed.lines[0].upn, None);
    assert_eq!(parsed.notes, [Note::on_file(NoteKind::NoUpnColumn)]);
}

#[test]
fn columns_stand_in_any_order() {
    let text = format!(
        "Model;Time Interval;Secret Key;UPN;Manufacturer;Serial Number\nminiOTP-2;30;{SEED};;Token2;0012345678901\n"
    );
    assert_sample(&read(&text), "order");
}

#[test]
fn a_column_for_hash_or_digits_is_believed_and_an_unknown_one_told() {
    let text = format!(
        "serial number,secret key,time interval,hash,digits,colour\n1000,{SEED},60,HMAC-SHA256,8,red\n"
    );
    let parsed = read(&text);
    let stated = parsed.lines[0].stated;
    assert_eq!((stated.hash, stated.digits), (Some(Hash::Sha256), Some(Digits::EIGHT)));
    assert!(parsed.notes.contains(&Note::on_file(NoteKind::UnknownColumn { column: 6 })));
}

#[test]
fn a_long_seed_asks_for_its_hash() {
    let long = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
    let parsed = read(&sample().replace(SEED, long));
    assert!(parsed.lines[0].is_hash_open());
    assert!(!read(&sample()).lines[0].is_hash_open());
    let stated =
        read(&sample().replace(SEED, long).replace(",model", ",model,hash").replace("miniOTP-2", "m,SHA256"));
    assert!(!stated.lines[0].is_hash_open());
}

#[test]
fn a_serial_that_a_spreadsheet_rounded_is_refused_with_its_line() {
    for serial in ["8.65962E+13", "\"8,65962E+13\""] {
        let problems = row_problems(&format!("alice@example.com,{serial},{SEED},30,Token2,miniOTP-2"));
        assert_eq!(problems, [(Some(Field::Serial), Problem::RoundedSerial)]);
    }
}

#[test]
fn each_fault_of_a_cell_is_named() {
    use Field::*;
    let with = |upn: &str, serial: &str, secret: &str, interval: &str, maker: &str| {
        row_problems(&format!("{upn},{serial},{secret},{interval},{maker},M"))
    };
    let upn = "a@example.com";
    assert_eq!(with(upn, "", SEED, "30", "T"), [(Some(Serial), Problem::Empty)]);
    assert_eq!(with(upn, "=\"001\"", SEED, "30", "T"), [(Some(Serial), Problem::Serial)]);
    assert_eq!(with(upn, "12 34", SEED, "30", "T"), [(Some(Serial), Problem::Serial)]);
    assert_eq!(with(upn, "1000", "", "30", "T"), [(Some(Secret), Problem::Empty)]);
    assert_eq!(with(upn, "1000", "1.2E+45", "30", "T"), [(Some(Secret), Problem::RoundedSecret)]);
    assert_eq!(with(upn, "1000", "AAAAAAAAAAAAAAAA", "30", "T"), [(Some(Secret), Problem::SeedOfZeros)]);
    for interval in ["0", "30s", "-30", "4294967296", "30.0"] {
        assert_eq!(with(upn, "1000", SEED, interval, "T"), [(Some(Interval), Problem::Period)], "{interval}");
    }
    for upn in
        ["alice", "CORP\\alice", "a@b@c", "@example.com", "alice@", "a b@example.com", "+a@example.com"]
    {
        assert_eq!(with(upn, "1000", SEED, "30", "T"), [(Some(Upn), Problem::Upn)], "{upn}");
    }
    let odd = Problem::OddCharacter { position: 2, code_point: 0xA0 };
    assert_eq!(with(upn, "1000", SEED, "30", "T\u{A0}2"), [(Some(Manufacturer), odd)]);
    assert_eq!(with(upn, "1000", SEED, "30", "T,x,y"), [(None, Problem::ExtraCells { extra: 2 }),]);
    assert_eq!(row_problems(&format!("{upn},\"1000,{SEED},30,T,M")), [(None, Problem::Quote)]);
}

#[test]
fn digits_that_base32_lacks_are_named_with_their_position() {
    for (digit, position) in [('0', 1), ('1', 5), ('8', 32), ('9', 20)] {
        let mut secret: Vec<char> = SEED.chars().collect();
        secret[position - 1] = digit;
        let secret: String = secret.into_iter().collect();
        match &row_problems(&format!("a@example.com,1000,{secret},30,T,M"))[..] {
            [
                (
                    Some(Field::Secret),
                    Problem::Seed(SeedTextError::MisreadDigit { position: at, digit: found, .. }),
                ),
            ] => {
                assert_eq!((*at, *found), (position, digit));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn all_faults_of_a_line_and_of_all_lines_are_told() {
    let text = format!("{SIX}\nalice,8.6E+13,{SEED},0,T,M\nb@example.com,1000,{SEED},30,T,M\nTotal,1,,,,\n");
    let parsed = read(&text);
    assert_eq!(parsed.lines.len(), 1);
    assert_eq!(parsed.bad_lines(), 2);
    let places: Vec<_> = parsed.bad.iter().map(|bad| (bad.place.number(), bad.field.unwrap())).collect();
    use Field::*;
    assert_eq!(places, [(2, Upn), (2, Serial), (2, Interval), (4, Upn), (4, Secret), (4, Interval)]);
}

#[test]
fn text_that_a_spreadsheet_would_run_is_kept_and_told() {
    let parsed = read(&sample().replace("Token2", "=1+1"));
    assert_eq!(parsed.lines[0].manufacturer.as_deref(), Some("=1+1"));
    assert_eq!(parsed.notes, [Note::at(Place::Line(2), Field::Manufacturer, NoteKind::Formula)]);
}

#[test]
fn a_header_that_can_not_serve_is_refused() {
    let error = |text: String| parse(text.as_bytes(), None).unwrap_err();
    assert_eq!(error(format!("0012345678901,{SEED},30,Token2,x\n")), FileError::NoHeader);
    assert_eq!(
        error(format!("upn,serial number,secret key\na@example.com,1000,{SEED}\n")),
        FileError::MissingColumns { missing: vec![Field::Interval] }
    );
    assert_eq!(error(format!("{SIX},serial\n")), FileError::ColumnTwice { field: Field::Serial });
    assert_eq!(error(format!("{SIX}\n\n,,,\n")), FileError::NoLines);
}

fn table(text: &str) -> Parsed {
    let parsed = parse(text.as_bytes(), None).unwrap();
    assert_eq!(parsed.format, Format::SeedTable, "{text}");
    parsed
}

fn is_noted(parsed: &Parsed, kind: &NoteKind) -> bool {
    parsed.notes.iter().any(|note| note.kind == *kind)
}

const BASE64: &str = "Fmnr3McQjCcv2Hbtbn9WJYO+Fqk=";

#[test]
fn the_whole_column_decides_how_seeds_are_spelled() {
    for (seed, encoding) in [(SEED, Encoding::Base32), (SEED_HEX, Encoding::Hex), (BASE64, Encoding::Base64)]
    {
        let parsed = table(&format!("serial,seed\n1000,{seed}\n"));
        assert_eq!(*seed_text::hex(&parsed.lines[0].seed), SEED_HEX, "{encoding}");
        assert!(is_noted(&parsed, &NoteKind::ReadAs { encoding }), "{:?}", parsed.notes);
        assert!(is_noted(&parsed, &NoteKind::PeriodNotStated));
        let stated = table(&format!("serial,seed ({encoding}),period\n1000,{seed},60\n"));
        assert_eq!(stated.lines[0].stated.period, Some(Period::SIXTY));
        assert_eq!(stated.notes, [], "the header says how: nothing was taken for granted");
    }
}

#[test]
fn a_column_that_could_be_two_things_is_asked_about() {
    let either = "ABCDEF234567ABCDEF234567ABCDEF234567ABCD";
    let text = format!("serial,seed\n1000,{either}\n");
    let fits = vec![Encoding::Base32, Encoding::Hex];
    assert_eq!(parse(text.as_bytes(), None).unwrap_err(), FileError::EncodingOpen { fits });
    for (encoding, bytes) in [(Encoding::Hex, 20), (Encoding::Base32, 25)] {
        let hints = Hints { encoding: Some(encoding), ..Hints::default() };
        assert_eq!(parse_with(text.as_bytes(), &hints).unwrap().lines[0].seed.len_bytes(), bytes);
    }
    // Beside seeds that are plainly hex it is one of them.
    let parsed = table(&format!("serial,seed\n1000,{either}\n1001,{SEED_HEX}\n"));
    assert_eq!(parsed.lines.iter().map(|line| line.seed.len_bytes()).collect::<Vec<_>>(), [20, 20]);
}

#[test]
fn one_mistyped_seed_is_a_bad_line_and_half_a_column_is_a_question() {
    let mut text = String::from("serial,seed\n");
    for serial in 1000..1019 {
        text += &format!("{serial},{}\n", SEED.replace('C', ["A", "B", "C"][serial % 3]));
    }
    let parsed = table(&format!("{text}1019,{SEED_HEX}\n"));
    assert_eq!((parsed.bad.len(), parsed.bad[0].place), (1, Place::Line(21)));
    let mixed = format!("serial,seed\n1000,{SEED}\n1001,{SEED_HEX}\n");
    assert!(matches!(parse(mixed.as_bytes(), None), Err(FileError::EncodingOpen { .. })));
}

#[test]
fn columns_that_the_file_does_not_name_can_be_said() {
    let text = format!("1000;x;{SEED_HEX};60\n1001;y;{SEED_HEX};30\n");
    let said = |columns| {
        let hints = Hints { columns: Some(columns), ..Hints::default() };
        parse_with(text.as_bytes(), &hints)
    };
    let parsed = said("serial,-,hex,interval").unwrap();
    assert_eq!(parsed.lines[0].stated.period, Some(Period::SIXTY));
    assert_eq!(*seed_text::hex(&parsed.lines[1].seed), SEED_HEX);
    for wrong in ["serial,colour,hex,interval", "serial,-,-,interval", ""] {
        assert_eq!(said(wrong).unwrap_err(), FileError::ColumnsSaid, "{wrong}");
    }
}

#[test]
fn types_and_counters_are_read_where_they_are_stated() {
    let parsed = table(&format!(
        "serial,seed,type,counter,period\n1000,{SEED},HOTP,5,\n1001,{SEED},totp,,60\n1002,{SEED},hotp,,\n1003,{SEED},push,,\n"
    ));
    let modes: Vec<_> = parsed.lines.iter().map(|line| line.stated.or_standard().mode).collect();
    let totp = Parameters::totp(Hash::Sha1, Digits::SIX, Period::SIXTY).mode;
    assert_eq!(modes, [Mode::Hotp { counter: 5 }, totp]);
    let problems: Vec<_> = parsed.bad.iter().map(|bad| (bad.place.number(), bad.problem.clone())).collect();
    assert_eq!(problems, [(4, Problem::NoCounter), (5, Problem::Kind)]);
}

#[test]
fn deepnets_files_need_no_header_once_they_are_named() {
    let text = format!("1000,{SEED}\n1001,{}\n", SEED.replace('C', "D"));
    assert!(parse(text.as_bytes(), None).is_err());
    let timed = parse(text.as_bytes(), Some(Format::DeepnetTime)).unwrap();
    assert_eq!((timed.lines.len(), timed.lines[0].stated.counter), (2, None));
    let counted = parse(text.as_bytes(), Some(Format::DeepnetCounter)).unwrap();
    assert_eq!(counted.lines[1].stated.counter, Some(0));
    assert!(is_noted(&counted, &NoteKind::CounterNotStated));
    let headed = parse(format!("serial number,secret key\n{text}").as_bytes(), Some(Format::DeepnetCounter));
    assert_eq!(headed.unwrap().lines.len(), 2);
}

#[test]
fn oktas_fields_need_no_serial() {
    let text = format!("login,sharedSecret,factorProfileId\nalice@example.com,{SEED},fpr1\n");
    let parsed = parse(text.as_bytes(), None).unwrap();
    assert_eq!(parsed.format, Format::OktaCsv);
    let line = &parsed.lines[0];
    assert_eq!((line.serial.as_ref(), line.upn.as_deref()), (None, Some("alice@example.com")));
    assert_eq!(line.stated, Stated::default());
}
