// bp deploys what it makes of its own templates: an integration, and a bot that has
// the integration installed.
import assert from 'node:assert/strict'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createAccount, refused, unused, uuid } from './server.mjs'
import { loggedIn } from './terminal.mjs'

const modules = fileURLToPath(new URL('../node_modules', import.meta.url))

// workshop is a terminal in a workspace with a handle, where projects find the
// packages that their templates need.
const workshop = async (t) => {
  const shell = await loggedIn(t)
  await symlink(modules, join(shell.home, 'node_modules'))
  const handle = unused('shop')
  await shell.client.updateWorkspace({ id: shell.workspaceId, handle })
  // run is what bp prints; it has to succeed.
  const run = async (...args) => {
    const { code, stdout, stderr } = await shell.bp(...args, '-y')
    assert.equal(code, 0, `bp ${args.join(' ')}: ${stderr}${stdout}`)
    return stdout
  }
  const edit = async (file, change) => {
    const path = join(shell.home, file)
    const before = await readFile(path, 'utf8')
    const after = change(before)
    assert.notEqual(after, before, `${file} is as it was`)
    await writeFile(path, after)
  }
  return { ...shell, handle, run, edit }
}

test('bp deploys an integration, again, and another version of it', async (t) => {
  const { client, handle, run, edit, json } = await workshop(t)
  await run('init', '--type', 'integration', '--name', 'talky')
  await run('build', '--work-dir', 'talky')
  assert.match(await run('deploy', '--work-dir', 'talky'), /Integration deployed/)

  const name = `${handle}/talky`
  const { integration: first } = await client.getIntegrationByName({ name, version: '0.0.1' })
  assert.equal(first.name, name)
  assert.equal(first.visibility, 'private')

  await edit('talky/integration.definition.ts', (text) => text.replace("version: '0.0.1',", "version: '0.0.1',\n  title: 'Talky',"))
  assert.match(await run('deploy', '--work-dir', 'talky'), /already exists[\s\S]*Integration deployed/)
  const { integration: changed } = await client.getIntegration({ id: first.id })
  assert.equal(changed.title, 'Talky')

  await edit('talky/integration.definition.ts', (text) => text.replace("version: '0.0.1',", "version: '0.1.0',"))
  await run('deploy', '--work-dir', 'talky')
  const { integration: second } = await client.getIntegrationByName({ name, version: 'latest' })
  assert.notEqual(second.id, first.id)
  assert.equal(second.version, '0.1.0')

  const listed = await json('integrations', 'ls', '--name', name)
  assert.deepEqual(listed.map(({ id }) => id).toSorted(), [first.id, second.id].toSorted())
  assert.equal((await json('integrations', 'get', second.id)).version, '0.1.0')
  await run('integrations', 'delete', second.id)
  await refused(client.getIntegration({ id: second.id }), 'ResourceNotFound')
})

test('bp deploys a bot with an integration, again, and without it', async (t) => {
  const { client, handle, run, edit, home } = await workshop(t)
  await run('init', '--type', 'integration', '--name', 'talky')
  await run('deploy', '--work-dir', 'talky')
  await run('init', '--type', 'bot', '--name', 'speaker')
  await run('build', '--work-dir', 'speaker')
  assert.match(await run('deploy', '--work-dir', 'speaker', '--create-new-bot'), /Bot deployed/)

  const { botId: id } = JSON.parse(await readFile(join(home, 'speaker/.botpress/project.cache.json'), 'utf8'))
  const { bot: bare } = await client.getBot({ id })
  assert.deepEqual(bare.integrations, {})
  assert.ok(bare.deployedAt)

  await run('add', `${handle}/talky@0.0.1`, '--work-dir', 'speaker')
  const generated = await readFile(join(home, 'speaker/.botpress/index.ts'), 'utf8')
  const [, module] = /export \* as (\w+) from/.exec(generated)
  const type = module[0].toUpperCase() + module.slice(1)
  await edit('speaker/src/index.ts', (text) => text
    .replace(/\/\/ import \* as bp.*/, "import * as bp from '../.botpress'")
    .replace('integrations: {},', `integrations: { talky: new bp.${module}.${type}({ enabled: true, config: {} }) },`)
    .replace('events: {},', "events: { rang: { schema: z.object({ times: z.number() }) } },"))
  const deploy = () => run('deploy', '--work-dir', 'speaker', '--bot-id', id)
  const printed = await deploy()

  const { bot } = await client.getBot({ id })
  const [installed, ...others] = Object.values(bot.integrations)
  assert.deepEqual(others, [])
  assert.equal(installed.name, `${handle}/talky`)
  assert.equal(installed.enabled, true)
  assert.match(installed.webhookId, uuid)
  assert.ok(printed.includes(installed.webhookUrl), printed)
  assert.deepEqual(Object.keys(bot.events), ['rang'])

  await deploy()
  const { bot: again } = await client.getBot({ id })
  assert.deepEqual(again.integrations, bot.integrations, 'the address stays')
  await refused(client.deleteIntegration({ id: installed.id }), 'ReferenceConstraint', new RegExp(bot.name))

  await edit('speaker/src/index.ts', (text) => text.replace(/integrations: \{ talky.*/, 'integrations: {},').replace(/events: \{ rang.*/, 'events: {},'))
  await deploy()
  const { bot: without } = await client.getBot({ id })
  assert.deepEqual(without.integrations, {})
  assert.deepEqual(without.events, {})
})

test('bp adds integrations of the hub, by name, version and id', async (t) => {
  const maker = await createAccount()
  const handle = unused('maker')
  await maker.client.updateWorkspace({ id: maker.workspaceId, handle })
  const name = `${handle}/tools`
  const publish = async (version, action) => (await maker.client.createIntegration({
    name, version, visibility: 'public', url: 'http://127.0.0.1:1',
    actions: { [action]: { input: { schema: { type: 'object', properties: { at: { type: 'string' } } } }, output: { schema: { type: 'object' } } } },
    channels: { desk: { messages: { text: { schema: { type: 'object', properties: { text: { type: 'string' } } } } } } },
  })).integration
  const old = await publish('1.0.0', 'lend')
  const newest = await publish('2.0.0', 'borrow')
  const hidden = (await maker.client.createIntegration({ name: `${handle}/hidden`, version: '1.0.0' })).integration

  const { client, bp, run, edit, home } = await workshop(t)
  await run('init', '--type', 'bot', '--name', 'user')
  const added = async () => {
    const index = await readFile(join(home, 'user/.botpress/index.ts'), 'utf8')
    const [, module, folder] = /export \* as (\w+) from '\.\/([^']*)'/.exec(index) ?? assert.fail(index)
    return { module, json: JSON.parse(await readFile(join(home, 'user/.botpress', folder, 'integration.json'), 'utf8')) }
  }
  for (const [reference, id, version] of [
    [name, newest.id, '2.0.0'], [`${name}@1.0.0`, old.id, '1.0.0'], [newest.id, newest.id, '2.0.0'], [`${name}@latest`, newest.id, '2.0.0'],
  ]) {
    assert.match(await run('add', reference, '--work-dir', 'user'), /Installed integration/, reference)
    const { json } = await added()
    assert.deepEqual({ id: json.id, name: json.name, version: json.version }, { id, name, version }, reference)
  }
  for (const reference of [`${handle}/hidden`, hidden.id, `${name}@3.0.0`]) {
    const { code, stderr } = await bp('add', reference, '--work-dir', 'user', '-y')
    assert.equal(code, 1, reference)
    assert.match(stderr, /not found/, reference)
  }

  const { module } = await added()
  const type = module[0].toUpperCase() + module.slice(1)
  await edit('user/src/index.ts', (text) => text
    .replace(/\/\/ import \* as bp.*/, "import * as bp from '../.botpress'")
    .replace('integrations: {},', `integrations: { tools: new bp.${module}.${type}({ enabled: false, config: {} }) },`))
  assert.match(await run('deploy', '--work-dir', 'user', '--create-new-bot'), /Bot deployed/)
  const { botId: id } = JSON.parse(await readFile(join(home, 'user/.botpress/project.cache.json'), 'utf8'))
  const installed = Object.values((await client.getBot({ id })).bot.integrations)
  assert.deepEqual(installed.map(({ id, name, version, enabled }) => ({ id, name, version, enabled })), [{ id: newest.id, name, version: '2.0.0', enabled: false }])
  assert.equal((await client.getPublicIntegrationById({ id: newest.id })).integration.meta.installs, 1)
})
