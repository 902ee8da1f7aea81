// Package dispatch calls the bots and integrations that botyard manages, at the urls
// that their makers gave, and relays to them what the outside sends to webhooks.
//
// It owns the form of a call (headers, bodies, signature, time limit), what is made
// of its answer, the one HTTP client that calls addresses which users gave and what it
// refuses of them, the routes below /webhook, and the tunnels by which what runs on a laptop
// is called. It does not own who is called and when:
// how far an integration knows of its instances is kept by package bot, urls and
// signing secrets by package catalog. Nor does it own repeats, which are those of
// the jobs that call.
//
// What holds at all times:
//   - No such call leaves but by Egress, which looks at the address that it is about to
//     connect to, after every resolution of the name: a name that changes its mind
//     gains nothing.
//   - No call is made inside a database transaction.
//   - Whatever a far side does, a call ends, and the memory that calls hold is
//     bounded, in all and for each instance.
//   - Secrets and configurations are in headers of calls and nowhere else; an error
//     never quotes more of a url than its host.
package dispatch
