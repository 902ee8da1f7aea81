package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Reader reads a blob piece by piece. The end of the content is io.EOF only when
// all of it was right; otherwise it is an error that wraps ErrDamaged, so a
// caller that reads to the end never takes damaged content for whole. A blob that
// is not there is an error that wraps ErrMissing.
func (s *Store) Reader(ctx context.Context, h Hash) (io.ReadCloser, error) {
	if !h.valid() {
		return nil, missing(h)
	}
	var opened io.ReadCloser
	err := h.find(func(key string) error {
		r, err := s.bucket.NewReader(ctx, key, nil)
		opened = r
		return err
	})
	if err != nil {
		return nil, readError(h, err)
	}
	stored := &source{ReadCloser: opened}
	content, err := zstd.NewReader(stored, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, errors.Join(damaged(h, err), stored.Close())
	}
	return &reader{want: h, stored: stored, content: content, sum: sha256.New()}, nil
}

// source remembers why the stored bytes could not be read, so that a broken
// connection is not taken for a damaged blob.
type source struct {
	io.ReadCloser
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

type reader struct {
	want    Hash
	stored  *source
	content *zstd.Decoder
	sum     hash.Hash
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.content.Read(p)
	r.sum.Write(p[:n])
	switch {
	case err == nil:
		return n, nil
	case r.stored.err != nil:
		return n, readError(r.want, r.stored.err)
	case err != io.EOF: //nolint:errorlint // an error that wraps io.EOF is no end of the content
		return n, damaged(r.want, err)
	}
	if got := Hash(hex.EncodeToString(r.sum.Sum(nil))); got != r.want {
		return n, damaged(r.want, fmt.Errorf("its content has the hash %s", got))
	}
	return n, io.EOF
}

func (r *reader) Close() error {
	r.content.Close()
	return r.stored.Close()
}
