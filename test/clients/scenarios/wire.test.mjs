import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiUrl, call, createAccount, token, workspaceId } from './server.mjs'

test('unknown members and parameters are ignored', async () => {
  const { client, ...account } = await createAccount()
  const made = await call('POST', '/v1/admin/bots?unknown=1&tags.a=b', {
    ...account,
    body: { name: 'new client', futureField: { deep: [1] }, dev: false },
  })
  assert.equal(made.status, 200)
  assert.equal(made.body.bot.name, 'new client')
  assert.ok(!('futureField' in made.body.bot))
  const listed = await call('GET', '/v1/admin/bots?unknown=1&filter.x=y&filter.x=z', account)
  assert.equal(listed.status, 200)
  assert.deepEqual(listed.body, await client.listBots({}))
})

test('a body that is not JSON is refused', async () => {
  for (const body of ['{', '[]', '"text"', '5', '{"name":"a"}{"name":"b"}']) {
    const answer = await call('POST', '/v1/admin/bots', { body })
    assert.equal(answer.status, 400, body)
    assert.equal(answer.body.type, 'InvalidPayload', body)
  }
  const form = await call('POST', '/v1/admin/bots', { body: 'name=a', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  assert.equal(form.body.type, 'UnsupportedMediaType')
})

test('every answer says how many requests are left', async () => {
  const ok = await call('GET', '/v1/admin/bots')
  const failed = await call('GET', '/v1/admin/bots/none')
  const unauthorized = await call('GET', '/v1/admin/bots', { token: 'nobody' })
  for (const { headers } of [ok, failed, unauthorized]) {
    const limit = Number(headers.get('ratelimit-limit'))
    const remaining = Number(headers.get('ratelimit-remaining'))
    assert.ok(limit > 0 && remaining >= 0 && remaining < limit, `${remaining} of ${limit}`)
    assert.match(headers.get('ratelimit-reset'), /^\d+$/)
    assert.match(headers.get('content-type'), /^application\/json\b/)
  }
})

test('a browser of any origin may call with its token', async () => {
  const origin = 'https://studio.example.com'
  const names = 'authorization,content-type,idempotency-key,x-bot-id,x-integration-alias,x-integration-id,x-multiple-integrations,x-workspace-id'
  const preflight = await fetch(`${apiUrl}/v1/admin/bots`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': names },
  })
  assert.ok(preflight.ok)
  const answer = await fetch(`${apiUrl}/v1/admin/bots`, {
    headers: { origin, authorization: `Bearer ${token}`, 'x-workspace-id': workspaceId },
  })
  assert.equal(answer.status, 200)
  for (const { headers } of [preflight, answer]) {
    assert.equal(headers.get('access-control-allow-origin'), origin)
    assert.equal(headers.get('access-control-allow-credentials'), 'true')
    assert.match(headers.get('vary') ?? '', /\borigin\b/i)
  }
  const allowed = preflight.headers.get('access-control-allow-headers').toLowerCase().split(/\s*,\s*/)
  for (const name of names.split(',')) {
    assert.ok(allowed.includes(name), `${name} is not among ${allowed}`)
  }
  assert.match(preflight.headers.get('access-control-allow-methods'), /\bPOST\b/)
})
