import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, createAccount, instant, missingId, refused, ulid, uuid } from './server.mjs'

const nothing = { integrations: {}, plugins: {}, states: {}, events: {}, recurringEvents: {}, actions: {}, tags: {} }

test('a bot of a name has defaults for all else', async () => {
  const { account, client } = await createAccount()
  const { bot, ...rest } = await client.createBot({ name: 'Plain' })
  assert.deepEqual(rest, {})
  const { id, createdAt, updatedAt, signingSecret, configuration, subscriptions, type, deployedAt, maxExecutionTime, ...fixed } = bot
  assert.deepEqual(fixed, {
    ...nothing,
    user: { tags: {} },
    conversation: { tags: {} },
    message: { tags: {} },
    name: 'Plain',
    dev: false,
    secrets: [],
    createdBy: account.id,
    alwaysAlive: false,
    status: 'active',
    medias: [],
  })
  assert.match(id, uuid)
  assert.match(createdAt, instant)
  assert.match(updatedAt, instant)
  assert.ok(signingSecret.length >= 20, 'a signing secret is shown when it is made')
  assert.deepEqual(configuration.data, {})
  assert.equal(typeof configuration.schema, 'object')
  assert.deepEqual(subscriptions.events ?? {}, {})
  assert.match(type, /^(studio|adk|desk)$/)
  assert.equal(deployedAt, undefined)
  assert.ok(maxExecutionTime === undefined || maxExecutionTime > 0)
})

test('a bot without a name gets one', async () => {
  const { client } = await createAccount()
  const { bot } = await client.createBot({})
  assert.ok(bot.name.trim().length > 0)
  await refused(client.createBot({ name: '' }), 'InvalidPayload', /name/)
})

// definition names everything that a bot can be created with.
const definition = {
  states: {
    profile: { type: 'user', schema: { type: 'object', properties: { age: { type: 'number' } } }, expiry: 60000 },
    cart: { type: 'conversation', schema: { type: 'object', properties: {} } },
    totals: { type: 'bot', schema: {} },
  },
  events: {
    lead: {
      title: 'Lead',
      description: 'Somebody is interested',
      schema: {
        type: 'object',
        properties: { who: { $ref: '#/definitions/Who' }, score: { type: 'number', maximum: 1e21 } },
        'x-zui': { coerce: { 'a.b': true }, note: 'é ✓ \u2028 </script>' },
      },
      attributes: { origin: 'web', 'dotted.key': 'kept' },
    },
    bare: { schema: { $ref: 'interface:crm/entities/lead' } },
  },
  recurringEvents: { daily: { schedule: { cron: '0 6 * * *' }, type: 'lead', payload: { depth: [1, { a: null }] } } },
  actions: {
    call: {
      title: 'Call',
      description: 'Calls somebody',
      billable: true,
      cacheable: false,
      input: { schema: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] } },
      output: { schema: { type: 'object', properties: {} } },
      attributes: { icon: 'phone' },
    },
  },
  configuration: {
    data: { greeting: 'Hello', nested: { list: [1, 2, { a: null }] } },
    schema: { type: 'object', properties: { greeting: { type: 'string' } } },
  },
  user: { tags: { locale: { title: 'Locale', description: 'Language and country' }, plain: {} } },
  conversation: { tags: { topic: { title: 'Topic' } } },
  message: { tags: { origin: { description: 'Where it came from' } } },
  tags: { plan: 'gold', 'team.name': 'blue' },
  name: 'Whole',
  description: 'Has everything',
  medias: [{ url: 'https://pictures.example.com/a.png', name: 'a' }],
  type: 'adk',
}

test('a bot keeps the whole of its definition', async () => {
  const { client } = await createAccount()
  const { bot } = await client.createBot({
    ...definition,
    subscriptions: { events: { lead: {} } },
    code: 'module.exports = { default: {} }',
    secrets: { API_KEY: 'first', DB_URL: 'second' },
    maxExecutionTime: 30,
  })
  const { daily } = definition.recurringEvents
  const expected = {
    ...definition,
    recurringEvents: { daily: { ...daily, failedAttempts: 0, lastFailureReason: null } },
    subscriptions: { events: { lead: {} } },
  }
  for (const [field, value] of Object.entries(expected)) {
    assert.deepEqual(bot[field], value, field)
  }
  assert.deepEqual(bot.secrets.toSorted(), ['API_KEY', 'DB_URL'])
  assert.equal(bot.maxExecutionTime, 30)
  assert.match(bot.deployedAt, instant, 'a bot with code is deployed')

  const { bot: got } = await client.getBot({ id: bot.id })
  assert.deepEqual({ ...got, signingSecret: '' }, { ...bot, signingSecret: '' })
  const text = JSON.stringify(got)
  for (const kept of ['first', 'second', 'module.exports']) {
    assert.ok(!text.includes(kept), `${kept} is not shown`)
  }
})

test('fields that nobody declared are dropped in silence', async () => {
  const { client } = await createAccount()
  const { bot } = await client.createBot({
    name: 'Lenient',
    events: { lead: { schema: {}, ui: { colour: 'red' }, examples: [] } },
    actions: { call: { input: { schema: {}, ui: {} }, output: { schema: {}, ui: {} }, implementation: { type: 'Buffer', data: [1, 2, 3] } } },
    user: { tags: { locale: { title: 'Locale', hidden: true } } },
    medias: [{ url: 'https://pictures.example.com/a.png', name: 'a', size: 1 }],
  })
  assert.deepEqual(bot.events, { lead: { schema: {} } })
  assert.deepEqual(bot.actions, { call: { input: { schema: {} }, output: { schema: {} } } })
  assert.deepEqual(bot.user, { tags: { locale: { title: 'Locale' } } })
  assert.deepEqual(bot.medias, [{ url: 'https://pictures.example.com/a.png', name: 'a' }])
})

test('a definition out of bounds is refused, with the field in the message', async () => {
  const { client } = await createAccount()
  const wrong = {
    'title': { events: { lead: { schema: {}, title: 'x'.repeat(65) } } },
    'description': { actions: { call: { input: { schema: {} }, output: { schema: {} }, description: 'x'.repeat(257) } } },
    'origin': { events: { lead: { schema: {}, attributes: { origin: 'x'.repeat(201) } } } },
    'plan': { tags: { plan: 'x'.repeat(501) } },
    'expiry': { states: { s: { type: 'user', schema: {}, expiry: 0 } } },
    'type': { states: { s: { type: 'task', schema: {} } } },
    'schema': { events: { lead: { title: 'No schema' } } },
    'output': { actions: { call: { input: { schema: {} } } } },
    'API_KEY': { secrets: { API_KEY: 'x'.repeat(20001) } },
    'maxExecutionTime': { maxExecutionTime: 1.5 },
  }
  for (const [field, part] of Object.entries(wrong)) {
    await refused(client.createBot({ name: 'Wrong', ...part }), 'InvalidPayload', new RegExp(field))
  }
  assert.deepEqual(await client.listBots({}), { bots: [], meta: {} })
})

test('a recurring event needs a schedule that can be read', async () => {
  const { client } = await createAccount()
  const recurring = (cron) => ({ recurringEvents: { tick: { schedule: { cron }, type: 'tick', payload: {} } } })
  for (const cron of ['0 6 * * *', '*/5 9-17 * * 1-5', '@daily']) {
    const { bot } = await client.createBot(recurring(cron))
    assert.equal(bot.recurringEvents.tick.schedule.cron, cron)
  }
  const { bot } = await client.createBot({ name: 'patched' })
  for (const cron of ['every day', '99 * * * *', '* * *', '']) {
    await refused(client.createBot(recurring(cron)), 'InvalidPayload', /cron/)
    await refused(client.updateBot({ id: bot.id, ...recurring(cron) }), 'InvalidPayload', /cron/)
  }
})

test('a development bot is one by its id and its lists', async () => {
  const { client } = await createAccount()
  const { bot: dev } = await client.createBot({ dev: true, url: 'http://127.0.0.1:9/tunnel' })
  const { bot: live } = await client.createBot({ name: 'live' })
  assert.match(dev.id, ulid('devbot'))
  assert.equal(dev.dev, true)
  assert.equal(live.dev, false)
  assert.deepEqual({ ...(await client.getBot({ id: dev.id })).bot, signingSecret: '' }, { ...dev, signingSecret: '' })
  const ids = async (props) => (await client.list.bots(props).collect()).map(({ id }) => id)
  assert.deepEqual(await ids({ dev: true }), [dev.id])
  assert.deepEqual(await ids({ dev: false }), [live.id])
  assert.deepEqual(await ids({}), [live.id])
})

test('a token says whose bot it speaks for', async () => {
  const { account, client, workspaceId } = await createAccount()
  const { bot } = await client.createBot({ name: 'Introspected' })
  assert.deepEqual(await client.introspect({ botId: bot.id }), { workspaceId, botId: bot.id, userId: account.id })
  await refused(client.introspect({ botId: missingId.bot }), 'ResourceNotFound')
  const { client: stranger } = await createAccount()
  await refused(stranger.introspect({ botId: bot.id }), 'ResourceNotFound')
})

test('a deleted bot is gone', async () => {
  const { client } = await createAccount()
  const { bot } = await client.createBot({ name: 'Gone' })
  assert.deepEqual(await client.deleteBot({ id: bot.id }), {})
  await refused(client.getBot({ id: bot.id }), 'ResourceNotFound')
  await refused(client.updateBot({ id: bot.id, name: 'Back' }), 'ResourceNotFound')
  await refused(client.deleteBot({ id: bot.id }), 'ResourceNotFound')
  assert.deepEqual(await client.listBots({}), { bots: [], meta: {} })
})

test('a foreign bot looks like none', async () => {
  const [{ client }, other] = await Promise.all([createAccount(), createAccount()])
  const { client: stranger, token } = other
  const { bot } = await client.createBot({ name: 'Mine', tags: { a: 'b' } })
  const operations = {
    getBot: (id) => stranger.getBot({ id }),
    updateBot: (id) => stranger.updateBot({ id, name: 'Yours' }),
    deleteBot: (id) => stranger.deleteBot({ id }),
    introspect: (botId) => stranger.introspect({ botId }),
  }
  for (const [name, operation] of Object.entries(operations)) {
    const foreign = await refused(operation(bot.id), 'ResourceNotFound')
    const missing = await refused(operation(missingId.bot), 'ResourceNotFound')
    assert.equal(foreign.message.replace(bot.id, ''), missing.message.replace(missingId.bot, ''), name)
  }
  const elsewhere = connect({ token, workspaceId: missingId.workspace })
  await refused(elsewhere.listBots({}), 'ResourceNotFound')
  await refused(elsewhere.createBot({ name: 'Nowhere' }), 'ResourceNotFound')
  assert.deepEqual({ ...(await client.getBot({ id: bot.id })).bot, signingSecret: '' }, { ...bot, signingSecret: '' })
})

test('64 bots made at once are 64 bots', async () => {
  const { client, workspaceId } = await createAccount()
  const made = await Promise.all(Array.from({ length: 64 }, (_, n) => client.createBot({ name: `bot ${n}` })))
  const ids = made.map(({ bot }) => bot.id).toSorted()
  assert.deepEqual((await client.list.bots({}).collect()).map(({ id }) => id).toSorted(), ids)
  assert.equal((await client.getWorkspace({ id: workspaceId })).botCount, 64)
})
