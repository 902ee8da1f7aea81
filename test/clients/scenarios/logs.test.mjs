import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call, createAccount, instant, missingId, now, refused, unused } from './server.mjs'

// ingest sends records, one a line, as a bot or an integration whose key it is given.
const ingest = async (key, records) => {
  const { status, body } = await call('POST', '/v1/ingest', {
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
    body: records.map((r) => JSON.stringify(r)).join('\n'),
  })
  assert.equal(status, 200)
  return body
}

test("a bot's logs are read newest first, page by page", async () => {
  const { client } = await createAccount()
  const { bot } = await client.createBot({ name: 'Chatty' })
  const { value } = await client.createBotApiKey({ botId: bot.id })
  const start = now() - 3_600_000
  const records = Array.from({ length: 150 }, (_, i) => ({
    kind: 'log', level: i % 50 === 0 ? 'error' : 'info', message: `line ${i}`, userId: `user_${i % 2}`, timestamp: new Date(start + i).toISOString(),
  }))
  assert.deepEqual(await ingest(value, records), { accepted: 150, duplicates: 0, rejected: [] })
  const timeStart = new Date(start - 1000).toISOString()
  const first = await client.getBotLogs({ id: bot.id, timeStart })
  assert.equal(first.logs.length, 100)
  assert.match(first.logs[0].timestamp, instant)
  assert.equal(first.logs[0].message, 'line 149')
  const second = await client.getBotLogs({ id: bot.id, timeStart, nextToken: first.nextToken })
  assert.deepEqual(second.logs.map((l) => l.message), Array.from({ length: 50 }, (_, i) => `line ${49 - i}`))
  assert.equal(second.nextToken, undefined)
  const { logs } = await client.getBotLogs({ id: bot.id, timeStart, level: 'error', userId: 'user_0', messageContains: '100' })
  assert.deepEqual(logs.map((l) => l.message), ['line 100'])
  await refused(client.getBotLogs({ id: missingId.bot, timeStart }), 'ResourceNotFound')
})

test("an integration's logs are its publisher's", async () => {
  const { client, workspaceId } = await createAccount()
  const { client: stranger } = await createAccount()
  const handle = unused('shop')
  await client.updateWorkspace({ id: workspaceId, handle })
  const { integration } = await client.createIntegration({ name: `${handle}/x`, version: '1.0.0' })
  const { value } = await client.createIntegrationApiKey({ integrationId: integration.id })
  await ingest(value, [{ msg: 'printed by the SDK', level: 'warn', options: { conversationId: 'conv_1' } }])
  const timeStart = new Date(now() - 60_000).toISOString()
  const { logs } = await client.getIntegrationLogs({ id: integration.id, timeStart, conversationId: 'conv_1' })
  assert.deepEqual(logs.map(({ timestamp, ...rest }) => rest), [{ level: 'warn', message: 'printed by the SDK', conversationId: 'conv_1' }])
  await refused(stranger.getIntegrationLogs({ id: integration.id, timeStart }), 'ResourceNotFound')
})
