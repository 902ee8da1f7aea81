// The server under test, as the scenarios see it: clients of it, accounts on it
// and the forms of its values.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import * as errors from '@botpress/client'

const { Client, isApiError } = errors

const setting = (name) => {
  const value = process.env[name]
  assert.ok(value, `${name} is not set: run the scenarios with go test ./test/clients`)
  return value
}

export const apiUrl = setting('BOTYARD_URL')
export const token = setting('BOTYARD_TOKEN')
export const workspaceId = setting('BOTYARD_WORKSPACE_ID')

// now is the server's time, in milliseconds: its clock is ahead of this machine's.
export const now = () => Date.now() + Number(setting('BOTYARD_AHEAD'))

// connect is a client of the first account's; an empty token sends none.
export const connect = (props = {}) => new Client({ apiUrl, token, workspaceId, ...props })

// call sends what the official client cannot: any path, header and body.
export const call = async (method, path, { headers = {}, body, ...options } = {}) => {
  const response = await fetch(apiUrl + path, {
    method,
    headers: {
      authorization: `Bearer ${options.token ?? token}`,
      'x-workspace-id': options.workspaceId ?? workspaceId,
      'content-type': 'application/json',
      ...headers,
    },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

// unused is a name that no other scenario takes; it is a valid handle too.
export const unused = (prefix) => `${prefix}-${randomUUID().slice(0, 13)}`

// operate runs a command of the server beside it, as an operator does, and gives
// what it prints as JSON.
export const operate = async (...args) => {
  const { stdout } = await promisify(execFile)(setting('BOTYARD_BINARY'), [...args, '--json'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...JSON.parse(setting('BOTYARD_OPERATOR')) },
  })
  return JSON.parse(stdout)
}

// createAccount makes an account on the command line of the server. The account owns
// a workspace of its own, which the client is set to.
export const createAccount = async ({ email = `${unused('someone')}@example.com`, name } = {}) => {
  const args = ['account', 'create', '--email', email]
  if (name !== undefined) {
    args.push('--name', name)
  }
  const made = await operate(...args)
  assert.equal(made.account.email, email)
  return { ...made, client: connect({ token: made.token, workspaceId: made.workspaceId }) }
}

// refused asserts that an operation fails with one error type of the API.
export const refused = async (operation, type, message = /./) => {
  const [outcome] = await Promise.allSettled([operation])
  assert.equal(outcome.status, 'rejected', `expected ${type}, but it was accepted: ${JSON.stringify(outcome.value)}`)
  const error = outcome.reason
  assert.ok(isApiError(error), `expected ${type}, got ${error}`)
  assert.equal(error.type, type, `${error.type}: ${error.message}`)
  assert.ok(error instanceof errors[`${type}Error`], `${error.type} has the class ${error.constructor.name}`)
  assert.match(error.message, message)
  assert.match(error.id, /^err_\d{14}x[0-9A-F]{8}$/)
  return error
}

// instant is a time as the API writes it.
export const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const ulid = (prefix) => new RegExp(`^${prefix}_[0-9A-HJKMNP-TV-Z]{26}$`)

// missingId has the form of a real id, of a thing that does not exist.
export const missingId = {
  bot: '00000000-0000-4000-8000-000000000000',
  workspace: 'wkspace_01J00000000000000000000000',
  pat: 'pat_01J00000000000000000000000',
  member: '00000000-0000-4000-8000-000000000000',
}

// pages follows nextToken to the end and gives the items of each page.
export const pages = async (list, key) => {
  const all = []
  let nextToken
  do {
    const page = await list(nextToken)
    all.push(page[key])
    nextToken = page.meta.nextToken
    assert.ok(all.length < 1000, 'the pages do not end')
  } while (nextToken)
  return all
}
