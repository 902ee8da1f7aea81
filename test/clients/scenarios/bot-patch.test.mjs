import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { createAccount, instant, refused } from './server.mjs'

let client

before(async () => {
  client = (await createAccount()).client
})

const schema = { type: 'object', properties: {} }

// patched makes a bot and follows it through patches; each names the members of
// the bot that it changes, and every other member has to stay.
const patched = async (input, ...steps) => {
  const { bot: made } = await client.createBot(input)
  let { bot } = await client.getBot({ id: made.id })
  for (const [patch, changes] of steps) {
    const { bot: answer, ...rest } = await client.updateBot({ id: bot.id, ...patch })
    assert.deepEqual(rest, {})
    assert.match(answer.updatedAt, instant)
    assert.ok(answer.updatedAt >= bot.updatedAt)
    assert.deepEqual(answer, { ...bot, ...changes, updatedAt: answer.updatedAt }, `after ${JSON.stringify(patch)}`)
    ;({ bot } = await client.getBot({ id: bot.id }))
    assert.deepEqual(bot, answer, 'the bot is what the update answered')
  }
  return bot
}

test('an empty patch changes nothing', async () => {
  await patched({ name: 'still', tags: { a: '1' }, events: { lead: { schema } } }, [{}, {}], [{ tags: {} }, {}], [{ events: {} }, {}])
})

test('plain fields are replaced', async () => {
  await patched(
    { name: 'one', description: 'first', medias: [{ url: 'https://example.com/a', name: 'a' }] },
    [{ name: 'two' }, { name: 'two' }],
    [{ description: 'second' }, { description: 'second' }],
    [{ medias: [{ url: 'https://example.com/b', name: 'b' }] }, { medias: [{ url: 'https://example.com/b', name: 'b' }] }],
    [{ medias: [] }, { medias: [] }],
    [{ type: 'desk' }, { type: 'desk' }],
    [{ maxExecutionTime: 45 }, { maxExecutionTime: 45 }],
    [{ alwaysAlive: true }, { alwaysAlive: true }],
    [{ alwaysAlive: false }, { alwaysAlive: false }],
    [{ blocked: true }, {}],
    [{ blocked: false }, {}],
    [{ authentication: 'hmac-sha256' }, {}],
    [{ layers: ['layer'] }, {}],
    [{ url: 'http://127.0.0.1:9/bot' }, {}],
    [{ url: null }, {}],
  )
})

test('tags merge, and null or nothing removes one', async () => {
  await patched(
    { name: 'tagged', tags: { a: '1', b: '2', 'team.name': 'blue' } },
    [{ tags: { c: '3' } }, { tags: { a: '1', b: '2', c: '3', 'team.name': 'blue' } }],
    [{ tags: { a: 'new', b: null } }, { tags: { a: 'new', c: '3', 'team.name': 'blue' } }],
    [{ tags: { c: '' } }, { tags: { a: 'new', 'team.name': 'blue' } }],
    [{ tags: { 'team.name': null, missing: null } }, { tags: { a: 'new' } }],
  )
})

test('the schema and the data of the configuration are patched apart', async () => {
  const typed = { type: 'object', properties: { greeting: { type: 'string' } } }
  await patched(
    { name: 'configured', configuration: { data: { greeting: 'hi', old: 1 }, schema } },
    [{ configuration: { schema: typed } }, { configuration: { data: { greeting: 'hi', old: 1 }, schema: typed } }],
    [{ configuration: { data: { greeting: 'ho' } } }, { configuration: { data: { greeting: 'ho' }, schema: typed } }],
    [{ configuration: {} }, {}],
    [{ configuration: { data: {}, schema } }, { configuration: { data: {}, schema } }],
  )
})

for (const holder of ['user', 'conversation', 'message']) {
  test(`tag definitions of a ${holder} merge by key`, async () => {
    await patched(
      { name: holder, [holder]: { tags: { a: { title: 'A', description: 'first' }, b: {} } } },
      [{ [holder]: {} }, {}],
      [
        { [holder]: { tags: { c: { title: 'C' } } } },
        { [holder]: { tags: { a: { title: 'A', description: 'first' }, b: {}, c: { title: 'C' } } } },
      ],
      [{ [holder]: { tags: { a: { title: 'new' }, b: null } } }, { [holder]: { tags: { a: { title: 'new' }, c: { title: 'C' } } } }],
      [{ [holder]: { tags: { missing: null } } }, {}],
    )
  })
}

test('events merge by key and a present one replaces the old', async () => {
  const first = { title: 'First', description: 'old', schema: { type: 'object', properties: { a: {} } } }
  await patched(
    { name: 'events', events: { first, second: { schema } } },
    [{ events: { third: { schema: {} } } }, { events: { first, second: { schema }, third: { schema: {} } } }],
    [{ events: { first: { title: 'Only', schema }, second: null } }, { events: { first: { title: 'Only', schema }, third: { schema: {} } } }],
    [{ events: { missing: null } }, {}],
    [{ events: { first: null, third: null } }, { events: {} }],
  )
})

test('actions merge by key and a present one replaces the old', async () => {
  const call = { title: 'Call', billable: true, cacheable: true, input: { schema }, output: { schema } }
  const bare = { input: { schema: {} }, output: { schema: {} } }
  await patched(
    { name: 'actions', actions: { call, hang: bare } },
    [{ actions: { dial: bare } }, { actions: { call, hang: bare, dial: bare } }],
    [{ actions: { call: bare, hang: null } }, { actions: { call: bare, dial: bare } }],
    [{ actions: { 'plugin#call': null } }, {}],
  )
})

test('null removes one attribute of an event or an action', async () => {
  const event = { schema, attributes: { keep: 'x', drop: 'y' } }
  const action = { input: { schema }, output: { schema }, attributes: { keep: 'x', drop: 'y' } }
  await patched(
    { name: 'attributes', events: { e: event }, actions: { a: action } },
    [
      { events: { e: { schema, attributes: { keep: 'x', drop: null, more: 'z' } } } },
      { events: { e: { schema, attributes: { keep: 'x', more: 'z' } } } },
    ],
    [
      { actions: { a: { ...action, attributes: { keep: 'changed', drop: null } } } },
      { actions: { a: { ...action, attributes: { keep: 'changed' } } } },
    ],
    [{ events: { fresh: { schema, attributes: { never: null, a: 'b' } } } }, {
      events: { e: { schema, attributes: { keep: 'x', more: 'z' } }, fresh: { schema, attributes: { a: 'b' } } },
    }],
  )
})

test('states merge by key', async () => {
  const profile = { type: 'user', schema, expiry: 1000 }
  await patched(
    { name: 'states', states: { profile } },
    [{ states: { cart: { type: 'conversation', schema } } }, { states: { profile, cart: { type: 'conversation', schema } } }],
    [{ states: { profile: { type: 'bot', schema: {} }, cart: null } }, { states: { profile: { type: 'bot', schema: {} } } }],
  )
})

test('recurring events merge by key', async () => {
  const daily = { schedule: { cron: '0 6 * * *' }, type: 'tick', payload: { a: 1 } }
  const hourly = { schedule: { cron: '0 * * * *' }, type: 'tick', payload: {} }
  const fresh = { failedAttempts: 0, lastFailureReason: null }
  await patched(
    { name: 'recurring', recurringEvents: { daily } },
    [{ recurringEvents: { hourly } }, { recurringEvents: { daily: { ...daily, ...fresh }, hourly: { ...hourly, ...fresh } } }],
    [{ recurringEvents: { daily: null } }, { recurringEvents: { hourly: { ...hourly, ...fresh } } }],
    [
      { recurringEvents: { hourly: { ...hourly, schedule: { cron: '30 * * * *' } } } },
      { recurringEvents: { hourly: { ...hourly, schedule: { cron: '30 * * * *' }, ...fresh } } },
    ],
  )
})

test('subscriptions merge by key, and null takes them all away', async () => {
  await patched(
    { name: 'subscriptions', subscriptions: { events: { a: {}, b: {} } } },
    [{ subscriptions: { events: { c: {}, a: null } } }, { subscriptions: { events: { b: {}, c: {} } } }],
    [{ subscriptions: { events: null } }, { subscriptions: { events: null } }],
    [{ subscriptions: { events: { d: {} } } }, { subscriptions: { events: { d: {} } } }],
  )
})

test('secrets are written by name and read as names', async () => {
  const { bot: made } = await client.createBot({ name: 'secrets', secrets: { B_KEY: 'b', A_KEY: 'a' } })
  const names = async (patch) => (await client.updateBot({ id: made.id, ...patch })).bot.secrets.toSorted()
  assert.deepEqual(await names({ secrets: { C_KEY: 'c' } }), ['A_KEY', 'B_KEY', 'C_KEY'])
  assert.deepEqual(await names({ secrets: {} }), ['A_KEY', 'B_KEY', 'C_KEY'])
  assert.deepEqual(await names({ secrets: { A_KEY: null, C_KEY: 'changed', MISSING: null } }), ['B_KEY', 'C_KEY'])
  assert.deepEqual(await names({ name: 'renamed' }), ['B_KEY', 'C_KEY'])
})

test('new code makes a new deployment', async () => {
  const { bot } = await client.createBot({ name: 'code' })
  assert.equal(bot.deployedAt, undefined)
  const { bot: first } = await client.updateBot({ id: bot.id, code: 'module.exports = 1' })
  assert.match(first.deployedAt, instant)
  const { bot: renamed } = await client.updateBot({ id: bot.id, name: 'renamed' })
  assert.equal(renamed.deployedAt, first.deployedAt)
  const { bot: second } = await client.updateBot({ id: bot.id, code: 'module.exports = 2' })
  assert.ok(second.deployedAt > first.deployedAt)
  assert.ok(!('code' in second))
})

test('a large body of code is accepted', async () => {
  const { bot } = await client.createBot({ name: 'large' })
  const { bot: deployed } = await client.updateBot({ id: bot.id, code: `// ${'é'.repeat(5 << 20)}` })
  assert.match(deployed.deployedAt, instant)
})

test('a patch that is refused in part changes nothing', async () => {
  const { bot: made } = await client.createBot({ name: 'whole', tags: { a: '1' } })
  const { bot } = await client.getBot({ id: made.id })
  for (const [part, field] of [
    [{ name: '' }, /name/],
    [{ events: { bad: { title: 'no schema' } } }, /schema/],
    [{ states: { bad: { type: 'nowhere', schema } } }, /type/],
    [{ description: 'x'.repeat(2001) }, /description/],
  ]) {
    await refused(client.updateBot({ id: bot.id, tags: { a: null, b: '2' }, ...part }), 'InvalidPayload', field)
    assert.deepEqual((await client.getBot({ id: bot.id })).bot, bot)
  }
})

test('patches at the same time all count', async () => {
  const { bot } = await client.createBot({ name: 'busy' })
  const keys = Array.from({ length: 16 }, (_, n) => `key${n}`)
  await Promise.all(keys.map((key) => client.updateBot({ id: bot.id, tags: { [key]: key }, events: { [key]: { schema } } })))
  const { bot: got } = await client.getBot({ id: bot.id })
  assert.deepEqual(got.tags, Object.fromEntries(keys.map((key) => [key, key])))
  assert.deepEqual(got.events, Object.fromEntries(keys.map((key) => [key, { schema }])))
})
