// The bp command line, run as a user runs it: each test has a home directory of
// its own and answers no prompts.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { apiUrl, createAccount, missingId, refused } from './server.mjs'
import { loggedIn, terminal } from './terminal.mjs'

test('bp login keeps what it was given', async (t) => {
  const { home, token, workspaceId } = await loggedIn(t)
  assert.deepEqual(JSON.parse(await readFile(join(home, 'global.cache.json'), 'utf8')), { token, workspaceId, apiUrl })
})

test('bp login fails on a token, or a workspace, that is not there', async (t) => {
  const { token } = await createAccount()
  const { bp } = await terminal(t)
  const login = (token, workspaceId) => bp('login', '--api-url', apiUrl, '--token', token, '--workspace-id', workspaceId)
  for (const { code, stdout, stderr } of [
    await login(`bp_pat_${'x'.repeat(36)}`, missingId.workspace),
    await login(token, missingId.workspace),
  ]) {
    assert.equal(code, 1)
    assert.match(stderr, /Login failed\. Please check your credentials/)
    assert.doesNotMatch(stderr, /unknown error/i)
    assert.doesNotMatch(stdout, /Logged In/)
  }
})

test('bp bots: new, ls, get, delete', async (t) => {
  const { account, client, bp, json } = await loggedIn(t)
  assert.deepEqual(await json('bots', 'ls'), [])

  const made = await json('bots', 'new', '--name', 'From the terminal')
  assert.equal(made.name, 'From the terminal')
  assert.equal(made.createdBy, account.id)
  const { bot } = await client.getBot({ id: made.id })
  assert.deepEqual({ ...made, signingSecret: '' }, { ...bot, signingSecret: '' })

  const unnamed = await json('bots', 'create')
  assert.ok(unnamed.name.length > 0)
  assert.deepEqual((await json('bots', 'ls')).map(({ id }) => id).toSorted(), [made.id, unnamed.id].toSorted())
  assert.deepEqual(await json('bots', 'ls', '--dev'), [])

  assert.deepEqual(await json('bots', 'get', made.id), bot)
  const { code, stdout, stderr } = await bp('bots', 'delete', made.id)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /deleted/)
  await refused(client.getBot({ id: made.id }), 'ResourceNotFound')
  assert.deepEqual((await json('bots', 'ls')).map(({ id }) => id), [unnamed.id])
})

test('bp bots new --if-not-exists looks through every page', async (t) => {
  const { client, json } = await loggedIn(t)
  const { bot: first } = await client.createBot({ name: 'the first' })
  await Promise.all(Array.from({ length: 130 }, (_, n) => client.createBot({ name: `bot ${n}` })))
  const found = await json('bots', 'new', '--name', 'the first', '--if-not-exists')
  assert.equal(found.id, first.id)
  assert.equal((await json('bots', 'ls')).length, 131)
  const made = await json('bots', 'new', '--name', 'another', '--if-not-exists')
  assert.equal((await client.getBot({ id: made.id })).bot.name, 'another')
})

test('bp shows the message of an error and exits with 1', async (t) => {
  const { client, bp } = await loggedIn(t)
  const { message } = await refused(client.getBot({ id: missingId.bot }), 'ResourceNotFound')
  for (const command of ['get', 'delete']) {
    const { code, stderr } = await bp('bots', command, missingId.bot)
    assert.equal(code, 1)
    assert.ok(stderr.includes(`Could not ${command} bot ${missingId.bot}: ${message}`), stderr)
  }
})

test('bp works on another workspace when told to', async (t) => {
  const { client, json } = await loggedIn(t)
  const { id } = await client.createWorkspace({ name: 'second' })
  const made = await json('bots', 'new', '--name', 'there', '--workspace-id', id)
  assert.deepEqual(await json('bots', 'ls'), [])
  assert.deepEqual((await json('bots', 'ls', '--workspace-id', id)).map((bot) => bot.id), [made.id])
})

test('bp asks for a login before anything else', async (t) => {
  const { bp } = await terminal(t)
  const { code, stderr } = await bp('bots', 'ls')
  assert.equal(code, 1)
  assert.match(stderr, /Not logged in/)
})
