// Saved versions of bots and bot json, as the official client uses them.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { connect, createAccount, instant, refused, unused } from './server.mjs'

let client, handle

before(async () => {
  const account = await createAccount()
  handle = unused('shop')
  await account.client.updateWorkspace({ id: account.workspaceId, handle })
  client = connect({ token: account.token, workspaceId: account.workspaceId, headers: { 'x-multiple-integrations': 'true' } })
})

const schema = { type: 'object', properties: {} }

// made is a bot with a definition, an integration and code.
const made = async () => {
  const { integration } = await client.createIntegration({
    name: `${handle}/${unused('chat')}`, version: '1.0.0', url: 'http://127.0.0.1:9/',
    configuration: { schema: { type: 'object', properties: { token: { type: 'string' } } } },
  })
  const { bot } = await client.createBot({ name: unused('bot'), events: { lead: { schema } }, secrets: { KEY: 'hidden' } })
  await client.updateBot({
    id: bot.id,
    integrations: { chat: { integrationId: integration.id, configuration: { token: 'a' } } },
    code: 'module.exports = 1',
  })
  return bot.id
}

// changed makes another bot of it.
const changed = (id) =>
  client.updateBot({ id, events: { lead: null, sale: { schema } }, integrations: { chat: null }, code: 'module.exports = 2' })

test('a version is saved, listed, downloaded and deployed', async () => {
  const id = await made()
  const before = await client.getBotJson({ id })
  const { version, ...rest } = await client.createBotVersion({ id, name: 'first', description: 'before the change' })
  assert.deepEqual(rest, {})
  assert.deepEqual(version, { id: version.id, name: 'first', description: 'before the change' })

  await changed(id)
  assert.notDeepEqual(await client.getBotJson({ id }), before)
  const { versions } = await client.listBotVersions({ id })
  assert.deepEqual(versions.map((v) => v.name.slice(0, 8)), ['Deployed', 'first', 'Deployed'])
  assert.deepEqual(versions[1], version)

  const { url } = await client.getBotVersion({ id, versionId: version.id })
  const answer = await fetch(url)
  assert.equal(answer.status, 200)
  assert.match(answer.headers.get('content-disposition'), /^attachment/)
  assert.deepEqual(await answer.json(), before)
  assert.equal((await fetch(url.replace('/downloads/', '/downloads/A'))).status, 404)

  assert.deepEqual(await client.deployBotVersion({ id, versionId: version.id }), {})
  assert.deepEqual(await client.getBotJson({ id }), before)
  const { bot } = await client.getBot({ id })
  assert.deepEqual(bot.integrations.chat.configuration, { token: 'a' })
  assert.deepEqual(bot.secrets, ['KEY'])
  assert.match(bot.deployedAt, instant)
})

test('versions that are not there, and names that cannot be', async () => {
  const id = await made()
  await refused(client.createBotVersion({ id, name: '' }), 'InvalidPayload', /1 to 200/)
  await refused(client.getBotVersion({ id, versionId: 'botver_none' }), 'ResourceNotFound', /botver_none/)
  await refused(client.deployBotVersion({ id, versionId: 'botver_none' }), 'ResourceNotFound', /botver_none/)
  await refused(client.listBotVersions({ id: 'none' }), 'ResourceNotFound', /none/)
})

test('bot json makes the same bot elsewhere', async () => {
  const id = await made()
  const botJson = await client.getBotJson({ id })
  assert.equal(botJson.code, 'module.exports = 1')
  assert.ok(!JSON.stringify(botJson).includes('hidden'))
  const { bot: other } = await client.createBot({ name: unused('bot') })
  const { bot } = await client.publishFromBotJson({ id: other.id, botJson })
  assert.equal(bot.id, other.id)
  assert.deepEqual(Object.keys(bot.events), ['lead'])
  assert.deepEqual(await client.getBotJson({ id: other.id }), botJson)
  await refused(client.getBotJson({ id: 'none' }), 'ResourceNotFound', /none/)
})

test('bot json of what another workspace keeps private is refused by name', async () => {
  const id = await made()
  const botJson = await client.getBotJson({ id })
  const stranger = (await createAccount()).client
  const { bot: other } = await stranger.createBot({ name: unused('bot') })
  await refused(stranger.publishFromBotJson({ id: other.id, botJson }), 'ReferenceNotFound', new RegExp(`${handle}/chat`))
  await refused(stranger.publishFromBotJson({ id: other.id, botJson: {} }), 'InvalidPayload', /format/)
})
