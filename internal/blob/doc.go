// Package blob stores large immutable content: code bundles, icons and readmes.
//
// It owns the addressing (a blob's name is the SHA-256 of its plain content), the
// compression, the durability, and the places where blobs can be: a directory or an S3
// bucket. It does not own the references to blobs, nor their garbage collection: the
// domains know the references, and package app, which asks them, walks the lists and
// retires, reinstates and deletes.
//
// Invariants:
//   - A blob whose Put has returned survives a crash of the machine (directory), or is as
//     durable as the bucket.
//   - A partially written blob is never read: a blob is complete or missing.
//   - Content is checked against its hash on every read.
//   - Every Put makes the blob young, even if it was there already. A collector that keeps
//     blobs younger than Settled may still retire one just as it is put again, so a retired
//     blob can be read until it is deleted, a Settled later; see decision 81.
package blob
