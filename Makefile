# make demo    all of kiln on virtual tokens, in a throw-away home
# make test    every test, those on real readers (pcscd with virtual ones) included
# make lint    format, clippy and documentation, warnings refused
# make calibrate   are the diagnosis and the forecasts of clocks as good and as sure as they say: all runs, some minutes
# make fuzz    every parser under a fuzzer, ten minutes each (fuzz/README.md); FUZZ_SECONDS=60 for less
# make soak    fourteen readers, random faults, kills and restarts, for an hour (KILN_SOAK_SECONDS=3600)
# make bench   a burn against the bare sum of its exchanges; slots, import, start; the diagnosis; a key until its frame
#              is written
#
# Each target installs what it needs first (scripts/setup); Rust itself must be there.

CARGO ?= cargo

.PHONY: demo test lint bench calibrate fuzz soak setup-build setup-test setup-fuzz

demo: setup-build
	$(CARGO) run --locked -- demo

# --no-fail-fast: one run tells everything that is broken. Examples in the documentation come first, so that the last
# line printed is that of tests which ran.
test: setup-test
	$(CARGO) test --locked --doc
	$(CARGO) test --locked --no-fail-fast --lib --bins --tests

lint: setup-build
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

# --nocapture: the tables are what it is for.
calibrate: setup-build
	$(CARGO) test --locked --release --test calibrate -- --ignored --nocapture

fuzz: setup-fuzz
	scripts/fuzz

KILN_SOAK_SECONDS ?= 3600
soak: setup-test
	KILN_SOAK_SECONDS=$(KILN_SOAK_SECONDS) $(CARGO) test --locked --release --test soak -- --nocapture

bench: setup-test
	$(CARGO) bench --locked --benches

setup-build:
	@scripts/setup build

setup-test:
	@scripts/setup test

setup-fuzz: setup-build
	@scripts/setup fuzz
