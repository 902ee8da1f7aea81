-- What is made of the records that bots send: their issues, and their analytics.
-- Everything belongs to a bot, and goes with it into another workspace.

-- +goose Up

-- Which workspace a bot is in, for those who keep things of bots.
CREATE VIEW bot_workspaces AS SELECT id AS bot_id, workspace_id, updated_at FROM bots;

-- group_key is a digest of the code and what the events are grouped by. The texts
-- are those of the newest event, last_event_id, which may be kept no more.
-- events_count counts all events.
CREATE TABLE issues (
  id              TEXT PRIMARY KEY,
  bot_id          TEXT NOT NULL,
  group_key       TEXT NOT NULL,
  code            TEXT NOT NULL,
  category        TEXT NOT NULL,
  title           TEXT NOT NULL,
  description     TEXT NOT NULL,
  resolution_link TEXT NOT NULL,
  grouped_data    TEXT NOT NULL,
  events_count    BIGINT NOT NULL,
  first_seen_at   BIGINT NOT NULL,
  last_seen_at    BIGINT NOT NULL,
  last_event_id   TEXT NOT NULL,
  UNIQUE (bot_id, group_key)
);
CREATE INDEX issues_by_bot ON issues (bot_id, id);

-- The newest events of each issue. Ids are in the order of time.
CREATE TABLE issue_events (
  issue_id   TEXT NOT NULL,
  id         TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  data       TEXT NOT NULL,
  PRIMARY KEY (issue_id, id)
);

-- One row a bot and UTC day; day counts from 1970-01-01. totals is what the day
-- counts, in the form of package telemetry's Day.
CREATE TABLE analytics_days (
  bot_id TEXT NOT NULL,
  day    BIGINT NOT NULL,
  totals BYTEA NOT NULL,
  PRIMARY KEY (bot_id, day)
);

-- When each user of a bot was first active. Kept for as long as the bot: it is what
-- tells new users from those who return.
CREATE TABLE analytics_users (
  bot_id    TEXT NOT NULL,
  user_id   TEXT NOT NULL,
  first_day BIGINT NOT NULL,
  PRIMARY KEY (bot_id, user_id)
);

-- On which days users were active, so that a day counts each once, and the sessions
-- that a late record may still belong to. Both are dropped with the records.
CREATE TABLE analytics_user_days (
  bot_id  TEXT NOT NULL,
  user_id TEXT NOT NULL,
  day     BIGINT NOT NULL,
  PRIMARY KEY (bot_id, user_id, day)
);
CREATE INDEX analytics_user_days_by_day ON analytics_user_days (day);

CREATE TABLE analytics_sessions (
  bot_id          TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  user_id         TEXT NOT NULL,
  starts_at       BIGINT NOT NULL,
  ends_at         BIGINT NOT NULL,
  PRIMARY KEY (bot_id, conversation_id, user_id, ends_at)
);
CREATE INDEX analytics_sessions_by_end ON analytics_sessions (ends_at);

-- +goose Down
DROP TABLE analytics_sessions;
DROP TABLE analytics_user_days;
DROP TABLE analytics_users;
DROP TABLE analytics_days;
DROP TABLE issue_events;
DROP TABLE issues;
DROP VIEW bot_workspaces;
