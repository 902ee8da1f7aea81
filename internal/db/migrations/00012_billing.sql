-- What workspaces pay for, and their invoices. Amounts are cents; nano_ columns are
-- nano-dollars.

-- +goose Up

-- A workspace has a row from its first act of billing on; one that has none is on
-- its plan without a bill. plan is what is paid for: in a trial workspaces.plan is
-- another. cycle_end is the first of the month at which the open month is closed.
-- held_invoice is the draft that a change waits for to be paid. terms is JSON:
-- add-ons, what is paid for until when, discounts, what is scheduled.
CREATE TABLE subscriptions (
  workspace_id    TEXT PRIMARY KEY,
  plan            TEXT NOT NULL,
  term            TEXT NOT NULL,
  status          TEXT NOT NULL,
  period_start    BIGINT NOT NULL,
  period_end      BIGINT NOT NULL,
  cycle_end       BIGINT NOT NULL,
  balance         BIGINT NOT NULL,
  plan_readonly   BOOLEAN NOT NULL,
  addons_readonly BOOLEAN NOT NULL,
  recharges       BOOLEAN NOT NULL,
  held_invoice    TEXT,
  address         TEXT,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  terms           TEXT NOT NULL
);
CREATE INDEX subscriptions_by_cycle ON subscriptions (cycle_end, workspace_id);
CREATE INDEX subscriptions_that_wait ON subscriptions (held_invoice) WHERE held_invoice IS NOT NULL;
CREATE INDEX subscriptions_that_recharge ON subscriptions (recharges, workspace_id);

-- An invoice outlives its workspace: the operator's books need it. number is without
-- gaps in the whole installation and NULL in a draft. lines and bill_to are JSON and,
-- like total, never change once there is a number. kind is cycle (a month's), change
-- (of what was bought within one), grant (of credit), final (of a workspace that was
-- deleted) or credit (a credit note).
CREATE TABLE invoices (
  id              TEXT PRIMARY KEY,
  workspace_id    TEXT NOT NULL,
  number          BIGINT UNIQUE,
  kind            TEXT NOT NULL,
  status          TEXT NOT NULL,
  currency        TEXT NOT NULL,
  total           BIGINT NOT NULL,
  period_start    BIGINT NOT NULL,
  period_end      BIGINT NOT NULL,
  created_at      BIGINT NOT NULL,
  due_at          BIGINT NOT NULL,
  paid_at         BIGINT,
  attempts        BIGINT NOT NULL,
  next_attempt_at BIGINT,
  reason          TEXT NOT NULL,
  bill_to         TEXT NOT NULL,
  lines           TEXT NOT NULL
);
CREATE INDEX invoices_of_workspace ON invoices (workspace_id, number);
CREATE INDEX invoices_by_status ON invoices (status, created_at, id);
CREATE UNIQUE INDEX invoices_of_cycle ON invoices (workspace_id, period_start) WHERE kind = 'cycle';

-- Numbers that have no gaps, because they are taken in the transaction that uses them.
CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);

-- ended_at is NULL while a trial lasts.
CREATE TABLE trials (
  id           TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  plan         TEXT NOT NULL,
  from_plan    TEXT NOT NULL,
  started_at   BIGINT NOT NULL,
  ends_at      BIGINT NOT NULL,
  ended_at     BIGINT
);
CREATE UNIQUE INDEX trials_that_last ON trials (workspace_id) WHERE ended_at IS NULL;
CREATE INDEX trials_of_workspace ON trials (workspace_id, started_at, id);
CREATE INDEX trials_by_end ON trials (ended_at, ends_at);

-- Credit for AI spend from period_start to before period_end. request is what tells a
-- repeat of the request that bought it; NULL when the caller sent nothing to tell it by.
CREATE TABLE credit_grants (
  id           TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  invoice_id   TEXT NOT NULL,
  request      TEXT,
  nano_amount  BIGINT NOT NULL,
  period_start BIGINT NOT NULL,
  period_end   BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX credit_grants_by_request ON credit_grants (workspace_id, request);
CREATE INDEX credit_grants_of_workspace ON credit_grants (workspace_id, period_start);

-- What billing knows of a workspace: who it is for, and how it stands.
CREATE VIEW billed_workspaces AS
SELECT w.id, w.name, w.plan, w.active_trial_id, w.blocked, w.spending_limit,
       COALESCE(NULLIF(w.contact_email, ''), a.email, '') AS email
FROM workspaces w LEFT JOIN accounts a ON a.id = w.owner_id;

-- +goose Down
DROP VIEW billed_workspaces;
DROP TABLE credit_grants;
DROP TABLE trials;
DROP TABLE counters;
DROP TABLE invoices;
DROP TABLE subscriptions;
