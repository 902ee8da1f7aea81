-- Saved versions of bots.

-- +goose Up

-- content_hash is the blob with the definition and what is installed, code_hash
-- that of the code, NULL when there was none. settings is sealed and last, since
-- lists do not read it: the configurations and addresses of what is installed.
CREATE TABLE bot_versions (
  bot_id       TEXT NOT NULL,
  id           TEXT NOT NULL,
  name         TEXT NOT NULL,
  description  TEXT,
  automatic    BOOLEAN NOT NULL,
  created_at   BIGINT NOT NULL,
  created_by   TEXT,
  content_hash TEXT NOT NULL,
  code_hash    TEXT,
  settings     TEXT NOT NULL,
  PRIMARY KEY (bot_id, id)
);
CREATE INDEX bot_versions_by_content ON bot_versions (content_hash);
CREATE INDEX bot_versions_by_code ON bot_versions (code_hash) WHERE code_hash IS NOT NULL;

-- +goose Down
DROP TABLE bot_versions;
