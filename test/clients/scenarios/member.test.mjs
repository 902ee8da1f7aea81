import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, createAccount, instant, missingId, pages, refused, unused, uuid } from './server.mjs'

// company is a workspace with its owner and a client of a member in each role.
const company = async (...roles) => {
  const owner = await createAccount({ name: 'The owner' })
  const members = {}
  for (const role of roles) {
    const account = await createAccount()
    const member = await owner.client.createWorkspaceMember({ email: account.account.email, role, sendEmail: false })
    members[role] = { ...account, member, client: connect({ token: account.token, workspaceId: owner.workspaceId }) }
  }
  return { owner, ...members }
}

test('the owner is the first member', async () => {
  const { account, client, workspaceId } = await createAccount({ name: 'Grace' })
  const me = await client.getWorkspaceMember({})
  const { id, createdAt, profilePicture = '', ...fixed } = me
  assert.deepEqual(fixed, { userId: account.id, email: account.email, role: 'owner', displayName: 'Grace' })
  assert.match(createdAt, instant)
  assert.equal(profilePicture, '')
  assert.ok(id.length > 0)
  assert.deepEqual(await client.listWorkspaceMembers({}), { members: [me], meta: {} })
  assert.equal((await client.getWorkspace({ id: workspaceId })).ownerId, account.id)
})

test('a member with an account joins at once', async () => {
  const [{ client, workspaceId }, guest] = await Promise.all([createAccount(), createAccount({ name: 'Guest' })])
  const there = connect({ token: guest.token, workspaceId })
  await refused(there.listBots({}), 'ResourceNotFound')

  const member = await client.createWorkspaceMember({ email: guest.account.email, role: 'developer' })
  const { id, createdAt, profilePicture, ...fixed } = member
  assert.deepEqual(fixed, { userId: guest.account.id, email: guest.account.email, role: 'developer', displayName: 'Guest' })
  assert.match(createdAt, instant)
  assert.deepEqual(await there.getWorkspaceMember({}), member)
  assert.deepEqual(await there.listBots({}), { bots: [], meta: {} })
  assert.ok((await guest.client.list.workspaces({}).collect()).some((workspace) => workspace.id === workspaceId))

  await guest.client.updateAccount({ displayName: 'Renamed', profilePicture: 'https://pictures.example.com/g.png' })
  const renamed = { ...member, displayName: 'Renamed', profilePicture: 'https://pictures.example.com/g.png' }
  assert.deepEqual(await there.getWorkspaceMember({}), renamed)
  assert.deepEqual((await client.list.workspaceMembers({}).collect()).find((m) => m.id === id), renamed)
})

test('an invitation waits for the account', async () => {
  const { client, workspaceId } = await createAccount()
  const email = `${unused('later')}@example.com`
  const invited = await client.createWorkspaceMember({ email, role: 'manager' })
  assert.deepEqual(Object.keys(invited).toSorted(), ['createdAt', 'email', 'id', 'role'])
  assert.deepEqual({ email: invited.email, role: invited.role }, { email, role: 'manager' })
  assert.deepEqual((await client.list.workspaceMembers({}).collect()).find(({ id }) => id === invited.id), invited)
  const promoted = await client.updateWorkspaceMember({ id: invited.id, role: 'viewer' })
  assert.deepEqual(promoted, { ...invited, role: 'viewer' })

  const { account, token } = await createAccount({ email, name: 'Late' })
  const there = connect({ token, workspaceId })
  const joined = await there.getWorkspaceMember({})
  const { profilePicture, ...known } = joined
  assert.deepEqual(known, { ...promoted, userId: account.id, displayName: 'Late' })
  assert.match(joined.userId, uuid)
  assert.deepEqual((await client.list.workspaceMembers({}).collect()).find(({ id }) => id === invited.id), joined)
  assert.deepEqual(await there.listBots({}), { bots: [], meta: {} })
})

test('a withdrawn invitation admits nobody', async () => {
  const { client, workspaceId } = await createAccount()
  const email = `${unused('never')}@example.com`
  const { id } = await client.createWorkspaceMember({ email, role: 'viewer' })
  assert.deepEqual(await client.deleteWorkspaceMember({ id }), {})
  const { token } = await createAccount({ email })
  await refused(connect({ token, workspaceId }).getWorkspaceMember({}), 'ResourceNotFound')
})

test('one e-mail is one member, whatever its case', async () => {
  const { client } = await createAccount()
  const email = `${unused('twice')}@example.com`
  await client.createWorkspaceMember({ email, role: 'viewer' })
  await refused(client.createWorkspaceMember({ email, role: 'developer' }), 'AlreadyExists', /twice/i)
  await refused(client.createWorkspaceMember({ email: email.toUpperCase(), role: 'viewer' }), 'AlreadyExists')
  await refused(client.createWorkspaceMember({ email: 'not an address', role: 'viewer' }), 'InvalidPayload', /email/)
  await refused(client.createWorkspaceMember({ email: 'a@example.com', role: 'emperor' }), 'InvalidPayload', /role/)
  assert.equal((await client.list.workspaceMembers({}).collect()).length, 2)
})

test('the list of members comes in pages', async () => {
  const { client } = await createAccount()
  for (const n of [1, 2, 3, 4]) {
    await client.createWorkspaceMember({ email: `${n}@example.com`, role: 'viewer' })
  }
  const all = await client.list.workspaceMembers({}).collect()
  const paged = await pages((nextToken) => client.listWorkspaceMembers({ nextToken, pageSize: 2 }), 'members')
  assert.deepEqual(paged.map((page) => page.length), [2, 2, 1])
  assert.deepEqual(paged.flat(), all)
  assert.equal(new Set(all.map(({ id }) => id)).size, 5)
})

test('a role says what a member may do', async () => {
  const { owner, viewer, developer, manager, administrator } = await company('viewer', 'developer', 'manager', 'administrator')
  const { bot } = await owner.client.createBot({ name: 'shared' })
  const { bot: own } = await developer.client.createBot({ name: "the developer's" })
  assert.equal(own.createdBy, developer.account.id)

  assert.equal((await viewer.client.getBot({ id: bot.id })).bot.id, bot.id)
  await refused(viewer.client.createBot({ name: 'no' }), 'Forbidden')
  await refused(viewer.client.updateBot({ id: bot.id, name: 'no' }), 'Forbidden')
  assert.equal((await developer.client.updateBot({ id: bot.id, name: 'shared, edited' })).bot.name, 'shared, edited')
  await refused(developer.client.deleteBot({ id: bot.id }), 'Forbidden')
  assert.deepEqual(await developer.client.deleteBot({ id: own.id }), {})

  const id = owner.workspaceId
  await refused(viewer.client.getAuditRecords({ id }), 'Forbidden')
  await refused(developer.client.getAuditRecords({ id }), 'Forbidden')
  assert.ok((await manager.client.getAuditRecords({ id })).records.length > 0)

  for (const { client } of [viewer, developer, manager]) {
    await refused(client.createWorkspaceMember({ email: 'new@example.com', role: 'viewer' }), 'Forbidden')
    await refused(client.updateWorkspaceMember({ id: viewer.member.id, role: 'manager' }), 'Forbidden')
    await refused(client.deleteWorkspaceMember({ id: administrator.member.id }), 'Forbidden')
  }
  assert.equal((await administrator.client.updateWorkspaceMember({ id: viewer.member.id, role: 'developer' })).role, 'developer')
  assert.equal((await viewer.client.createBot({ name: 'yes' })).bot.name, 'yes', 'a new role counts at once')
  for (const { client } of [viewer, developer, manager, administrator]) {
    await refused(client.deleteWorkspace({ id }), 'Forbidden')
  }
})

test('a member who is removed is out at once', async () => {
  const { owner, developer } = await company('developer')
  assert.equal((await developer.client.getWorkspaceMember({})).id, developer.member.id)
  assert.deepEqual(await owner.client.deleteWorkspaceMember({ id: developer.member.id }), {})
  await refused(developer.client.getWorkspaceMember({}), 'ResourceNotFound')
  await refused(developer.client.listBots({}), 'ResourceNotFound')
  await refused(owner.client.deleteWorkspaceMember({ id: developer.member.id }), 'ResourceNotFound')
  await refused(owner.client.updateWorkspaceMember({ id: developer.member.id, role: 'viewer' }), 'ResourceNotFound')
  assert.equal((await owner.client.list.workspaceMembers({}).collect()).length, 1)

  const again = await owner.client.createWorkspaceMember({ email: developer.account.email, role: 'viewer' })
  assert.equal((await developer.client.getWorkspaceMember({})).id, again.id)
})

test('the owner stays the owner', async () => {
  const { owner, administrator } = await company('administrator')
  const me = await owner.client.getWorkspaceMember({})
  for (const { client } of [owner, administrator]) {
    await assert.rejects(client.updateWorkspaceMember({ id: me.id, role: 'viewer' }), { isApiError: true })
    await assert.rejects(client.deleteWorkspaceMember({ id: me.id }), { isApiError: true })
    await assert.rejects(client.updateWorkspaceMember({ id: administrator.member.id, role: 'owner' }), { isApiError: true })
    await assert.rejects(client.createWorkspaceMember({ email: 'second@example.com', role: 'owner' }), { isApiError: true })
  }
  assert.deepEqual(await owner.client.getWorkspaceMember({}), me)
  assert.deepEqual(
    (await owner.client.list.workspaceMembers({}).collect()).map(({ role }) => role).toSorted(),
    ['administrator', 'owner'],
  )
})

test('members of one workspace are unknown in another', async () => {
  const { owner, viewer } = await company('viewer')
  const { client: stranger } = await createAccount()
  const id = viewer.member.id
  const operations = {
    updateWorkspaceMember: (id) => stranger.updateWorkspaceMember({ id, role: 'administrator' }),
    deleteWorkspaceMember: (id) => stranger.deleteWorkspaceMember({ id }),
  }
  for (const [name, operation] of Object.entries(operations)) {
    const foreign = await refused(operation(id), 'ResourceNotFound')
    const missing = await refused(operation(missingId.member), 'ResourceNotFound')
    assert.equal(foreign.message.replace(id, ''), missing.message.replace(missingId.member, ''), name)
  }
  assert.equal((await owner.client.list.workspaceMembers({}).collect()).length, 2)
})
