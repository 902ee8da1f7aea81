package catalog

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/engines"
)

// TestReseal holds that after a rotation nothing needs the old key, however many
// values there are.
func TestReseal(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		old := secret.New()
		before := New(Options{DB: d, Keys: old})
		const integrations, secrets = 3, 107
		var all []Integration
		for n := range integrations {
			i := sampleIntegration(home, fmt.Sprint("home/n", n), "1.0.0", Private, int64(n+1))
			i.SigningSecret = before.sealSigningSecret(i.ID, "current")
			all = append(all, i)
		}
		publish(t, d, all...)
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			for _, i := range all {
				values := map[string]*string{}
				for n := range secrets {
					value := fmt.Sprint("value", n)
					values[fmt.Sprint("S", n)] = &value
				}
				if err := writeSecrets(ctx, tx, i.ID, before.sealSecrets(i.ID, values)); err != nil {
					return err
				}
			}
			rotated := oldSigningSecretColumn.Seal(old, []byte("previous"), string(all[0].ID))
			return updateSigningSecrets(ctx, tx, all[0].ID, all[0].SigningSecret, rotated, time.UnixMilli(1))
		})
		after := New(Options{DB: d, Keys: old.Rotate()})
		want := integrations + integrations*secrets + 1
		if n, err := after.Reseal(t.Context()); err != nil || n != want {
			t.Fatalf("%d resealed, want %d (%v)", n, want, err)
		}
		if n, err := after.Reseal(t.Context()); err != nil || n != 0 {
			t.Errorf("%d resealed again (%v)", n, err)
		}
		alone := New(Options{DB: d, Keys: after.Keys.Retire()})
		for _, i := range all {
			sealed, err := selectSecrets(t.Context(), d.Reader(t.Context()), i.ID)
			if err != nil || len(sealed) != secrets {
				t.Fatalf("%d secrets (%v)", len(sealed), err)
			}
			for name, value := range sealed {
				if plain, err := alone.openSecret(i.ID, name, value); err != nil || plain != "value"+name[1:] {
					t.Fatalf("%s is %q (%v)", name, plain, err)
				}
			}
		}
	})
}
