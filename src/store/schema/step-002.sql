-- What would otherwise be counted again and again: a batch of a hundred thousand jobs is asked how far it is with every
-- token that is burned.

-- The weakest proof of what a job put on its token.
ALTER TABLE jobs ADD COLUMN proof TEXT CHECK (proof IN ('written', 'read back', 'computed', 'seen'));
UPDATE jobs SET proof = (
    SELECT CASE min(CASE m.proof WHEN 'written' THEN 0 WHEN 'read back' THEN 1 WHEN 'computed' THEN 2 ELSE 3 END)
        WHEN 0 THEN 'written' WHEN 1 THEN 'read back' WHEN 2 THEN 'computed' WHEN 3 THEN 'seen' END
    FROM mappings m WHERE m.job = jobs.id AND m.proof IS NOT NULL
);

-- How many jobs of a batch are alike. Queued ones are not counted here: a job begins as queued and is never deleted, so
-- that they are what is left of all, and an import has nothing to keep up.
CREATE TABLE tallies (
    batch INTEGER NOT NULL REFERENCES batches (id),
    state TEXT NOT NULL CHECK (state <> 'queued'),
    -- Empty where there is none.
    proof TEXT NOT NULL,
    wants_eyes INTEGER NOT NULL,
    jobs INTEGER NOT NULL CHECK (jobs >= 0),
    PRIMARY KEY (batch, state, proof, wants_eyes)
) STRICT, WITHOUT ROWID;
INSERT INTO tallies
SELECT batch, state, coalesce(proof, ''), wants_eyes, count(*) FROM jobs WHERE state <> 'queued' GROUP BY 1, 2, 3, 4;
CREATE TRIGGER jobs_begin_queued BEFORE INSERT ON jobs WHEN NEW.state <> 'queued'
BEGIN
    SELECT RAISE(ABORT, 'a job begins as queued');
END;
CREATE TRIGGER jobs_are_kept BEFORE DELETE ON jobs
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;
CREATE TRIGGER jobs_leave_a_tally AFTER UPDATE OF state, proof, wants_eyes ON jobs WHEN OLD.state <> 'queued'
BEGIN
    UPDATE tallies SET jobs = jobs - 1
    WHERE batch = OLD.batch AND state = OLD.state AND proof = coalesce(OLD.proof, '')
        AND wants_eyes = OLD.wants_eyes;
END;
CREATE TRIGGER jobs_join_a_tally AFTER UPDATE OF state, proof, wants_eyes ON jobs WHEN NEW.state <> 'queued'
BEGIN
    INSERT INTO tallies VALUES (NEW.batch, NEW.state, coalesce(NEW.proof, ''), NEW.wants_eyes, 1)
    ON CONFLICT (batch, state, proof, wants_eyes) DO UPDATE SET jobs = jobs + 1;
END;

-- Whether any token of a batch took its key is asked before each attempt.
DROP INDEX attempts_batch;
CREATE INDEX attempts_batch ON attempts (key, batch, outcome, serial);
