-- Keys with an OATH applet: each code of a profile may want a touch, and some keys tell no serial.
ALTER TABLE job_entries ADD COLUMN touch INTEGER NOT NULL DEFAULT 0 CHECK (touch IN (0, 1));

-- By which serial a token goes that tells none. `ident` is what it can be told by instead: random, its own, and good until
-- it is reset. Never deleted: a reset token gets a new ident, and the old one must never be taken for another token.
CREATE TABLE lent_serials (
    ident TEXT PRIMARY KEY,
    serial TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL CHECK (origin IN ('given', 'random')),
    since INTEGER NOT NULL,
    who TEXT NOT NULL
) STRICT;
