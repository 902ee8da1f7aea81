-- What bots have installed, as they show it: read through views, so that neither
-- concept reads the tables of the other.

-- +goose Up

-- An installed integration or plugin with what the catalog says of its version.
-- Reading a bot's takes one query, in which each half goes by its own primary key.
-- A development integration has the version that clients know it by; see decision 73.
CREATE VIEW bot_packages AS
SELECT 'integration' AS kind, b.bot_id, b.alias, b.integration_id AS package_id, b.enabled, b.configuration,
       b.configuration_type, b.disabled_channels, b.webhook_id, b.identifier, b.status, b.status_reason,
       '' AS interfaces, '' AS integrations, b.created_at AS installed_at, b.updated_at AS set_up_at,
       i.name, CASE WHEN i.dev THEN 'dev' ELSE i.version END AS version, i.title, i.description, i.visibility, i.verification_status, i.lifecycle_status,
       i.icon_hash, i.readme_hash, i.created_at, i.updated_at
FROM bot_integrations b JOIN integrations i ON i.id = b.integration_id
UNION ALL
SELECT 'plugin', b.bot_id, b.alias, b.plugin_id, b.enabled, b.configuration,
       NULL, '', '', NULL, '', NULL,
       b.interfaces, b.integrations, b.created_at, b.updated_at,
       p.name, p.version, p.title, p.description, p.visibility, '', p.lifecycle_status,
       p.icon_hash, p.readme_hash, p.created_at, p.updated_at
FROM bot_plugins b JOIN plugins p ON p.id = b.plugin_id;

-- Which bots have something of a name, whatever its version.
CREATE VIEW bot_integration_names AS
SELECT b.bot_id, b.integration_id, i.name
FROM bot_integrations b JOIN integrations i ON i.id = b.integration_id;

CREATE VIEW bot_plugin_names AS
SELECT b.bot_id, b.plugin_id, p.name
FROM bot_plugins b JOIN plugins p ON p.id = b.plugin_id;

-- +goose Down
DROP VIEW bot_plugin_names;
DROP VIEW bot_integration_names;
DROP VIEW bot_packages;
