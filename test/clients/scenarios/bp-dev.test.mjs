// bp dev runs an integration and a bot on this machine, and the server calls them
// through the tunnels that bp opens at it.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { apiUrl } from './server.mjs'
import { loggedIn } from './terminal.mjs'

const modules = fileURLToPath(new URL('../node_modules', import.meta.url))

// freePort is a port below those that a kernel gives to connections, so that nobody
// else takes it before bp does.
const freePort = async () => {
  for (;;) {
    const port = randomInt(10_000, 30_000)
    const server = http.createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      continue // it is taken
    }
    server.close()
    await once(server, 'close')
    return String(port)
  }
}

// project is a terminal with a project of a template in it, which bp runs; edit makes
// the project's own of the template.
const project = async (t, type, name, edit = (text) => text) => {
  const shell = await loggedIn(t)
  await symlink(modules, join(shell.home, 'node_modules'))
  const { code, stdout, stderr } = await shell.bp('init', '--type', type, '--name', name, '-y')
  assert.equal(code, 0, stderr + stdout)
  const source = join(shell.home, name, 'src/index.ts')
  await writeFile(source, edit(await readFile(source, 'utf8')))
  const dev = shell.begin('dev', '--work-dir', name, '--tunnel-url', apiUrl, '--port', await freePort(), '-y')
  await dev.until(/Listening on port/)
  const { devId } = JSON.parse(await readFile(join(shell.home, name, '.botpress/project.cache.json'), 'utf8'))
  return { ...shell, dev, devId }
}

// settled asks until what is asked is no longer on its way.
const settled = async (ask) => {
  for (;;) {
    const status = await ask()
    if (!status.endsWith('_pending')) {
      return status
    }
    await setTimeout(100)
  }
}

const within = { timeout: 240_000 } // some seconds, on a quiet machine

test('an integration that bp dev runs is registered, and gets its webhooks', within, async (t) => {
  const { client, dev, devId } = await project(t, 'integration', 'talky', (text) =>
    text.replaceAll(/throw new sdk.RuntimeError.*/g, "console.info('was registered')").replace('handler: async () => {},', "handler: async ({ req }) => { console.info('was sent ' + req.body) },"))
  const { integration } = await client.getIntegration({ id: devId })
  assert.equal(integration.dev, true)
  assert.ok(integration.url.startsWith(`${apiUrl}/`), integration.url)
  const health = await fetch(`${integration.url}/health`)
  assert.deepEqual([health.status, await health.text()], [200, 'ok'])

  const { bot } = await client.createBot({ dev: true })
  await client.updateBot({ id: bot.id, integrations: { [devId]: { enabled: true, configuration: {} } } })
  const instance = async () => (await client.getBot({ id: bot.id })).bot.integrations[devId]
  assert.equal(await settled(async () => (await instance()).status), 'registered')
  await dev.until(/was registered/)

  const answer = await fetch((await instance()).webhookUrl, { method: 'POST', body: '{"hello":"there"}' })
  assert.equal(answer.status, 200, await answer.text())
  await dev.until(/was sent \{"hello":"there"\}/)
})

test('a bot that bp dev runs is registered', within, async (t) => {
  const { client, dev, devId } = await project(t, 'bot', 'pal')
  const { bot } = await client.getBot({ id: devId })
  assert.equal(bot.dev, true)
  assert.match(dev.said.stdout, new RegExp(`Dev Bot deployed with id "${devId}"`))
  await dev.until(new RegExp(`Received register operation for bot ${devId}`))
})
