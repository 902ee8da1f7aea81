import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, createAccount, instant, missingId, refused, ulid } from './server.mjs'

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
