import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, createAccount, instant, missingId, pages, refused, ulid, unused, workspaceId as platform } from './server.mjs'

// optional are the members of a workspace that the contract lets out, each with
// what its absence means.
const optional = { about: '', profilePicture: '', contactEmail: '', website: '', socialAccounts: [], isPublic: false, handle: '' }

const whole = (workspace) => ({ ...optional, ...workspace })

test('a new workspace has its owner and its defaults', async () => {
  const { account, client } = await createAccount()
  const made = await client.createWorkspace({ name: 'Été & co' })
  const { id, createdAt, updatedAt, spendingLimit, billingVersion, plan, ...fixed } = whole(made)
  assert.deepEqual(fixed, {
    ...optional,
    name: 'Été & co',
    ownerId: account.id,
    botCount: 0,
    blocked: false,
    activeTrialId: null,
  })
  assert.match(id, ulid('wkspace'))
  assert.match(createdAt, instant)
  assert.match(updatedAt, instant)
  assert.equal(typeof spendingLimit, 'number')
  assert.match(billingVersion, /^v[1-4]$/)
  assert.match(plan, /^(community|team|enterprise|plus|managed)$/)
  assert.deepEqual(await client.getWorkspace({ id }), made)

  const current = await client.createWorkspace({ name: 'On v4', billingVersion: 'v4' })
  assert.equal(current.billingVersion, 'v4')
})

test('a workspace counts its bots', async () => {
  const { client, workspaceId } = await createAccount()
  const { bot } = await client.createBot({ name: 'one' })
  await client.createBot({ name: 'two' })
  assert.equal((await client.getWorkspace({ id: workspaceId })).botCount, 2)
  await client.deleteBot({ id: bot.id })
  assert.equal((await client.getWorkspace({ id: workspaceId })).botCount, 1)
})

test('an update changes what it names and keeps the rest', async () => {
  const { client } = await createAccount()
  const made = await client.createWorkspace({ name: 'Before' })
  const { id } = made
  const patches = [
    { name: 'After' },
    { about: 'We build bots.', website: 'https://example.com', contactEmail: 'hello@example.com' },
    { socialAccounts: ['https://social.example.com/a', 'https://social.example.com/b'] },
    { profilePicture: 'https://pictures.example.com/w.png' },
    { spendingLimit: 250 },
    { isPublic: true },
    { handle: unused('handle') },
    { socialAccounts: [], about: '' },
    {},
  ]
  let expected = whole(made)
  for (const patch of patches) {
    const updated = whole(await client.updateWorkspace({ id, ...patch }))
    expected = { ...expected, ...patch, updatedAt: updated.updatedAt }
    assert.deepEqual(updated, expected)
    assert.ok(updated.updatedAt >= made.updatedAt)
    assert.deepEqual(whole(await client.getWorkspace({ id })), expected)
  }
})

test('an update out of bounds is refused whole', async () => {
  const { client } = await createAccount()
  const { id } = await client.createWorkspace({ name: 'Bounds' })
  const before = await client.getWorkspace({ id })
  const wrong = [
    ['name', ''],
    ['name', 'x'.repeat(65)],
    ['spendingLimit', 4],
    ['spendingLimit', 1001],
    ['socialAccounts', ['a', 'b', 'c', 'd', 'e', 'f']],
    ['handle', 'Upper'],
    ['handle', '-start'],
    ['handle', 'end-'],
    ['handle', 'x'.repeat(65)],
  ]
  for (const [field, value] of wrong) {
    await refused(client.updateWorkspace({ id, about: 'changed', [field]: value }), 'InvalidPayload', new RegExp(field))
  }
  assert.deepEqual(await client.getWorkspace({ id }), before)
})

test('a handle belongs to one workspace', async () => {
  const [{ client }, { client: stranger, workspaceId: elsewhere }] = await Promise.all([createAccount(), createAccount()])
  const handle = unused('acme')

  assert.deepEqual(await client.checkHandleAvailability({ handle }), { available: true, suggestions: [] })
  const { id } = await client.createWorkspace({ name: 'Acme' })
  await client.updateWorkspace({ id, handle })
  assert.equal((await client.updateWorkspace({ id, handle })).handle, handle, 'its own handle is no conflict')

  const { available, suggestions, usedBy, ...rest } = await stranger.checkHandleAvailability({ handle })
  assert.deepEqual(rest, {})
  assert.equal(available, false)
  assert.ok(suggestions.length > 0, 'a taken handle comes with suggestions')
  assert.equal(new Set(suggestions).size, suggestions.length)
  for (const suggestion of suggestions) {
    assert.equal((await stranger.checkHandleAvailability({ handle: suggestion })).available, true, suggestion)
  }
  assert.equal((await stranger.updateWorkspace({ id: elsewhere, handle: suggestions[0] })).handle, suggestions[0])
  assert.equal(usedBy, undefined, 'whose it is stays with the members')
  assert.equal((await client.checkHandleAvailability({ handle })).usedBy, id)

  await refused(stranger.updateWorkspace({ id: elsewhere, handle }), 'AlreadyExists', new RegExp(handle))
  await refused(client.checkHandleAvailability({ handle: 'Not A Handle' }), 'InvalidPayload', /handle/)
  await refused(client.checkHandleAvailability({ handle: '' }), 'InvalidPayload', /handle/)

  const next = unused('acme')
  await client.updateWorkspace({ id, handle: next })
  assert.equal((await stranger.checkHandleAvailability({ handle })).available, true, 'a handle given up is free')
})

test('the list holds the workspaces of the caller, in pages', async () => {
  const { client, workspaceId } = await createAccount()
  const ids = [workspaceId]
  for (const name of ['b', 'c', 'd', 'e']) {
    ids.push((await client.createWorkspace({ name })).id)
  }
  const all = await client.list.workspaces({}).collect()
  assert.deepEqual(all.map(({ id }) => id).toSorted(), ids.toSorted())
  for (const workspace of all) {
    assert.deepEqual(workspace, await client.getWorkspace({ id: workspace.id }))
  }
  const paged = await pages((nextToken) => client.listWorkspaces({ nextToken, pageSize: 2 }), 'workspaces')
  assert.deepEqual(paged.map((page) => page.length), [2, 2, 1])
  assert.deepEqual(paged.flat(), all)
  assert.deepEqual((await client.list.workspaces({}).collect({ limit: 3 })).length, 3)
})

test('the handle filter is exact and stays with the caller', async () => {
  const [{ client }, { client: stranger }] = await Promise.all([createAccount(), createAccount()])
  const { id } = await client.createWorkspace({ name: 'Exact' })
  const handle = unused('exact')
  await client.updateWorkspace({ id, handle })
  const found = await client.listWorkspaces({ handle })
  assert.deepEqual(found, { workspaces: [await client.getWorkspace({ id })], meta: {} })
  for (const other of [handle.slice(0, -1), `${handle}a`, handle.toUpperCase(), `%${handle}`]) {
    assert.deepEqual(await client.listWorkspaces({ handle: other }), { workspaces: [], meta: {} })
  }
  assert.deepEqual(await stranger.listWorkspaces({ handle }), { workspaces: [], meta: {} })
})

test('a foreign workspace looks like none', async () => {
  const [{ workspaceId, client }, { client: stranger }] = await Promise.all([createAccount(), createAccount()])
  const id = workspaceId
  const before = await client.getWorkspace({ id })
  const operations = {
    getWorkspace: (id) => stranger.getWorkspace({ id }),
    updateWorkspace: (id) => stranger.updateWorkspace({ id, name: 'taken' }),
    deleteWorkspace: (id) => stranger.deleteWorkspace({ id }),
    getAuditRecords: (id) => stranger.getAuditRecords({ id }),
    migrateWorkspaceToV4: (id) => stranger.migrateWorkspaceToV4({ id }),
  }
  for (const [name, operation] of Object.entries(operations)) {
    const foreign = await refused(operation(id), 'ResourceNotFound')
    const missing = await refused(operation(missingId.workspace), 'ResourceNotFound')
    assert.equal(foreign.message.replace(id, ''), missing.message.replace(missingId.workspace, ''), name)
  }
  assert.deepEqual(await client.getWorkspace({ id }), before)
})

test('a public workspace shows its public side to everybody', async () => {
  const [{ client }, { client: stranger }] = await Promise.all([createAccount(), createAccount()])
  const name = unused('Public')
  const { id } = await client.createWorkspace({ name })
  const listed = async (props) =>
    (await stranger.list.publicWorkspaces(props).collect()).filter((workspace) => workspace.id === id)

  assert.deepEqual(await listed({ workspaceIds: [id] }), [], 'a workspace is private at first')
  const profile = {
    about: 'About us',
    website: 'https://example.com',
    contactEmail: 'us@example.com',
    profilePicture: 'https://pictures.example.com/p.png',
    socialAccounts: ['https://social.example.com/us'],
    handle: unused('public'),
  }
  const { createdAt, updatedAt } = await client.updateWorkspace({ id, isPublic: true, ...profile })
  const shown = { id, name, createdAt, updatedAt, ...profile }

  assert.deepEqual(await stranger.getPublicWorkspace({ id }), shown)
  assert.deepEqual(await listed({ workspaceIds: [id] }), [shown])
  assert.deepEqual(await listed({ workspaceIds: [missingId.workspace, id] }), [shown])
  assert.deepEqual(await listed({ search: name }), [shown])
  assert.deepEqual(await listed({ search: name.toUpperCase() }), [shown])
  assert.deepEqual(await stranger.listPublicWorkspaces({ search: unused('nothing') }), { workspaces: [], meta: {} })
  assert.deepEqual(await stranger.listPublicWorkspaces({ workspaceIds: [missingId.workspace] }), { workspaces: [], meta: {} })
  await refused(stranger.getPublicWorkspace({ id: missingId.workspace }), 'ResourceNotFound')

  await client.updateWorkspace({ id, isPublic: false })
  assert.deepEqual(await listed({ workspaceIds: [id] }), [])
})

test('the public list comes in pages', async () => {
  const { client } = await createAccount()
  const name = unused('Paged')
  const ids = []
  for (const n of [1, 2, 3]) {
    const { id } = await client.createWorkspace({ name: `${name} ${n}` })
    await client.updateWorkspace({ id, isPublic: true })
    ids.push(id)
  }
  const paged = await pages((nextToken) => client.listPublicWorkspaces({ nextToken, pageSize: 2, search: name }), 'workspaces')
  assert.deepEqual(paged.map((page) => page.length), [2, 1])
  assert.deepEqual(paged.flat().map(({ id }) => id).toSorted(), ids.toSorted())
})

test('a preference of a workspace is seen by its members alone', async () => {
  const [{ client, workspaceId, token }, { client: stranger, token: strangersToken }] = await Promise.all([
    createAccount(),
    createAccount(),
  ])
  const key = 'layout'
  const value = { columns: ['a', 'b'], width: 3 }
  assert.deepEqual(await client.setWorkspacePreference({ key, value }), {})
  assert.deepEqual(await client.getWorkspacePreference({ key }), { value })
  assert.equal((await stranger.getWorkspacePreference({ key })).value ?? null, null)
  await refused(connect({ token: strangersToken, workspaceId }).getWorkspacePreference({ key }), 'ResourceNotFound')

  const { id: second } = await client.createWorkspace({ name: 'second' })
  const inSecond = connect({ token, workspaceId: second })
  assert.equal((await inSecond.getWorkspacePreference({ key })).value ?? null, null)
  await client.setWorkspacePreference({ key, value: null })
  assert.equal((await client.getWorkspacePreference({ key })).value ?? null, null)
  await client.setWorkspacePreference({ key: 'public', value: 1 })
  assert.equal((await client.getWorkspacePreference({ key: 'public' })).value, 1)
})

test('a workspace moves to billing version 4', async () => {
  const { client } = await createAccount()
  const { id } = await client.createWorkspace({ name: 'Moving' })
  assert.deepEqual(await client.migrateWorkspaceToV4({ id }), {})
  assert.equal((await client.getWorkspace({ id })).billingVersion, 'v4')
})

test('a deleted workspace is gone with what it held', async () => {
  const { client, token } = await createAccount()
  const handle = unused('closing')
  const { id } = await client.createWorkspace({ name: 'Closing' })
  await client.updateWorkspace({ id, handle, isPublic: true })
  const inside = connect({ token, workspaceId: id })
  const { bot } = await inside.createBot({ name: 'inside' })

  assert.deepEqual(await client.deleteWorkspace({ id }), {})
  await refused(client.getWorkspace({ id }), 'ResourceNotFound')
  await refused(client.deleteWorkspace({ id }), 'ResourceNotFound')
  await refused(client.getPublicWorkspace({ id }), 'ResourceNotFound')
  await refused(inside.getBot({ id: bot.id }), 'ResourceNotFound')
  await refused(inside.listBots({}), 'ResourceNotFound')
  assert.ok(!(await client.list.workspaces({}).collect()).some((workspace) => workspace.id === id))
  assert.equal((await client.checkHandleAvailability({ handle })).available, true)
})

test('the workspace of the platform stays', async () => {
  const client = connect()
  const before = await client.getWorkspace({ id: platform })
  await refused(client.deleteWorkspace({ id: platform }), 'ReferenceConstraint', /platform/)
  assert.equal((await client.getWorkspace({ id: platform })).createdAt, before.createdAt)
})
