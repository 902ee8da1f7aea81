// Package dispatch calls the bots and integrations that botyard manages, at the urls
// that their authors chose, and relays to them what external services send to webhooks.
//
// It owns the form of a call (headers, bodies, signature, time limit), what becomes of
// the answer, the one HTTP client for urls that users supply together with the addresses
// that it refuses, the routes below /webhook, and the tunnels through which a bot on a
// laptop is called. It does not own when a call is made and what it means for a
// registration (package bot), urls and signing secrets of integrations (package
// catalog), nor retries (the jobs that make the calls).
//
// Invariants:
//   - Every such call leaves through Egress, which checks the address it is about to
//     connect to, after each resolution of the name: DNS rebinding gains nothing.
//   - No call is made inside a database transaction.
//   - Whatever the far side does, a call ends, and the memory that calls hold is
//     bounded, in total and per instance.
//   - Secrets and configurations travel in headers of calls and nowhere else; errors,
//     and what is logged of them, never quote more of a url than its host.
package dispatch
