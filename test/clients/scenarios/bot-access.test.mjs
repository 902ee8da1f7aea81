import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, createAccount, instant, missingId, refused, ulid, unused } from './server.mjs'

// invited makes an account that is a member of the client's workspace, and its client.
const invited = async (client, workspaceId, role) => {
  const { account, token } = await createAccount()
  await client.createWorkspaceMember({ email: account.email, role })
  return { account, client: connect({ token, workspaceId }) }
}

test('a bot that admits selected users does not exist for the others', async () => {
  const { client, workspaceId } = await createAccount()
  const [one, two] = [await invited(client, workspaceId, 'developer'), await invited(client, workspaceId, 'manager')]
  const { bot } = await client.createBot({ name: 'Closed' })
  assert.deepEqual(await client.getBotAllowlist({ botId: bot.id }), { setting: 'ALL_WORKSPACE_USERS', users: [] })
  assert.deepEqual(await client.updateBotAllowlist({ botId: bot.id, setting: 'SELECTED_USERS', users: { [one.account.id]: true } }), {})
  assert.deepEqual(await client.getBotAllowlist({ botId: bot.id }), { setting: 'SELECTED_USERS', users: [{ id: one.account.id }] })
  assert.equal((await one.client.getBot({ id: bot.id })).bot.name, 'Closed')
  await refused(two.client.getBot({ id: bot.id }), 'ResourceNotFound')
  await refused(two.client.updateBot({ id: bot.id, name: 'Open' }), 'ResourceNotFound')
  assert.deepEqual((await two.client.listBots({})).bots, [])
  await refused(one.client.updateBotAllowlist({ botId: bot.id, setting: 'ALL_WORKSPACE_USERS' }), 'Forbidden')
  await refused(client.updateBotAllowlist({ botId: bot.id, users: { [missingId.bot]: true } }), 'ReferenceNotFound', /users/)
  await refused(client.getBotAllowlist({ botId: missingId.bot }), 'ResourceNotFound')
})

test('a key of a bot is shown once', async () => {
  const { client } = await createAccount()
  const { bot } = await client.createBot({ name: 'Keyed' })
  const { value, ...key } = await client.createBotApiKey({ botId: bot.id, note: 'CI' })
  assert.match(value, /^bp_bak_[A-Za-z0-9_-]{36}$/)
  assert.match(key.id, ulid('bak'))
  assert.match(key.createdAt, instant)
  assert.equal(key.note, 'CI')
  assert.deepEqual(await client.listBotApiKeys({ botId: bot.id }), { baks: [key] })
  await refused(connect({ token: value }).getBot({ id: bot.id }), 'Forbidden', /key of a bot/)
  assert.deepEqual(await client.deleteBotApiKey({ id: key.id }), {})
  assert.deepEqual(await client.listBotApiKeys({ botId: bot.id }), { baks: [] })
  await refused(client.deleteBotApiKey({ id: key.id }), 'ResourceNotFound')
  await refused(client.createBotApiKey({ botId: missingId.bot }), 'ResourceNotFound')
  await refused(client.listBotApiKeys({ botId: missingId.bot }), 'ResourceNotFound')
})

// another makes a workspace of the account's and a client that is set to it.
const another = async ({ client, token }) => {
  const { id } = await client.createWorkspace({ name: 'Another' })
  return { id, client: connect({ token, workspaceId: id }) }
}

test('a bot moves to another workspace of its owner', async () => {
  const owner = await createAccount()
  const there = await another(owner)
  const { bot } = await owner.client.createBot({ name: 'Moved', tags: { a: 'b' } })
  const { value, ...key } = await owner.client.createBotApiKey({ botId: bot.id })
  assert.deepEqual(await owner.client.transferBot({ id: bot.id, targetWorkspaceId: there.id }), {})
  await refused(owner.client.getBot({ id: bot.id }), 'ResourceNotFound')
  assert.deepEqual((await there.client.getBot({ id: bot.id })).bot, { ...bot, signingSecret: '' })
  assert.deepEqual((await there.client.listBotApiKeys({ botId: bot.id })).baks, [key])
  for (const [client, id] of [[owner.client, owner.workspaceId], [there.client, there.id]]) {
    const [record] = (await client.getAuditRecords({ id })).records
    assert.equal(record.action, 'TRANSFER_BOT')
    assert.equal(record.resourceId, bot.id)
  }
  await refused(there.client.transferBot({ id: bot.id, targetWorkspaceId: missingId.workspace }), 'ReferenceNotFound', /targetWorkspaceId/)
  await refused(owner.client.transferBot({ id: bot.id, targetWorkspaceId: there.id }), 'ResourceNotFound')
})

test('a new signing secret is shown once', async () => {
  const { client } = await createAccount()
  const { bot } = await client.createBot({ name: 'Signed' })
  const { newSigningSecret, ...rest } = await client.rotateBotSigningSecrets({ id: bot.id })
  assert.deepEqual(rest, {})
  assert.ok(newSigningSecret.length >= 20 && newSigningSecret !== bot.signingSecret)
  assert.equal((await client.getBot({ id: bot.id })).bot.signingSecret, '')
  await refused(client.rotateBotSigningSecrets({ id: missingId.bot }), 'ResourceNotFound')
})

// withIntegration makes a bot that has an integration installed.
const withIntegration = async (name, props = {}, account = {}) => {
  const { client } = account.client ? account : await createAccount()
  let integrationName = name
  if (!account.client) {
    const [{ id }] = (await client.listWorkspaces({})).workspaces
    const handle = unused('shop')
    await client.updateWorkspace({ id, handle })
    integrationName = `${handle}/${name}`
  }
  const { integration } = await client.createIntegration({ name: integrationName, version: '1.0.0', ...props })
  const { bot } = await client.createBot({ name: 'Equipped' })
  await client.updateBot({ id: bot.id, integrations: { [integration.id]: { enabled: true } } })
  return { client, bot, integration }
}

test('an installed integration is shared by an id', async () => {
  const { client, bot, integration } = await withIntegration('shared')
  const of = { botId: bot.id, integrationId: integration.id }
  await refused(client.getIntegrationShareableId(of), 'ResourceNotFound', /shareable/)
  const { shareableId } = await client.createIntegrationShareableId(of)
  assert.ok(shareableId.length > 20)
  assert.deepEqual(await client.getIntegrationShareableId(of), { shareableId, isExpired: false })
  assert.deepEqual(await client.getIntegrationShareableId({ ...of, integrationInstanceAlias: integration.id }), { shareableId, isExpired: false })
  assert.deepEqual(await client.unlinkSandboxedConversations(of), {})
  assert.deepEqual(await client.deleteIntegrationShareableId(of), {})
  await refused(client.deleteIntegrationShareableId(of), 'ResourceNotFound')
  for (const operation of ['createIntegrationShareableId', 'unlinkSandboxedConversations']) {
    await refused(client[operation]({ ...of, integrationInstanceAlias: 'other' }), 'ResourceNotFound', /other/)
    await refused(client[operation]({ ...of, botId: missingId.bot }), 'ResourceNotFound')
  }
})

test('a webchat comes as a snippet or an address', async () => {
  // The integration is the platform's, which the first account owns.
  const { client, bot, integration } = await withIntegration('webchat', { visibility: 'public' }, { client: connect() })
  const { webhookId } = (await client.getBot({ id: bot.id })).bot.integrations[integration.id]
  for (const type of ['preconfigured', 'configurable', 'fullscreen']) {
    const { code } = await client.getBotWebchat({ id: bot.id, type })
    assert.match(code, /^<script src="https:\/\/[^"]+\/inject\.js"><\/script>/)
    assert.ok(code.includes(bot.id), type)
    assert.equal(code.includes(webhookId), type !== 'preconfigured', type)
  }
  const { code } = await client.getBotWebchat({ id: bot.id, type: 'sharableUrl' })
  assert.ok(new URL(code).pathname.includes(bot.id))
  const { bot: mute } = await client.createBot({ name: 'Mute' })
  await refused(client.getBotWebchat({ id: mute.id, type: 'configurable' }), 'ResourceNotFound', /webchat/)
})
