package postgres_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"testing"

	"github.com/botyard/botyard/test/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

func TestDatabasesAreFreshAndApart(t *testing.T) {
	for range 2 {
		db, err := sql.Open("pgx", postgres.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE things (id TEXT PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStopLeavesNothing(t *testing.T) {
	var dir string
	t.Run("use", func(t *testing.T) {
		u, err := url.Parse(postgres.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		dir = u.Query().Get("host")
	})
	if err := postgres.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	t.Run("use again", func(t *testing.T) { postgres.Database(t) })
}
