-- Who is let into a bot, and by which ids its installed integrations are shared.

-- +goose Up

-- The members selected to use a restricted bot. A membership that ended and began
-- anew is another one, so nobody comes back to what was meant for who left.
CREATE TABLE bot_allowlist (
  bot_id    TEXT NOT NULL,
  member_id TEXT NOT NULL,
  PRIMARY KEY (bot_id, member_id)
);
CREATE INDEX bot_allowlist_by_member ON bot_allowlist (member_id);

-- Who is let into a bot, and as what.
DROP VIEW bot_members;
CREATE VIEW bot_members AS
SELECT b.id AS bot_id, b.workspace_id, m.account_id, m.role
FROM bots b JOIN members m ON m.workspace_id = b.workspace_id
WHERE b.restricted = FALSE OR m.role IN ('administrator', 'owner')
   OR EXISTS (SELECT 1 FROM bot_allowlist l WHERE l.bot_id = b.id AND l.member_id = m.id);

-- The accounts on the allowlist of a bot.
CREATE VIEW bot_selected AS
SELECT l.bot_id, l.member_id, m.account_id
FROM bot_allowlist l JOIN members m ON m.id = l.member_id;

-- The bots that keep somebody out.
CREATE VIEW restricted_bots AS
SELECT id AS bot_id, workspace_id FROM bots WHERE restricted = TRUE;

-- Who may be put on the allowlist of a bot.
CREATE VIEW bot_candidates AS
SELECT b.id AS bot_id, m.id AS member_id, m.account_id
FROM bots b JOIN members m ON m.workspace_id = b.workspace_id
WHERE m.account_id IS NOT NULL;

-- By which id an installed integration is shared with who tries it.
CREATE TABLE bot_shareable_ids (
  bot_id       TEXT NOT NULL,
  alias        TEXT NOT NULL,
  shareable_id TEXT NOT NULL UNIQUE,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  PRIMARY KEY (bot_id, alias)
);

-- +goose Down
DROP TABLE bot_shareable_ids;
DROP VIEW bot_candidates;
DROP VIEW restricted_bots;
DROP VIEW bot_selected;
DROP VIEW bot_members;
CREATE VIEW bot_members AS
SELECT b.id AS bot_id, b.workspace_id, m.account_id, m.role
FROM bots b JOIN members m ON m.workspace_id = b.workspace_id;
DROP TABLE bot_allowlist;
