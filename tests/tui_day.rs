//! A day at the bench, by key presses alone: the binary in tmux, a real pcscd, virtual tokens on virtual readers.

mod support;

use std::time::Duration;
use support::{
    LONG,
    hand::Token,
    kiln::Kiln,
    namespace::isolated,
    pcscd::Pcscd,
    screen::{Screen, command},
    seed_file::{self, Line},
    until,
};

const PASSPHRASE: &str = "7 blue horses";

/// Each of them is two readers.
const EIGHT: [&str; 4] = ["Kiln A", "Kiln B", "Kiln C", "Kiln D"];

const TOKENS: u32 = 24;

const LIMIT: Duration = Duration::from_secs(240);

/// The station that the screen started ends with the test.
struct Ends(Kiln);

impl Drop for Ends {
    fn drop(&mut self) {
        // Without a station it does nothing. A test that failed has said why.
        let _ = self.0.command(&["station", "stop"]).output();
    }
}

fn serial(n: u32) -> String {
    format!("86596100000{n:03}")
}

#[test]
fn twenty_four_tokens_over_eight_slots_from_a_new_vault_to_the_last_code() {
    isolated("twenty_four_tokens_over_eight_slots_from_a_new_vault_to_the_last_code", LIMIT, || {
        let pcscd = Pcscd::start(&EIGHT);
        let home = Ends(Kiln::new());
        let kiln = &home.0;
        let lines: Vec<Line> = (0..TOKENS).map(|n| Line::new(n, &serial(n), "C301-i")).collect();
        let file =
            seed_file::entra(&lines) + "user99@example.com,8.65962E+13,GEZDGNBVGY3TQOJQ,30,Token2,C301-i\n";
        kiln.write("spring.csv", file);
        let dir = kiln.path("");

        // The vault is made, closed and opened without leaving the screen; no colour is sent.
        let first = Screen::start(&dir, 80, 24, &command(kiln, ""), &[("NO_COLOR", "1")]);
        first.until(&["[station]", "NO VAULT YET"]);
        first.press("u");
        first.until(&["make the vault"]);
        first.types(PASSPHRASE);
        first.press("Enter");
        first.types(PASSPHRASE);
        first.press("Enter");
        first.until(&["the vault is made and open"]);
        first.types(":lock the v");
        first.press("Enter");
        first.until(&["Lock the vault?"]);
        first.press("y");
        first.until(&["VAULT LOCKED"]);
        first.press("u");
        first.until(&["passphrase:"]);
        first.types(PASSPHRASE);
        first.press("Enter");
        first.until_gone("VAULT LOCKED");
        // What the machine's clock is worth is not the test's to say.
        first.types(":burn for");
        first.press("Enter");
        first.until(&["For how many minutes"]);
        first.types("60");
        first.press("Enter");
        first.until_gone("For how many minutes");

        // A file whose path Tab completes, one bad line that is shown before anything is done.
        first.press("i");
        first.until(&["import a seed file"]);
        first.types(&format!("{}spr", dir.display().to_string() + "/"));
        first.press("Tab");
        first.until(&["spring.csv"]);
        first.press("Enter");
        first.until(&["burn them onto tokens"]);
        first.press("Enter");
        first.until(&["y imports 24 and leaves 1 bad line out", "line 26"]);
        first.press("y");
        first.until(&["[batches]", "24 jobs in spring"]);

        // A colleague on a terminal with 8 colours sees the same.
        let second =
            Screen::start(&dir, 160, 45, &format!("TERM=screen {}", command(kiln, "--read-only")), &[]);
        second.until(&["looking on only", "not started: spring"]);
        first.press("S");
        first.until(&["Start batch spring?"]);
        first.press("y");
        second.until(&["spring running", "0/24 burned"]);
        first.press("s");

        let mut tokens = Vec::new();
        for wave in 0..3 {
            assert_eq!(pcscd.readers().len(), 8);
            for (reader, n) in pcscd.readers().iter().zip(wave * 8..) {
                tokens.push(Token::place_new("c301-i", &serial(n), reader, &[]));
            }
            let burned = format!("{}/24 burned", (wave + 1) * 8);
            // A batch that is done is no part of the live queue any more.
            second.until(&[if wave < 2 { &burned } else { "every batch is done" }]);
            for token in tokens.iter_mut().rev().take(8) {
                token.take();
            }
            // While there is work every slot asks for the next one.
            if wave < 2 {
                until("eight empty slots", LONG, || {
                    (second.shows(&[]).matches("+ PLACE").count() == 8).then_some(())
                });
            }
        }
        first.until(&["every batch is done"]);
        let colours = second.shows(&["-e"]);
        assert!(colours.contains("\u{1b}[3"), "there is colour");
        for bright in ["\u{1b}[9", ";9", "\u{1b}[10", "38;"] {
            assert!(!colours.contains(bright), "{bright:?} in {colours:?}");
        }

        // The first token of the batch wants eyes; its code is typed as it is read, after a wrong one.
        let shown = first.until(&["EYES on 86596100000"]);
        let at = shown.find("EYES on ").unwrap() + "EYES on ".len();
        let wanted = &shown[at..at + serial(0).len()];
        let token = tokens.iter_mut().find(|token| token.serial == wanted).unwrap();
        let code = token.read(0).code;
        let wrong: String = code.chars().map(|digit| if digit == '1' { '2' } else { '1' }).collect();
        first.types(&wrong);
        first.press("Enter");
        first.until(&["switch the token off and on", "any key closes"]);
        first.press("Escape");
        first.until_gone("any key closes");
        first.types(&code);
        first.press("Enter");
        first.until(&["shows the right code"]);
        first.press("Escape");
        first.until_gone("EYES on");

        // One of 24 by its user, with its history; detached, and there again on another terminal.
        first.press("t");
        first.press("/");
        first.types("user7@ burned");
        first.until(&["tokens that hold \"user7@ burned\"", &serial(7)]);
        assert!(!first.shows(&[]).contains(&serial(8)));
        first.press("Enter");
        first.press("Enter");
        first.until(&["what its profiles hold", "#8 of spring: burned"]);
        first.press("Escape");
        first.until_gone("#8 of spring");
        first.press("q");
        first.until(&["left; the station goes on", "ended with 0"]);
        let third = Screen::start(&dir, 100, 30, &command(kiln, ""), &[]);
        third.until(&["[station]", "every batch is done"]);
        for screen in [&second, &third] {
            screen.press("q");
            screen.until(&["ended with 0"]);
        }

        // The same station in line mode, on a terminal that can't be painted.
        let lines = Screen::start(&dir, 80, 24, &format!("TERM=dumb {}", command(kiln, "")), &[]);
        lines.until(&["batch spring: done, 24 of 24 burned", "type help for the words"]);
        lines.types("lock");
        lines.press("Enter");
        lines.until(&["Type y for yes"]);
        lines.types("y");
        lines.press("Enter");
        lines.until(&["the vault is locked"]);
        lines.types("unlock");
        lines.press("Enter");
        lines.until(&["passphrase of passphrase"]);
        lines.types(PASSPHRASE);
        lines.press("Enter");
        let told = lines.until(&["the vault is open"]);
        assert!(!told.contains("horses"), "{told}");
        lines.types("quit");
        lines.press("Enter");
        lines.until(&["ended with 0"]);
    });
}
