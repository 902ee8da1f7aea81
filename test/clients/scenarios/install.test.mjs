// Integrations and plugins in bots, as the official client installs them.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { connect, createAccount, refused, token as platformToken, unused, uuid } from './server.mjs'

// client is that of callers who know aliases; old is that of callers who know ids.
let client, old, handle
// url is where integrations run that register whatever they are asked to.
let url
const farSide = createServer((request, response) => request.resume().on('end', () => response.end('{}')))

before(async () => {
  await new Promise((listening) => farSide.listen(0, '127.0.0.1', listening))
  url = `http://127.0.0.1:${farSide.address().port}/`
  const account = await createAccount()
  handle = unused('shop')
  await account.client.updateWorkspace({ id: account.workspaceId, handle })
  old = account.client
  client = connect({ token: account.token, workspaceId: account.workspaceId, headers: { 'x-multiple-integrations': 'true' } })
})

after(() => {
  farSide.closeAllConnections()
  farSide.close()
})

const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required })
const holder = (schema = object({})) => ({ schema })

const publish = async (name, body = {}) => {
  const { integration } = await client.createIntegration({
    name: `${handle}/${unused(name)}`, version: '1.0.0', url, ...body,
  })
  return integration
}

const made = async (input = {}) => (await client.createBot({ name: unused('bot'), ...input })).bot.id

test('an integration is installed twice, set up and uninstalled', async () => {
  const integration = await publish('chat', {
    title: 'Chat',
    configuration: holder(object({ token: { type: 'string' } })),
    channels: { dm: { messages: {} } },
  })
  const id = await made()
  const { bot: first } = await client.updateBot({
    id,
    integrations: { one: { integrationId: integration.id, configuration: { token: 'a' } } },
  })
  const { webhookId } = first.integrations.one
  assert.match(webhookId, uuid)
  assert.deepEqual(first.integrations.one, {
    enabled: true,
    name: integration.name,
    version: '1.0.0',
    webhookUrl: first.integrations.one.webhookUrl,
    webhookId,
    configurationType: null,
    configuration: { token: 'a' },
    status: 'registered',
    statusReason: null,
    disabledChannels: [],
    id: integration.id,
    createdAt: integration.createdAt,
    updatedAt: integration.updatedAt,
    title: 'Chat',
    description: '',
    iconUrl: integration.iconUrl,
    public: false,
    visibility: 'private',
    verificationStatus: 'unapproved',
    lifecycleStatus: 'published',
  })
  assert.ok(first.integrations.one.webhookUrl.endsWith(`/webhook/${webhookId}`))

  await client.updateBot({ id, integrations: { two: { integrationId: integration.id, enabled: false } } })
  const { bot: both } = await client.getBot({ id })
  assert.deepEqual(both.integrations.one, first.integrations.one)
  assert.equal(both.integrations.two.status, 'unregistered')
  const { bot: byId } = await old.getBot({ id })
  assert.deepEqual(byId.integrations, { [integration.id]: first.integrations.one })

  const { bot: changed } = await old.updateBot({ id, integrations: { [integration.id]: { disabledChannels: ['dm'] } } })
  assert.deepEqual(changed.integrations[integration.id].disabledChannels, ['dm'])
  assert.deepEqual(changed.integrations[integration.id].configuration, { token: 'a' })

  await refused(client.updateBot({ id, integrations: { two: { enabled: true } } }), 'InvalidDataFormat', /integrations\.two\.configuration.*token/)
  await refused(client.updateBot({ id, integrations: { two: { disabledChannels: ['sms'] } } }), 'InvalidPayload', /sms.*dm/)
  await refused(client.updateBot({ id, integrations: { x: { integrationId: 'intver_01J00000000000000000000000' } } }), 'ReferenceNotFound', /integrations\.x/)
  await refused(client.deleteIntegration({ id: integration.id }), 'ReferenceConstraint', new RegExp(both.name))

  const { bot: left } = await client.updateBot({ id, integrations: { one: null } })
  assert.deepEqual(Object.keys(left.integrations), ['two'])
  const { bot: none } = await old.updateBot({ id, integrations: { [integration.id]: null } })
  assert.deepEqual(none.integrations, {})
  await client.deleteIntegration({ id: integration.id })
})

test('bots are listed by what they have installed', async () => {
  const integration = await publish('listed')
  const id = await made()
  await made()
  await client.updateBot({ id, integrations: { a: { integrationId: integration.id } } })
  const { bots } = await client.listBots({ integrationNames: [integration.name, 'another'] })
  assert.deepEqual(bots.map((bot) => bot.id), [id])
  assert.deepEqual((await client.listBots({ pluginNames: [integration.name] })).bots, [])
})

test('a plugin is merged into the bot, and stays so when it is deployed again', async () => {
  const platform = connect({ token: platformToken })
  const { interface: listing } = await platform.createInterface({
    name: unused('listing'), version: '1.0.0', public: true,
    entities: { item: holder(object({ id: { type: 'string' } })) },
    actions: { list: { input: holder(), output: holder({ $ref: 'item' }) } },
  })
  const file = object({ id: { type: 'string' }, size: { type: 'number' } })
  const integration = await publish('drive', {
    entities: { file: { schema: file } },
    actions: { listFiles: { input: holder(), output: holder(file) } },
    interfaces: { listing: { id: listing.id, entities: { item: { name: 'file' } }, actions: { list: { name: 'listFiles' } } } },
  })
  const { plugin } = await client.createPlugin({
    name: `${handle}/${unused('syncer')}`, version: '1.0.0', code: { node: 'n', browser: 'b' },
    actions: { sync: { input: holder(object({ item: { $ref: 'interface:source/entities/item' } })), output: holder() } },
    events: { synced: holder() },
    states: { progress: { type: 'bot', schema: object({}) } },
    user: { tags: { synced: {} } },
    dependencies: { interfaces: { source: { id: listing.id } } },
  })
  const id = await made({ actions: { own: { input: holder(), output: holder() } } })
  const deploy = {
    id,
    actions: { own: { input: holder(), output: holder() } },
    integrations: { files: { integrationId: integration.id }, more: { integrationId: integration.id } },
    plugins: {
      syncer: {
        id: plugin.id,
        interfaces: { source: { integrationId: integration.id, integrationAlias: 'more', integrationInterfaceAlias: 'listing' } },
        // what the command line sends beside it
        type: 'plugin', name: plugin.name, version: '1.0.0', alias: 'syncer', implementation: { type: 'Buffer', data: [1, 2, 3] },
      },
    },
  }
  const { bot } = await client.updateBot(deploy)
  assert.deepEqual(Object.keys(bot.actions).toSorted(), ['own', 'syncer#sync'])
  assert.deepEqual(bot.actions['syncer#sync'].input.schema.properties.item, file)
  assert.deepEqual(Object.keys(bot.events), ['syncer#synced'])
  assert.deepEqual(Object.keys(bot.states), ['syncer#progress'])
  assert.deepEqual(Object.keys(bot.user.tags), ['synced'])
  assert.equal(bot.plugins.syncer.enabled, true)
  assert.equal(bot.plugins.syncer.id, plugin.id)
  assert.deepEqual(bot.plugins.syncer.interfaces, {
    source: { integrationId: integration.id, integrationAlias: 'more', integrationInterfaceAlias: 'listing', interfaceId: listing.id },
  })

  const { bot: again } = await client.updateBot({
    ...deploy,
    actions: { ...deploy.actions, 'syncer#sync': null },
    events: { 'syncer#synced': null },
    states: { 'syncer#progress': null },
    user: { tags: { synced: null } },
  })
  assert.deepEqual(again, { ...bot, updatedAt: again.updatedAt })
  assert.deepEqual((await client.getBot({ id })).bot, again)

  await refused(client.updateBot({ id, integrations: { more: null } }), 'ReferenceConstraint', /plugins\.syncer/)
  await refused(client.deletePlugin({ id: plugin.id }), 'ReferenceConstraint', new RegExp(bot.name))
  assert.deepEqual((await client.listBots({ pluginNames: [plugin.name] })).bots.map((bot) => bot.id), [id])

  const { bot: bare } = await client.updateBot({ id, plugins: { syncer: null }, integrations: { files: null, more: null } })
  assert.deepEqual([Object.keys(bare.actions), bare.events, bare.states, bare.user.tags, bare.plugins], [['own'], {}, {}, {}, {}])
})
