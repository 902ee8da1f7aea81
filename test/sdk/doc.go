// Package sdk runs integrations and bots that are made with the official SDK, as it
// is published, and has a real server call them.
//
// It owns the two programs (integration.mjs, bot.mjs), the pinned version of the SDK
// (package-lock.json) and the test that installs them by their urls, on both engines.
// The integration lets in only what docs/webhooks.md's own function finds signed, so
// the documentation is run too. It does not own what the far side may do wrong: that
// is in test/exercise, against a far side that does it.
//
// package.json overrides the SDK's client, and takes a schema library that is older
// than the SDK asks for: the versions that it names are not in every registry. Neither
// plays a part in what is tested, the SDK's server.
package sdk
