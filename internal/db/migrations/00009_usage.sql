-- What workspaces use: records, their sums, and what differs from their plans.

-- +goose Up

-- What was used, one row a record, for as long as a repeat of it may come: that its
-- key is here is how a repeat is known. The key is a digest of its workspace, bot and
-- type, and then its id, so that ids which ascend with time are neighbours. bot_id is
-- '' when no bot used it. counted_day is the day on which it was counted, in days
-- since 1970 UTC; rows leave by it.
CREATE TABLE usage_records (
  record_key   BYTEA PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  type         TEXT NOT NULL,
  used_at      BIGINT NOT NULL,
  bot_id       TEXT NOT NULL,
  value        BIGINT NOT NULL,
  metadata     TEXT NOT NULL,
  counted_day  BIGINT NOT NULL
);
-- It holds the bot, so that looking for a bot's records reads nothing but it.
CREATE INDEX usage_records_in_order ON usage_records (workspace_id, type, used_at, record_key, bot_id);
CREATE INDEX usage_records_by_count ON usage_records (counted_day);

-- The sums of a month, which is its first moment. bot_id is '' for the whole
-- workspace. Of a gauge it is the value at the month's end, or now.
CREATE TABLE usage_months (
  workspace_id TEXT NOT NULL,
  bot_id       TEXT NOT NULL,
  type         TEXT NOT NULL,
  month        BIGINT NOT NULL,
  value        BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, bot_id, type, month)
);
CREATE INDEX usage_months_by_type ON usage_months (workspace_id, type, month, bot_id);

-- The sums of a day, which is its first moment. series is the digest of the bot,
-- the kind, the subtype and the source.
CREATE TABLE usage_days (
  workspace_id TEXT NOT NULL,
  type         TEXT NOT NULL,
  day          BIGINT NOT NULL,
  series       TEXT NOT NULL,
  bot_id       TEXT NOT NULL,
  kind         TEXT NOT NULL,
  subtype      TEXT NOT NULL,
  source       TEXT NOT NULL,
  value        BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, type, day, series)
);
CREATE INDEX usage_days_of_bot ON usage_days (workspace_id, bot_id, type, day, series);

-- The part of a gauge that one bot has.
CREATE TABLE bot_gauges (
  workspace_id TEXT NOT NULL,
  bot_id       TEXT NOT NULL,
  type         TEXT NOT NULL,
  value        BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, bot_id, type)
);

-- Where a workspace differs from its plan: what the operator set, what its members
-- set, what was bought beside the plan. NULL is nothing; -1 is no limit.
CREATE TABLE quotas (
  workspace_id   TEXT NOT NULL,
  type           TEXT NOT NULL,
  operator_value BIGINT,
  member_value   BIGINT,
  added          BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, type)
);

-- The thresholds, in percent, that were told of in a month.
CREATE TABLE quota_warnings (
  workspace_id TEXT NOT NULL,
  type         TEXT NOT NULL,
  month        BIGINT NOT NULL,
  threshold    BIGINT NOT NULL,
  warned_at    BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, type, month, threshold)
);

-- What the gauges count, by counting it.
CREATE VIEW gauge_truths AS
SELECT workspace_id, 'bot_count' AS type, COUNT(*) AS value FROM bots WHERE NOT dev GROUP BY workspace_id
UNION ALL
SELECT workspace_id, 'always_alive', COUNT(*) FROM bots WHERE NOT dev AND always_alive GROUP BY workspace_id
UNION ALL
SELECT workspace_id, 'workspace_member_count', COUNT(*) FROM members WHERE role <> 'owner' GROUP BY workspace_id
UNION ALL
SELECT workspace_id, 'integrations_owned_count', COUNT(DISTINCT name) FROM integrations WHERE NOT dev GROUP BY workspace_id;

-- The workspaces that usage is counted for, and their plans.
CREATE VIEW metered_workspaces AS SELECT id AS workspace_id, plan FROM workspaces;

-- Whose the bots are that usage is counted for.
CREATE VIEW metered_bots AS SELECT id AS bot_id, workspace_id FROM bots;

-- The workspaces whose usage an account may see.
CREATE VIEW metered_memberships AS
SELECT m.account_id, m.workspace_id, m.role, w.plan FROM members m JOIN workspaces w ON w.id = m.workspace_id;

-- +goose Down
DROP VIEW metered_memberships;
DROP VIEW metered_bots;
DROP VIEW metered_workspaces;
DROP VIEW gauge_truths;
DROP TABLE quota_warnings;
DROP TABLE quotas;
DROP TABLE bot_gauges;
DROP TABLE usage_days;
DROP TABLE usage_months;
DROP TABLE usage_records;
