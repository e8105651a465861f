-- A key that was never shown, since the token was lost before the answer left, costs no try: such an attempt is known.
-- A check can't be altered, so the table is made anew.
CREATE TABLE attempts_new (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL REFERENCES tokens (serial),
    key BLOB NOT NULL CHECK (length(key) = 16),
    batch INTEGER REFERENCES batches (id),
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('made', 'accepted', 'refused', 'unknown', 'not made')),
    tries_left INTEGER,
    settled_at INTEGER
) STRICT;
INSERT INTO attempts_new SELECT id, serial, key, batch, at, outcome, tries_left, settled_at FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_new RENAME TO attempts;
CREATE INDEX attempts_here ON attempts (serial, key);
CREATE INDEX attempts_batch ON attempts (key, batch, outcome, serial);
CREATE INDEX attempts_open ON attempts (id) WHERE outcome = 'made';
