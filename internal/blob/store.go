package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/s3blob" // registers s3:// with blob.OpenBucket
	"gocloud.dev/gcerrors"

	"github.com/botyard/botyard/internal/clock"
)

const (
	// Settled is the age from which a blob without a reference may be retired, and a
	// retired one deleted. It is far above the time between a Put and the commit of its
	// reference.
	Settled = 24 * time.Hour

	// young is the age up to which a Put leaves a blob as it is. An older one is
	// written again, which makes it young for collectors.
	young = time.Hour
)

// Store is one place for blobs. It is safe for concurrent use, also by several
// processes on one directory or bucket.
type Store struct {
	bucket  *blob.Bucket
	dir     string // "" for a bucket that is not a directory
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	clock   clock.Clock
}

func parse(address string) (*url.URL, error) {
	const right = "use file:///directory, or s3://bucket?region=… with the options of the bucket"
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the blob URL cannot be read; %s", right)
	}
	switch {
	case u.Scheme == "file" && u.Host != "":
		return nil, fmt.Errorf("the blob URL %q names the host %q; a directory is written with three slashes, file:///directory", address, u.Host)
	case u.Scheme == "file" && (u.Path == "" || u.RawQuery != ""):
		return nil, fmt.Errorf("the blob URL %q is not a directory; %s", address, right)
	case u.Scheme == "s3" && u.Host == "":
		return nil, fmt.Errorf("the blob URL %q has no bucket; %s", address, right)
	case u.Scheme != "file" && u.Scheme != "s3":
		return nil, fmt.Errorf("the blob URL has the scheme %q; %s", u.Scheme, right)
	}
	return u, nil
}

// Open opens the store at address: file:///directory, which is made when it is
// not there, or s3://bucket with the options of gocloud.dev/blob/s3blob; AWS
// credentials come from the environment as AWS's own tools take them. It does not
// try whether the place can be written: that is Check.
func Open(ctx context.Context, address string) (*Store, error) {
	u, err := parse(address)
	if err != nil {
		return nil, err
	}
	s := &Store{clock: clock.System()}
	if u.Scheme == "file" {
		s.dir = filepath.FromSlash(u.Path)
		s.bucket, err = fileblob.OpenBucket(s.dir, &fileblob.Options{
			CreateDir:   true,
			DirFileMode: 0o700,
			NoTempDir:   true,
			Metadata:    fileblob.MetadataDontWrite,
		})
	} else {
		s.bucket, err = blob.OpenBucket(ctx, address)
	}
	if err != nil {
		return nil, fmt.Errorf("the blob store cannot be opened: %w", err)
	}
	if s.encoder, err = zstd.NewWriter(nil); err == nil {
		s.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0))
	}
	if err != nil {
		return nil, errors.Join(err, s.bucket.Close())
	}
	return s, nil
}

// Close lets go of the store; blobs that are being read fail.
func (s *Store) Close() error {
	s.decoder.Close()
	return errors.Join(s.encoder.Close(), s.bucket.Close())
}

// Put stores content and answers its name. When it has answered, the blob is
// durable. Content that was put within the last hour is not written again.
func (s *Store) Put(ctx context.Context, content []byte) (Hash, error) {
	h := Of(content)
	failed := func(err error) (Hash, error) {
		return "", fmt.Errorf("blob %s cannot be stored: %w", h, err)
	}
	attributes, err := s.bucket.Attributes(ctx, h.key())
	switch {
	case err == nil && attributes.Size > 0 && s.clock.Now().Sub(attributes.ModTime) < young:
		// Another Put may have renamed the file and not yet made that durable.
		if err := s.syncDirs(h.key()); err != nil {
			return failed(err)
		}
		return h, nil
	case err != nil && gcerrors.Code(err) != gcerrors.NotFound:
		return failed(err)
	}
	if err := s.write(ctx, h.key(), s.encoder.EncodeAll(content, nil)); err != nil {
		return failed(err)
	}
	return h, nil
}

// write stores body at key, atomically and durably.
func (s *Store) write(ctx context.Context, key string, body []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var file *os.File
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: "application/zstd",
		BeforeWrite: func(as func(any) bool) error {
			as(&file) // nil stays nil in a bucket that is not a directory
			return nil
		},
	})
	if err != nil {
		return err
	}
	_, err = w.Write(body)
	if err == nil && file != nil {
		// Before Close, which renames: the name must never show bytes that a
		// power failure could still take away.
		err = file.Sync()
	}
	if err != nil {
		cancel() // a canceled writer removes what it wrote
		return errors.Join(err, ignoreCanceled(w.Close()))
	}
	if err := w.Close(); err != nil {
		return err
	}
	return s.syncDirs(key)
}

func ignoreCanceled(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || gcerrors.Code(err) == gcerrors.Canceled {
		return nil
	}
	return err
}

// syncDirs makes the names on the way to key durable.
func (s *Store) syncDirs(key string) error {
	if s.dir == "" {
		return nil
	}
	for path := s.path(key); path != s.dir; {
		path = filepath.Dir(path)
		d, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// path is the file at a key of a directory.
func (s *Store) path(key string) string { return filepath.Join(s.dir, filepath.FromSlash(key)) }

// Get is the content of a blob. It returns an error that wraps ErrMissing or
// ErrDamaged.
func (s *Store) Get(ctx context.Context, h Hash) ([]byte, error) {
	if !h.valid() {
		return nil, missing(h)
	}
	var stored []byte
	err := h.find(func(key string) (err error) {
		stored, err = s.bucket.ReadAll(ctx, key)
		return err
	})
	if err != nil {
		return nil, readError(h, err)
	}
	content, err := s.decoder.DecodeAll(stored, nil)
	if err != nil {
		return nil, damaged(h, err)
	}
	if got := Of(content); got != h {
		return nil, damaged(h, fmt.Errorf("its content has the hash %s", got))
	}
	return content, nil
}

func readError(h Hash, err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return missing(h)
	}
	return fmt.Errorf("blob %s cannot be read: %w", h, err)
}

// Has says whether the store has the blob, without reading it.
func (s *Store) Has(ctx context.Context, h Hash) (bool, error) {
	if !h.valid() {
		return false, nil
	}
	err := h.find(func(key string) error {
		_, err := s.bucket.Attributes(ctx, key)
		return err
	})
	switch {
	case err == nil:
		return true, nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return false, nil
	}
	return false, fmt.Errorf("blob %s cannot be looked up: %w", h, err)
}

// List calls each for every blob that is not retired, in the order of their hashes,
// with the time of its last Put as the store's machine tells it. It ends at the first
// error of each, and returns that.
func (s *Store) List(ctx context.Context, each func(h Hash, put time.Time) error) error {
	return s.walk(ctx, func(key string, at time.Time) error {
		if h, ok := hashOf(key); ok {
			return each(h, at)
		}
		return nil
	})
}

// Sweep removes what Puts that were interrupted before the given time left in a
// directory, and answers how many files that were. A bucket has no such files.
func (s *Store) Sweep(ctx context.Context, before time.Time) (int, error) {
	if s.dir == "" {
		return 0, nil
	}
	removed := 0
	err := s.walk(ctx, func(key string, at time.Time) error {
		if !strings.HasSuffix(key, ".tmp") || !at.Before(before) {
			return nil
		}
		if err := s.remove(ctx, key); err != nil {
			return fmt.Errorf("the unfinished blob %s cannot be removed: %w", key, err)
		}
		removed++
		return nil
	})
	return removed, err
}

// walk calls each for every object with the time when it was written.
func (s *Store) walk(ctx context.Context, each func(key string, at time.Time) error) error {
	if s.dir != "" {
		return s.walkDir(ctx, each)
	}
	for objects := s.bucket.List(nil); ; {
		o, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the blobs cannot be listed: %w", err)
		}
		if err := each(o.Key, o.ModTime); err != nil {
			return err
		}
	}
}

// walkDir is walk in a directory. The listing of fileblob fails when a file is renamed or
// removed meanwhile, as every Put does with its temporary file, and leaves out directories
// that cannot be read, so that a backup would lack their blobs.
func (s *Store) walkDir(ctx context.Context, each func(key string, at time.Time) error) error {
	return filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		var info fs.FileInfo
		if err == nil && !entry.IsDir() {
			info, err = entry.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != s.dir:
			return nil
		case err != nil:
			return fmt.Errorf("the blobs cannot be listed: %w", err)
		case info == nil:
			return nil
		}
		key, err := filepath.Rel(s.dir, path)
		if err != nil {
			return err
		}
		return each(filepath.ToSlash(key), info.ModTime())
	})
}

// Check says whether the store can be written, read and deleted from now, by
// doing it. Its error is for the operator.
func (s *Store) Check(ctx context.Context) error {
	const key = "check"
	probe := []byte("botyard")
	if err := s.write(ctx, key, probe); err != nil {
		return fmt.Errorf("the blob store cannot be written: %w", err)
	}
	// Another process may be checking too, and delete the probe first.
	got, err := s.bucket.ReadAll(ctx, key)
	if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("the blob store cannot be read: %w", err)
	}
	if err == nil && !bytes.Equal(got, probe) {
		return fmt.Errorf("the blob store answers other bytes than it was given: %q for %q", got, probe)
	}
	if err := s.remove(ctx, key); err != nil {
		return fmt.Errorf("the blob store cannot delete: %w", err)
	}
	return nil
}
