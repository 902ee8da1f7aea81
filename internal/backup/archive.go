package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/db"
)

// format is the version of the file's format; a reader refuses versions that it does not
// know.
const format = 1

// The names of the parts.
const (
	headerName   = "botyard-backup.json"
	manifestName = "manifest.json"
	tableDir     = "tables/"
	blobDir      = "blobs/"
	volumeDir    = "volumes/"
)

// Header describes a backup. It is the first part of the file.
type Header struct {
	Format    int       `json:"format"`
	Program   string    `json:"program"` // the version of botyard that wrote it
	Engine    db.Engine `json:"engine"`
	Schema    int64     `json:"schema"` // the newest migration that was applied
	CreatedAt time.Time `json:"createdAt"`
	// KeyCheck identifies the key that the secrets are sealed with.
	KeyCheck string     `json:"keyCheck"`
	Tables   []db.Table `json:"tables"`
}

// manifest is the last part. It lists all parts before it, so that none can be missing.
type manifest struct {
	Parts []part `json:"parts"`
	// Rows is how many rows of each table there are; one of a volume is volume/table.
	Rows map[string]int64 `json:"rows"`
}

type part struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// writer writes the parts of a file one after the other.
type writer struct {
	compressed *zstd.Encoder
	tar        *tar.Writer
	at         time.Time
	manifest   manifest
}

func newWriter(to io.Writer, at time.Time) (*writer, error) {
	compressed, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return &writer{compressed: compressed, tar: tar.NewWriter(compressed), at: at, manifest: manifest{Rows: map[string]int64{}}}, nil
}

// add writes a part of a known size.
func (w *writer) add(name string, size int64, content io.Reader) error {
	if err := w.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: w.at, Format: tar.FormatPAX}); err != nil {
		return err
	}
	sum := sha256.New()
	written, err := io.Copy(io.MultiWriter(w.tar, sum), content)
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", name, err)
	}
	if written != size {
		return fmt.Errorf("%s has %d bytes instead of %d", name, written, size)
	}
	w.manifest.Parts = append(w.manifest.Parts, part{name, size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// close writes the manifest and ends the file. A file that was not closed has none, and is
// never taken for a complete one.
func (w *writer) close() error {
	text, err := json.Marshal(w.manifest, json.Deterministic(true))
	if err != nil {
		return err
	}
	if err := w.tar.WriteHeader(&tar.Header{Name: manifestName, Size: int64(len(text)), Mode: 0o600, ModTime: w.at, Format: tar.FormatPAX}); err != nil {
		return err
	}
	if _, err := w.tar.Write(text); err != nil {
		return err
	}
	return errors.Join(w.tar.Close(), w.compressed.Close())
}

// ErrDamaged is the error for a file that is not a backup, or not exactly as it was written.
var ErrDamaged = errors.New("the backup is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// maxHeader bounds what is read into memory before anything is checked.
const maxHeader = 16 << 20

// reader reads the parts of a file and checks each against the manifest.
type reader struct {
	compressed *zstd.Decoder
	tar        *tar.Reader
	seen       []part
	current    *tar.Header
	sum        hash.Hash
}

func newReader(from io.Reader) (*reader, error) {
	compressed, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return &reader{compressed: compressed, tar: tar.NewReader(compressed)}, nil
}

func (r *reader) close() { r.compressed.Close() }

// header reads the first part.
func (r *reader) header() (h Header, err error) {
	name, err := r.next()
	if err != nil {
		return h, err
	}
	if name != headerName {
		return h, damaged("it begins with %q, so it is not a backup of botyard", name)
	}
	text, err := r.text()
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, damaged("its header cannot be read: %w", err)
	}
	if h.Format != format {
		return h, fmt.Errorf("the backup has format %d, and this program reads format %d; use the botyard that wrote it (%s)", h.Format, format, h.Program)
	}
	return h, nil
}

// next advances to the next part; the previous one must have been read to its end.
func (r *reader) next() (name string, err error) {
	r.finish()
	r.current, err = r.tar.Next()
	if errors.Is(err, io.EOF) {
		return "", damaged("it ends before its manifest")
	}
	if err != nil {
		return "", damaged("it is truncated or garbled after %d parts: %w", len(r.seen), err)
	}
	r.sum = sha256.New()
	return r.current.Name, nil
}

func (r *reader) finish() {
	if r.current != nil && r.current.Name != manifestName {
		r.seen = append(r.seen, part{r.current.Name, r.current.Size, hex.EncodeToString(r.sum.Sum(nil))})
	}
	r.current = nil
}

// Read reads the current part.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.tar.Read(p)
	r.sum.Write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged("%s cannot be read: %w", r.current.Name, err)
	}
	return n, err
}

// text reads a part that fits into memory.
func (r *reader) text() ([]byte, error) {
	if r.current.Size > maxHeader {
		return nil, damaged("%s has %d bytes; at most %d are possible", r.current.Name, r.current.Size, maxHeader)
	}
	return io.ReadAll(r)
}

// end reads the manifest, which is the current part, and compares it with what was read;
// rows counts the rows that were seen of each table.
func (r *reader) end(rows map[string]int64) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return damaged("its manifest cannot be read: %w", err)
	}
	if len(m.Parts) != len(r.seen) {
		return damaged("it has %d parts and its manifest names %d", len(r.seen), len(m.Parts))
	}
	for i, want := range m.Parts {
		if got := r.seen[i]; got != want {
			return damaged("%s is not what was written: it has %d bytes with the hash %.12s, and the manifest says %d bytes with %.12s as %s",
				got.Name, got.Size, got.SHA256, want.Size, want.SHA256, want.Name)
		}
	}
	for table, n := range m.Rows {
		if rows[table] != n {
			return damaged("the table %s has %d rows, and the manifest says %d", table, rows[table], n)
		}
	}
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return damaged("something follows its manifest")
	}
	// The checksum of the compression follows the end of the tar.
	if _, err := io.Copy(io.Discard, r.compressed); err != nil {
		return damaged("its end is garbled: %w", err)
	}
	return nil
}
