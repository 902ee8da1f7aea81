import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { apiUrl, connect, createAccount, refused } from './server.mjs'

// lossy passes requests on to the server and loses the first answers to POSTs:
// the change is made, the caller does not learn of it.
const lossy = async (t, { losses }) => {
  let left = losses
  const seen = []
  const proxy = http.createServer((request, answer) => {
    const onward = http.request(apiUrl + request.url, { method: request.method, headers: request.headers }, (response) => {
      seen.push(request.method)
      if (request.method === 'POST' && left > 0) {
        left--
        response.resume()
        response.on('end', () => request.socket.destroy())
        return
      }
      answer.writeHead(response.statusCode, response.headers)
      response.pipe(answer)
    })
    request.pipe(onward)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.after(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return { url: `http://127.0.0.1:${proxy.address().port}`, seen }
}

// retry is how the bp CLI of today asks its client to repeat.
const retry = { retries: 3, retryDelay: () => 10, retryCondition: (error) => !error.response || [429, 500, 502, 503, 504].includes(error.response.status) }

test('a POST repeated under one key is made once', async () => {
  const { client, token, workspaceId } = await createAccount()
  const keyed = (key) => connect({ token, workspaceId, headers: { 'Idempotency-Key': key } })
  const key = randomUUID()
  const first = await keyed(key).createBot({ name: 'once', tags: { a: 'b' } })
  const second = await keyed(key).createBot({ name: 'once', tags: { a: 'b' } })
  assert.deepEqual(second, first)
  assert.notEqual((await keyed(randomUUID()).createBot({ name: 'once' })).bot.id, first.bot.id)
  assert.equal((await client.listBots({})).bots.length, 2)

  await refused(keyed(key).createBot({ name: 'another' }), 'InvalidPayload', /Idempotency-Key/)
  assert.equal((await client.listBots({})).bots.length, 2)
})

test('repeats at the same time are made once', async () => {
  const { client, token, workspaceId } = await createAccount()
  const keyed = connect({ token, workspaceId, headers: { 'Idempotency-Key': randomUUID() } })
  const answers = await Promise.all(Array.from({ length: 8 }, () => keyed.createBot({ name: 'once' })))
  assert.equal(new Set(answers.map(({ bot }) => bot.id)).size, 1)
  assert.equal((await client.listBots({})).bots.length, 1)
})

test('the key of one account means nothing to another', async () => {
  const [one, two] = await Promise.all([createAccount(), createAccount()])
  const headers = { 'Idempotency-Key': randomUUID() }
  const { bot: first } = await connect({ token: one.token, workspaceId: one.workspaceId, headers }).createBot({ name: 'same' })
  const { bot: second } = await connect({ token: two.token, workspaceId: two.workspaceId, headers }).createBot({ name: 'same' })
  assert.notEqual(first.id, second.id)
})

test('a refusal is not remembered', async () => {
  const { token, workspaceId } = await createAccount()
  const keyed = connect({ token, workspaceId, headers: { 'Idempotency-Key': randomUUID() } })
  await refused(keyed.createBot({ name: '' }), 'InvalidPayload')
  assert.equal((await keyed.createBot({ name: 'better' })).bot.name, 'better')
})

test('a client that repeats after a lost answer makes one bot', async (t) => {
  const { client, token, workspaceId } = await createAccount()
  const { url, seen } = await lossy(t, { losses: 2 })
  const repeating = connect({ apiUrl: url, token, workspaceId, retry, headers: { 'Idempotency-Key': randomUUID() } })
  const { bot } = await repeating.createBot({ name: 'lost and found' })
  assert.deepEqual(seen, ['POST', 'POST', 'POST'])
  assert.deepEqual((await client.listBots({})).bots.map(({ id }) => id), [bot.id])
})

test('a refusal is not repeated by the client', async (t) => {
  const { token, workspaceId } = await createAccount()
  const { url, seen } = await lossy(t, { losses: 0 })
  await refused(connect({ apiUrl: url, token, workspaceId, retry }).createBot({ name: '' }), 'InvalidPayload')
  assert.deepEqual(seen, ['POST'])
})
