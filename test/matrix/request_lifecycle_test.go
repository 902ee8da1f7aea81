package matrix_test

// lifecycleRequests are those of what happens to bots: versions, keys, transfer, registration.
var lifecycleRequests = map[string][]request{}
