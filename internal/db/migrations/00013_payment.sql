-- Payments of invoices: who pays with what, each attempt to charge, the events that
-- the payment provider has told of. And who is blocked, with who a token is.

-- +goose Up

-- Who issued an invoice and what stands below its sums, as they were then.
ALTER TABLE invoices ADD COLUMN seller TEXT NOT NULL DEFAULT '';
ALTER TABLE invoices ADD COLUMN note TEXT NOT NULL DEFAULT '';

-- What a workspace pays with. customer is what the provider knows it by; it is there
-- before a method is. method is NULL until one was set.
CREATE TABLE payment_methods (
  workspace_id TEXT PRIMARY KEY,
  provider     TEXT NOT NULL,
  customer     TEXT NOT NULL,
  method       TEXT,
  type         TEXT NOT NULL,
  brand        TEXT NOT NULL,
  last_four    TEXT NOT NULL,
  exp_month    BIGINT NOT NULL,
  exp_year     BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL
);

-- One row an attempt to have an invoice paid, written before the provider is asked.
-- state is pending while the outcome is not known, then paid, declined,
-- action_required, or surplus when nobody owed what was taken. reference is the
-- provider's name of the charge. request_key is the caller's, by which a repeated
-- request is known. dispute is open, won or lost once the payer disputed what was paid.
CREATE TABLE payment_attempts (
  id           TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  invoice_id   TEXT NOT NULL,
  provider     TEXT NOT NULL,
  customer     TEXT NOT NULL,
  method       TEXT NOT NULL,
  amount       BIGINT NOT NULL,
  currency     TEXT NOT NULL,
  state        TEXT NOT NULL,
  reference    TEXT,
  reason       TEXT NOT NULL,
  request_key  TEXT,
  started_at   BIGINT NOT NULL,
  ended_at     BIGINT,
  dispute      TEXT NOT NULL DEFAULT '',
  refunded_at  BIGINT
);
-- No invoice is ever charged twice at once.
CREATE UNIQUE INDEX payment_attempts_under_way ON payment_attempts (invoice_id) WHERE state = 'pending';
CREATE UNIQUE INDEX payment_attempts_by_request ON payment_attempts (workspace_id, invoice_id, request_key) WHERE request_key IS NOT NULL;
CREATE UNIQUE INDEX payment_attempts_by_reference ON payment_attempts (provider, reference) WHERE reference IS NOT NULL;
CREATE INDEX payment_attempts_by_invoice ON payment_attempts (workspace_id, invoice_id, id);

-- The events of a provider that were taken in, so that none counts twice.
CREATE TABLE payment_events (
  provider    TEXT NOT NULL,
  event_id    TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  PRIMARY KEY (provider, event_id)
);
CREATE INDEX payment_events_by_age ON payment_events (received_at);

-- Who a token is, as before, whether the workspace it acts in is
-- blocked, and what its rate is.
DROP VIEW token_actors;
CREATE VIEW token_actors AS
SELECT t.hash, t.id AS token_id, t.kind, t.account_id, t.workspace_id, t.subject_id,
       t.expires_at, t.last_used_at, a.email, COALESCE(w.blocked, FALSE) AS blocked,
       w.plan, l.operator_value AS rate_set, l.added AS rate_added
FROM tokens t
LEFT JOIN accounts a ON a.id = t.account_id
LEFT JOIN workspaces w ON w.id = t.workspace_id
LEFT JOIN quotas l ON l.workspace_id = t.workspace_id AND l.type = 'workspace_ratelimit';

DROP VIEW token_roles;
CREATE VIEW token_roles AS
SELECT t.hash, t.id AS token_id, t.kind, t.account_id, t.expires_at, t.last_used_at,
       a.email, m.workspace_id, m.role, COALESCE(w.blocked, FALSE) AS blocked,
       CASE WHEN m.role IN ('administrator', 'owner') THEN FALSE
            ELSE EXISTS (SELECT 1 FROM bots b WHERE b.workspace_id = m.workspace_id AND b.restricted = TRUE) END AS confined,
       w.plan, l.operator_value AS rate_set, l.added AS rate_added
FROM tokens t
JOIN accounts a ON a.id = t.account_id
JOIN members m ON m.account_id = t.account_id
LEFT JOIN workspaces w ON w.id = m.workspace_id
LEFT JOIN quotas l ON l.workspace_id = m.workspace_id AND l.type = 'workspace_ratelimit';

-- +goose Down
DROP VIEW token_roles;
DROP VIEW token_actors;
CREATE VIEW token_actors AS
SELECT t.hash, t.id AS token_id, t.kind, t.account_id, t.workspace_id, t.subject_id,
       t.expires_at, t.last_used_at, a.email
FROM tokens t LEFT JOIN accounts a ON a.id = t.account_id;
CREATE VIEW token_roles AS
SELECT t.hash, t.id AS token_id, t.kind, t.account_id, t.expires_at, t.last_used_at,
       a.email, m.workspace_id, m.role,
       CASE WHEN m.role IN ('administrator', 'owner') THEN FALSE
            ELSE EXISTS (SELECT 1 FROM bots b WHERE b.workspace_id = m.workspace_id AND b.restricted = TRUE) END AS confined
FROM tokens t
JOIN accounts a ON a.id = t.account_id
JOIN members m ON m.account_id = t.account_id;
ALTER TABLE invoices DROP COLUMN note;
ALTER TABLE invoices DROP COLUMN seller;
DROP TABLE payment_events;
DROP TABLE payment_attempts;
DROP TABLE payment_methods;
