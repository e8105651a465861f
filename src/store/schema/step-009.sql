-- How each reading of a clock was taken: those from before this step were read from the token in whole seconds.
ALTER TABLE readings ADD COLUMN kind TEXT NOT NULL DEFAULT 'clock' CHECK (kind IN ('clock', 'edge', 'code', 'timing'));

-- When a token's clock was set, or stopped: a reading from before says nothing about where the clock stands after. A
-- burn sets the clock. `clock` is what the station's own was worth; not known of burns from before this step.
CREATE TABLE clock_settings (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL REFERENCES tokens (serial),
    at INTEGER NOT NULL,
    by TEXT NOT NULL CHECK (by IN ('burn', 'resync', 'reset')),
    clock TEXT
) STRICT;
CREATE INDEX clock_settings_serial ON clock_settings (serial, at);
INSERT INTO clock_settings (serial, at, by) SELECT DISTINCT serial, since, 'burn' FROM mappings WHERE origin = 'burned';
INSERT INTO clock_settings (serial, at, by) SELECT serial, reset_at, 'reset' FROM tokens WHERE reset_at IS NOT NULL;
INSERT INTO clock_settings (serial, at, by) SELECT serial, at, 'resync' FROM resyncs WHERE outcome = 'set';
