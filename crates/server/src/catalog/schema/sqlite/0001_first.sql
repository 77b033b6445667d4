-- Times are milliseconds since 1970 in UTC; flags are 0 or 1; digests are the 32 bytes of SHA-256.

CREATE TABLE counters (
    name    TEXT PRIMARY KEY NOT NULL,
    last_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, last_id) VALUES
    ('project', 0), ('pipeline', 0), ('job', 0), ('token', 0);

CREATE TABLE projects (
    id               INTEGER PRIMARY KEY,
    path             TEXT NOT NULL UNIQUE,
    visibility       TEXT NOT NULL,
    public_pipelines INTEGER NOT NULL,
    created_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE pipelines (
    id                 INTEGER PRIMARY KEY,
    project_id         INTEGER NOT NULL REFERENCES projects (id),
    ref                TEXT NOT NULL,
    sha                TEXT,
    tag                INTEGER NOT NULL DEFAULT 0,
    status             TEXT NOT NULL,
    source             TEXT NOT NULL DEFAULT 'push',
    -- Not a reference: a child may be announced before its parent.
    parent_pipeline_id INTEGER,
    created_at         INTEGER NOT NULL,
    started_at         INTEGER,
    finished_at        INTEGER,
    coverage           REAL,
    failure_reason     TEXT,
    commit_json        TEXT,
    user_json          TEXT
) STRICT;

-- "Latest successful of this ref" is the last entry of one range of this index, and "is there a
-- pipeline of this ref" any entry of another. One index for both leaves the planner no choice: a
-- partial one for the first loses against a plain one on (project_id, ref), which then walks over
-- every pipeline that failed.
CREATE INDEX pipelines_by_ref
    ON pipelines (project_id, ref, status, parent_pipeline_id, id);
CREATE INDEX pipelines_by_parent ON pipelines (parent_pipeline_id)
    WHERE parent_pipeline_id IS NOT NULL;

CREATE TABLE jobs (
    id               INTEGER PRIMARY KEY,
    project_id       INTEGER NOT NULL REFERENCES projects (id),
    pipeline_id      INTEGER NOT NULL REFERENCES pipelines (id),
    name             TEXT NOT NULL,
    stage            TEXT NOT NULL DEFAULT 'test',
    status           TEXT NOT NULL,
    retried          INTEGER NOT NULL DEFAULT 0,
    allow_failure    INTEGER NOT NULL DEFAULT 0,
    artifacts_access TEXT NOT NULL DEFAULT 'all',
    locked           INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER,
    coverage         REAL,
    failure_reason   TEXT,
    commit_json      TEXT,
    user_json        TEXT
) STRICT;

CREATE INDEX jobs_by_pipeline ON jobs (pipeline_id, name, retried, id);
CREATE INDEX jobs_by_project ON jobs (project_id);

CREATE TABLE blobs (
    sha256    BLOB PRIMARY KEY NOT NULL,
    len       INTEGER NOT NULL,
    entries   INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    lost      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE archives (
    job_id     INTEGER PRIMARY KEY REFERENCES jobs (id),
    sha256     BLOB NOT NULL REFERENCES blobs (sha256),
    filename   TEXT NOT NULL,
    stored_at  INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;

CREATE INDEX archives_by_blob ON archives (sha256);
CREATE INDEX archives_by_expiry ON archives (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY,
    digest     BLOB NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    prefix     TEXT NOT NULL,
    role       TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
