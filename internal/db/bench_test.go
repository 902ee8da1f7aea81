package db

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/botyard/botyard/test/postgres"
)

// BenchmarkTx is 64 callers with transactions of four small statements: a read, an
// insert, a counter and a second insert, as a creation with quota and audit has.
func BenchmarkTx(b *testing.B) {
	for _, o := range []Options{{Synchronous: "FULL"}, {Synchronous: "NORMAL"}, {URL: "postgres"}} {
		b.Run(o.URL+o.Synchronous, func(b *testing.B) {
			d := benchmarked(b, o)
			var last atomic.Int64
			callers(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := last.Add(1)
					thing, part := fmt.Sprintf("thing-%d", n), fmt.Sprintf("part-%d", n)
					if err := d.Tx(b.Context(), func(ctx context.Context, tx *Tx) error {
						var found int
						if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM things WHERE id = $1", thing).Scan(&found); err != nil {
							return err
						}
						if err := insert(ctx, tx, thing); err != nil {
							return err
						}
						if _, err := tx.Exec(ctx, "UPDATE things SET n = n + 1 WHERE id = $1", fmt.Sprintf("counter-%d", n%64)); err != nil {
							return err
						}
						return insert(ctx, tx, part)
					}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
			s := d.Stats()
			b.ReportMetric(float64(s.Transactions)/float64(s.Batches), "tx/batch")
		})
	}
}

// BenchmarkRead is 64 callers that read one row by its key.
func BenchmarkRead(b *testing.B) {
	for _, o := range []Options{{}, {URL: "postgres"}} {
		for _, cancelable := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s,cancelable=%v", o.URL, cancelable), func(b *testing.B) {
				d := benchmarked(b, o)
				callers(b)
				ctx := context.Background()
				if cancelable {
					var cancel context.CancelFunc
					ctx, cancel = context.WithCancel(ctx)
					defer cancel()
				}
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						var n int
						if err := d.Reader(ctx).QueryRow(ctx, "SELECT n FROM things WHERE id = $1", fmt.Sprintf("counter-%d", i%64)).Scan(&n); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
			})
		}
	}
}

func benchmarked(b *testing.B, o Options) *DB {
	if o.URL != "" {
		o.URL = postgres.Database(b)
	} else {
		o.Dir = b.TempDir()
	}
	d := things(b, o)
	if err := d.Tx(b.Context(), func(ctx context.Context, tx *Tx) error {
		for i := range 64 {
			if err := insert(ctx, tx, fmt.Sprintf("counter-%d", i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return d
}

func callers(b *testing.B) {
	b.SetParallelism(32) // times GOMAXPROCS
	b.ResetTimer()
}
