-- Moments are Unix milliseconds by the station's clock. Words are those of `store::records` and `domain::job`.

-- The vault: a sealed constant that tells the right data key, and those who can open it.
CREATE TABLE vault (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sealed_check BLOB NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE holders (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    kind TEXT NOT NULL CHECK (kind IN ('passphrase', 'age', 'ssh')),
    recipient TEXT,
    file BLOB NOT NULL,
    added_at INTEGER NOT NULL,
    added_by TEXT NOT NULL
) STRICT;

CREATE TABLE keys (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    sealed BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    added_at INTEGER NOT NULL,
    added_by TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
    serial TEXT PRIMARY KEY,
    model TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    scrapped_at INTEGER,
    -- When it was last reset to its factory state: what was known of its key before says nothing any more.
    reset_at INTEGER
) STRICT;

CREATE TABLE seeds (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    sealed BLOB NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
    len_bytes INTEGER NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('imported', 'generated')),
    state TEXT NOT NULL CHECK (state IN ('free', 'bound', 'on-token', 'retired', 'dropped')),
    bound_to TEXT REFERENCES tokens (serial),
    CHECK (state NOT IN ('free', 'dropped') OR bound_to IS NULL),
    CHECK (state NOT IN ('bound', 'on-token') OR bound_to IS NOT NULL)
) STRICT;
-- The same seed is on record once, unless it was given back before anything was written.
CREATE UNIQUE INDEX seeds_once ON seeds (fingerprint) WHERE state <> 'dropped';
-- A seed that one token may hold is never given to another without being freed first.
CREATE TRIGGER seeds_stay_bound BEFORE UPDATE OF bound_to ON seeds
WHEN OLD.bound_to IS NOT NULL AND NEW.bound_to IS NOT NULL AND OLD.bound_to <> NEW.bound_to
BEGIN
    SELECT RAISE(ABORT, 'a seed is bound to one token at most');
END;
CREATE TRIGGER seeds_stay_retired BEFORE UPDATE OF state ON seeds
WHEN OLD.state = 'retired' AND NEW.state <> 'retired'
BEGIN
    SELECT RAISE(ABORT, 'a retired seed is never used again');
END;

CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    state TEXT NOT NULL CHECK (state IN ('draft', 'running', 'paused', 'done', 'cancelled')),
    reason TEXT,
    policy TEXT NOT NULL,
    priority INTEGER NOT NULL,
    recipe TEXT,
    target TEXT,
    key_name TEXT REFERENCES keys (name),
    created_at INTEGER NOT NULL
) STRICT;

-- Each file that seeds came from.
CREATE TABLE imports (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    batch INTEGER REFERENCES batches (id),
    file_name TEXT,
    file_sha256 BLOB,
    jobs INTEGER NOT NULL
) STRICT;
CREATE INDEX imports_batch ON imports (batch);

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batches (id),
    position INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'claimed', 'unfinished', 'burned', 'failed', 'scrapped', 'cancelled')
    ),
    reason TEXT,
    reserved TEXT,
    model TEXT,
    serial TEXT REFERENCES tokens (serial),
    slot TEXT,
    plan TEXT,
    may_hold_seed INTEGER NOT NULL DEFAULT 0 CHECK (may_hold_seed IN (0, 1)),
    -- A person should type the code from this token's display: the policy says so, and nothing better than "written"
    -- is on record.
    wants_eyes INTEGER NOT NULL DEFAULT 0 CHECK (wants_eyes IN (0, 1)),
    moved_at INTEGER NOT NULL,
    upn TEXT,
    facts TEXT NOT NULL,
    UNIQUE (batch, position),
    CHECK (state NOT IN ('claimed', 'unfinished', 'burned', 'scrapped') OR serial IS NOT NULL),
    CHECK (state <> 'queued' OR (serial IS NULL AND may_hold_seed = 0)),
    CHECK (serial IS NULL OR reserved IS NULL OR serial = reserved)
) STRICT;
CREATE INDEX jobs_by_state ON jobs (batch, state, position);
CREATE INDEX jobs_free ON jobs (batch, position) WHERE state = 'queued' AND reserved IS NULL;
CREATE INDEX jobs_serial ON jobs (serial) WHERE serial IS NOT NULL;
CREATE INDEX jobs_reserved ON jobs (reserved) WHERE reserved IS NOT NULL;
-- One job at a time on a token, and one for each token in a batch.
CREATE UNIQUE INDEX jobs_at_once ON jobs (serial) WHERE state IN ('claimed', 'unfinished');
CREATE UNIQUE INDEX jobs_once ON jobs (batch, serial) WHERE state IN ('claimed', 'unfinished', 'burned');
CREATE UNIQUE INDEX jobs_reserved_once ON jobs (batch, reserved)
WHERE reserved IS NOT NULL AND state NOT IN ('scrapped', 'cancelled');

CREATE TABLE job_entries (
    job INTEGER NOT NULL REFERENCES jobs (id),
    profile INTEGER NOT NULL,
    seed BLOB NOT NULL REFERENCES seeds (id),
    parameters TEXT NOT NULL,
    title TEXT,
    display_timeout_s INTEGER,
    PRIMARY KEY (job, profile)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_entries_seed ON job_entries (seed);

CREATE TABLE clock_overrides (
    id INTEGER PRIMARY KEY,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL CHECK (until > since),
    who TEXT NOT NULL
) STRICT;

-- Which profile of which token held which seed, and from when to when. Never deleted.
CREATE TABLE mappings (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL REFERENCES tokens (serial),
    profile INTEGER NOT NULL,
    seed BLOB NOT NULL REFERENCES seeds (id),
    parameters TEXT NOT NULL,
    title TEXT,
    origin TEXT NOT NULL CHECK (origin IN ('burned', 'delivered')),
    job INTEGER REFERENCES jobs (id),
    clock_override INTEGER REFERENCES clock_overrides (id),
    upn TEXT,
    facts TEXT NOT NULL,
    since INTEGER NOT NULL,
    ended_at INTEGER,
    ended_by TEXT CHECK (ended_by IN ('replaced', 'scrapped', 'reset')),
    proof TEXT CHECK (proof IN ('written', 'read back', 'computed', 'seen')),
    proof_at INTEGER,
    proof_detail TEXT,
    CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CHECK ((proof IS NULL) = (proof_at IS NULL)),
    CHECK ((origin = 'burned') = (job IS NOT NULL)),
    CHECK (origin <> 'burned' OR proof IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX mappings_one_seed_each ON mappings (serial, profile) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX mappings_one_token_each ON mappings (seed) WHERE ended_at IS NULL;
CREATE INDEX mappings_history ON mappings (serial, since);
CREATE INDEX mappings_job ON mappings (job) WHERE job IS NOT NULL;
CREATE TRIGGER mappings_follow_binding BEFORE INSERT ON mappings
WHEN (SELECT bound_to FROM seeds WHERE id = NEW.seed) IS NOT NEW.serial
BEGIN
    SELECT RAISE(ABORT, 'a token holds only a seed that is bound to it');
END;
CREATE TRIGGER mappings_are_kept BEFORE DELETE ON mappings
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;

CREATE TABLE readings (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL REFERENCES tokens (serial),
    at INTEGER NOT NULL,
    drift_ms INTEGER NOT NULL,
    uncertainty_ms INTEGER NOT NULL,
    clock TEXT NOT NULL
) STRICT;
CREATE INDEX readings_serial ON readings (serial, at);

-- Each time a key is shown to a token; recorded before it is.
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL REFERENCES tokens (serial),
    key BLOB NOT NULL CHECK (length(key) = 16),
    batch INTEGER REFERENCES batches (id),
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('made', 'accepted', 'refused', 'unknown')),
    tries_left INTEGER,
    settled_at INTEGER
) STRICT;
CREATE INDEX attempts_here ON attempts (serial, key);
CREATE INDEX attempts_batch ON attempts (key, batch, serial);
CREATE INDEX attempts_open ON attempts (id) WHERE outcome = 'made';

CREATE TABLE consents (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL,
    what TEXT NOT NULL,
    who TEXT NOT NULL,
    at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;
CREATE INDEX consents_unused ON consents (serial, what) WHERE used_at IS NULL;

CREATE TABLE slot_names (
    reader TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> '')
) STRICT;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    serial TEXT,
    clock TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
-- Against mistakes of our own. Against others there is the chain of hashes.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;
