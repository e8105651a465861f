-- Codes by which tokens are activated at their server: given by the station (computed) or read from a display (seen), and
-- whether the server took them, as a person said. Never deleted: how fast they were given is asked here, too.
CREATE TABLE activations (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL REFERENCES tokens (serial),
    profile INTEGER NOT NULL,
    seed BLOB NOT NULL REFERENCES seeds (id),
    proof TEXT NOT NULL CHECK (proof IN ('computed', 'seen')),
    given_at INTEGER NOT NULL,
    given_by TEXT NOT NULL,
    done_at INTEGER,
    done_by TEXT,
    CHECK ((done_at IS NULL) = (done_by IS NULL))
) STRICT;
CREATE INDEX activations_given ON activations (given_at);
CREATE INDEX activations_seed ON activations (seed, done_at);
CREATE INDEX activations_serial ON activations (serial);
