package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRetire holds that a retired blob can be read until it is deleted, is not taken for one
// that a Put stored, and comes back as it was.
func TestRetire(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		content := []byte("content")
		h, other := mustPut(t, s, content), mustPut(t, s, []byte("other"))
		check := func(when string, readable bool, live, aside []Hash) {
			t.Helper()
			got, err := s.Get(t.Context(), h)
			if readable && (err != nil || !bytes.Equal(got, content)) || !readable && !errors.Is(err, ErrMissing) {
				t.Errorf("%s: Get: %q, %v", when, got, err)
			}
			if r, err := s.Reader(t.Context(), h); err == nil {
				if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) || !readable {
					t.Errorf("%s: Reader: %q, %v", when, got, err)
				}
				r.Close()
			} else if readable || !errors.Is(err, ErrMissing) {
				t.Errorf("%s: Reader: %v", when, err)
			}
			if found, err := s.Has(t.Context(), h); found != readable || err != nil {
				t.Errorf("%s: Has: %v, %v", when, found, err)
			}
			slices.Sort(live)
			if diff := cmp.Diff(live, list(t, s.List)); diff != "" {
				t.Errorf("%s: List (-want +got):\n%s", when, diff)
			}
			if diff := cmp.Diff(aside, list(t, s.ListRetired)); diff != "" {
				t.Errorf("%s: ListRetired (-want +got):\n%s", when, diff)
			}
		}
		do := func(f func(context.Context, Hash) error) {
			t.Helper()
			if err := f(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
		do(s.Delete)
		check("deleted without being retired", true, []Hash{h, other}, nil)
		do(s.Retire)
		check("retired", true, []Hash{other}, []Hash{h})
		do(s.Retire)
		check("retired again", true, []Hash{other}, []Hash{h})
		do(s.Reinstate)
		check("reinstated", true, []Hash{h, other}, nil)
		do(s.Retire)
		mustPut(t, s, content)
		check("put again", true, []Hash{h, other}, []Hash{h})
		do(s.Reinstate)
		check("reinstated beside one that was put again", true, []Hash{h, other}, nil)
		do(s.Retire)
		mustPut(t, s, content)
		do(s.Delete)
		check("deleted beside one that was put again", true, []Hash{h, other}, nil)
		do(s.Retire)
		do(s.Delete)
		check("deleted", false, []Hash{other}, nil)
	})
}

// TestReadWhileBlobsAreRetired holds that nobody misses a blob that is being retired or
// reinstated.
func TestReadWhileBlobsAreRetired(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		var all []Hash
		for i := range 30 {
			all = append(all, mustPut(t, s, fmt.Appendf(nil, "blob %d", i)))
		}
		ctx, stop := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					if _, err := s.Get(t.Context(), all[n%len(all)]); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for _, move := range []func(context.Context, Hash) error{s.Retire, s.Reinstate} {
			for _, h := range all {
				if err := move(t.Context(), h); err != nil {
					t.Error(err)
				}
			}
		}
		stop()
		readers.Wait()
	})
}
