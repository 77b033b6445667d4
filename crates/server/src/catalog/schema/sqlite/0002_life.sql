-- What jobs of other projects may read here: a JSON array of project paths.
ALTER TABLE projects ADD COLUMN job_token_allowlist TEXT NOT NULL DEFAULT '[]';

ALTER TABLE jobs ADD COLUMN runner_json TEXT;

-- Each announcement of a running job gives out a token, since none can be shown a second time.
CREATE TABLE job_tokens (
    digest     BLOB PRIMARY KEY NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES jobs (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX job_tokens_by_job ON job_tokens (job_id, created_at);

-- What a job handed in beside its archive: stored as it came, never looked into.
CREATE TABLE reports (
    job_id      INTEGER NOT NULL REFERENCES jobs (id),
    file_type   TEXT NOT NULL,
    file_format TEXT NOT NULL,
    filename    TEXT NOT NULL,
    sha256      BLOB NOT NULL REFERENCES blobs (sha256),
    stored_at   INTEGER NOT NULL,
    expires_at  INTEGER,
    PRIMARY KEY (job_id, file_type)
) STRICT, WITHOUT ROWID;
CREATE INDEX reports_by_blob ON reports (sha256);
CREATE INDEX reports_by_expiry ON reports (expires_at) WHERE expires_at IS NOT NULL;

-- The archive that a job had: what is answered by a job's number never changes, so the job takes
-- no other one.
CREATE TABLE past_archives (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id),
    sha256 BLOB NOT NULL
) STRICT;

-- Content that lost a row which named it, and may be named by no other: for the sweeper.
CREATE TABLE unreferenced (
    sha256 BLOB PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;
