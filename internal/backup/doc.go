// Package backup writes a whole installation into one file, verifies such a file, and
// restores an installation from it, on either engine.
//
// It owns the format of the file: a tar compressed with zstd, with a header, the blobs,
// the rows of every table, the volumes that are kept beside the database, and finally a
// manifest with the hash of each part, so that a truncated or modified file is detected.
// Sealed values stay sealed, and tokens are there as hashes: the key is not in the file,
// and a restored installation needs it. It does not own when backups are made or where
// they are kept, nor the schema: a restoration creates that of the backup's moment and
// then migrates it.
package backup
