// runVrl: scripts on the engine that the server embeds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, refused } from './server.mjs'

test('a script reads its data and answers with its last expression', async () => {
  const answer = await connect().runVrl({
    data: { body: '{"team":{"id":"T1"}}', tries: 2 },
    script: 'body = parse_json!(.body)\n.tries = to_int!(.tries) + 1\nto_string!(body.team.id)',
  })
  assert.deepEqual(answer, { data: { body: '{"team":{"id":"T1"}}', tries: 3 }, result: 'T1' })
})

test('a script may answer null, and runs many times at once', async () => {
  const client = connect()
  assert.equal((await client.runVrl({ data: {}, script: 'null' })).result, null)
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, n) => client.runVrl({ data: { n }, script: 'to_int!(.n) * 2' })),
  )
  assert.deepEqual(answers.map(({ result }) => result), Array.from({ length: 16 }, (_, n) => n * 2))
})

test('a script that does not compile, and one that fails, say why', async () => {
  const client = connect()
  await refused(client.runVrl({ data: {}, script: 'no_such_function()' }), 'InvalidPayload', /undefined function/)
  await refused(client.runVrl({ data: { text: 'x' }, script: 'parse_json!(.text)' }), 'Runtime', /parse_json/)
})
