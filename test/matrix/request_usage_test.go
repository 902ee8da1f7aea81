package matrix_test

// usageRequests are those of usage and quotas.
var usageRequests = map[string][]request{}
