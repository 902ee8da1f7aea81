// Package plan owns the catalogue: which plans and add-ons there are, what each
// allows and costs, which coupons are honoured, and the words for what is counted.
//
// It does not own how much of anything is used (package meter), which workspace is
// on which plan (package workspace), nor subscriptions, invoices and money that has
// moved (package billing).
//
// The catalogue is data: a YAML document, the published numbers of which are
// embedded, and which an operator may replace by one of his own. Reading it checks
// it whole, so a Catalog is always valid. Money is integer: cents of the
// catalogue's currency for prices, nano-dollars for what AI costs.
package plan
