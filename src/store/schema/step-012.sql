-- Of a job that is made of several lines of a file: what the line of this entry said (`store::JobFacts`, as JSON).
ALTER TABLE job_entries ADD COLUMN facts TEXT;
