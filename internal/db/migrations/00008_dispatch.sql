-- What is called: instances of integrations and how far each knows of itself.

-- +goose Up

-- generation counts the writes of an instance: the result of a call that was begun
-- before the last one is not the result of what stands there.
ALTER TABLE bot_integrations ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;

-- calls counts the calls of this generation that are made again: each has all its tries.
ALTER TABLE bot_integrations ADD COLUMN calls BIGINT NOT NULL DEFAULT 0;

-- identifier_scope is where an identifier has one owner: among all instances of an
-- integration's name or, for a development integration, of that one.
ALTER TABLE bot_integrations ADD COLUMN identifier_scope TEXT;
CREATE UNIQUE INDEX bot_integrations_by_identifier ON bot_integrations (identifier_scope, identifier) WHERE identifier IS NOT NULL;

-- Instances that were switched off or removed and whose integration is still to be
-- told so. callee is sealed and all that the call needs: the bot, the integration
-- and the workspace may be gone by then. What departs while a departure is still to be
-- told was never called: it changes departed_at, and not the callee.
CREATE TABLE departed_instances (
  webhook_id  TEXT PRIMARY KEY,
  callee      TEXT NOT NULL,
  departed_at BIGINT NOT NULL,
  calls       BIGINT NOT NULL
);

-- Bots that are still to be told of their last deployment.
CREATE TABLE deployed_bots (
  bot_id      TEXT PRIMARY KEY,
  deployed_at BIGINT NOT NULL,
  calls       BIGINT NOT NULL
);

-- Calls that name an integration and not one of its versions.
CREATE INDEX integrations_by_name ON integrations (name, version) WHERE NOT dev;

-- An instance as a call from outside meets it, in one read by webhook_id.
CREATE VIEW called_instances AS
SELECT i.webhook_id, i.bot_id, b.workspace_id, i.alias, i.integration_id, i.enabled, i.configuration_type, i.configuration,
       i.identifier, i.identifier_scope, i.status, i.status_reason, i.generation, i.calls, b.blocked AS bot_blocked, w.blocked AS workspace_blocked
FROM bot_integrations i
JOIN bots b ON b.id = i.bot_id
JOIN workspaces w ON w.id = b.workspace_id;

-- +goose Down
DROP VIEW called_instances;
DROP INDEX integrations_by_name;
DROP TABLE deployed_bots;
DROP TABLE departed_instances;
DROP INDEX bot_integrations_by_identifier;
ALTER TABLE bot_integrations DROP COLUMN identifier_scope;
ALTER TABLE bot_integrations DROP COLUMN calls;
ALTER TABLE bot_integrations DROP COLUMN generation;
