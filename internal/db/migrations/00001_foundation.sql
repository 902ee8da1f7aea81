-- One file for SQLite and PostgreSQL: TEXT ids and JSON, BIGINT milliseconds
-- since 1970 UTC, BOOLEAN. A column that ends in _at is a time; a column that
-- ends in _key is a folded form that uniqueness is decided by.

-- +goose Up

-- What the installation knows of itself: its first workspace, the check value of
-- its secret key.
CREATE TABLE settings (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE accounts (
  id              TEXT PRIMARY KEY,
  email           TEXT NOT NULL,
  email_key       TEXT NOT NULL UNIQUE,
  display_name    TEXT,
  profile_picture TEXT,
  email_verified  BOOLEAN NOT NULL,
  created_at      BIGINT NOT NULL
);

CREATE TABLE account_preferences (
  account_id TEXT NOT NULL,
  key        TEXT NOT NULL,
  value      TEXT NOT NULL,
  PRIMARY KEY (account_id, key)
);

-- kind is pat, bak or iak. A pat belongs to an account; a bak or iak belongs to a
-- workspace and acts as subject_id, a bot or an integration.
CREATE TABLE tokens (
  id           TEXT PRIMARY KEY,
  hash         TEXT NOT NULL UNIQUE,
  kind         TEXT NOT NULL,
  account_id   TEXT,
  workspace_id TEXT,
  subject_id   TEXT,
  note         TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT,
  last_used_at BIGINT
);
CREATE INDEX tokens_by_account ON tokens (account_id, id);
CREATE INDEX tokens_by_subject ON tokens (workspace_id, subject_id, id);

CREATE TABLE workspaces (
  id              TEXT PRIMARY KEY,
  name            TEXT NOT NULL,
  owner_id        TEXT NOT NULL,
  handle          TEXT UNIQUE,
  plan            TEXT NOT NULL,
  billing_version TEXT NOT NULL,
  blocked         BOOLEAN NOT NULL,
  spending_limit  BIGINT NOT NULL,
  about           TEXT NOT NULL,
  profile_picture TEXT NOT NULL,
  contact_email   TEXT NOT NULL,
  website         TEXT NOT NULL,
  social_accounts TEXT NOT NULL,
  is_public       BOOLEAN NOT NULL,
  active_trial_id TEXT,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL
);
CREATE INDEX workspaces_public ON workspaces (is_public, id);

CREATE TABLE workspace_preferences (
  workspace_id TEXT NOT NULL,
  key          TEXT NOT NULL,
  value        TEXT NOT NULL,
  PRIMARY KEY (workspace_id, key)
);

-- account_id is NULL while the invited e-mail address has no account.
CREATE TABLE members (
  id           TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  account_id   TEXT,
  email        TEXT NOT NULL,
  email_key    TEXT NOT NULL,
  role         TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  UNIQUE (workspace_id, email_key)
);
CREATE UNIQUE INDEX members_by_account ON members (account_id, workspace_id);
CREATE INDEX members_by_email ON members (email_key);
CREATE INDEX members_in_order ON members (workspace_id, created_at, id);

-- The definitions stand last: lists read the columns before them and never their
-- pages. packages counts what is installed, so that reading a bot with nothing
-- installed takes no second query. own_definition is the definition without what
-- plugins bring; NULL when there is no plugin, and then definition is it.
CREATE TABLE bots (
  id                 TEXT PRIMARY KEY,
  workspace_id       TEXT NOT NULL,
  dev                BOOLEAN NOT NULL,
  name               TEXT NOT NULL,
  created_at         BIGINT NOT NULL,
  updated_at         BIGINT NOT NULL,
  deployed_at        BIGINT,
  type               TEXT NOT NULL,
  tags               TEXT NOT NULL,
  status             TEXT NOT NULL,
  description        TEXT,
  url                TEXT,
  authentication     TEXT,
  blocked            BOOLEAN NOT NULL,
  always_alive       BOOLEAN NOT NULL,
  max_execution_time BIGINT,
  created_by         TEXT,
  signing_secret     TEXT NOT NULL,
  -- the secret before the last rotation, good until old_secret_until
  old_signing_secret TEXT,
  old_secret_until   BIGINT,
  -- whether only selected members are let in; see bot_allowlist
  restricted         BOOLEAN NOT NULL DEFAULT FALSE,
  code_hash          TEXT,
  layers             TEXT NOT NULL,
  secret_names       TEXT NOT NULL,
  packages           BIGINT NOT NULL DEFAULT 0,
  definition         TEXT NOT NULL,
  own_definition     TEXT
);
CREATE INDEX bots_by_creation ON bots (workspace_id, dev, created_at, id);
CREATE INDEX bots_by_update ON bots (workspace_id, dev, updated_at, id);
CREATE INDEX bots_restricted ON bots (workspace_id) WHERE restricted = TRUE;

CREATE TABLE bot_tags (
  bot_id TEXT NOT NULL,
  key    TEXT NOT NULL,
  value  TEXT NOT NULL,
  PRIMARY KEY (bot_id, key)
);

-- value is sealed; see package secret.
CREATE TABLE bot_secrets (
  bot_id TEXT NOT NULL,
  name   TEXT NOT NULL,
  value  TEXT NOT NULL,
  PRIMARY KEY (bot_id, name)
);

-- How much of each counted thing a workspace has now.
CREATE TABLE gauges (
  workspace_id TEXT NOT NULL,
  type         TEXT NOT NULL,
  value        BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, type)
);

-- Ids ascend with time, so the key is the order of the list.
CREATE TABLE audit_records (
  workspace_id  TEXT NOT NULL,
  id            TEXT NOT NULL,
  recorded_at   BIGINT NOT NULL,
  account_id    TEXT,
  email         TEXT,
  action        TEXT NOT NULL,
  resource_id   TEXT,
  resource_name TEXT,
  value         TEXT,
  PRIMARY KEY (workspace_id, id)
);

-- Answers to requests that carried an Idempotency-Key; actor is the token's
-- owner, request the SHA-256 of what was asked.
CREATE TABLE idempotency_keys (
  actor      TEXT NOT NULL,
  key        TEXT NOT NULL,
  request    TEXT NOT NULL,
  status     BIGINT NOT NULL,
  answer     TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- A job is due when run_at has passed and no lease holds it. state is pending or
-- dead; a job that is done is deleted.
CREATE TABLE jobs (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,
  unique_key   TEXT UNIQUE,
  payload      TEXT NOT NULL,
  state        TEXT NOT NULL,
  run_at       BIGINT NOT NULL,
  attempts     BIGINT NOT NULL,
  leased_by    TEXT,
  leased_until BIGINT,
  again_at     BIGINT, -- while it runs: when it is to run once more
  last_error   TEXT,
  created_at   BIGINT NOT NULL,
  traceparent  TEXT -- of the request that enqueued it, where requests are traced
);
CREATE INDEX jobs_due ON jobs (state, run_at);

-- Who a token is, in one read.
CREATE VIEW token_actors AS
SELECT t.hash, t.id AS token_id, t.kind, t.account_id, t.workspace_id, t.subject_id,
       t.expires_at, t.last_used_at, a.email
FROM tokens t LEFT JOIN accounts a ON a.id = t.account_id;

-- Who a token is and which role it has in a workspace, in one read. confined is
-- whether there are bots that the role alone does not open.
CREATE VIEW token_roles AS
SELECT t.hash, t.id AS token_id, t.kind, t.account_id, t.expires_at, t.last_used_at,
       a.email, m.workspace_id, m.role,
       CASE WHEN m.role IN ('administrator', 'owner') THEN FALSE
            ELSE EXISTS (SELECT 1 FROM bots b WHERE b.workspace_id = m.workspace_id AND b.restricted = TRUE) END AS confined
FROM tokens t
JOIN accounts a ON a.id = t.account_id
JOIN members m ON m.account_id = t.account_id;

-- A member with what the account behind the e-mail address shows of itself.
CREATE VIEW member_profiles AS
SELECT m.id, m.workspace_id, m.account_id, m.email, m.role, m.created_at,
       a.display_name, a.profile_picture
FROM members m LEFT JOIN accounts a ON a.id = m.account_id;

-- A workspace with the number of its bots.
CREATE VIEW workspace_summaries AS
SELECT w.*, COALESCE(g.value, 0) AS bot_count
FROM workspaces w
LEFT JOIN gauges g ON g.workspace_id = w.id AND g.type = 'bot_count';

-- +goose Down
DROP VIEW workspace_summaries;
DROP VIEW member_profiles;
DROP VIEW token_roles;
DROP VIEW token_actors;
DROP TABLE jobs;
DROP TABLE idempotency_keys;
DROP TABLE audit_records;
DROP TABLE gauges;
DROP TABLE bot_secrets;
DROP TABLE bot_tags;
DROP TABLE bots;
DROP TABLE members;
DROP TABLE workspace_preferences;
DROP TABLE workspaces;
DROP TABLE tokens;
DROP TABLE account_preferences;
DROP TABLE accounts;
DROP TABLE settings;
