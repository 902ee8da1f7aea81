import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { billing, isApiError } from '@botpress/client'
import { apiUrl, connect, createAccount, instant, now, operate, refused, ulid } from './server.mjs'

// account is a new account with its client of billing, on the plan given.
const account = async (plan) => {
  const made = await createAccount()
  if (plan) {
    await operate('workspace', 'set-plan', '--id', made.workspaceId, '--plan', plan)
  }
  return { ...made, billing: new billing.Client({ apiUrl, token: made.token, workspaceId: made.workspaceId }) }
}

let team

before(async () => {
  team = await account('community')
})

const round = (amount) => Math.round(amount * 100) / 100
const sum = (lines) => round(lines.reduce((total, { amount }) => total + amount, 0))

test('the catalogue has the published prices', async () => {
  const plans = await team.billing.listPlans({})
  assert.deepEqual(plans.map(({ id }) => id), ['community', 'plus', 'team', 'enterprise', 'managed'])
  const plus = await team.billing.getPlan({ planId: 'plus' })
  assert.deepEqual(plus, plans[1])
  assert.deepEqual(plus.prices, { month: { amount: 89, currency: 'usd' }, year: { amount: 948, currency: 'usd' } })
  assert.equal(plus.features.incoming_messages_events, 5000)
  assert.deepEqual(plans[3].prices, {})
  await refused(team.billing.getPlan({ planId: 'gold' }), 'ResourceNotFound', /gold/)

  const addons = await team.billing.listAddons({})
  const bots = await team.billing.getAddon({ addonId: 'bot_addon' })
  assert.deepEqual(bots, addons.find(({ id }) => id === 'bot_addon'))
  assert.deepEqual(bots.prices, { month: { amount: 10, currency: 'usd', interval: 'month' } })
  assert.deepEqual(bots.increments, { bot_count: 1 })
  await refused(team.billing.getAddon({ addonId: 'robot_addon' }), 'ResourceNotFound', /robot_addon/)
  for (const list of ['listPlans', 'listAddons']) {
    await refused(new billing.Client({ apiUrl, token: 'bp_pat_none', workspaceId: team.workspaceId })[list]({}), 'Unauthorized')
  }
})

test('a new workspace is managed: nothing costs anything', async () => {
  const { billing: client, client: admin, workspaceId } = await account()
  const subscription = await client.getSubscription({})
  assert.equal(subscription.plan.current.planId, 'managed')
  assert.equal(subscription.plan.current.price, 0)
  const grant = await client.createCreditGrant({ amount: 10_000_000_000, feature: 'ai_spend' })
  assert.equal(grant.amount, 10)
  assert.match(grant.id, ulid('grant'))
  await client.setAddons({ addons: { bot_addon: 3 } })
  const { invoices } = await client.listInvoices({})
  assert.deepEqual(invoices.map(({ amount, status }) => [amount, status]), [[0, 'paid']])
  assert.equal(invoices[0].id, grant.invoice_id)
  assert.deepEqual(await admin.getUpcomingInvoice({ id: workspaceId }), { total: 0, lineItems: [] })
})

test('what is previewed is charged, and listed', async () => {
  const client = team.billing
  const addons = { bot_addon: 2, table_rows_addon: 1 }
  const preview = await client.previewSubscriptionUpdate({ plan: { planId: 'plus', interval: 'month' } })
  assert.equal(preview.changeType, 'upgrade')
  assert.equal(preview.subscription.plan.effectiveDate, null)
  assert.equal(sum(preview.costs.immediate.lineItems), preview.costs.immediate.total)
  assert.equal(preview.costs.nextCycle.total, 89)
  assert.match(preview.nextBillingDate, /-01T00:00:00.000Z$/)
  await refused(client.previewSubscriptionUpdate({ plan: { planId: 'gold', interval: 'month' } }), 'ReferenceNotFound', /gold/)

  const { plan } = await client.setPlan({ planId: 'plus', interval: 'month' })
  assert.equal(plan.current.planId, 'plus')
  assert.equal(plan.current.price, 89)
  assert.equal(plan.next, null)
  assert.equal((await team.client.getWorkspace({ id: team.workspaceId })).plan, 'plus')
  await refused(client.setPlan({ planId: 'managed', interval: 'month' }), 'Forbidden', /set-plan/)

  const changed = await client.setAddons({ addons })
  assert.equal(changed.addons.bot_addon.current.quantity, 2)
  assert.equal(changed.addons.bot_addon.current.price, 20)
  const fewer = await client.setAddons({ addons: { bot_addon: 1 } })
  assert.equal(fewer.addons.bot_addon.current.quantity, 2)
  assert.equal(fewer.addons.bot_addon.next.quantity, 1)
  assert.match(fewer.addons.bot_addon.next.effectiveDate, instant)
  assert.deepEqual(await client.getSubscription({}), fewer)
  await refused(client.setAddons({ addons: { bot_addon: 1.5 } }), 'InvalidPayload', /1\.5/)
  await refused(client.setAddons({ addons: { bot_addon: 4 }, couponCode: 'NONE' }), 'ReferenceNotFound', /NONE/)

  const listed = await client.list.listInvoices({ pageSize: 1 }).collect()
  assert.equal(listed.length, 2)
  // A second may have passed between the preview and the change.
  assert.ok(Math.abs(listed[1].amount - preview.costs.immediate.amountDue) <= 0.01)
  assert.ok(listed.every(({ status, currency }) => status === 'open' && currency === 'usd'))
  await refused(client.listInvoices({ nextToken: 'x' }), 'InvalidQuery')

  const upcoming = await team.client.getUpcomingInvoice({ id: team.workspaceId })
  assert.equal(upcoming.total, 89 + 10 + 25)
  assert.equal(upcoming.lineItems.reduce((total, { totalInCents }) => total + totalInCents, 0), 12_400)
  assert.deepEqual(new Set(upcoming.lineItems.map(({ type }) => type)), new Set(['subscription']))
  await refused(connect({ token: 'bp_pat_none' }).getUpcomingInvoice({ id: team.workspaceId }), 'Unauthorized')
})

test('a cancelled subscription lasts as long as it is paid for', async () => {
  const { billing: client } = await account('plus')
  const { plan } = await client.setCancelAtPeriodEnd({})
  assert.equal(plan.current.cancelAtPeriodEnd, true)
  assert.equal(plan.next.planId, 'community')
  assert.equal(plan.next.effectiveDate, plan.current.periodEnd)
  const kept = await client.setPlan({ planId: 'plus', interval: 'month' })
  assert.equal(kept.plan.next, null)
  assert.equal(kept.plan.current.cancelAtPeriodEnd, false)
  const stranger = new billing.Client({ apiUrl, token: (await createAccount()).token, workspaceId: team.workspaceId })
  await refused(stranger.setCancelAtPeriodEnd({}), 'ResourceNotFound')
  await refused(stranger.getSubscription({}), 'ResourceNotFound')
})

test('a trial begins and ends', async () => {
  const { billing: client, client: admin, workspaceId } = await account('community')
  assert.deepEqual(await client.getTrials({}), { trials: [] })
  const trial = await client.createTrial({ plan: 'team', lengthInDays: 7 })
  assert.match(trial.id, ulid('trial'))
  assert.deepEqual([trial.trialPlan, trial.fromPlan, trial.isActive], ['team', 'community', true])
  const during = await admin.getWorkspace({ id: workspaceId })
  assert.deepEqual([during.plan, during.activeTrialId], ['team', trial.id])
  await refused(client.createTrial({ plan: 'plus', lengthInDays: 7 }), 'AlreadyExists')
  await client.removeTrial({})
  await refused(client.removeTrial({}), 'ResourceNotFound')
  await refused(client.createTrial({ plan: 'enterprise', lengthInDays: 7 }), 'Forbidden')
  const { trials } = await client.getTrials({})
  assert.deepEqual(trials.map(({ id, isActive }) => [id, isActive]), [[trial.id, false]])
  const after = await admin.getWorkspace({ id: workspaceId })
  assert.deepEqual([after.plan, after.activeTrialId], ['community', null])
  const stranger = new billing.Client({ apiUrl, token: (await createAccount()).token, workspaceId })
  await refused(stranger.getTrials({}), 'ResourceNotFound')
})

test('address, auto-recharge and what is read-only', async () => {
  const { billing: client, workspaceId } = await account('plus')
  assert.deepEqual(await client.getBillingAddress({}), { address: null })
  const address = { lineOne: '1 rue de l’Église', city: 'Montréal', postalCode: 'H2X 1Y4', country: 'CA' }
  await client.setBillingAddress(address)
  assert.deepEqual(await client.getBillingAddress({}), { address })
  await refused(client.setBillingAddress({ ...address, country: 'Canada' }), 'InvalidPayload', /country/)

  assert.deepEqual(await client.getAutoRechargeSettings({}), { settings: {} })
  const settings = { ai_credits_addon: { enabled: true, threshold: 80 } }
  assert.deepEqual(await client.setAutoRechargeSettings({ settings }), { settings })
  assert.deepEqual(await client.getAutoRechargeSettings({}), { settings })
  await refused(client.setAutoRechargeSettings({ settings: { nothing: { enabled: true } } }), 'ReferenceNotFound', /nothing/)

  assert.deepEqual(await client.getBillingReadonly({}), { planReadonly: false, addonsReadonly: false })
  await operate('workspace', 'set-billing', '--id', workspaceId, '--plan-readonly', '--addons-readonly')
  assert.deepEqual(await client.getBillingReadonly({}), { planReadonly: true, addonsReadonly: true })
  await refused(client.setPlan({ planId: 'team', interval: 'month' }), 'Forbidden', /contract/)
  await refused(client.setAddons({ addons: { bot_addon: 1 } }), 'Forbidden', /contract/)
  await operate('workspace', 'set-plan', '--id', workspaceId, '--plan', 'enterprise')
  assert.equal((await client.getSubscription({})).plan.current.planId, 'enterprise')

  const stranger = new billing.Client({ apiUrl, token: (await createAccount()).token, workspaceId })
  for (const read of ['getBillingAddress', 'getAutoRechargeSettings', 'getBillingReadonly', 'listInvoices']) {
    await refused(stranger[read]({}), 'ResourceNotFound')
  }
})

test('credit is bought by the nano-dollar and paid by the cent', async () => {
  const { billing: client, workspaceId } = await account('plus')
  const grant = await client.createCreditGrant({ amount: 12_345_678_901, feature: 'ai_spend' })
  assert.equal(grant.workspace_id, workspaceId)
  assert.equal(grant.amount, 12.345678901)
  assert.match(grant.period_end, /-01T00:00:00.000Z$/)
  const { invoices } = await client.listInvoices({})
  assert.equal(invoices.find(({ id }) => id === grant.invoice_id).amount, 12.35)
  // The name that the types of this client have for it.
  assert.equal((await client.createCreditGrant({ amount: 1_000_000_000, feature: 'integration_spend' })).feature, 'integration_spend')
  await refused(client.createCreditGrant({ amount: 0, feature: 'ai_spend' }), 'InvalidPayload')
  const [outcome] = await Promise.allSettled([client.createCreditGrant({ amount: 1, feature: 'bot_count' })])
  assert.ok(isApiError(outcome.reason) && outcome.reason.type === 'InvalidPayload')
})

test('quotas and usage are those of the plan', async () => {
  const { billing: client, client: admin } = await account('plus')
  await admin.createBot({ name: 'one' })
  const quotas = await client.getQuotas({})
  assert.equal(quotas.bot_count, 2)
  assert.equal(quotas.incoming_messages_events, 5000)
  const period = new Date(now()).toISOString()
  assert.deepEqual(await client.getWorkspaceUsage({ feature: 'bot_count', period }), { usage: 1, quota: 2 })
  const all = await client.getWorkspaceUsages({ period })
  assert.deepEqual(all.quotas.bot_count, { usage: 1, quota: 2 })
  await refused(client.getWorkspaceUsage({ feature: 'robot_count', period }), 'InvalidQuery', /feature/)
})
