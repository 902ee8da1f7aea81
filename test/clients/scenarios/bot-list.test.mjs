import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAccount, pages, refused } from './server.mjs'

let client
const bots = []

before(async () => {
  client = (await createAccount()).client
  const inputs = [
    { name: 'one', tags: { 'team.name': 'blue', plan: 'gold' }, type: 'adk' },
    { name: 'two', tags: { 'team.name': 'blue', plan: 'silver' } },
    { name: 'three', tags: { 'team.name': 'red', 'a b&c=d': 'é ✓' } },
    { name: 'four' },
    { name: 'five', code: 'module.exports = {}' },
  ]
  for (const input of inputs) {
    bots.push((await client.createBot(input)).bot)
    await sleep(3) // createdAt has milliseconds
  }
})

const names = (list) => list.map(({ name }) => name)
const listed = async (props) => names(await client.list.bots(props).collect())

test('an item is the short form of its bot', async () => {
  const { bots: items, meta } = await client.listBots({})
  assert.deepEqual(meta, {})
  assert.equal(items.length, 5)
  for (const item of items) {
    const { id, createdAt, updatedAt, name, deployedAt, tags, type } = bots.find((bot) => bot.id === item.id)
    const short = { id, createdAt, updatedAt, name, tags, type }
    assert.deepEqual(item, deployedAt === undefined ? short : { ...short, deployedAt })
  }
})

test('tags filter, and all of them have to match', async () => {
  assert.deepEqual((await listed({ tags: { 'team.name': 'blue' } })).toSorted(), ['one', 'two'])
  assert.deepEqual(await listed({ tags: { 'team.name': 'blue', plan: 'gold' } }), ['one'])
  assert.deepEqual(await listed({ tags: { 'a b&c=d': 'é ✓' } }), ['three'])
  assert.deepEqual(await listed({ tags: { 'team.name': 'green' } }), [])
  assert.deepEqual(await listed({ tags: { team: 'blue' } }), [])
  assert.deepEqual((await listed({ tags: {} })).toSorted(), ['five', 'four', 'one', 'three', 'two'])
})

test('lists are sorted as asked', async () => {
  const created = ['one', 'two', 'three', 'four', 'five']
  assert.deepEqual(await listed({ sortField: 'createdAt', sortDirection: 'asc' }), created)
  assert.deepEqual(await listed({ sortField: 'createdAt', sortDirection: 'desc' }), created.toReversed())
  await client.updateBot({ id: bots[1].id, description: 'touched' })
  const updated = ['one', 'three', 'four', 'five', 'two']
  assert.deepEqual(await listed({ sortField: 'updatedAt', sortDirection: 'asc' }), updated)
  assert.deepEqual(await listed({ sortField: 'updatedAt', sortDirection: 'desc' }), updated.toReversed())
})

test('pages add up to the list, whatever the order', async () => {
  for (const sortField of ['createdAt', 'updatedAt']) {
    for (const sortDirection of ['asc', 'desc']) {
      const props = { sortField, sortDirection }
      const all = await client.list.bots(props).collect()
      for (const [pageSize, sizes] of [[1, [1, 1, 1, 1, 1]], [2, [2, 2, 1]], [5, [5]], [100, [5]]]) {
        const paged = await pages((nextToken) => client.listBots({ ...props, nextToken, pageSize }), 'bots')
        assert.deepEqual(paged.map((page) => page.length), sizes)
        assert.deepEqual(paged.flat(), all)
      }
    }
  }
  const paged = await pages((nextToken) => client.listBots({ nextToken, pageSize: 1, tags: { 'team.name': 'blue' } }), 'bots')
  assert.deepEqual(names(paged.flat()).toSorted(), ['one', 'two'])
})

test('a bot made between two pages moves no other', async () => {
  const { client } = await createAccount()
  for (const name of ['a', 'b', 'c', 'd']) {
    await client.createBot({ name })
    await sleep(3) // createdAt has milliseconds
  }
  const props = { sortField: 'createdAt', sortDirection: 'desc', pageSize: 2 }
  const first = await client.listBots(props)
  await client.createBot({ name: 'late' })
  await client.deleteBot({ id: first.bots[1].id })
  const second = await client.listBots({ ...props, nextToken: first.meta.nextToken })
  assert.deepEqual(names([...first.bots, ...second.bots]), ['d', 'c', 'b', 'a'])
  assert.deepEqual(second.meta, {})
})

test('a query that makes no sense is refused', async () => {
  for (const [query, about] of [
    [{ nextToken: 'made-up' }, /nextToken/],
    [{ sortField: 'name' }, /sortField/],
    [{ sortDirection: 'sideways' }, /sortDirection/],
    [{ pageSize: 0 }, /pageSize/],
    [{ pageSize: -1 }, /pageSize/],
    [{ pageSize: 1.5 }, /pageSize/],
    [{ dev: 'perhaps' }, /dev/],
  ]) {
    await refused(client.listBots(query), 'InvalidQuery', about)
  }
})
