-- Telemetry: what the main database knows of the records, which themselves are in
-- day files or daily partitions.

-- +goose Up

-- How far a reader of the records has come: all up to sequence are in its roll-ups.
CREATE TABLE telemetry_cursors (
  name     TEXT PRIMARY KEY,
  sequence BIGINT NOT NULL
);

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
DROP TABLE telemetry_cursors;
