-- Which attempt a person's word was used up by: one that turns out never to have been made gives it back.
ALTER TABLE consents ADD COLUMN attempt INTEGER REFERENCES attempts (id);
CREATE INDEX consents_attempt ON consents (attempt) WHERE attempt IS NOT NULL;
