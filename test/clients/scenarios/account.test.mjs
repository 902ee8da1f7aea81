import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, createAccount, instant, missingId, refused, ulid, unused, uuid } from './server.mjs'

test('an account reads itself', async () => {
  const { account, client } = await createAccount({ name: 'Ada Lovelace' })
  const { account: got, ...rest } = await client.getAccount({})
  assert.deepEqual(rest, {})
  const { createdAt, emailVerified, profilePicture = '', ...fixed } = got
  assert.deepEqual(fixed, { id: account.id, email: account.email, displayName: 'Ada Lovelace' })
  assert.match(got.id, uuid)
  assert.match(createdAt, instant)
  assert.equal(typeof emailVerified, 'boolean')
  assert.equal(profilePicture, '')
})

test('the workspace header makes no difference to an account', async () => {
  const { account, token } = await createAccount()
  for (const workspaceId of [undefined, missingId.workspace]) {
    const { account: got } = await connect({ token, workspaceId }).getAccount({})
    assert.equal(got.id, account.id)
  }
})

test('an update changes what it names and keeps the rest', async () => {
  const { client } = await createAccount({ name: 'Ada' })
  const { account: before } = await client.getAccount({})
  const profilePicture = 'https://pictures.example.com/ada.png'

  const { account: pictured } = await client.updateAccount({ profilePicture })
  assert.deepEqual(pictured, { ...before, profilePicture })
  const { account: renamed } = await client.updateAccount({ displayName: 'Ada Lovelace, née Byron ✓' })
  assert.deepEqual(renamed, { ...before, profilePicture, displayName: 'Ada Lovelace, née Byron ✓' })
  assert.deepEqual((await client.updateAccount({})).account, renamed)
  assert.deepEqual((await client.updateAccount({ refresh: true })).account, renamed)
  assert.deepEqual((await client.getAccount({})).account, renamed)

  await client.updateAccount({ displayName: 'x'.repeat(100) })
  await refused(client.updateAccount({ displayName: 'x'.repeat(101) }), 'InvalidPayload', /displayName/)
  assert.equal((await client.getAccount({})).account.displayName, 'x'.repeat(100))
})

test('a personal access token is shown once, works, and stops at once', async () => {
  const { account, client, workspaceId } = await createAccount()
  const { pats: before } = await client.listPersonalAccessTokens({})

  const { pat } = await client.createPersonalAccessToken({ note: 'for the build' })
  const { value, ...listed } = pat
  assert.match(value, /^bp_pat_[A-Za-z0-9_-]{36}$/)
  assert.match(pat.id, ulid('pat'))
  assert.match(pat.createdAt, instant)
  assert.deepEqual(Object.keys(listed).sort(), ['createdAt', 'id', 'note'])
  assert.equal(pat.note, 'for the build')

  const { pats: after, ...rest } = await client.listPersonalAccessTokens({})
  assert.deepEqual(rest, {})
  const byId = (a, b) => (a.id < b.id ? -1 : 1)
  assert.deepEqual(after.toSorted(byId), [...before, listed].toSorted(byId))

  const other = connect({ token: value, workspaceId })
  assert.equal((await other.getAccount({})).account.id, account.id)
  assert.deepEqual(await client.deletePersonalAccessToken({ id: pat.id }), {})
  await refused(other.getAccount({}), 'Unauthorized')
  assert.deepEqual((await client.listPersonalAccessTokens({})).pats, before)
  await refused(client.deletePersonalAccessToken({ id: pat.id }), 'ResourceNotFound')
})

test('tokens of one account are unknown to another', async () => {
  const [{ client }, { client: stranger }] = await Promise.all([createAccount(), createAccount()])
  const { pat } = await client.createPersonalAccessToken({ note: '' })
  const foreign = await refused(stranger.deletePersonalAccessToken({ id: pat.id }), 'ResourceNotFound')
  const missing = await refused(stranger.deletePersonalAccessToken({ id: missingId.pat }), 'ResourceNotFound')
  assert.equal(foreign.message.replace(pat.id, ''), missing.message.replace(missingId.pat, ''))
  assert.ok((await client.listPersonalAccessTokens({})).pats.some(({ id }) => id === pat.id))
})

test('a preference keeps any JSON value', async () => {
  const [{ client }, { client: stranger }] = await Promise.all([createAccount(), createAccount()])
  const key = 'ui/theme.colours 1'
  const values = [
    { deep: [{ a: null, 'b.c': 'é✓\u2028' }, 1.5, -0.25, 9007199254740991], empty: {}, none: [] },
    'text',
    '',
    0,
    false,
    [],
    null,
  ]
  for (const value of values) {
    assert.deepEqual(await client.setAccountPreference({ key, value }), {})
    assert.deepEqual((await client.getAccountPreference({ key })).value ?? null, value)
  }
  await client.setAccountPreference({ key, value: 'mine' })
  assert.equal((await stranger.getAccountPreference({ key })).value ?? null, null)
  assert.equal((await client.getAccountPreference({ key: unused('key') })).value ?? null, null)
  assert.equal((await client.getAccountPreference({ key })).value, 'mine')
})

test('a deleted account is gone with its tokens', async () => {
  const { account, client, token, workspaceId } = await createAccount()
  const { pat } = await client.createPersonalAccessToken({ note: 'second' })
  await refused(client.deleteAccount({}), 'ReferenceConstraint', /workspace/)
  assert.equal((await client.getAccount({})).account.id, account.id)
  await client.deleteWorkspace({ id: workspaceId })
  assert.deepEqual(await client.deleteAccount({}), {})
  await refused(client.getAccount({}), 'Unauthorized')
  await refused(connect({ token: pat.value }).getAccount({}), 'Unauthorized')

  const again = await createAccount({ email: account.email })
  assert.notEqual(again.account.id, account.id)
  await refused(connect({ token }).getAccount({}), 'Unauthorized')
})
