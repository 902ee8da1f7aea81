// Plugins in a workspace and in the hub. How they fare in bots is told elsewhere.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { createAccount, instant, pages, refused, ulid, unused } from './server.mjs'

let client, handle, stranger

before(async () => {
  const account = await createAccount()
  handle = unused('shop')
  await account.client.updateWorkspace({ id: account.workspaceId, handle })
  client = account.client
  stranger = (await createAccount()).client
})

const code = { node: "module.exports = { text: 'é' }", browser: "export const text = '\u2028'" }
const object = (properties = {}) => ({ type: 'object', properties })
const holder = (schema = object()) => ({ schema })

const publish = async (body = {}) => {
  const { plugin } = await client.createPlugin({ name: `${handle}/${unused('plug')}`, version: '1.0.0', code, ...body })
  return plugin
}

test('a plugin of a name and code has defaults for all else', async () => {
  const plugin = await publish({ name: `${handle}/plain` })
  const { id, createdAt, updatedAt, iconUrl, readmeUrl, attributes, ...fixed } = plugin
  assert.deepEqual(fixed, {
    name: `${handle}/plain`,
    version: '1.0.0',
    title: 'plain',
    description: '',
    public: false,
    visibility: 'private',
    lifecycleStatus: 'published',
    configuration: { schema: { type: 'object', properties: {} } },
    states: {},
    events: {},
    actions: {},
    user: { tags: {} },
    conversation: { tags: {} },
    message: { tags: {} },
    dependencies: { interfaces: {}, integrations: {} },
  })
  assert.match(id, ulid('plugver'))
  assert.match(createdAt, instant)
  assert.equal(updatedAt, createdAt)
  assert.deepEqual(attributes ?? {}, {})
  for (const address of [iconUrl, readmeUrl]) {
    assert.equal((await fetch(address)).status, 200, address)
  }
  await refused(client.createPlugin({ name: `${handle}/plain`, version: '1.0.0', code }), 'AlreadyExists')
  await refused(client.createPlugin({ name: 'plain', version: '1.0.0', code }), 'Forbidden', new RegExp(`${handle}/plain`))
  await refused(client.createPlugin({ name: `${handle}/other`, version: 'first', code }), 'InvalidPayload', /first/)
})

// world is an interface, an integration that implements it and a plugin that needs it.
const world = async (visibility) => {
  const { interface: listing } = await client.createInterface({
    name: `${handle}/${unused('listing')}`,
    version: '1.0.0',
    public: visibility === 'public',
    entities: { item: holder(object({ id: { type: 'string' } })) },
  })
  const { integration } = await client.createIntegration({
    name: `${handle}/${unused('drive')}`,
    version: '1.0.0',
    visibility,
    entities: { file: holder(object({ id: { type: 'string' }, size: { type: 'number' } })) },
    interfaces: { files: { id: listing.id, entities: { item: { name: 'file' } } } },
  })
  const plugin = await publish({
    visibility,
    actions: { sync: { input: holder(object({ item: { $ref: 'interface:source/entities/item' } })), output: holder() } },
    events: { synced: holder(object({ item: { $ref: 'interface:source/entities/item' } })) },
    // The command line sends the whole of the package it installed.
    dependencies: { interfaces: { source: { id: listing.id, name: 'ignored', version: '9.9.9', type: 'interface', definition: { x: 1 } } } },
  })
  return { listing, integration, plugin }
}

test('a plugin is read by id and by name, changed and deleted', async () => {
  const { listing } = await world()
  const definition = {
    title: 'Whole',
    description: 'Has everything',
    configuration: { title: 'Settings', schema: object({ greeting: { type: 'string' } }) },
    states: { seen: { type: 'user', schema: object(), expiry: 60000 } },
    events: { made: { schema: object(), attributes: { origin: 'web' } } },
    actions: { make: { title: 'Make', input: holder(), output: holder() } },
    user: { tags: { locale: { title: 'Locale' } } },
    conversation: { tags: { topic: {} } },
    message: { tags: { origin: { description: 'Where it came from' } } },
    attributes: { category: 'Things' },
  }
  const made = await publish({ ...definition, dependencies: { interfaces: { source: { name: listing.name, version: '^1.0.0' } } } })
  for (const [field, value] of Object.entries(definition)) {
    assert.deepEqual(made[field], value, field)
  }
  assert.deepEqual(made.dependencies, { interfaces: { source: { id: listing.id, name: listing.name, version: '1.0.0' } }, integrations: {} })
  assert.deepEqual((await client.getPlugin({ id: made.id })).plugin, made)
  for (const version of ['1.0.0', 'latest', '^1.0.0']) {
    assert.deepEqual((await client.getPluginByName({ name: made.name, version })).plugin, made, version)
  }
  const { plugin: changed } = await client.updatePlugin({
    id: made.id,
    configuration: null,
    states: { seen: null, never: null },
    events: { made: { schema: object(), attributes: { origin: null } } },
    user: { tags: { plan: {} } },
    message: { tags: { origin: null } },
    dependencies: { interfaces: { source: null } },
    code: { node: 'changed' },
  })
  assert.deepEqual(changed.configuration, { schema: { type: 'object', properties: {} } })
  assert.deepEqual(changed.states, {})
  assert.deepEqual(changed.events, { made: { schema: object() } })
  assert.deepEqual(changed.user.tags, { locale: { title: 'Locale' }, plan: {} })
  assert.deepEqual(changed.message.tags, {})
  assert.deepEqual(changed.dependencies.interfaces, {})
  assert.deepEqual(await client.getPluginCode({ id: made.id, platform: 'node' }), { code: 'changed' })
  assert.deepEqual(await client.getPluginCode({ id: made.id, platform: 'browser' }), { code: code.browser })
  assert.deepEqual(await client.deletePlugin({ id: made.id }), {})
  await refused(client.getPlugin({ id: made.id }), 'ResourceNotFound')
  await refused(client.getPluginCode({ id: made.id, platform: 'node' }), 'ResourceNotFound')
})

test('a plugin depends only on what there is', async () => {
  const create = (dependencies) => client.createPlugin({ name: `${handle}/${unused('plug')}`, version: '1.0.0', code, dependencies })
  await refused(create({ interfaces: { i: { name: 'nowhere', version: '1.0.0' } } }), 'ReferenceNotFound', /nowhere@1\.0\.0/)
  await refused(create({ integrations: { i: { id: 'intver_01J00000000000000000000000' } } }), 'ReferenceNotFound', /intver_01J/)
  await refused(create({ interfaces: { i: {} } }), 'InvalidPayload', /dependencies\.interfaces\.i/)
  const { listing, integration } = await world()
  await create({ integrations: { i: { name: integration.name } } })
  await refused(client.deleteInterface({ id: listing.id }), 'ReferenceConstraint', new RegExp(integration.name))
})

test('an id of a plugin is nothing to the other kinds', async () => {
  const { id } = await publish()
  for (const look of [client.getIntegration, client.getPublicIntegrationById, client.getInterface, client.getPublicInterfaceById, client.getPublicPluginById]) {
    await refused(look({ id }), 'ResourceNotFound')
  }
})

test('references are resolved by what the integrations have', async () => {
  const { integration, plugin } = await world('public')
  const item = object({ id: { type: 'string' }, size: { type: 'number' } })
  const interfaces = { source: integration.id }
  for (const { plugin: resolved } of [
    await client.getDereferencedPlugin({ id: plugin.id, interfaces }),
    await stranger.getDereferencedPublicPluginById({ id: plugin.id, interfaces }),
  ]) {
    assert.deepEqual(resolved.actions.sync.input.schema.properties.item, item)
    assert.deepEqual(resolved.events.synced.schema.properties.item, item)
    assert.deepEqual(resolved.dependencies, plugin.dependencies)
  }
  await refused(client.getDereferencedPlugin({ id: plugin.id, interfaces: {} }), 'InvalidQuery', /interfaces\.source is missing/)
  await refused(client.getDereferencedPlugin({ id: plugin.id, interfaces: { source: plugin.id } }), 'ReferenceNotFound', /interfaces\.source/)
  await refused(stranger.getDereferencedPlugin({ id: plugin.id, interfaces }), 'ResourceNotFound')
})

test('the hub has what is public and lists it', async () => {
  const made = {}
  for (const visibility of ['private', 'unlisted', 'public']) {
    made[visibility] = await publish({ visibility, actions: { make: { input: holder(), output: holder() } } })
    assert.equal(made[visibility].visibility, visibility)
    assert.equal(made[visibility].public, visibility === 'public')
  }
  for (const [visibility, plugin] of Object.entries(made)) {
    const { id, name } = plugin
    const { plugins } = await stranger.listPublicPlugins({ name })
    assert.deepEqual(plugins.map((listed) => listed.id), visibility === 'public' ? [id] : [])
    if (visibility === 'private') {
      await refused(stranger.getPublicPluginById({ id }), 'ResourceNotFound')
      await refused(stranger.getPublicPlugin({ name, version: 'latest' }), 'ResourceNotFound')
      await refused(stranger.getPublicPluginCode({ id, platform: 'node' }), 'ResourceNotFound')
      continue
    }
    assert.deepEqual((await stranger.getPublicPluginById({ id })).plugin, plugin)
    assert.deepEqual((await stranger.getPublicPlugin({ name, version: 'latest' })).plugin, plugin)
    assert.deepEqual(await stranger.getPublicPluginCode({ id, platform: 'browser' }), { code: code.browser })
    await refused(stranger.getPlugin({ id }), 'ResourceNotFound')
    await refused(client.updatePlugin({ id, actions: { make: null } }), 'Forbidden', /actions/)
    await refused(client.updatePlugin({ id, code: { node: 'other' } }), 'Forbidden', /code/)
    await client.updatePlugin({ id, code, visibility })
    await refused(stranger.updatePlugin({ id, title: 'New' }), 'ResourceNotFound')
    await refused(stranger.deletePlugin({ id }), 'ResourceNotFound')
  }
})

test('a version keeps what its number promises', async () => {
  const { name } = await publish({ actions: { make: { input: holder(), output: holder() } } })
  await refused(client.createPlugin({ name, version: '1.0.1', code }), 'BreakingChanges', /actions\.make/)
  await client.createPlugin({ name, version: '2.0.0', code })
  const listed = await pages((nextToken) => client.listPlugins({ name, pageSize: 1, nextToken }), 'plugins')
  assert.deepEqual(listed.map(([plugin]) => plugin.version), ['2.0.0', '1.0.0'])
  assert.equal(listed[0][0].actions, undefined, 'lists have no definitions')
})
