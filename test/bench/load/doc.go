// Package load sends prepared HTTP/1.1 requests to one server and times the answers.
//
// It owns the keep-alive connections, the measured window and the percentiles.
// It is written to cost little, because it shares the machine with the server it
// measures: requests are bytes made beforehand, and of an answer only the status
// and the length are looked at. Every answer must be 200; the first that is not
// ends the run with an error, so that a fast refusal never passes for speed.
//
// It does not own which servers there are, what they are asked, or how figures
// are compared; the command above it does.
package load
