//! The whole of it, as an operator does it: a seed file, a box of tokens, real readers, the binary, and at the end a
//! server's file whose every seed is what a token shows, as `oathtool` computes it.

mod support;

use serde_json::Value;
use std::{collections::HashMap, time::Duration};
use support::{
    LONG,
    child::Owned,
    hand::Token,
    kiln::Kiln,
    leak::Search,
    namespace::{self, isolated},
    pcscd::{Pcscd, Reader},
    scene::Watch,
    seed_file::{self, Line, random},
};

const LIMIT: Duration = Duration::from_secs(240);

/// Models and the starts of their serials; two of each, tokens with restricted and with unrestricted time sync.
const SINGLES: [(&str, &str); 8] = [
    ("miniotp-2-i", "8659600"),
    ("miniotp-3-i", "8659601"),
    ("miniotp-3-i-nb", "8659609"),
    ("c301-i", "8659610"),
    ("c302-i", "8659632"),
    ("otpc-p1-i", "8659612"),
    ("otpc-p2-i", "8659622"),
    ("otpc-p2-i-nb", "8659621"),
];

/// Digits and period of the profiles of the recipe `molto2-ten`; the first is the file's.
const TEN: [(usize, u64); 10] =
    [(6, 30), (6, 30), (6, 60), (8, 30), (6, 30), (6, 60), (8, 30), (8, 60), (4, 60), (10, 30)];

/// Sixteen lines for single-profile tokens, four for Molto2.
fn box_of_tokens() -> Vec<Line> {
    let mut lines = Vec::new();
    for n in 0..16 {
        let (model, prefix) = SINGLES[n % SINGLES.len()];
        let mut line = Line::new(n as u32, &format!("{prefix}{:07}", 4100 + n), model);
        line.period = if n % 3 == 0 { 60 } else { 30 };
        // The longest that Entra takes is longer than what these tokens do: 63 bytes.
        line.seed = random([20, 32, 20, 10, 63][n % 5]);
        lines.push(line);
    }
    for n in 16..20 {
        lines.push(Line::new(n as u32, &format!("10000000{:06}", 70 + n), "Molto2 v2"));
    }
    lines
}

fn is_molto2(line: &Line) -> bool {
    line.model.starts_with("Molto2")
}

#[test]
fn a_box_of_tokens_is_burned_exported_and_shows_what_was_exported() {
    isolated("a_box_of_tokens_is_burned_exported_and_shows_what_was_exported", LIMIT, || {
        let pcscd = Pcscd::start(&["Kiln A", "Kiln B", "TOKEN2 Molto2 A", "TOKEN2 Molto2 B"]);
        let kiln = Kiln::new();
        let lines = box_of_tokens();
        kiln.write("passphrase", "correct horse battery staple\n");
        kiln.write("office.key", "00112233445566778899AABBCCDDEEFF\n");
        kiln.write("seeds.csv", seed_file::entra(&lines));

        // The first verb starts the server.
        kiln.run(&["init", "--passphrase-file", "passphrase"]).expect(0);
        kiln.run(&["key", "add", "office", "--hex", "--key-file", "office.key"]).expect(0);
        // The file doesn't say the hash, which its longer seeds leave open.
        let import = [
            &["import", "seeds.csv", "--batch", "spring", "--hash", "SHA-1"][..],
            &["--recipe", "molto2-ten", "--key", "office"],
        ]
        .concat();
        let report = kiln.run(&[&import[..], &["--json"]].concat()).expect(0).json();
        assert_eq!((&report["taken"], &report["left_out"]), (&20.into(), &0.into()), "{report}");
        let watch = Watch::start(&kiln);
        kiln.run(&["batch", "start", "spring"]).expect(0);
        let mut done = kiln.command(&["watch", "--until-done", "spring"]);
        done.stdout(namespace::log_file("until-done")).stderr(namespace::log_file("until-done"));
        let mut done = Owned::start("kiln watch --until-done", &mut done, "");

        let mut tokens: HashMap<String, Token> = HashMap::new();
        let put = |line: &Line, reader: &Reader| {
            let mut more = vec!["--drift", "-37.5"];
            if is_molto2(line) {
                more.extend(["--key-file", "office.key"]);
            }
            let model = if is_molto2(line) { "molto2-v2" } else { &line.model };
            std::env::set_current_dir(kiln.path("")).expect("the test's own directory is there");
            Token::place_new(model, &line.serial, reader, &more)
        };

        // The first token meets the clock gate where the machine's clock is not to be trusted.
        let mut first = put(&lines[0], &pcscd.readers()[0]);
        if kiln.run(&["clock", "--json"]).expect(0).json()["burns_allowed"] == false {
            let says = watch.until("the slot to speak of the clock", |event| {
                let here = event["event"] == "slot" && event["serial"] == *lines[0].serial;
                event["says"].as_str().filter(|_| here && event["doing"] == "look").map(str::to_owned)
            });
            assert!(says.contains("clock"), "{says}");
            assert_eq!(first.stat("auth_attempts"), 0, "nothing is tried before the clock is right");
            kiln.run(&["clock", "override", "--for", "1h"]).expect(0);
        }
        let wants_eyes = watch.until("the first token to be burned", |event| {
            let here = event["event"] == "job" && event["state"] == "burned";
            here.then(|| (event["serial"].clone(), event["wants_eyes"].clone()))
        });
        assert_eq!(wants_eyes, (lines[0].serial.clone().into(), true.into()));
        // Before it was switched off and on, the display is that of a token without a seed.
        assert!(first.show(0).is_none_or(|shown| shown.stale));
        first.take();
        let typed = first.read(0);
        let wrong = wrong_code(&typed.code);
        let verify = |code: &str| kiln.run(&["verify", &lines[0].serial, code, "--json"]);
        assert_eq!(verify(&wrong).expect(1).json()["right"], false);
        let verdict = verify(&typed.code).expect(0).json();
        assert_eq!((&verdict["right"], &verdict["proof"]), (&true.into(), &"seen".into()), "{verdict}");
        tokens.insert(first.serial.clone(), first);

        // The others in rounds, four of a family at a time, each on the next free reader.
        let (singles, moltos) = pcscd.readers().split_at(4);
        let mut queue: Vec<&Line> = lines[1..16].iter().collect();
        let mut molto_queue: Vec<&Line> = lines[16..].iter().collect();
        while !queue.is_empty() || !molto_queue.is_empty() {
            let round = queue.drain(..queue.len().min(4)).zip(singles);
            let molto_round = molto_queue.drain(..molto_queue.len().min(4)).zip(moltos);
            let placed: Vec<Token> = round
                .chain(molto_round)
                .map(|(line, reader)| {
                    if pcscd_has_seen(&tokens, reader) {
                        pcscd.await_removal(reader);
                    }
                    put(line, reader)
                })
                .collect();
            let serials: Vec<String> = placed.iter().map(|token| token.serial.clone()).collect();
            watch.until_taken(&serials);
            for mut token in placed {
                token.take();
                tokens.insert(token.serial.clone(), token);
            }
        }
        assert!(done.wait(LONG).success(), "the batch is done, and who waited for it is told");
        let batch = kiln.run(&["batch", "show", "spring", "--json"]).expect(0).json();
        assert_eq!((&batch["state"], &batch["jobs"]["burned"]), (&"done".into(), &20.into()), "{batch}");

        // What the server gets is what the tokens show.
        kiln.run(&["export", "--format", "entra", "--batch", "spring", "-o", "upload.csv"]).expect(0);
        let exported = read_entra(&kiln, "upload.csv");
        assert_eq!(exported.len(), 20);
        for line in &lines {
            let row = exported.get(&line.serial).unwrap_or_else(|| panic!("no line for {}", line.serial));
            assert_eq!(row, &(line.upn.clone(), line.base32(), line.period));
            let token = tokens.get_mut(&line.serial).expect("every token was burned");
            token.expect_code(0, &row.1, "sha1", 6, row.2);
            let mine = data_encoding::HEXLOWER.encode(&line.seed);
            assert_eq!(token.seeds()[0], mine, "what the token itself holds");
        }
        // Seeds that no export carries: what the token shows is what the record says.
        for line in lines.iter().filter(|line| is_molto2(line)) {
            expect_ten(&kiln, tokens.get_mut(&line.serial).expect("it was burned"));
        }
        // One attempt for each token, and none refused.
        for token in tokens.values_mut() {
            assert_eq!(
                (token.stat("auth_attempts"), token.stat("wrong_answers")),
                (1, 0),
                "{}",
                token.serial
            );
        }

        kiln.run(&["export", "--format", "report", "--batch", "spring", "-o", "report.csv"]).expect(0);
        let report = std::fs::read(kiln.path("report.csv")).expect("the report is there");
        assert_eq!(report.iter().filter(|byte| **byte == b'\n').count(), 1 + 16 + 4 * 10);
        let mut search = Search::new(lines.iter().map(|line| &line.seed[..]));
        search.bytes("the report", &report);
        search.expect_none();
        kiln.run(&["audit", "verify"]).expect(0);
        kiln.run(&["station", "stop"]).expect(0);
    });
}

#[test]
fn a_molto2_with_its_delivered_key_takes_ten_random_profiles() {
    isolated("a_molto2_with_its_delivered_key_takes_ten_random_profiles", LIMIT, || {
        let pcscd = Pcscd::start(&["TOKEN2 Molto2"]);
        let scene = support::scene::Scene::new();
        let _station = scene.start(&[]);
        let watch = Watch::start(&scene.kiln);
        scene.random_batch("spare", 1, "molto2-v2", "molto2-ten-random");
        let mut token = Token::place_new("molto2-v2", "10000000000077", &pcscd.readers()[1], &[]);
        watch.until_taken(&[token.serial.clone()]);
        token.take();
        let job = scene.job_of("spare", &token.serial).expect("the job was claimed");
        assert_eq!((&job["state"], &job["proof"]), (&"burned".into(), &"read_back".into()), "{job}");
        let view = scene.json(&["token", &token.serial]);
        let mappings = view["mappings"].as_array().expect("mappings are a list");
        assert_eq!(mappings.len(), 10);
        for mapping in mappings {
            let profile = mapping["profile"].as_u64().expect("a number") as u8;
            let shown = token.read(profile);
            assert_eq!(shown.code.len() as u64, mapping["parameters"]["digits"].as_u64().expect("a number"));
            assert_eq!(shown.title.as_deref(), mapping["title"].as_str());
            let number = profile.to_string();
            let verify = |code: &str| scene.kiln.run(&["verify", &token.serial, code, "--profile", &number]);
            verify(&shown.code).expect(0);
            verify(&wrong_code(&shown.code)).expect(1);
        }
        let mut seeds = token.seeds();
        seeds.sort();
        seeds.dedup();
        assert_eq!(seeds.len(), 10, "ten seeds, none twice");
    });
}

#[test]
fn a_mangled_serial_is_refused_with_line_and_reason() {
    isolated("a_mangled_serial_is_refused_with_line_and_reason", LIMIT, || {
        let scene = support::scene::Scene::new();
        let _station = scene.start(&[]);
        let mut lines: Vec<Line> =
            (0..4).map(|n| Line::new(n, &format!("86596100005{n:03}"), "C301-i")).collect();
        lines[2].serial = "8.65961E+13".into();
        let file = scene.kiln.write("seeds.csv", seed_file::entra(&lines)).display().to_string();
        let refused = scene.kiln.run(&["import", &file, "--batch", "a"]).expect(1);
        // The header is line 1.
        assert!(refused.stderr.contains("line 4"), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("spreadsheet") && refused.stderr.contains("serial"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("--good-lines-only"), "{}", refused.stderr);
        assert_eq!(scene.json(&["batch", "list"]), Value::Array(vec![]), "all or nothing");

        let dry = scene.kiln.run(&["import", &file, "--batch", "a", "--dry-run", "--json"]).expect(1).json();
        assert_eq!(
            (&dry["taken"], &dry["left_out"], &dry["lines"][0]["line"]),
            (&3.into(), &1.into(), &4.into())
        );
        assert_eq!(scene.json(&["batch", "list"]), Value::Array(vec![]), "a dry run changes nothing");

        let good = scene.json(&["import", &file, "--batch", "a", "--good-lines-only"]);
        assert_eq!((&good["taken"], &good["left_out"]), (&3.into(), &1.into()), "{good}");
        assert_eq!(scene.jobs("a").len(), 3);

        // The same seeds again, by mistake, for other tokens: each line is named.
        for (n, line) in lines.iter_mut().enumerate() {
            line.serial = format!("86596100006{n:03}");
        }
        let file = scene.kiln.write("again.csv", seed_file::entra(&lines)).display().to_string();
        let refused = scene.kiln.run(&["import", &file, "--batch", "b"]).expect(1);
        for named in ["line 2", "line 3", "line 5"] {
            assert!(refused.stderr.contains(named), "{}", refused.stderr);
        }
        assert!(!refused.stderr.contains("line 4"), "{}", refused.stderr);
        // Where it was not said what the seeds are for, nothing is read.
        scene.kiln.run(&["import", &file]).expect(2);
    });
}

#[test]
fn a_seed_file_is_read_in_every_dress() {
    isolated("a_seed_file_is_read_in_every_dress", LIMIT, || {
        let scene = support::scene::Scene::new();
        let _station = scene.start(&[]);
        let mut made = 0;
        let mut import = |name: &str, dress: &dyn Fn(&[Line]) -> Vec<u8>| {
            let lines: Vec<Line> =
                (0..2).map(|n| Line::new(n, &format!("865961000{:05}", made * 10 + n), "C301-i")).collect();
            made += 1;
            let file = scene.kiln.write(name, dress(&lines)).display().to_string();
            let batch = format!("batch {made}");
            let report = scene.json(&["import", &file, "--batch", &batch]);
            assert_eq!((&report["taken"], &report["left_out"]), (&2.into(), &0.into()), "{name}: {report}");
            let jobs = scene.jobs(&batch);
            for (line, job) in lines.iter().zip(&jobs) {
                assert_eq!((&job["serial"], &job["state"]), (&line.serial.clone().into(), &"queued".into()));
            }
            (lines, jobs)
        };
        let plain = |lines: &[Line]| seed_file::entra(lines);
        let (lines, jobs) = import("plain.csv", &|lines| plain(lines).into());
        assert_eq!(jobs[1]["upn"], lines[1].upn);
        import("old.csv", &|lines| plain(lines).replace("time interval", "timeinterval").into());
        import("mail.txt", &|lines| plain(lines).into());
        import("crlf.csv", &|lines| plain(lines).replace('\n', "\r\n").into());
        import("bom.csv", &|lines| [b"\xEF\xBB\xBF", plain(lines).as_bytes()].concat());
        import("semicolons.csv", &|lines| plain(lines).replace(',', ";").into());
        import("lower.csv", &|lines| plain(lines).to_ascii_lowercase().into());
        let (_, jobs) = import("vendor.csv", &|lines| {
            let five = |line: &str| line.split_once(',').expect("six columns").1.to_owned() + "\n";
            plain(lines).lines().map(five).collect::<String>().into()
        });
        assert_eq!(jobs[0]["upn"], Value::Null, "five columns name no user");

        // Key URIs name no token: whichever comes takes the next one.
        let seeds = [random(20), random(20)].map(|seed| data_encoding::BASE32_NOPAD.encode(&seed));
        let uris = seeds.map(|seed| format!("otpauth://totp/Acme:bob?secret={seed}&issuer=Acme\n")).concat();
        let file = scene.kiln.write("uris.txt", uris).display().to_string();
        assert_eq!(scene.json(&["import", &file, "--batch", "uris"])["taken"], 2);
        assert!(scene.jobs("uris").iter().all(|job| job["serial"] == Value::Null));
    });
}

#[test]
fn an_inventory_is_a_record_and_no_job() {
    isolated("an_inventory_is_a_record_and_no_job", LIMIT, || {
        let scene = support::scene::Scene::new();
        let _station = scene.start(&[]);
        let line = Line::new(1, "86596100007001", "C301-i");
        let file = scene.kiln.write("delivered.csv", seed_file::entra(std::slice::from_ref(&line)));
        let report = scene.json(&["import", &file.display().to_string(), "--inventory"]);
        assert_eq!((&report["taken"], &report["batch"]), (&1.into(), &Value::Null), "{report}");
        assert_eq!(scene.json(&["batch", "list"]), Value::Array(vec![]));
        assert_eq!(scene.json(&["tokens"])["items"][0]["serial"], line.serial);
        let now = scene.json(&["clock"])["now"].as_u64().expect("milliseconds") / 1000;
        let code = support::oathtool::code(&line.base32(), "sha1", 6, 30, now);
        scene.run(&["verify", &line.serial, &code]);
        // A delivered seed would be lost by a burn: a job for the same serial is no accident that goes unnoticed.
        scene.kiln.run(&["import", &file.display().to_string(), "--batch", "again"]).expect(1);
    });
}

/// A code of as many digits that is wrong in every step near this one, but for a chance of a few in a million.
fn wrong_code(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { (digit as u8 + 1) as char }).collect()
}

fn pcscd_has_seen(tokens: &HashMap<String, Token>, reader: &Reader) -> bool {
    tokens.values().any(|token| token.reader == *reader)
}

/// User, seed and period by serial.
fn read_entra(kiln: &Kiln, name: &str) -> HashMap<String, (String, String, u32)> {
    let text = std::fs::read_to_string(kiln.path(name)).expect("the export is there");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("upn,serial number,secret key,time interval,manufacturer,model"));
    lines
        .map(|line| {
            let [upn, serial, seed, period, "Token2", _] = line.split(',').collect::<Vec<_>>()[..] else {
                panic!("not six columns")
            };
            let period = period.parse().expect("a period is a number");
            (serial.to_owned(), (upn.to_owned(), seed.to_owned(), period))
        })
        .collect()
}

/// Every profile of the recipe shows a code of its kind, and the station calls it right.
#[track_caller]
fn expect_ten(kiln: &Kiln, token: &mut Token) {
    let mut seeds = token.seeds();
    seeds.sort();
    seeds.dedup();
    assert_eq!(seeds.len(), TEN.len(), "a seed for each profile");
    let view = kiln.run(&["token", &token.serial, "--json"]).expect(0).json();
    for (profile, (digits, period)) in TEN.iter().enumerate() {
        let shown = token.read(profile as u8);
        assert_eq!(shown.code.len(), *digits, "profile {profile}");
        let verdict =
            kiln.run(&["verify", &token.serial, &shown.code, "--profile", &profile.to_string(), "--json"]);
        assert_eq!(verdict.expect(0).json()["right"], true, "profile {profile}");
        let mappings = view["mappings"].as_array().expect("mappings are a list");
        let mapping = mappings.iter().find(|mapping| mapping["profile"] == profile).expect("it is on record");
        assert_eq!(mapping["parameters"]["period"], *period, "profile {profile}");
    }
}
