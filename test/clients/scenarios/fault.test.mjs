import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, createAccount, missingId, refused, unused } from './server.mjs'

test('a request without a valid token is unauthorized, before all else', async () => {
  const tokens = ['', 'nonsense', `bp_pat_${'x'.repeat(36)}`, `bp_bak_${'x'.repeat(36)}`]
  for (const token of tokens) {
    const client = connect({ token })
    await refused(client.getAccount({}), 'Unauthorized')
    await refused(client.getBot({ id: missingId.bot }), 'Unauthorized')
    await refused(client.createBot({ name: '' }), 'Unauthorized')
    await refused(client.listBots({ sortField: 'nonsense' }), 'Unauthorized')
    await refused(client.getWorkspace({ id: missingId.workspace }), 'Unauthorized')
  }
})

test('a missing workspace header is named', async () => {
  const { token } = await createAccount()
  const client = connect({ token, workspaceId: '' })
  for (const operation of [
    () => client.listBots({}),
    () => client.createBot({ name: 'x' }),
    () => client.listWorkspaceMembers({}),
  ]) {
    await assert.rejects(operation(), (error) => {
      assert.equal(error.isApiError, true)
      assert.equal(error.code, 400, `${error.type}: ${error.message}`)
      assert.match(error.message, /x-workspace-id/i)
      return true
    })
  }
})

test('an id of another kind is not found, not invalid', async () => {
  const { client, workspaceId } = await createAccount()
  for (const id of [workspaceId, 'intver_01J00000000000000000000000', 'x', 'a/b', '%2e%2e', ' ', 'é', '<script>']) {
    await refused(client.getBot({ id }), 'ResourceNotFound')
    await refused(client.updateBot({ id, name: 'x' }), 'ResourceNotFound')
    await refused(client.deleteBot({ id }), 'ResourceNotFound')
    await refused(client.deletePersonalAccessToken({ id }), 'ResourceNotFound')
    await refused(client.deleteWorkspaceMember({ id }), 'ResourceNotFound')
  }
})

test('a body of the wrong type is refused with the field', async () => {
  const { client, workspaceId } = await createAccount()
  for (const [operation, field] of [
    [() => client.createBot({ name: 5 }), /name/],
    [() => client.createBot({ tags: 'text' }), /tags/],
    [() => client.createBot({ tags: { a: 5 } }), /tags\.?\/?a/],
    [() => client.createBot({ medias: {} }), /medias/],
    [() => client.createBot({ dev: 'yes' }), /dev/],
    [() => client.createWorkspace({}), /name/],
    [() => client.createPersonalAccessToken({}), /note/],
    [() => client.updateWorkspace({ id: workspaceId, isPublic: 'yes' }), /isPublic/],
    [() => client.introspect({}), /botId/],
  ]) {
    await refused(operation(), 'InvalidPayload', field)
  }
})

test('a body that is too large is refused', async () => {
  const { client } = await createAccount()
  await refused(client.createPersonalAccessToken({ note: 'x'.repeat(2 << 20) }), 'PayloadTooLarge')
  const key = unused('large')
  await refused(client.setAccountPreference({ key, value: 'x'.repeat(2 << 20) }), 'PayloadTooLarge')
  assert.equal((await client.getAccountPreference({ key })).value ?? null, null)
})

test('an error survives the trip through JSON', async () => {
  const { client } = await createAccount()
  const error = await refused(client.getBot({ id: missingId.bot }), 'ResourceNotFound', new RegExp(missingId.bot))
  assert.equal(error.code, 404)
  assert.equal(error.format(), `[ResourceNotFound] ${error.message} (Error ID: ${error.id})`)
  const { id, code, type, message } = JSON.parse(JSON.stringify(error))
  assert.deepEqual({ id, code, type, message }, { id: error.id, code: 404, type: 'ResourceNotFound', message: error.message })
  const again = await refused(client.getBot({ id: missingId.bot }), 'ResourceNotFound')
  assert.equal(again.message, error.message)
  assert.notEqual(again.id, error.id, 'every answer has its own id')
})
