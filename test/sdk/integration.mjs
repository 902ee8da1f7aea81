// An integration made with the official SDK, served as its own process:
//
//	node integration.mjs
//
// It prints its port. What its configuration says decides what it does. VERIFY is the
// module of the documentation's verify function, SIGNING_SECRET what it is given, AHEAD
// how many milliseconds the clock of the server that calls it is ahead of the machine's.
import { createServer } from 'node:http'
import sdk from '@botpress/sdk'


const now = Date.now
Date.now = () => now() + Number(process.env.AHEAD)

const { Integration, RuntimeError } = sdk
const { verify } = await import(process.env.VERIFY)

const told = []

const integration = new Integration({
  register: async ({ ctx, webhookUrl }) => {
    told.push({ operation: 'register', ctx, webhookUrl })
    if (ctx.configuration.token === 'bad') throw new RuntimeError('The token "bad" is not valid: ask Ann ☃')
    if (ctx.configuration.token === 'broken') throw new Error('a secret of the code')
  },
  unregister: async ({ ctx, webhookUrl }) => {
    told.push({ operation: 'unregister', ctx, webhookUrl })
  },
  handler: async ({ req, ctx }) => {
    if (req.path === '/told') return { body: JSON.stringify(told) }
    if (req.path === '/refuse') throw new RuntimeError('not like this')
    if (req.path === '/identify') return { headers: { 'x-bp-integration-identifier': req.body } }
    return {
      status: 201,
      headers: { 'content-type': 'application/json', 'x-made-with': 'sdk' },
      body: JSON.stringify({ req, ctx }),
    }
  },
  actions: {},
  channels: {},
})

// The SDK's server stands behind one that lets in only what is signed.
const inner = await integration.start(0)
const server = createServer(async (request, response) => {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  const body = Buffer.concat(pieces)
  if (!verify(request.headers, body, process.env.SIGNING_SECRET)) {
    response.writeHead(401).end()
    return
  }
  const answer = await fetch(`http://127.0.0.1:${inner.address().port}${request.url}`, {
    method: request.method,
    headers: Object.fromEntries(Object.entries(request.headers).filter(([name]) => !['host', 'connection', 'content-length'].includes(name))),
    body: body.length ? body : undefined,
    redirect: 'manual',
  })
  response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()))
})
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
