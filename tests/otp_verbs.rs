//! The verbs of `kiln otp`, from arguments to what they print and their exit status.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use clap::Parser;
use kiln::{
    cli::{Exit, Io, otp},
    domain::{Clock, ClockState, UnixMillis, key_uri::KeyUri},
};
use std::{io::BufRead, os::unix::fs::PermissionsExt, path::Path};
use zeroize::Zeroizing;

#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    verb: otp::OtpVerb,
}

struct Stopped(ClockState);

impl Clock for Stopped {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_111_111_109_999)
    }
    fn state(&self) -> ClockState {
        self.0
    }
}

#[derive(Debug, PartialEq)]
struct Ran {
    out: String,
    err: String,
    exit: Exit,
}

/// Where a verb runs.
struct Setting<'a> {
    input: &'a str,
    answer: Option<&'a str>,
    terminal: bool,
    clock: ClockState,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        Self { input: "", answer: None, terminal: false, clock: ClockState::Simulated }
    }
}

impl Setting<'_> {
    fn run(&self, args: &[&str]) -> Ran {
        let words = ["otp"].into_iter().chain(args.iter().copied());
        let parsed = match CommandLine::try_parse_from(words) {
            Ok(parsed) => parsed,
            Err(error) => return Ran { out: String::new(), err: error.to_string(), exit: Exit::Usage },
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut input: &[u8] = self.input.as_bytes();
        let input: &mut (dyn BufRead + Send) = &mut input;
        let mut ask = |question: &str| {
            assert!(question.contains("not shown"), "{question}");
            Ok(Zeroizing::new(self.answer.unwrap_or_default().to_owned()))
        };
        let mut io = Io {
            out: &mut out,
            err: &mut err,
            input,
            prompt: self.answer.is_some().then_some(&mut ask),
            out_is_terminal: self.terminal,
            colour: self.terminal,
            clock: &Stopped(self.clock),
        };
        let exit = match otp::run(&otp::OtpArgs { verb: parsed.verb }, &mut io) {
            Ok(exit) => exit,
            Err(error) => io.fail(&error),
        };
        Ran { out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap(), exit }
    }
}

fn given(input: &str, args: &[&str]) -> Ran {
    Setting { input, ..Setting::default() }.run(args)
}

/// The seed of RFC 4226, whose base32 repeats itself.
const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const RFC_HEX: &str = "3132333435363738393031323334353637383930";
const TWICE: &str = "note: the same 16 characters stand there twice, as after a double paste\n";
/// Nothing to note about this one.
const PLAIN: &str = "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ";

#[track_caller]
fn done(ran: Ran, out: &str, err: &str) {
    assert_eq!(ran, Ran { out: out.to_owned(), err: err.to_owned(), exit: Exit::Done });
}

#[test]
fn the_code_of_now_is_printed_alone() {
    done(given(RFC, &["code", "--digits", "8"]), "07081804\n", TWICE);
    done(given(PLAIN, &["code", "--counter", "0"]), "650902\n", "");
}

#[test]
fn the_tables_of_both_rfcs_come_out() {
    let sha256 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
    let at = ["code", "--digits", "8", "--at"];
    let with = |rest: &[&'static str]| [&at[..], rest].concat();
    assert_eq!(given(RFC, &with(&["59"])).out, "94287082\n");
    assert_eq!(given(RFC, &with(&["1970-01-01T00:00:59Z"])).out, "94287082\n");
    assert_eq!(given(sha256, &with(&["20000000000", "--hash", "sha-256"])).out, "77737706\n");
    assert_eq!(given(RFC, &["code", "--counter", "9"]).out, "520489\n");
    let later = ["code", "--t0", "1111111079", "--digits", "6", "--format", "base32"];
    assert_eq!(given(RFC, &later).out, "287082\n");
    assert_eq!(given(RFC, &["code", "--period", "60", "--digits", "8", "--at", "119"]).out, "94287082\n");
}

#[test]
fn json_says_what_the_code_is_and_how_long_it_stands() {
    done(
        given(PLAIN, &["code", "--json", "--at", "59"]),
        "{\"code\":\"250739\",\"hash\":\"SHA1\",\"digits\":6,\"type\":\"totp\",\"period\":30,\"t0\":0,\
         \"at\":59,\"step\":1,\"valid_from\":30,\"valid_until\":60}\n",
        "",
    );
    done(
        given(PLAIN, &["code", "--json", "--counter", "1"]),
        "{\"code\":\"250739\",\"hash\":\"SHA1\",\"digits\":6,\"type\":\"hotp\",\"counter\":1}\n",
        "",
    );
}

#[test]
fn a_key_uri_brings_its_parameters_and_options_win() {
    let uri = "otpauth://hotp/Kiln:a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&counter=1&issuer=Kiln";
    assert_eq!(given(uri, &["code", "--uri", "-"]).out, "287082\n");
    // Recognised without being announced, too.
    assert_eq!(given(uri, &["code"]).out, "287082\n");
    assert_eq!(given(uri, &["code", "--uri", "-", "--counter", "2"]).out, "359152\n");
    let refused = given(PLAIN, &["code", "--uri", "-"]);
    assert_eq!(refused.exit, Exit::Usage);
    assert!(refused.err.starts_with("kiln: this does not begin with otpauth://\n-> "), "{refused:?}");
    assert_eq!(given(uri, &["code", "--uri", "-", "--period", "60"]).exit, Exit::Usage);
}

#[test]
fn seeds_come_from_files_and_prompts_but_not_from_arguments() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("seed");
    std::fs::write(&file, format!("{PLAIN}\n")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let name = file.to_str().unwrap();
    let args = ["code", "--counter", "1", "--secret-file", name];
    done(given("", &args), "250739\n", "");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(given("", &args).err.contains("can be read by other accounts"));

    let asked = Setting { answer: Some(PLAIN), ..Setting::default() };
    assert_eq!(asked.run(&["code", "--counter", "1"]).out, "250739\n");

    let missing = given("", &["code", "--secret-file", "/nonexistent/seed"]);
    assert_eq!((missing.exit, missing.err.contains("-> ")), (Exit::Environment, true), "{missing:?}");
    assert_eq!(given("", &["code", PLAIN]).exit, Exit::Usage);
    assert_eq!(given("", &["code", "--secret", PLAIN]).exit, Exit::Usage);
}

#[test]
fn what_is_no_seed_is_named_and_its_text_is_not_shown() {
    let typed = given("CZU6XXGHCCGC0L6YO3WW472WEWB34FVJ", &["code"]);
    assert_eq!(typed.exit, Exit::Usage);
    assert_eq!(
        typed.err,
        "kiln: as base32: position 13 holds 0, which base32 does not have (perhaps the letter O)\n\
         -> look at the source again and type the letter that stands there\n"
    );
    let ambiguous = given("A2B3C4D5E6F7A2B3C4D5E6F7A2B3C4D5E6F7A2A4", &["code"]);
    assert!(ambiguous.err.contains("as hex (20 bytes) or as base32 (25 bytes)"), "{ambiguous:?}");
    assert!(!ambiguous.err.contains("A2B3"), "{ambiguous:?}");
    let stated =
        given("A2B3C4D5E6F7A2B3C4D5E6F7A2B3C4D5E6F7A2A4", &["code", "--format", "hex", "--counter", "0"]);
    assert_eq!((stated.exit, stated.out.len()), (Exit::Done, 7));
    let hex = "1669ebdcc7108c272fd876ed6e7f562583be16a9";
    done(given(hex, &["code", "--counter", "1"]), "250739\n", "note: read the seed as hex (20 bytes)\n");
    assert_eq!(given(RFC_HEX, &["code"]).exit, Exit::Usage);
}

#[test]
fn a_clock_that_is_off_is_said_where_it_matters() {
    let clock = ClockState::Unsynchronised { max_error_ms: 16_000 };
    let setting = Setting { input: PLAIN, clock, ..Setting::default() };
    assert!(setting.run(&["code"]).err.starts_with("warning: this machine's clock is not synchronised"));
    assert_eq!(setting.run(&["code", "--at", "59"]).err, "");
    assert_eq!(setting.run(&["code", "--counter", "1"]).err, "");
}

#[test]
fn a_terminal_is_told_how_long_the_code_stands() {
    let setting = Setting { input: PLAIN, terminal: true, ..Setting::default() };
    let err = "note: TOTP SHA-1 6 digits 30 s; shown until 1970-01-01T00:01:00Z, 1 s more\n";
    done(setting.run(&["code", "--at", "59"]), "250739\n", err);
}

#[test]
fn verify_states_its_window_and_where_the_code_was_found() {
    let verify = |args: &[&str]| given(PLAIN, &[&["verify"], args].concat());
    done(
        verify(&["250739", "--at", "59"]),
        "match: the current step; searched 1 step back and 1 ahead\n",
        "",
    );
    let before = "match: 1 step before the current one; searched 1 step back and 1 ahead\n";
    done(verify(&["250 739", "--at", "60"]), before, "");
    let after = "match: 1 step after the current one; searched 1 step back and 1 ahead\n";
    done(verify(&["250739", "--at", "29"]), after, "");
    let no = verify(&["250739", "--at", "90"]);
    assert_eq!(no.out, "no match; searched 1 step back and 1 ahead\n");
    assert_eq!(no.exit, Exit::No);
    let wide = "match: 2 steps before the current one; searched 2 steps back and 2 ahead\n";
    done(verify(&["250739", "--at", "90", "--window", "2"]), wide, "");
    assert_eq!(verify(&["250739", "--at", "60", "--window", "0"]).exit, Exit::No);
    let hotp = "match: counter 1 (1 after 0); searched counter 0 and 3 ahead\n";
    done(verify(&["250739", "--counter", "0", "--window", "3"]), hotp, "");
    assert!(verify(&["12345678", "--at", "59"]).err.contains("8 digits, the parameters say 6"));
    assert_eq!(verify(&["12345x"]).exit, Exit::Usage);
    assert_eq!(verify(&["250739", "--at", "10", "--t0", "11"]).exit, Exit::Usage);
    done(
        verify(&["250739", "--at", "60", "--json"]),
        "{\"matches\":true,\"distance\":-1,\"window\":{\"back\":1,\"ahead\":1},\"at\":60,\
         \"hash\":\"SHA1\",\"digits\":6,\"type\":\"totp\",\"period\":30,\"t0\":0}\n",
        "",
    );
    let hotp = verify(&["250739", "--counter", "0", "--window", "3", "--json"]).out;
    let expected = "{\"matches\":true,\"distance\":1,\"window\":{\"back\":0,\"ahead\":3},\"at\":null,";
    assert!(hotp.starts_with(expected), "{hotp}");
}

#[test]
fn a_secret_is_twenty_random_bytes_in_base32_unless_said_otherwise() {
    let usual = given("", &["secret"]);
    assert_eq!((usual.out.trim_end().len(), usual.err.as_str()), (32, ""));
    assert_ne!(usual.out, given("", &["secret"]).out);
    assert_eq!(given("", &["secret", "--bytes", "32", "--format", "hex"]).out.trim_end().len(), 64);
    assert_eq!(given("", &["secret", "--format", "base64"]).out.trim_end().len(), 28);
    assert!(given("", &["secret", "--bytes", "10"]).err.contains("RFC 4226 asks for 16"));
    assert_eq!(given("", &["secret", "--bytes", "0"]).exit, Exit::Usage);
    let json: serde_json::Value = serde_json::from_str(&given("", &["secret", "--json"]).out).unwrap();
    assert_eq!((json["encoding"].as_str(), json["bytes"].as_u64()), (Some("base32"), Some(20)));
}

/// What a phone reads from a picture file.
fn scan_png(path: &Path) -> String {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.width, frame.height), (512, 512));
    let grey = |x: usize, y: usize| pixels[y * frame.line_size + x];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(512, 512, grey);
    image.detect_grids()[0].decode().unwrap().1
}

#[test]
fn a_qr_picture_holds_the_uri_and_is_private_and_never_replaced_by_accident() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("alice.png");
    let name = file.to_str().unwrap();
    let args =
        ["qr", "-o", name, "--issuer", "Größe & Co", "--account", "alice@example.com", "--digits", "8"];
    let wrote = given(PLAIN, &args);
    done(wrote, "", &format!("note: wrote {name}; it holds the seed\n"));
    let text = scan_png(&file);
    assert_eq!(
        text,
        format!(
            "otpauth://totp/Gr%C3%B6%C3%9Fe%20%26%20Co:alice%40example.com?secret={PLAIN}\
             &issuer=Gr%C3%B6%C3%9Fe%20%26%20Co&algorithm=SHA1&digits=8&period=30"
        )
    );
    let read = KeyUri::parse(&text).unwrap();
    assert_eq!((read.issuer.as_deref(), read.account.as_str()), (Some("Größe & Co"), "alice@example.com"));
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);

    let again = given(PLAIN, &["qr", "-o", name, "--account", "bob"]);
    assert_eq!((again.exit, again.err.contains("exists and was left as it is")), (Exit::Environment, true));
    assert_eq!(scan_png(&file), text);

    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(given(&text, &["qr", "-o", name, "--account", "bob", "--force"]).exit, Exit::Done);
    let forced = KeyUri::parse(&scan_png(&file)).unwrap();
    assert_eq!((forced.account.as_str(), forced.issuer.as_deref()), ("bob", Some("Größe & Co")));
    assert_eq!(mode(), 0o600);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    let nowhere = home.path().join("none/x.png");
    assert_eq!(
        given(PLAIN, &["qr", "--account", "a", "-o", nowhere.to_str().unwrap()]).exit,
        Exit::Environment
    );
}

#[test]
fn a_qr_code_in_the_terminal_fits_its_quiet_zone_and_its_style() {
    let shown = given(PLAIN, &["qr", "--issuer", "Kiln", "--account", "a"]);
    assert_eq!((shown.exit, shown.err.as_str()), (Exit::Done, ""));
    let lines: Vec<&str> = shown.out.lines().collect();
    let width = lines[0].chars().count();
    assert_eq!((lines.len(), lines[0].chars().all(|c| c == '█')), (width.div_ceil(2), true));
    let ascii = given(PLAIN, &["qr", "--account", "a", "--ascii"]);
    assert!(ascii.out.is_ascii() && !ascii.out.contains('\x1b') && ascii.out.starts_with("####"));
    let coloured = Setting { input: PLAIN, terminal: true, ..Setting::default() };
    assert!(coloured.run(&["qr", "--account", "a"]).out.starts_with("\x1b[30;47m  "));

    assert_eq!(given(PLAIN, &["qr"]).exit, Exit::Usage);
    assert_eq!(given(PLAIN, &["qr", "--account", "a", "--t0", "5"]).exit, Exit::Usage);
    let long = "x".repeat(3000);
    assert!(given(PLAIN, &["qr", "--account", &long]).err.contains("too long for a QR code"));
}

#[test]
fn the_adapters_documents_come_and_go_with_its_status() {
    let xml = |input: &str, args: &[&str]| given(input, &[args, &["--xml"]].concat());
    let secret = xml("", &["secret"]);
    assert_eq!((secret.err.as_str(), secret.exit), ("status: 1\n", Exit::Done));
    let text = secret.out.strip_prefix("<Secret>").unwrap().strip_suffix("</Secret>\n").unwrap();
    assert_eq!(text.len(), 32);

    let one = format!("<?xml version=\"1.0\"?>\n<Secret>{PLAIN}</Secret>");
    done(xml(&one, &["code", "--at", "59"]), "<Password>250739</Password>\n", "status: 1\n");

    let both = |code: &str| format!("<TOTP><Password>{code}</Password><Secret>{PLAIN}</Secret></TOTP>");
    done(
        xml(&both("250739"), &["verify", "--at", "60"]),
        "<Ok description=\"match: 1 step before the current one; searched 1 step back and 1 ahead\"/>\n",
        "status: 1\n",
    );
    let no = xml(&both("250738"), &["verify", "--at", "60"]);
    let out = "<Error description=\"no match; searched 1 step back and 1 ahead\"/>\n".to_owned();
    assert_eq!(no, Ran { out, err: "status: 403\n".into(), exit: Exit::No });

    for malformed in [
        "",
        "<Secret>",
        "<TOTP/>",
        "<!DOCTYPE x><TOTP/>",
        &both("12a"),
        &both("250739").replace("CZU6", "CZ16"),
    ] {
        let ran = xml(malformed, &["verify", "--at", "60"]);
        assert!(ran.out.starts_with("<Error description=\"") && ran.out.ends_with("\"/>\n"), "{ran:?}");
        assert_eq!((ran.err.as_str(), ran.exit), ("status: 403\n", Exit::Usage), "{malformed}");
        assert!(!ran.out.contains("XXGH"), "{ran:?}");
    }
    let broken = xml("", &["verify", "--secret-file", "/nonexistent/<x>"]);
    assert!(broken.out.contains("/nonexistent/&lt;x&gt;"), "{broken:?}");
    assert_eq!((broken.err.as_str(), broken.exit), ("status: -1\n", Exit::Environment));

    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.png");
    let args = ["qr", "-o", file.to_str().unwrap(), "--account", "alice"];
    assert_eq!(xml(&one, &args).err, "status: 1\n");
    assert_eq!(KeyUri::parse(&scan_png(&file)).unwrap().account, "alice");
    assert_eq!(xml(&one, &args).err, "status: -1\n");
    assert_eq!(xml("", &["verify", "123456"]).exit, Exit::Usage);
}

#[test]
fn local_time_and_milliseconds_are_refused_as_moments() {
    let local = given(PLAIN, &["code", "--at", "2026-03-01T12:00:00"]);
    assert_eq!((local.exit, local.err.contains("no zone")), (Exit::Usage, true), "{local:?}");
    assert!(given(PLAIN, &["code", "--at", "1767225600000"]).err.contains("milliseconds"));
}
