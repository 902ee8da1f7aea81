// Package backup writes a whole installation into one file, checks such a file, and
// makes an installation of it again, on either engine.
//
// It owns the form of the file: a tar compressed by zstd, with a header, the blobs,
// the rows of every table, the files that are kept beside the database, and last a
// manifest with the hash of each part, so a file that was cut short or changed is
// told from a whole one. What was sealed stays sealed and tokens are there as their
// hashes: the key is not in the file, and a restored installation needs it. It does
// not own when backups are made nor where they are kept, nor the schema: that of the
// backup's moment is made first, and then brought up to date.
package backup
