-- Telemetry: what the main database knows of the records, which themselves are in
-- day files or daily partitions.

-- +goose Up

-- How far a reader of the records has come: all up to sequence are in its roll-ups.
CREATE TABLE telemetry_cursors (
  name     TEXT PRIMARY KEY,
  sequence BIGINT NOT NULL
);

-- Volumes that cannot be rolled up at the moment.
CREATE TABLE telemetry_stalls (
  volume   TEXT PRIMARY KEY,
  error_id TEXT NOT NULL,
  message  TEXT NOT NULL,
  tries    BIGINT NOT NULL,
  since_at BIGINT NOT NULL,
  tried_at BIGINT NOT NULL
);

-- Records, by their volume and sequence, that the roll-ups could not count and passed
-- by. They are tried again, and leave when they are counted, or with their bot or volume.
CREATE TABLE telemetry_aside (
  volume       TEXT NOT NULL,
  sequence     BIGINT NOT NULL,
  bot_id       TEXT NOT NULL,
  kind         BIGINT NOT NULL,
  error_id     TEXT NOT NULL,
  error        TEXT NOT NULL,
  tries        BIGINT NOT NULL,
  set_aside_at BIGINT NOT NULL,
  next_at      BIGINT NOT NULL,
  PRIMARY KEY (volume, sequence)
);
CREATE INDEX telemetry_aside_by_bot ON telemetry_aside (bot_id);
CREATE INDEX telemetry_aside_by_next ON telemetry_aside (next_at);

-- How many days a workspace's records of a class are kept, where it is not the
-- default.
CREATE TABLE telemetry_retention (
  workspace_id TEXT NOT NULL,
  class        TEXT NOT NULL,
  days         BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, class)
);

-- The workspaces that records can be kept for.
CREATE VIEW keeping_workspaces AS SELECT id AS workspace_id FROM workspaces;

-- +goose Down
DROP VIEW keeping_workspaces;
DROP TABLE telemetry_retention;
DROP TABLE telemetry_aside;
DROP TABLE telemetry_stalls;
DROP TABLE telemetry_cursors;
