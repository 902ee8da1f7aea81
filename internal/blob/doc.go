// Package blob keeps large immutable content: code bundles, icons and readmes.
//
// It owns the addressing (a blob's name is the SHA-256 of its plain content),
// the compression, the durability, and the places where blobs can be: a
// directory or an S3 bucket. It does not own who refers to a blob, nor when one
// is no longer needed: the domains know the former, and the collector of package
// app, which asks them, walks List and calls Delete.
//
// Invariants:
//   - What Put has answered survives a crash of the machine (directory), or is
//     as durable as the bucket.
//   - Nothing half written is ever read: a blob is whole or missing.
//   - Content is checked against its hash on every read.
//   - A Put, also of content that is there already, makes the blob young: a
//     collector that leaves blobs younger than Settled alone never removes one
//     whose reference is just being committed.
package blob
