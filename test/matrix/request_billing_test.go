package matrix_test

// billingRequests are those of plans, subscriptions, invoices and payments.
var billingRequests = map[string][]request{}
