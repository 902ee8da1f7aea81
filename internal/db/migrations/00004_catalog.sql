-- The catalog: integrations, interfaces and plugins, one row a version. A version
-- with workspace_id w is that workspace's; public and unlisted ones can be read by
-- everybody. A definition stands last, or apart: lists read the columns before it.

-- +goose Up
CREATE TABLE integrations (
  id                   TEXT PRIMARY KEY,
  workspace_id         TEXT NOT NULL,
  name                 TEXT NOT NULL,
  -- name as bytes: it sorts alike whatever the database's collation
  name_key             BYTEA NOT NULL,
  version              TEXT NOT NULL,
  dev                  BOOLEAN NOT NULL,
  visibility           TEXT NOT NULL,
  lifecycle_status     TEXT NOT NULL,
  verification_status  TEXT NOT NULL,
  title                TEXT NOT NULL,
  description          TEXT NOT NULL,
  created_at           BIGINT NOT NULL,
  updated_at           BIGINT NOT NULL,
  created_by           TEXT,
  -- how many bots have it, how often it was looked at in the hub
  installs             BIGINT NOT NULL,
  views                BIGINT NOT NULL,
  icon_hash            TEXT,
  readme_hash          TEXT,
  code_hash            TEXT,
  url                  TEXT,
  signing_secret       TEXT NOT NULL,
  -- the secret before the last rotation, good until old_secret_until
  old_signing_secret   TEXT,
  old_secret_until     BIGINT,
  max_execution_time   BIGINT,
  sdk_version          TEXT,
  attributes           TEXT NOT NULL,
  layers               TEXT NOT NULL,
  extra_operations     TEXT NOT NULL,
  secret_names         TEXT NOT NULL,
  -- the names of actions and interfaces, for answers that say what a search met
  parts                TEXT NOT NULL
);
-- Names carry the handle of their workspace. What is open to others is one
-- integration in the whole installation, also after a handle changed hands; what
-- is private is nobody else's concern. Development integrations share names freely.
CREATE UNIQUE INDEX integrations_versions ON integrations (workspace_id, name, version) WHERE NOT dev;
CREATE UNIQUE INDEX integrations_open_versions ON integrations (name, version) WHERE visibility <> 'private';
-- Ids are in the order of creation.
CREATE INDEX integrations_of_workspace ON integrations (workspace_id, dev, created_at, id);
CREATE INDEX integrations_of_workspace_by_update ON integrations (workspace_id, dev, updated_at, id);
CREATE INDEX integrations_of_workspace_by_name ON integrations (workspace_id, dev, name_key, id);
CREATE INDEX integrations_of_workspace_by_installs ON integrations (workspace_id, dev, installs, id);
CREATE INDEX integrations_in_hub ON integrations (visibility, created_at, id);
CREATE INDEX integrations_in_hub_by_update ON integrations (visibility, updated_at, id);
CREATE INDEX integrations_in_hub_by_name ON integrations (visibility, name_key, id);
CREATE INDEX integrations_in_hub_by_installs ON integrations (visibility, installs, id);
-- What searches are sorted by, without reading the rest of what they find.
CREATE INDEX integrations_sorted ON integrations (id, updated_at, name_key);
CREATE INDEX integrations_in_hub_by_version ON integrations (visibility, version, id);
CREATE INDEX integrations_in_hub_by_verification ON integrations (visibility, verification_status, id);
CREATE INDEX integrations_by_code ON integrations (code_hash);
CREATE INDEX integrations_by_icon ON integrations (icon_hash);
CREATE INDEX integrations_by_readme ON integrations (readme_hash);

-- Apart from the rest: a counter that changes does not write a definition again.
CREATE TABLE integration_definitions (
  integration_id TEXT PRIMARY KEY,
  definition     TEXT NOT NULL
);

-- The words that an integration is found by: those of its name, title, description,
-- actions and interfaces, in lower case. They are bytes, so that the words that
-- begin with a text are a range. listed is whether its visibility is public; only
-- then is installs kept, so that a search by popularity reads nothing else.
CREATE TABLE integration_words (
  integration_id TEXT NOT NULL,
  word           BYTEA NOT NULL,
  listed         BOOLEAN NOT NULL,
  installs       BIGINT NOT NULL,
  PRIMARY KEY (integration_id, word)
);
CREATE INDEX integration_words_in_hub ON integration_words (word, installs, integration_id) WHERE listed = TRUE;

-- value is sealed; see package secret.
CREATE TABLE integration_secrets (
  integration_id TEXT NOT NULL,
  name           TEXT NOT NULL,
  value          TEXT NOT NULL,
  PRIMARY KEY (integration_id, name)
);

-- Which interfaces an integration implements, by their alias in it.
CREATE TABLE integration_interfaces (
  integration_id TEXT NOT NULL,
  alias          TEXT NOT NULL,
  interface_id   TEXT NOT NULL,
  PRIMARY KEY (integration_id, alias)
);
CREATE INDEX integration_interfaces_by_interface ON integration_interfaces (interface_id, integration_id);

CREATE TABLE interfaces (
  id           TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  name         TEXT NOT NULL,
  version      TEXT NOT NULL,
  public       BOOLEAN NOT NULL,
  title        TEXT NOT NULL,
  description  TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  created_by   TEXT,
  icon_hash    TEXT,
  readme_hash  TEXT,
  sdk_version  TEXT,
  attributes   TEXT NOT NULL,
  definition   TEXT NOT NULL
);
CREATE UNIQUE INDEX interfaces_versions ON interfaces (workspace_id, name, version);
CREATE UNIQUE INDEX interfaces_open_versions ON interfaces (name, version) WHERE public;
CREATE INDEX interfaces_of_workspace ON interfaces (workspace_id, created_at, id);
CREATE INDEX interfaces_in_hub ON interfaces (public, created_at, id);
CREATE INDEX interfaces_in_hub_by_name ON interfaces (public, name, created_at, id);
CREATE INDEX interfaces_by_icon ON interfaces (icon_hash);
CREATE INDEX interfaces_by_readme ON interfaces (readme_hash);

CREATE TABLE plugins (
  id                TEXT PRIMARY KEY,
  workspace_id      TEXT NOT NULL,
  name              TEXT NOT NULL,
  version           TEXT NOT NULL,
  visibility        TEXT NOT NULL,
  lifecycle_status  TEXT NOT NULL,
  title             TEXT NOT NULL,
  description       TEXT NOT NULL,
  created_at        BIGINT NOT NULL,
  updated_at        BIGINT NOT NULL,
  created_by        TEXT,
  icon_hash         TEXT,
  readme_hash       TEXT,
  node_code_hash    TEXT NOT NULL,
  browser_code_hash TEXT NOT NULL,
  sdk_version       TEXT,
  attributes        TEXT NOT NULL,
  definition        TEXT NOT NULL
);
CREATE UNIQUE INDEX plugins_versions ON plugins (workspace_id, name, version);
CREATE UNIQUE INDEX plugins_open_versions ON plugins (name, version) WHERE visibility <> 'private';
CREATE INDEX plugins_of_workspace ON plugins (workspace_id, created_at, id);
CREATE INDEX plugins_in_hub ON plugins (visibility, created_at, id);
CREATE INDEX plugins_in_hub_by_name ON plugins (visibility, name, created_at, id);
CREATE INDEX plugins_by_icon ON plugins (icon_hash);
CREATE INDEX plugins_by_readme ON plugins (readme_hash);
CREATE INDEX plugins_by_node_code ON plugins (node_code_hash);
CREATE INDEX plugins_by_browser_code ON plugins (browser_code_hash);

-- What a plugin needs installed beside it, by its alias there. kind is interface or
-- integration.
CREATE TABLE plugin_dependencies (
  plugin_id  TEXT NOT NULL,
  kind       TEXT NOT NULL,
  alias      TEXT NOT NULL,
  package_id TEXT NOT NULL,
  PRIMARY KEY (plugin_id, kind, alias)
);
CREATE INDEX plugin_dependencies_by_package ON plugin_dependencies (package_id, plugin_id);

-- What a bot has installed, by alias. configuration is sealed as a whole: any part
-- of it may be a credential.
CREATE TABLE bot_integrations (
  bot_id             TEXT NOT NULL,
  alias              TEXT NOT NULL,
  integration_id     TEXT NOT NULL,
  enabled            BOOLEAN NOT NULL,
  configuration_type TEXT,
  configuration      TEXT NOT NULL,
  disabled_channels  TEXT NOT NULL,
  webhook_id         TEXT NOT NULL UNIQUE,
  identifier         TEXT,
  status             TEXT NOT NULL,
  status_reason      TEXT,
  created_at         BIGINT NOT NULL,
  updated_at         BIGINT NOT NULL,
  PRIMARY KEY (bot_id, alias)
);
CREATE INDEX bot_integrations_by_integration ON bot_integrations (integration_id, bot_id);

CREATE TABLE bot_plugins (
  bot_id        TEXT NOT NULL,
  alias         TEXT NOT NULL,
  plugin_id     TEXT NOT NULL,
  enabled       BOOLEAN NOT NULL,
  configuration TEXT NOT NULL,
  interfaces    TEXT NOT NULL,
  integrations  TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL,
  PRIMARY KEY (bot_id, alias)
);
CREATE INDEX bot_plugins_by_plugin ON bot_plugins (plugin_id, bot_id);

-- What everybody may know of the workspace that published something.
CREATE VIEW publishers AS SELECT id, handle, name FROM workspaces;

-- +goose Down
DROP VIEW publishers;
DROP TABLE bot_plugins;
DROP TABLE bot_integrations;
DROP TABLE plugin_dependencies;
DROP TABLE plugins;
DROP TABLE interfaces;
DROP TABLE integration_interfaces;
DROP TABLE integration_secrets;
DROP TABLE integration_words;
DROP TABLE integration_definitions;
DROP TABLE integrations;
