// Integrations in a workspace and in the hub. How they fare in bots is told
// elsewhere.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { connect, createAccount, instant, operate, pages, refused, ulid, unused } from './server.mjs'

let client, bypassing, handle, stranger, ownerWorkspace

before(async () => {
  const account = await createAccount()
  handle = unused('shop')
  await account.client.updateWorkspace({ id: account.workspaceId, handle })
  const { name } = await account.client.getWorkspace({ id: account.workspaceId })
  ownerWorkspace = { id: account.workspaceId, handle, name }
  client = account.client
  bypassing = connect({
    token: account.token, workspaceId: account.workspaceId, headers: { 'x-bypass-breaking-changes-detection': 'true' },
  })
  stranger = (await createAccount()).client
})

const object = (properties = {}) => ({ type: 'object', properties })
const holder = (schema = object()) => ({ schema })
const base64 = (text) => Buffer.from(text).toString('base64')

const publish = async (body = {}) => {
  const { integration } = await client.createIntegration({ name: `${handle}/${unused('part')}`, version: '1.0.0', ...body })
  return integration
}

test('an integration of a name has defaults for all else', async () => {
  const made = await publish({ name: `${handle}/plain` })
  const { id, createdAt, updatedAt, iconUrl, readmeUrl, signingSecret, attributes, ...fixed } = made
  assert.deepEqual(fixed, {
    name: `${handle}/plain`,
    version: '1.0.0',
    title: 'plain',
    description: '',
    url: '',
    dev: false,
    public: false,
    visibility: 'private',
    verificationStatus: 'unapproved',
    lifecycleStatus: 'published',
    secrets: [],
    identifier: {},
    configuration: { identifier: { required: false }, schema: object() },
    configurations: {},
    channels: {},
    states: {},
    events: {},
    actions: {},
    user: { tags: {}, creation: { enabled: false, requiredTags: [] } },
    entities: {},
    interfaces: {},
  })
  assert.match(id, ulid('intver'))
  assert.match(createdAt, instant)
  assert.equal(updatedAt, createdAt)
  assert.equal(signingSecret.length, 48)
  assert.deepEqual(attributes ?? {}, {})
  for (const address of [iconUrl, readmeUrl]) {
    assert.equal((await fetch(address)).status, 200, address)
  }
  assert.deepEqual((await client.getIntegration({ id })).integration, { ...made, signingSecret: '' })
  await refused(client.createIntegration({ name: `${handle}/plain`, version: '1.0.0' }), 'AlreadyExists', /plain@1\.0\.0/)
  await refused(client.createIntegration({ name: 'plain', version: '1.0.0' }), 'Forbidden', new RegExp(`${handle}/plain`))
  await refused(client.createIntegration({ name: `${handle}/other`, version: 'first' }), 'InvalidPayload', /first/)
})

test('the versions of a name are found by exact version, latest and range', async () => {
  const name = `${handle}/versioned`
  for (const version of ['0.9.0', '1.0.0', '1.2.0', '2.0.0-beta.1']) {
    await publish({ name, version })
  }
  for (const [version, found] of Object.entries({ latest: '1.2.0', '1.0.0': '1.0.0', '^1.0.0': '1.2.0', '<1.0.0': '0.9.0', '>=1.0.0 <1.2.0-0': '1.0.0', '2.0.0-beta.1': '2.0.0-beta.1' })) {
    const { integration } = await client.getIntegrationByName({ name, version })
    assert.equal(integration.version, found, version)
  }
  await refused(client.getIntegrationByName({ name, version: '^3.0.0' }), 'ResourceNotFound')
  await refused(stranger.getIntegrationByName({ name, version: 'latest' }), 'ResourceNotFound')
  await refused(stranger.getPublicIntegration({ name, version: 'latest' }), 'ResourceNotFound')
})

test('an update merges, null removes, and members of the identifier stay', async () => {
  const { id } = await publish({
    identifier: { extractScript: 'extract', fallbackHandlerScript: 'fallback' },
    configuration: { schema: object({ token: { type: 'string' } }), identifier: { linkTemplateScript: 'link', required: true } },
    actions: { send: { input: holder(), output: holder() }, keep: { input: holder(), output: holder() } },
    events: { seen: { ...holder(), attributes: { a: '1', b: '2' } } },
    channels: { dm: { messages: { text: holder(), image: holder() }, message: { tags: { id: {} } } } },
    secrets: { KEY: 'k', OTHER: 'o' },
    attributes: { tier: 'gold' },
  })
  const { integration } = await client.updateIntegration({
    id,
    title: 'Changed',
    identifier: { fallbackHandlerScript: null },
    configuration: { identifier: { linkTemplateScript: null } },
    actions: { send: null },
    events: { seen: { ...holder(), attributes: { a: null, c: '3' } } },
    channels: { dm: { messages: { image: null }, message: { tags: { more: { title: 'More' } } } } },
    secrets: { KEY: null, NEW: 'n' },
    attributes: { tier: null, size: 'big' },
    extraOperations: { message_updated: { enabled: true } },
  })
  assert.equal(integration.title, 'Changed')
  assert.deepEqual(integration.identifier, { extractScript: 'extract' })
  assert.deepEqual(integration.configuration, { schema: object({ token: { type: 'string' } }), identifier: { required: true } })
  assert.deepEqual(Object.keys(integration.actions), ['keep'])
  assert.deepEqual(integration.events.seen.attributes, { b: '2', c: '3' })
  assert.deepEqual(Object.keys(integration.channels.dm.messages), ['text'])
  assert.deepEqual(integration.channels.dm.message.tags, { id: {}, more: { title: 'More' } })
  assert.deepEqual(integration.secrets, ['NEW', 'OTHER'])
  assert.deepEqual(integration.attributes, { size: 'big' })
  assert.deepEqual((await client.getIntegration({ id })).integration, integration)
})

test('a validation checks and keeps nothing', async () => {
  const name = `${handle}/validated`
  await client.validateIntegrationCreation({ name, version: '1.0.0', actions: {} })
  await refused(client.getIntegrationByName({ name, version: '1.0.0' }), 'ResourceNotFound')
  await refused(client.validateIntegrationCreation({ name, version: '1' }), 'InvalidPayload')
  const made = await publish({ name })
  await client.validateIntegrationUpdate({ id: made.id, title: 'Other' })
  assert.equal((await client.getIntegration({ id: made.id })).integration.title, 'validated')
  await refused(client.validateIntegrationUpdate({ id: made.id, url: 'nowhere' }), 'InvalidPayload', /nowhere/)
})

test('what is public is found in the hub and frozen', async () => {
  const word = unused('w').replaceAll('-', '')
  const body = {
    title: `Hub ${word}`, visibility: 'public', url: 'https://secret.example', secrets: { S: 's' },
    actions: { [`do_${word}`]: { input: holder(), output: holder() } }, icon: base64('<svg xmlns="http://www.w3.org/2000/svg"/>'), readme: base64('# Hello'),
  }
  const made = await publish({ name: `${handle}/${word}`, ...body })
  const meta = { installs: 0, views: 0 }
  const { integration: byId } = await stranger.getPublicIntegrationById({ id: made.id })
  assert.deepEqual(byId, { ...made, signingSecret: '', url: '', secrets: [], ownerWorkspace, meta })
  const { integration: byName } = await stranger.getPublicIntegration({ name: made.name, version: 'latest' })
  assert.equal(byName.id, made.id)
  await refused(stranger.getIntegration({ id: made.id }), 'ResourceNotFound')

  const { integrations } = await stranger.listPublicIntegrations({ search: word })
  assert.deepEqual(integrations.map(({ id }) => id), [made.id])
  assert.deepEqual(integrations[0].matchedOn, { name: true, title: true, actions: [`do_${word}`] })
  assert.deepEqual(integrations[0].ownerWorkspace, ownerWorkspace)
  const readme = await fetch(made.readmeUrl)
  assert.equal(await readme.text(), '# Hello')
  const icon = await fetch(made.iconUrl)
  assert.equal(icon.headers.get('content-type'), 'image/svg+xml')
  assert.match(icon.headers.get('content-security-policy'), /sandbox/)

  await refused(client.updateIntegration({ id: made.id, title: 'Other' }), 'Forbidden', /title.*new version/)
  await client.updateIntegration({ id: made.id, title: body.title, url: 'https://moved.example' })
  await refused(client.deleteIntegration({ id: made.id }), 'Forbidden', /private/)
  await client.updateIntegration({ id: made.id, visibility: 'unlisted' })
  assert.equal((await stranger.listPublicIntegrations({ search: word })).integrations.length, 0)
  assert.equal((await stranger.getPublicIntegrationById({ id: made.id })).integration.visibility, 'unlisted')
  await client.updateIntegration({ id: made.id, public: false, visibility: 'private' })
  await refused(stranger.getPublicIntegrationById({ id: made.id }), 'ResourceNotFound')
  await client.deleteIntegration({ id: made.id })
  await refused(client.getIntegration({ id: made.id }), 'ResourceNotFound')
})

test('a version that breaks the one before needs a new major number', async () => {
  const name = `${handle}/promised`
  const send = (input) => ({ send: { input: holder(input), output: holder() } })
  await publish({ name, actions: send(object()), secrets: { KEY: 'k', OTHER: 'o' } })
  const narrowed = { ...object({ to: { type: 'string' } }), required: ['to'] }
  await refused(client.createIntegration({ name, version: '1.1.0', actions: send(narrowed) }), 'BreakingChanges', /actions\.send\.input: required property "to" was added/)
  await bypassing.createIntegration({ name, version: '1.1.0', actions: send(narrowed) })
  const { integration } = await client.createIntegration({ name, version: '2.0.0', actions: {}, secrets: { OTHER: null, NEW: 'n' } })
  assert.deepEqual(integration.secrets, ['KEY', 'NEW'])
})

test('a list has pages, sorts and filters', async () => {
  const word = unused('l').replaceAll('-', '')
  const made = []
  for (const n of [0, 1, 2, 3, 4]) {
    made.push(await publish({ name: `${handle}/${word}-${'cabed'[n]}`, description: word }))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const ids = (items) => items.flat().map(({ id }) => id)
  const newest = made.map(({ id }) => id).reverse()
  assert.deepEqual(ids(await pages((nextToken) => client.listIntegrations({ search: word, pageSize: 2, nextToken }), 'integrations')), newest)
  assert.deepEqual(ids(await pages((nextToken) => client.listIntegrations({ search: word, direction: 'asc', pageSize: 2, nextToken }), 'integrations')), newest.toReversed())
  const { integrations } = await client.listIntegrations({ search: word, sortBy: 'name' })
  assert.deepEqual(integrations.map(({ name }) => name.at(-1)), ['a', 'b', 'c', 'd', 'e'])
  assert.equal((await client.listIntegrations({ name: made[0].name })).integrations[0].id, made[0].id)
  assert.equal((await client.listIntegrations({ name: made[0].name, version: '2.0.0' })).integrations.length, 0)
  assert.equal((await stranger.listIntegrations({ search: word })).integrations.length, 0)
})

test('a development integration runs at its url and is nobody else\'s', async () => {
  const name = `${handle}/tunnelled`
  await refused(client.createIntegration({ name, version: '1.0.0', dev: true }), 'InvalidPayload', /url/)
  const made = await publish({ name, dev: true, url: 'https://tunnel.example/1' })
  assert.match(made.id, ulid('devint'))
  assert.equal(made.dev, true)
  const { integrations } = await client.listIntegrations({ dev: true, name })
  assert.deepEqual(integrations.map(({ id }) => id), [made.id])
  assert.equal((await client.listIntegrations({ name })).integrations.length, 0)
  await client.deleteIntegration({ id: made.id })
})

test('keys act as an integration, secrets rotate, and an operator reviews', async () => {
  const made = await publish()
  const integrationId = made.id
  const key = await client.createIntegrationApiKey({ integrationId, note: 'for CI' })
  assert.match(key.value, /^bp_iak_[A-Za-z0-9_-]{36}$/)
  const { iaks } = await client.listIntegrationApiKeys({ integrationId })
  assert.deepEqual(iaks, [{ id: key.id, createdAt: key.createdAt, note: 'for CI' }])
  await refused(connect({ token: key.value }).getIntegration({ id: integrationId }), 'Forbidden')
  await client.deleteIntegrationApiKey({ id: key.id })
  await refused(connect({ token: key.value }).getIntegration({ id: integrationId }), 'Unauthorized')

  const { newSigningSecret } = await client.rotateIntegrationSigningSecrets({ id: integrationId })
  assert.equal(newSigningSecret.length, 48)
  assert.notEqual(newSigningSecret, made.signingSecret)

  await client.requestIntegrationVerification({ integrationId })
  const status = async () => (await client.getIntegration({ id: integrationId })).integration
  assert.equal((await status()).verificationStatus, 'pending')
  await operate('integration', 'verify', '--id', integrationId, '--status', 'approved')
  assert.equal((await status()).verificationStatus, 'approved')
  await operate('integration', 'deprecate', '--id', integrationId)
  assert.equal((await status()).lifecycleStatus, 'deprecated')
})
