-- Which bots run a bundle, for the collector of bundles that none runs.

-- +goose Up
CREATE INDEX bots_by_code ON bots (code_hash) WHERE code_hash IS NOT NULL;

-- +goose Down
DROP INDEX bots_by_code;
