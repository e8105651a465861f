-- Which tokens changed, in order: who searches the inventory with every key keeps the words of all tokens in memory and
-- asks here what to read again. `at` grows for ever; a token that changes again moves to the end.
CREATE TABLE token_changes (
    at INTEGER PRIMARY KEY AUTOINCREMENT,
    serial TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO token_changes (serial) SELECT serial FROM tokens ORDER BY serial;

CREATE TRIGGER tokens_begin_changed AFTER INSERT ON tokens
BEGIN
    INSERT OR REPLACE INTO token_changes (serial) VALUES (NEW.serial);
END;
CREATE TRIGGER tokens_change AFTER UPDATE OF model, scrapped_at ON tokens
WHEN OLD.model IS NOT NEW.model OR OLD.scrapped_at IS NOT NEW.scrapped_at
BEGIN
    INSERT OR REPLACE INTO token_changes (serial) VALUES (NEW.serial);
END;
CREATE TRIGGER tokens_change_with_a_new_mapping AFTER INSERT ON mappings
BEGIN
    INSERT OR REPLACE INTO token_changes (serial) VALUES (NEW.serial);
END;
CREATE TRIGGER tokens_change_with_their_mappings AFTER UPDATE OF upn, title, ended_at, proof ON mappings
BEGIN
    INSERT OR REPLACE INTO token_changes (serial) VALUES (NEW.serial);
END;
CREATE TRIGGER tokens_change_with_their_jobs AFTER UPDATE OF state, serial ON jobs
WHEN NEW.serial IS NOT NULL OR OLD.serial IS NOT NULL
BEGIN
    INSERT OR REPLACE INTO token_changes (serial) VALUES (coalesce(NEW.serial, OLD.serial));
END;
