-- A sweep sets the clocks of tokens that are on record: a batch whose jobs are made as tokens come. What it is for, as
-- JSON (`store::Sweep`); empty for a batch that burns.
ALTER TABLE batches ADD COLUMN sweep TEXT;

-- How far off a token's clock was before and after a job set it: token minus station, in milliseconds.
ALTER TABLE jobs ADD COLUMN drift_before_ms INTEGER;
ALTER TABLE jobs ADD COLUMN drift_after_ms INTEGER;

-- What a sweep found of each token that came, and what became of its clock. Of a token that came more than once the last
-- time counts, but that its clock was set is never forgotten.
CREATE TABLE resyncs (
    batch INTEGER NOT NULL REFERENCES batches (id),
    serial TEXT NOT NULL REFERENCES tokens (serial),
    at INTEGER NOT NULL,
    before_ms INTEGER,
    after_ms INTEGER,
    outcome TEXT NOT NULL CHECK (
        outcome IN ('set', 'right', 'unfinished', 'failed', 'refused', 'not known', 'not meant')
    ),
    reason TEXT,
    job INTEGER REFERENCES jobs (id),
    PRIMARY KEY (batch, serial),
    CHECK (outcome NOT IN ('set', 'unfinished', 'failed') OR job IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX resyncs_serial ON resyncs (serial, at);
