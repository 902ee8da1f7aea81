import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAccount, instant, pages } from './server.mjs'

test('every change of a workspace leaves a record', async () => {
  const { account, client, workspaceId: id } = await createAccount({ name: 'Auditor' })
  await client.updateWorkspace({ id, name: 'Audited' })
  const { bot } = await client.createBot({ name: 'recorded' })
  await client.updateBot({ id: bot.id, name: 'renamed' })
  const guest = await createAccount()
  const member = await client.createWorkspaceMember({ email: guest.account.email, role: 'viewer' })
  await client.updateWorkspaceMember({ id: member.id, role: 'developer' })
  await client.deleteWorkspaceMember({ id: member.id })
  await client.deleteBot({ id: bot.id })

  const { records, ...rest } = await client.getAuditRecords({ id })
  assert.deepEqual(rest, { meta: {} })
  assert.equal(new Set(records.map((record) => record.id)).size, records.length)
  for (const record of records) {
    assert.match(record.recordedAt, instant)
  }
  const made = {
    UPDATE_WORKSPACE: id,
    CREATE_BOT: bot.id,
    UPDATE_BOT: bot.id,
    DELETE_BOT: bot.id,
    ADD_WORKSPACE_MEMBER: undefined,
    UPDATE_WORKSPACE_MEMBER: undefined,
    REMOVE_WORKSPACE_MEMBER: undefined,
  }
  for (const [action, resourceId] of Object.entries(made)) {
    const found = records.filter((record) => record.action === action)
    assert.equal(found.length, 1, `${action} is recorded ${found.length} times`)
    const { userId, userEmail } = found[0]
    assert.deepEqual({ userId, userEmail }, { userId: account.id, userEmail: account.email })
    if (resourceId !== undefined) {
      assert.equal(found[0].resourceId, resourceId)
    }
  }
  assert.equal(records.find(({ action }) => action === 'DELETE_BOT').resourceName, 'renamed', 'the name outlives the bot')
})

test('a refused change leaves none', async () => {
  const { client, workspaceId: id } = await createAccount()
  const before = await client.getAuditRecords({ id })
  await assert.rejects(client.updateWorkspace({ id, name: '' }))
  await assert.rejects(client.createBot({ name: '' }))
  await assert.rejects(client.createWorkspaceMember({ email: 'a@example.com', role: 'owner' }))
  assert.deepEqual(await client.getAuditRecords({ id }), before)
})

test('records come in pages, the newest first', async () => {
  const { client, workspaceId: id } = await createAccount()
  for (const name of ['a', 'b', 'c', 'd']) {
    await client.createBot({ name })
  }
  const { records } = await client.getAuditRecords({ id })
  const times = records.map(({ recordedAt }) => recordedAt)
  assert.deepEqual(times, times.toSorted().toReversed())
  assert.deepEqual(
    records.filter(({ action }) => action === 'CREATE_BOT').map(({ resourceName }) => resourceName),
    ['d', 'c', 'b', 'a'],
  )
  const paged = await pages((nextToken) => client.getAuditRecords({ id, nextToken, pageSize: 2 }), 'records')
  assert.ok(paged.slice(0, -1).every((page) => page.length === 2))
  assert.deepEqual(paged.flat(), records)
})
