// A terminal in which the bp command line runs, answering no prompts.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { apiUrl, createAccount } from './server.mjs'

const program = fileURLToPath(new URL('../node_modules/@botpress/cli/bin.js', import.meta.url))

// Every command of bp asks the package registry for a newer bp. This registry has
// none, so the tests need no network and bp has nothing to say about updates.
const registry = http.createServer((_, answer) => {
  answer.writeHead(404, { 'content-type': 'application/json' })
  answer.end('{}')
})

before(async () => {
  registry.listen(0, '127.0.0.1')
  await once(registry, 'listening')
})

after(() => {
  registry.closeAllConnections()
  registry.close()
})

// terminal runs bp with a home directory of the test's own, in which it stands.
export const terminal = async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'bp-'))
  const begun = []
  t.after(async () => {
    // What goes on writes to the home, so it ends before that is removed.
    for (const { child, closed } of begun) {
      process.kill(-child.pid, 'SIGKILL')
      await closed
    }
    await rm(home, { recursive: true })
  })
  const launch = (args, options = {}) => {
    const child = spawn(process.execPath, [program, ...args], {
      ...options,
      cwd: home,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: home,
        NO_COLOR: '1',
        BP_BOTPRESS_HOME: home,
        npm_config_registry: `http://127.0.0.1:${registry.address().port}/`,
      },
    })
    const said = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text) => (said.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (said.stderr += text))
    return { child, said }
  }
  const bp = async (...args) => {
    const { child, said } = launch(args)
    const [code] = await once(child, 'close')
    return { code, ...said }
  }
  // begin is a bp that goes on until the test ends; until waits for what it says.
  const begin = (...args) => {
    // A group of its own: what bp started ends with it.
    const { child, said } = launch(args, { detached: true })
    begun.push({ child, closed: once(child, 'close') })
    const until = async (pattern) => {
      while (!pattern.test(said.stdout + said.stderr)) {
        assert.equal(child.exitCode, null, `bp ${args.join(' ')} ended: ${said.stderr}${said.stdout}`)
        await setTimeout(50)
      }
    }
    return { said, until }
  }
  // json is the printed result of a command that has to succeed.
  const json = async (...args) => {
    const { code, stdout, stderr } = await bp(...args, '--json')
    assert.equal(code, 0, `bp ${args.join(' ')}: ${stderr}${stdout}`)
    return JSON.parse(stdout)
  }
  return { home, bp, begin, json }
}

export const loggedIn = async (t) => {
  const account = await createAccount()
  const shell = await terminal(t)
  const { code, stdout, stderr } = await shell.bp(
    'login', '--api-url', apiUrl, '--token', account.token, '--workspace-id', account.workspaceId,
  )
  assert.equal(code, 0, stderr + stdout)
  assert.match(stdout, /Logged In/)
  return { ...account, ...shell }
}
