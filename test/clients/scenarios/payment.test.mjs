import assert from 'node:assert/strict'
import { test } from 'node:test'
import { billing } from '@botpress/client'
import { apiUrl, createAccount, operate, refused } from './server.mjs'

// customer is an account with its client of billing that owes an invoice.
const customer = async () => {
  const made = await createAccount()
  await operate('workspace', 'set-plan', '--id', made.workspaceId, '--plan', 'community')
  const client = new billing.Client({ apiUrl, token: made.token, workspaceId: made.workspaceId })
  await client.setPlan({ planId: 'plus', interval: 'month' })
  const { invoices } = await made.client.listWorkspaceInvoices({ id: made.workspaceId })
  return { ...made, billing: client, invoice: invoices[0] }
}

test('a card is set and pays', async () => {
  const { billing: client, client: admin, workspaceId, invoice } = await customer()
  assert.equal(invoice.paymentStatus, 'open')
  assert.deepEqual([invoice.currency, invoice.paymentAttemptCount], ['usd', 0])
  assert.deepEqual(await client.getPaymentMethod({}), { paymentMethod: null })
  await refused(client.payInvoice({ invoiceId: invoice.id }), 'PaymentRequired', /payment method/)
  await refused(client.payInvoice({ invoiceId: 'invoice_0' }), 'ResourceNotFound', /invoice_0/)

  const { clientSecret } = await client.createPaymentMethodIntent({})
  assert.match(clientSecret, /_secret_/)
  const method = await client.setPaymentMethod({ paymentMethodId: 'pm_card_visa' })
  assert.deepEqual(method, { id: 'pm_card_visa', type: 'card', card: { brand: 'visa', lastFour: '4242', expMonth: 12, expYear: 2034 } })
  assert.deepEqual(await client.getPaymentMethod({}), { paymentMethod: method })
  await refused(client.setPaymentMethod({ paymentMethodId: 'pm_nothing' }), 'InvalidPayload', /pm_card_visa/)

  const paid = await client.payInvoice({ invoiceId: invoice.id, idempotencyKey: 'once' })
  assert.deepEqual([paid.id, paid.status, paid.amount], [invoice.id, 'paid', invoice.amount])
  assert.equal((await client.payInvoice({ invoiceId: invoice.id, idempotencyKey: 'once' })).status, 'paid')
  const { invoices } = await admin.listWorkspaceInvoices({ id: workspaceId })
  assert.deepEqual(invoices.map(({ id, paymentStatus }) => [id, paymentStatus]), [[invoice.id, 'paid']])
  const pdf = await fetch(invoices[0].pdfUrl)
  assert.deepEqual([pdf.status, pdf.headers.get('content-type')], [200, 'application/pdf'])
  assert.equal(Buffer.from(await pdf.arrayBuffer()).subarray(0, 5).toString(), '%PDF-')
})

test('what is unpaid is charged, each for itself', async () => {
  const { billing: client, client: admin, workspaceId, invoice } = await customer()
  const charge = (more = {}) => admin.chargeWorkspaceUnpaidInvoices({ id: workspaceId, ...more })
  const failed = await charge()
  assert.deepEqual(failed.chargedInvoices, [])
  assert.deepEqual(failed.failedInvoices.map(({ id, amount }) => [id, amount]), [[invoice.id, invoice.amount]])
  assert.match(failed.failedInvoices[0].failedReason, /payment method/)
  await refused(charge({ invoiceIds: ['invoice_0'] }), 'ResourceNotFound', /invoice_0/)

  await client.setPaymentMethod({ paymentMethodId: 'pm_card_chargeDeclined' })
  assert.match((await charge({ invoiceIds: [invoice.id] })).failedInvoices[0].failedReason, /declined/)
  await operate('invoice', 'mark-paid', invoice.id)
  assert.deepEqual(await charge(), { chargedInvoices: [], failedInvoices: [] })
  const stranger = await createAccount()
  await refused(stranger.client.chargeWorkspaceUnpaidInvoices({ id: workspaceId }), 'ResourceNotFound')
  await refused(stranger.client.listWorkspaceInvoices({ id: workspaceId }), 'ResourceNotFound')
  for (const ask of ['getPaymentMethod', 'createPaymentMethodIntent']) {
    await refused(new billing.Client({ apiUrl, token: stranger.token, workspaceId })[ask]({}), 'ResourceNotFound')
  }
})
