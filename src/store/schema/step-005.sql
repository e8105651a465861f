-- Alarms stay over a restart, until somebody has read them or their cause is over.
CREATE TABLE alarms (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    message TEXT NOT NULL,
    remedy TEXT NOT NULL,
    slot TEXT,
    -- What it is about: one of these, or where all are empty the readers' service.
    reader TEXT,
    job INTEGER REFERENCES jobs (id),
    batch INTEGER REFERENCES batches (id),
    over_at INTEGER,
    -- Who has read it; empty where its cause was over.
    read_by TEXT,
    CHECK ((reader IS NOT NULL) + (job IS NOT NULL) + (batch IS NOT NULL) <= 1),
    CHECK (read_by IS NULL OR over_at IS NOT NULL)
) STRICT;
CREATE INDEX alarms_open ON alarms (id) WHERE over_at IS NULL;
