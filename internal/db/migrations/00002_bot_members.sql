-- +goose Up

-- Who is a member, and as what, of the workspace that a bot is in.
CREATE VIEW bot_members AS
SELECT b.id AS bot_id, b.workspace_id, m.account_id, m.role
FROM bots b JOIN members m ON m.workspace_id = b.workspace_id;

-- +goose Down
DROP VIEW bot_members;
