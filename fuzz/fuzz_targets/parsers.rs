//! The program that a fuzzer drives: every target of `kiln_fuzz::TARGETS`, one a run, named by `KILN_FUZZ`.
//!
//! One program and not one a target: each would be all of kiln once more, with everything counted, and building forty
//! of them takes longer than fuzzing does.

#![no_main]

use kiln_fuzz::{TARGETS, Target};
use std::{env, process, sync::LazyLock};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("KILN_FUZZ").unwrap_or_default();
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("KILN_FUZZ names the target to run, one of {}; it says {name:?}", names.join(", "));
        process::exit(2);
    })
});

libfuzzer_sys::fuzz_target!(init: { LazyLock::force(&TARGET); }, |bytes: &[u8]| {
    (TARGET.run)(bytes);
});
