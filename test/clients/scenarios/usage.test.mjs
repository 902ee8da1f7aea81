import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAccount, missingId, now, operate, refused } from './server.mjs'

const noLimit = Number.MAX_SAFE_INTEGER
const thisMonth = () => new Date(Date.UTC(new Date(now()).getUTCFullYear(), new Date(now()).getUTCMonth())).toISOString()
const quotaTypes = 15

test('what a workspace has is counted, and compared with its quota', async () => {
  const { client, workspaceId: id } = await createAccount()
  assert.deepEqual(await client.getAllWorkspaceQuotaCompletion({}), {}, 'nothing is used')
  await client.createBot({ name: 'first' })
  const usage = { id, period: thisMonth(), value: 1, quota: noLimit, type: 'bot_count' }
  assert.deepEqual(await client.getUsage({ id, type: 'bot_count' }), { usage })
  assert.deepEqual(await client.listWorkspaceUsages({ id, type: 'bot_count' }), { usages: [usage] })
  assert.deepEqual(await client.listUsageHistory({ id, type: 'bot_count' }), { usages: [usage] })
  assert.deepEqual(await client.getAllWorkspaceQuotaCompletion({}), {}, 'nothing is limited')

  await operate('workspace', 'set-plan', '--id', id, '--plan', 'team')
  assert.deepEqual(await client.getUsage({ id, type: 'bot_count' }), { usage: { ...usage, quota: 3 } })
  const completions = await client.getAllWorkspaceQuotaCompletion({})
  assert.deepEqual(Object.keys(completions), [id])
  assert.equal(completions[id].type, 'bot_count')
  assert.ok(Math.abs(completions[id].completion - 1 / 3) < 1e-9)

  await refused(client.getUsage({ id: missingId.workspace, type: 'bot_count' }), 'ResourceNotFound')
  await refused(client.listWorkspaceUsages({ id: missingId.workspace, type: 'bot_count' }), 'ResourceNotFound')
  await refused(client.listUsageHistory({ id: missingId.bot, type: 'ai_spend' }), 'ResourceNotFound')
})

test('several usages at once, of bots and workspaces', async () => {
  const { client, workspaceId } = await createAccount()
  const { bot } = await client.createBot({ name: 'metered' })
  const { usages } = await client.getMultipleUsages({ ids: [workspaceId], types: ['bot_count', 'ai_spend'], period: '2026-02' })
  assert.deepEqual(
    usages.map(({ id, type, period }) => ({ id, type, period })),
    ['bot_count', 'ai_spend'].map((type) => ({ id: workspaceId, type, period: '2026-02-01T00:00:00.000Z' })),
  )
  const ofBot = await client.getMultipleUsages({ ids: [bot.id], types: ['ai_spend'] })
  assert.deepEqual(ofBot.usages, [{ id: bot.id, type: 'ai_spend', period: thisMonth(), value: 0, quota: noLimit }])
  await refused(client.getMultipleUsages({ ids: [bot.id], types: ['bot_count'] }), 'InvalidQuery', /workspaces only/)
  await refused(client.getMultipleUsages({ ids: [bot.id, workspaceId], types: ['ai_spend'] }), 'InvalidQuery')
  const stranger = await createAccount()
  await refused(stranger.client.getMultipleUsages({ ids: [bot.id], types: ['ai_spend'] }), 'ResourceNotFound')
})

test('activity and shares of bots', async () => {
  const { client, workspaceId: id } = await createAccount()
  const none = { data: [], meta: {} }
  assert.deepEqual(await client.listUsageActivity({ id, type: 'ai_spend' }), none)
  assert.deepEqual(await client.listUsageActivityDaily({ id, type: 'ai_spend', dateFrom: '2026-01-01', dateUntil: '2026-01-31' }), none)
  assert.deepEqual(await client.breakDownWorkspaceUsageByBot({ id, type: 'ai_spend' }), { data: [] })
  await refused(client.breakDownWorkspaceUsageByBot({ id, type: 'bot_count' }), 'InvalidQuery')
  await refused(client.listUsageActivity({ id, type: 'ai_spend', timestampFrom: 'yesterday' }), 'InvalidQuery')
  await refused(client.listUsageActivityDaily({ id: missingId.bot, type: 'ai_spend' }), 'ResourceNotFound')
})

test('quotas are those of the plan, what the operator set and what the members chose', async () => {
  const { client, workspaceId: id } = await createAccount()
  await operate('workspace', 'set-plan', '--id', id, '--plan', 'community')
  const quota = async (type) => (await client.getWorkspaceQuota({ id, type })).quota.value
  assert.equal(await quota('bot_count'), 1)
  assert.equal(await quota('ai_spend'), 5e9)
  await operate('quota', 'set', '--workspace', id, '--type', 'bot_count', '--value', '2')
  assert.equal(await quota('bot_count'), 2)
  await client.createBot({ name: 'one' })
  await client.createBot({ name: 'two' })
  const error = await refused(client.createBot({ name: 'three' }), 'QuotaExceeded', /allows this workspace 2 bots/)
  assert.equal(error.metadata.quota, 'bot_count')
  await operate('quota', 'unset', '--workspace', id, '--type', 'bot_count')
  assert.equal(await quota('bot_count'), 1)

  assert.deepEqual(await client.changeAISpendQuota({ monthlySpendingLimit: 12.5 }), {})
  assert.equal(await quota('ai_spend'), 12.5e9)
  await refused(client.changeAISpendQuota({ monthlySpendingLimit: -1 }), 'InvalidPayload')
  const { quotas } = await client.listWorkspaceQuotas({ id, period: '2026-03-15' })
  assert.equal(quotas.length, quotaTypes)
  assert.ok(quotas.every(({ period }) => period === '2026-03-01T00:00:00.000Z'))
  await refused(client.listWorkspaceQuotas({ id, period: 'March' }), 'InvalidQuery')
  await refused(client.getWorkspaceQuota({ id: missingId.workspace, type: 'ai_spend' }), 'ResourceNotFound')
})
