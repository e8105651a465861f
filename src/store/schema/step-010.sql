-- How long the display of a delivered token stays on, as a person said it: a clock may be set only together with that, and
-- no token tells it. Of what was burned here it stands in the plan of the job.
ALTER TABLE mappings ADD COLUMN display_timeout_s INTEGER;
