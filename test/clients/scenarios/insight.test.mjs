import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { call, createAccount, instant, missingId, now, refused, ulid } from './server.mjs'

// createTeller makes a bot, and a function that tells of what it did.
const createTeller = async () => {
  const { client, workspaceId } = await createAccount()
  const { bot } = await client.createBot({ name: 'Teller' })
  const { value } = await client.createBotApiKey({ botId: bot.id })
  const tell = async (...records) => {
    const { status, body } = await call('POST', '/v1/ingest', {
      headers: { authorization: `Bearer ${value}`, 'content-type': 'application/x-ndjson' },
      body: records.map((r) => JSON.stringify(r)).join('\n'),
    })
    assert.equal(status, 200)
    assert.deepEqual(body.rejected, [])
  }
  return { client, workspaceId, bot, tell }
}

// eventually repeats a look until it is content: what is acknowledged counts a moment
// later.
const eventually = async (look) => {
  for (const began = Date.now(); ; ) {
    try {
      return await look()
    } catch (error) {
      if (Date.now() - began > 180_000) {
        throw error
      }
      await sleep(50)
    }
  }
}

test('issues are grouped, read and put away', async () => {
  const { client, bot, tell } = await createTeller()
  const issue = (page) => ({
    type: 'issue', code: 'token_expired', category: 'configuration', title: 'Token expired', description: 'Connect again.',
    data: { page: { raw: page, pretty: `Page ${page}` } }, groupBy: ['page'],
  })
  await tell(issue('a'), issue('a'), issue('b'))
  const issues = await eventually(async () => {
    const { issues } = await client.listBotIssues({ id: bot.id })
    assert.equal(issues.length, 2)
    return issues
  })
  const twice = issues.find((i) => i.eventsCount === 2)
  assert.match(twice.id, ulid('iss'))
  assert.match(twice.createdAt, instant)
  assert.deepEqual(twice.groupedData, { page: { raw: 'a', pretty: 'Page a' } })
  assert.equal(twice.resolutionLink, null)
  assert.deepEqual((await client.getBotIssue({ id: bot.id, issueId: twice.id })).issue, twice)
  const { issueEvents } = await client.listBotIssueEvents({ id: bot.id, issueId: twice.id })
  assert.equal(issueEvents.length, 2)
  assert.match(issueEvents[0].id, ulid('issevt'))
  assert.deepEqual(issueEvents[0].data, { page: { raw: 'a', pretty: 'Page a' } })
  const first = await client.listBotIssues({ id: bot.id, pageSize: 1 })
  const second = await client.listBotIssues({ id: bot.id, pageSize: 1, nextToken: first.meta.nextToken })
  assert.deepEqual([...first.issues, ...second.issues], issues)
  assert.equal(second.meta.nextToken, undefined)

  assert.deepEqual(await client.deleteBotIssue({ id: bot.id, issueId: twice.id }), {})
  for (const operation of ['getBotIssue', 'deleteBotIssue', 'listBotIssueEvents']) {
    await refused(client[operation]({ id: bot.id, issueId: twice.id }), 'ResourceNotFound')
  }
  await refused(client.listBotIssues({ id: missingId.bot }), 'ResourceNotFound')
  await tell(issue('a'))
  const again = await eventually(async () => {
    const { issues } = await client.listBotIssues({ id: bot.id })
    assert.equal(issues.length, 2)
    return issues[0]
  })
  assert.equal(again.eventsCount, 1)
  assert.notEqual(again.id, twice.id)
})

test('the steps of a task are listed', async () => {
  const { client, bot, tell } = await createTeller()
  await tell(
    { kind: 'activity', taskId: 't1', category: 'user_message', description: 'asked', data: { text: 'hi' }, timestamp: now() - 2000 },
    { kind: 'activity', taskId: 't1', category: 'action', description: 'answered', timestamp: now() - 1000 },
    { kind: 'activity', taskId: 't2', category: 'event', description: 'another' },
  )
  const { activities, meta } = await client.listActivities({ botId: bot.id, taskId: 't1' })
  assert.deepEqual(meta, {})
  assert.deepEqual(activities.map(({ id, createdAt, ...rest }) => rest), [
    { taskId: 't1', category: 'action', description: 'answered', data: {} },
    { taskId: 't1', category: 'user_message', description: 'asked', data: { text: 'hi' } },
  ])
  assert.match(activities[0].id, ulid('activty'))
  assert.deepEqual((await client.listActivities({ botId: bot.id, taskId: 'none' })).activities, [])
  await refused(client.listActivities({ botId: missingId.bot, taskId: 't1' }), 'ResourceNotFound')
})

test('action runs are listed by integration and time', async () => {
  const { client, bot, tell } = await createTeller()
  const at = (ago) => new Date(now() - ago).toISOString()
  const early = at(60_000)
  await tell(
    { kind: 'action_run', integrationName: 'mail', actionType: 'send', input: { to: 'a' }, output: { id: '1' }, status: 'SUCCESS', durationMs: 20, cached: false, timestamp: early },
    { kind: 'action_run', integrationName: 'mail', actionType: 'send', input: { to: 'b' }, output: null, status: 'FAILURE', durationMs: 5, cached: false, errorMessage: 'no', timestamp: at(1000) },
    { kind: 'action_run', integrationName: 'chat', actionType: 'say', input: {}, output: {}, status: 'SUCCESS', durationMs: 1, cached: true },
  )
  const { data } = await client.listActionRuns({ id: bot.id, integrationName: 'mail' })
  assert.deepEqual(data.map((run) => run.input.to), ['b', 'a'])
  assert.equal(data[0].output, null)
  assert.equal(data[0].errorMessage, 'no')
  assert.deepEqual(data[1], {
    timestamp: early, integrationName: 'mail', actionType: 'send', input: { to: 'a' }, output: { id: '1' }, status: 'SUCCESS', durationMs: 20, cached: false,
  })
  const late = await client.listActionRuns({ id: bot.id, integrationName: 'mail', timestampFrom: early, timestampUntil: early })
  assert.deepEqual(late.data.map((run) => run.input.to), ['a'])
  await refused(client.listActionRuns({ id: bot.id, integrationName: 'mail', timestampFrom: 'soon' }), 'InvalidQuery')
})

test('analytics have a record for every day', async () => {
  const { client, bot, tell } = await createTeller()
  const day = (ago) => new Date(now() - ago * 86_400_000).toISOString().slice(0, 10)
  const timestamp = `${day(1)}T12:00:00.000Z`
  await tell(
    { kind: 'message', direction: 'incoming', userId: 'u', conversationId: 'c', timestamp },
    { kind: 'message', direction: 'outgoing', userId: 'u', conversationId: 'c', timestamp },
    { kind: 'event', type: 'opened', timestamp },
    { kind: 'custom_event', name: 'order', count: 2, timestamp },
    { kind: 'llm_call', inputTokens: 1, outputTokens: 10, latencyMs: 100, costNanoUsd: 1000, timestamp },
  )
  const records = await eventually(async () => {
    const { records } = await client.getBotAnalytics({ id: bot.id, startDate: day(2), endDate: new Date(now()).toISOString() })
    assert.equal(records[1].llm.calls, 1)
    return records
  })
  assert.deepEqual(records.map((r) => r.startDateTimeUtc.slice(0, 10)), [day(2), day(1), day(0)])
  const { newUsers, returningUsers, sessions, messages, userMessages, botMessages, events, eventTypes, customEvents, llm } = records[1]
  assert.deepEqual(
    { newUsers, returningUsers, sessions, messages, userMessages, botMessages, events, eventTypes, customEvents },
    { newUsers: 1, returningUsers: 0, sessions: 1, messages: 1, userMessages: 1, botMessages: 1, events: 1, eventTypes: { opened: 1 }, customEvents: { order: 2 } },
  )
  assert.deepEqual(llm.latency, { mean: 100, sd: 0, min: 100, max: 100 })
  assert.equal(llm.tokensPerSecond.mean, 100)
  assert.equal(llm.cost.sum, 0.000001)
  await refused(client.getBotAnalytics({ id: bot.id, startDate: day(0), endDate: day(1) }), 'InvalidQuery')
})
