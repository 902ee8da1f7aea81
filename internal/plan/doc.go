// Package plan owns the catalogue: the plans and add-ons, what each allows and costs, the
// coupons, and the names of everything that is counted.
//
// It does not own how much of anything is used (package meter), which workspace is on
// which plan (package workspace), or subscriptions, invoices and payments (package
// billing).
//
// The catalogue is data: a YAML document. One with the published numbers is embedded, and
// an operator may replace it. It is validated as a whole when it is read, so a Catalog is
// always valid. Money is integer: cents of the catalogue's currency for prices,
// nano-dollars for what AI costs.
package plan
