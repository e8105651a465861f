//! The harness itself: what watches the other tests must be able to fail.

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
    time::Duration,
};
use support::{
    leak::Search,
    namespace::{self, isolated},
    oathtool,
    wiretap::{Speaker, Wiretap},
};

/// What a panic said.
fn failure(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).expect_err("this must fail");
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap_or(&"").to_string())
}

#[test]
fn a_namespace_holds_only_what_belongs_to_the_test() {
    isolated("a_namespace_holds_only_what_belongs_to_the_test", Duration::from_secs(60), || {
        let links = Command::new("ip").args(["-brief", "link"]).output().unwrap();
        let links = String::from_utf8(links.stdout).unwrap();
        assert_eq!(links.lines().count(), 1, "{links}");
        assert!(links.starts_with("lo"), "{links}");
        let run: Vec<_> =
            std::fs::read_dir("/run").unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(run, ["pcscd"]);
        // The shell, this binary, and nothing of the machine's.
        assert!(std::process::id() < 20, "process {}", std::process::id());
    });
}

#[test]
fn a_failure_inside_fails_the_test_and_shows_its_logs() {
    let why = failure(|| {
        isolated("a_failure_inside_fails_the_test_and_shows_its_logs", Duration::from_secs(60), || {
            writeln!(namespace::log_file("some-part"), "the last words of a part").unwrap();
            panic!("the inside's own words");
        });
    });
    if std::env::var_os("KILN_TEST_INSIDE").is_some() {
        // This is the inside, where the panic was caught: let it fail after all.
        panic!("{why}");
    }
    assert!(why.contains("the inside's own words"), "{why}");
    assert!(why.contains("some-part-1.log") && why.contains("the last words of a part"), "{why}");
}

#[test]
fn a_hung_test_is_ended_with_all_its_processes() {
    let started = std::time::Instant::now();
    let why = failure(|| {
        isolated("a_hung_test_is_ended_with_all_its_processes", Duration::from_secs(3), || {
            let mut orphan = Command::new("sleep").arg("987654").spawn().unwrap();
            writeln!(namespace::log_file("part"), "hanging").unwrap();
            orphan.wait().unwrap();
        });
    });
    assert!(why.contains("not done after 3s") && why.contains("hanging"), "{why}");
    assert!(started.elapsed() < Duration::from_secs(30));
    support::until("the end of what hung", support::LONG, || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let left = all.filter(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(b"sleep\x00987654"))
        });
        (left.count() == 0).then_some(())
    });
}

#[test]
fn a_misspelt_test_does_not_pass() {
    let why = failure(|| isolated("no_such_test", Duration::from_secs(60), || {}));
    assert!(why.contains("no test of this name ran"), "{why}");
}

#[test]
fn codes_are_those_of_rfc_6238() {
    // RFC 6238 appendix B, whose seeds have as many bytes as the hash.
    let digits = "1234567890".repeat(7);
    let seed = |len| data_encoding::BASE32.encode(&digits.as_bytes()[..len]);
    assert_eq!(oathtool::code(&seed(20), "SHA1", 8, 30, 59), "94287082");
    assert_eq!(oathtool::code(&seed(32), "sha256", 8, 30, 1_111_111_109), "68084774");
    assert_eq!(oathtool::code(&seed(64), "sha512", 8, 30, 20_000_000_000), "47863826");
    assert_eq!(oathtool::code(&seed(20), "sha1", 6, 30, 59), "287082");
}

#[test]
fn a_seed_is_found_in_every_writing_and_at_every_alignment() {
    use data_encoding::{
        BASE32, BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXUPPER,
    };
    // Holds bytes that base64 writes with + and /, or with - and _.
    let seed: Vec<u8> = (0..20_u8).map(|at| 0xFB_u8.wrapping_mul(at + 1) ^ 0x5A).collect();
    let other = [0x11; 20];
    let mut texts: Vec<Vec<u8>> =
        vec![seed.clone(), format!("{seed:?}").into(), serde_json::to_vec(&seed).unwrap()];
    for before in 0..16 {
        let blob = [&vec![0xA5; before], &seed[..], &[0x3C; 3]].concat();
        for bytes in [&blob[..], &blob[..before + seed.len()]] {
            for text in
                [HEXLOWER, HEXUPPER, BASE32, BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
                    .map(|encoding| encoding.encode(bytes))
            {
                texts.push(text.clone().into());
            }
            texts.push(BASE32.encode(bytes).to_ascii_lowercase().into());
        }
    }
    for text in &texts {
        let mut search = Search::new([&other[..], &seed[..]]);
        search.bytes("here", &[b"before ", &text[..], b" after"].concat());
        let found: Vec<usize> = search.finds().iter().map(|find| find.seed).collect();
        assert!(
            !found.is_empty() && found.iter().all(|seed| *seed == 1),
            "{:?}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn a_planted_seed_is_found_in_files_names_and_processes_and_nowhere_else() {
    isolated(
        "a_planted_seed_is_found_in_files_names_and_processes_and_nowhere_else",
        Duration::from_secs(60),
        || {
            let seed = *b"\x8f\x02planted seed \xf0\x9f";
            let hex = data_encoding::HEXLOWER.encode(&seed);
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("below")).unwrap();
            std::fs::write(dir.path().join("below/clean.db-wal"), [0x55; 100_000]).unwrap();
            let mut search = Search::new([&seed[..]]);
            search.dir(dir.path());
            search.processes();
            search.expect_none();
            assert!(search.searched().0 > 4 && search.searched().1 > 100_000, "{:?}", search.searched());

            std::fs::write(
                dir.path().join("below/kiln.db-wal"),
                [&[0x55; 5000][..], &seed, &[0; 9]].concat(),
            )
            .unwrap();
            std::fs::write(dir.path().join(&hex), "").unwrap();
            let mut child = Command::new("sh")
                .args(["-c", "read line", "sh", &hex])
                .env("PLANTED", &hex)
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            search.dir(dir.path());
            search.processes();
            child.wait().unwrap();
            let places: String = search.finds().iter().map(|find| format!("{find}\n")).collect();
            assert!(places.contains("kiln.db-wal at byte 5000"), "{places}");
            assert!(places.contains("the name of"), "{places}");
            assert!(places.contains("/cmdline at byte") && places.contains("/environ at byte"), "{places}");
            assert!(failure(|| search.expect_none()).contains("raw bytes"));
        },
    );
}

#[test]
fn a_wiretap_hears_both_sides_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || {
        for _ in 0..3 {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(b"greeting\n").unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            stream.write_all(format!("you said {line}").as_bytes()).unwrap();
        }
    });
    let talk = |word: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        writeln!(stream, "{word}").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, format!("greeting\nyou said {word}\n"));
    };
    let tap = Wiretap::interpose(&socket);
    talk("one");
    talk("two");
    let heard: Vec<(usize, Speaker, Vec<String>)> = tap
        .record()
        .iter()
        .map(|stream| {
            let messages = stream.messages().map(|message| String::from_utf8(message.to_vec()).unwrap());
            (stream.connection, stream.speaker, messages.collect())
        })
        .collect();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        heard,
        [
            (0, Speaker::Client, words(&["one"])),
            (0, Speaker::Server, words(&["greeting", "you said one"])),
            (1, Speaker::Client, words(&["two"])),
            (1, Speaker::Server, words(&["greeting", "you said two"])),
        ]
    );
    drop(tap);
    talk("three");
    server.join().unwrap();
}
