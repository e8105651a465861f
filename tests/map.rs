//! The map of modules, guarded. In one crate the compiler lets every module import every other; this test reads which
//! paths each file under `src/` names and refuses those that the table does not allow.
//!
//! A new module gets its row here before its first import. A row that grows is a decision about the design, not a
//! formality: say in its `why` what makes it right.

#[path = "map/scan.rs"]
mod scan;

use scan::Named;
use std::{fs, path::Path};

/// What a module may import. `module` and the paths may go below a root module; all rows that fit a file add up.
struct Row {
    module: &'static str,
    may: &'static [&'static str],
    /// Parts of what `may` opens that stay closed.
    except: &'static [&'static str],
    code: Code,
    /// Why, where the table in the crate's documentation does not say so.
    why: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Code {
    All,
    OnlyTests,
}

const fn row(module: &'static str, may: &'static [&'static str]) -> Row {
    Row { module, may, except: &[], code: Code::All, why: "" }
}

/// Open to all; itself it uses nothing.
const OPEN: &str = "remedy";

/// Innermost first: a row may open only modules that stand above it.
const MAP: &[Row] = &[
    row("remedy", &[]),
    row("domain", &[]),
    row("diagnose", &["domain"]),
    row("forecast", &["domain"]),
    row("formats", &["domain"]),
    row("envelope", &["domain"]),
    row("link", &[]),
    row("wire", &["domain", "link"]),
    Row {
        except: &["domain::otp"],
        why: "virtual tokens compute their codes by a path of their own; a mistake in one side must not hide in the other",
        ..row("sim", &["domain", "link"])
    },
    row("drivers", &["domain", "link", "wire"]),
    Row { code: Code::OnlyTests, why: "a driver is tested on virtual tokens", ..row("drivers", &["sim"]) },
    row("vault", &["domain"]),
    Row {
        except: &["vault::holder", "vault::DataKey"],
        why: "the store keeps what is sealed; it never opens it",
        ..row("store", &["domain", "vault"])
    },
    Row {
        code: Code::OnlyTests,
        why: "the store is tested with what a vault really seals",
        ..row("store", &["vault"])
    },
    row("burn", &["domain", "wire"]),
    row("face", &["domain"]),
    Row {
        except: &["vault::holder"],
        why: "a client opens its holder's file; passphrases and private keys never reach the server",
        ..row(
            "station",
            &[
                "domain", "diagnose", "forecast", "formats", "envelope", "link", "wire", "drivers", "vault",
                "store", "burn", "face",
            ],
        )
    },
    Row {
        code: Code::OnlyTests,
        why: "whole batches are tested on virtual tokens",
        ..row("station", &["sim"])
    },
    row("service", &["face"]),
    Row { code: Code::OnlyTests, why: "its messages are made of values", ..row("service", &["domain"]) },
    Row { why: "the server drives the station by its handle", ..row("service::server", &["station"]) },
    Row { why: "one client's half of the server", ..row("service::connection", &["station"]) },
    row("tui", &["domain", "face", "service::client"]),
    Row {
        why: "the client makes and opens its holder's file where the person is; the passphrase never leaves it",
        ..row("tui", &["vault::holder", "vault::DataKey"])
    },
    Row {
        why: "a diagnosis comes as the document that `diagnose` writes, and changes are timed without a station",
        ..row("tui", &["diagnose"])
    },
    Row {
        why: "what a person has to say before a wrapped seed file opens is asked on the screen",
        ..row("tui", &["envelope::question"])
    },
    row("cli", &["domain", "face", "service::client"]),
    Row { why: "stateless verbs work without a station", ..row("cli", &["diagnose", "formats", "envelope"]) },
    Row {
        why: "the client opens its holder's file where the person and the key are; the passphrase never leaves it",
        ..row("cli", &["vault::holder", "vault::DataKey"])
    },
    row(
        "app",
        &[
            "domain", "diagnose", "forecast", "formats", "envelope", "link", "wire", "sim", "drivers",
            "vault", "store", "burn", "face", "station", "service", "tui", "cli",
        ],
    ),
    row("main", &["app", "cli"]),
];

/// Modules of numbers and bytes only: that is why they can be tested and fuzzed to the bottom.
const PURE: &[&str] = &["remedy", "domain", "diagnose", "forecast", "formats", "envelope", "wire", "burn"];

/// What a pure module does not know, but for its tests, which read vectors from files.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::env",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::time::Instant",
    "std::time::SystemTime",
    "async",
    "tokio",
    "getrandom",
    "rusqlite",
    "pcsc",
    "nix",
    "rtime_clock",
];

/// Crates with one home.
const HOMES: &[(&str, &str)] = &[("rusqlite", "store"), ("pcsc", "drivers"), ("rtime_clock", "app")];

/// Whether `path` is `prefix` or below it.
fn under(path: &[String], prefix: &str) -> bool {
    let prefix: Vec<&str> = prefix.split("::").collect();
    path.len() >= prefix.len() && path.iter().zip(&prefix).all(|(have, want)| have == want)
}

/// Whether naming `path` opens the way to `closed`: it is part of it, or a parent imported whole.
fn reaches(path: &[String], closed: &str) -> bool {
    let parent = match path.split_last() {
        Some((last, parent)) if last == "*" => parent,
        _ => path,
    };
    let closed_path: Vec<String> = closed.split("::").map(str::to_owned).collect();
    under(path, closed) || closed_path.starts_with(parent)
}

fn allowed(module: &[String], named: &Named) -> bool {
    let target = &named.path[1..];
    match target.first() {
        None => false,
        Some(first) if first == OPEN => module[0] != OPEN || target.len() > 1,
        Some(first) if *first == module[0] => true,
        Some(_) => MAP
            .iter()
            .filter(|row| under(module, row.module) && (row.code == Code::All || named.in_test))
            .any(|row| {
                row.may.iter().any(|may| under(target, may))
                    && !row.except.iter().any(|closed| reaches(target, closed))
            }),
    }
}

/// What is wrong with the file at `file`, a path below `src`, one line each.
fn complaints(file: &str, source: &str) -> Vec<String> {
    let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if module.len() > 1 && module.last() == Some(&"mod") {
        module.pop();
    }
    // `lib.rs` is the crate's root itself, and `main.rs` sees the library from outside.
    let scanned_as: &[&str] = if matches!(module[..], ["lib" | "main"]) { &[] } else { &module };
    let whole_file_is_test = module.iter().skip(1).any(|part| *part == "tests");
    let mut named = scan::paths(source, scanned_as);
    for name in &mut named {
        name.in_test |= whole_file_is_test;
        if module == ["main"] && name.path.len() > 1 && name.path[0] == "kiln" {
            name.path[0] = "crate".to_owned();
        }
    }
    let module: Vec<String> = module.into_iter().map(str::to_owned).collect();
    // `use crate::drivers::pcsc;` makes `pcsc::…` ours in the rest of the file.
    let ours: Vec<String> =
        named.iter().filter(|n| n.path[0] == "crate").filter_map(|n| n.path.last().cloned()).collect();

    let mut out = Vec::new();
    for name in &named {
        let at = format!("src/{file}:{}", name.line);
        if name.path[0] == "crate" {
            if !allowed(&module, name) {
                out.push(format!("{at}: `{}` may not name {}", module[0], name.text()));
            }
            continue;
        }
        if ours.contains(&name.path[0]) || name.in_test {
            continue;
        }
        if PURE.contains(&module[0].as_str()) && IMPURE.iter().any(|impure| under(&name.path, impure)) {
            out.push(format!("{at}: `{}` is pure and may not know {}", module[0], name.text()));
        }
        for (of, home) in HOMES {
            if name.path[0] == *of && name.path.len() > 1 && module[0] != *home {
                out.push(format!("{at}: {of} belongs to `{home}` alone"));
            }
        }
    }
    out
}

fn every_source(dir: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(dir).expect("src can be listed") {
        let path = entry.expect("an entry of src can be read").path();
        if path.is_dir() {
            every_source(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path);
        }
    }
}

#[test]
fn every_import_follows_the_map() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut wrong) = (0, Vec::new());
    every_source(&src, &mut |path| {
        let file = path.strip_prefix(&src).unwrap().to_str().unwrap();
        let root = file.split('/').next().unwrap().trim_end_matches(".rs");
        if root != "lib" && !MAP.iter().any(|row| row.module == root) {
            wrong.push(format!("src/{file}: `{root}` has no row in the map"));
        }
        wrong.extend(complaints(file, &fs::read_to_string(path).unwrap()));
        files += 1;
    });
    assert!(files > 5, "only {files} files seen below {}", src.display());
    assert!(wrong.is_empty(), "the map forbids:\n{}", wrong.join("\n"));
}

#[test]
fn rows_open_only_what_stands_above_them() {
    let place = |module: &str| {
        let root = module.split("::").next().unwrap();
        MAP.iter().position(|row| row.module == root).unwrap_or_else(|| panic!("{module} has no row"))
    };
    for row in MAP {
        for may in row.may {
            assert!(place(may) < place(row.module), "{} opens {may}, which stands below it", row.module);
        }
        for closed in row.except {
            assert!(
                row.may.iter().any(|may| closed.starts_with(may)),
                "{} closes {closed} for nothing",
                row.module
            );
        }
        assert!(
            row.code == Code::All || !row.why.is_empty(),
            "{} opens more for tests without a reason",
            row.module
        );
    }
}

/// The checker itself, on snippets: what it must refuse, and what it must let pass.
#[cfg(test)]
mod checker {
    use super::complaints;

    fn refused(file: &str, source: &str) -> usize {
        complaints(file, source).len()
    }

    #[test]
    fn every_spelling_of_a_forbidden_import_is_refused() {
        for source in [
            "use crate::store::Store;",
            "use crate::store;",
            "pub use crate::{remedy::Remedy, store::Store};",
            "use crate::{\n    remedy::{Remedy, Retry},\n    store::{Store},\n};",
            "use {crate::store::Store, std::fmt};",
            "fn f() -> crate::store::Store { todo!() }",
            "fn f() { let x = <crate::store::Store as Default>::default(); }",
            "fn f() { g::<crate::store::Store>(); }",
            "macro_rules! m { () => { $crate::store::open() } }",
            "use super::store::Store;",
            "mod inner { use super::super::store::Store; }",
            "use crate::*;",
            "use crate as kiln;",
            "use crate::{self as kiln};",
            "/* a comment */ use crate::r#store::Store; // and another",
            "const A: &str = \"quote \\\" \"; use crate::store::Store;",
            "const A: &str = r#\"raw \" \"#; const B: char = '\"'; use crate::store::Store;",
            "fn f<'a>(x: &'a str) -> crate::store::S<'a> { todo!() }",
            "#[cfg(test)] mod tests { use crate::store::Store; }",
            "use crate::nowhere::Thing;",
        ] {
            assert_eq!(refused("domain.rs", source), 1, "{source}: {:?}", complaints("domain.rs", source));
        }
    }

    #[test]
    fn what_only_looks_like_an_import_passes() {
        for source in [
            "// use crate::store::Store;",
            "/* use crate::store; /* nested */ use crate::store; */",
            "/// See [`crate::store::Store`].\nstruct A;",
            "const A: &str = \"crate::store::Store\";",
            "const A: &str = r##\"use crate::store::\"# Store;\"##;",
            "const A: &[u8] = b\"crate::store::Store\"; const C: u8 = b'\\'';",
            "pub(crate) fn store() {}",
            "pub(in crate::domain) fn f() {}",
            "use crate::domain::store::Store;",
            "use crate::{domain::{store, b::{c, d}}, remedy::Remedy};",
            "mod a { use super::store::Store; }",
            "use self::store::Store;",
            "fn f() { store::open(); other_crate::store::open(); }",
        ] {
            assert_eq!(complaints("domain.rs", source), [""; 0], "{source}");
        }
    }

    #[test]
    fn a_path_below_a_module_is_told_from_the_module() {
        assert_eq!(refused("cli/status.rs", "use crate::service::client::Client;"), 0);
        assert_eq!(refused("cli/status.rs", "use crate::service::server::Server;"), 1);
        assert_eq!(refused("cli/status.rs", "use crate::service;"), 1);
        assert_eq!(refused("cli/unlock.rs", "use crate::vault::holder::open;"), 0);
        assert_eq!(refused("cli/unlock.rs", "use crate::vault::{holder, seal_seed};"), 1);
        assert_eq!(refused("service/server.rs", "use crate::station::StationHandle;"), 0);
        assert_eq!(refused("service/server/peers.rs", "use crate::station::StationHandle;"), 0);
        assert_eq!(refused("service/client.rs", "use crate::station::StationHandle;"), 1);
    }

    #[test]
    fn a_closed_part_is_not_reached_by_way_of_its_parent() {
        assert_eq!(refused("sim/display.rs", "use crate::domain::{Serial, Clock};"), 0);
        for source in [
            "use crate::domain::otp::code;",
            "use crate::domain::otp;",
            "use crate::domain::{self, Serial};",
            "use crate::domain as d;",
            "use crate::domain::*;",
        ] {
            assert_eq!(refused("sim/display.rs", source), 1, "{source}");
        }
        assert_eq!(refused("sim/display.rs", "use crate::wire::molto2;"), 1);
    }

    #[test]
    fn what_is_open_to_tests_is_closed_to_the_rest() {
        let in_test = "#[cfg(test)]\nmod tests {\n    use crate::sim::Bench;\n    fn f(x: [u8; 2]) {}\n    use crate::sim::X;\n}";
        assert_eq!(refused("station/mod.rs", in_test), 0);
        assert_eq!(refused("drivers/molto2.rs", "#[cfg(test)]\nuse crate::sim::Bench;"), 0);
        assert_eq!(refused("drivers/tests.rs", "use crate::sim::Bench;"), 0);
        assert_eq!(refused("wire/mod.rs", in_test), 2);
        for source in [
            "use crate::sim::Bench;",
            "#[cfg(not(test))] use crate::sim::Bench;",
            "#[cfg(test)] use std::fmt; use crate::sim::Bench;",
            "#[cfg(test)] mod tests { fn f() {} } use crate::sim::Bench;",
            "#[cfg(test)] fn f(x: [u8; 2]) { } fn g() { crate::sim::open(); }",
        ] {
            assert_eq!(refused("station/mod.rs", source), 1, "{source}");
        }
    }

    #[test]
    fn pure_modules_know_no_file_clock_or_port() {
        for source in [
            "use std::fs;",
            "use std::{fmt, fs::File};",
            "fn f() { std::thread::spawn(|| ()); }",
            "use std::time::{Duration, Instant};",
            "async fn f() {}",
            "use tokio::sync::mpsc;",
        ] {
            assert_eq!(refused("wire/molto2.rs", source), 1, "{source}");
            assert_eq!(refused("station/mod.rs", source), 0, "{source}");
        }
        assert_eq!(refused("wire/molto2.rs", "#[cfg(test)] mod tests { use std::fs; }"), 0);
    }

    #[test]
    fn a_crate_with_a_home_stays_there() {
        assert_eq!(refused("store/mod.rs", "use rusqlite::Connection;"), 0);
        assert_eq!(refused("station/mod.rs", "use rusqlite::Connection;"), 1);
        assert_eq!(refused("app/doctor.rs", "use crate::drivers::pcsc; fn f() { pcsc::list(); }"), 0);
    }

    #[test]
    fn main_sees_the_library_from_outside() {
        assert_eq!(refused("main.rs", "use kiln::app; fn main() { kiln::cli::run(); }"), 0);
        assert_eq!(refused("main.rs", "use kiln::store::Store;"), 1);
    }
}
