package wire

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sort"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
)

// PageQuery has the parameters of every paginated list.
type PageQuery struct {
	NextToken string        `query:"nextToken" doc:"The cursor: meta.nextToken of the page before."`
	PageSize  Optional[int] `query:"pageSize" doc:"The number of items per page: 20 when absent, at most 100."`
}

// Meta is part of every list: clients read meta.nextToken without checking for meta.
type Meta struct {
	NextToken string `json:"nextToken,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

const (
	defaultPage = 20
	maxPage     = 100
)

const (
	cursorPurpose = "cursor"
	cursorVersion = 1
	cursorMAC     = sha256.Size
	// maxToken bounds the cursors that are examined: a real one is a tenth of it.
	maxToken = 1024
)

// Page reads the page that a request asks for. A cursor belongs to one operation, one
// workspace and one set of filters: with others it would silently skip or repeat items, so
// it is InvalidQuery, like a forged one.
func (m *Mux) Page(ctx context.Context, q PageQuery) (db.Page, error) {
	page := db.Page{Size: defaultPage}
	if q.PageSize.Given {
		if q.PageSize.Value < 1 {
			return page, fault.New(fault.InvalidQuery, "pageSize is %d; it must be from 1 to %d.", q.PageSize.Value, maxPage)
		}
		page.Size = min(q.PageSize.Value, maxPage)
	}
	if q.NextToken == "" {
		return page, nil
	}
	key, ok := m.openCursor(ctx, q.NextToken)
	if !ok {
		return page, fault.New(fault.InvalidQuery, "nextToken is not one that this list gave with the same filters. Start again without it.")
	}
	page.After = &key
	return page, nil
}

// Meta is the meta member of a list; next is nil on the last page.
func (m *Mux) Meta(ctx context.Context, next *db.Key) Meta {
	if next == nil {
		return Meta{}
	}
	return Meta{NextToken: m.sealCursor(ctx, *next)}
}

// A cursor consists of a version, the key's number and id, and a MAC over these and the
// identity of the list.
func (m *Mux) sealCursor(ctx context.Context, key db.Key) string {
	b := make([]byte, 0, 9+len(key.ID)+cursorMAC)
	b = append(b, cursorVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(key.At))
	b = append(b, key.ID...)
	mac := m.keys.Sign(cursorPurpose, append(b, listOf(ctx)...))
	return base64.RawURLEncoding.EncodeToString(append(b, mac...))
}

func (m *Mux) openCursor(ctx context.Context, token string) (db.Key, bool) {
	if len(token) > maxToken {
		return db.Key{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 9+cursorMAC || b[0] != cursorVersion {
		return db.Key{}, false
	}
	body, mac := b[:len(b)-cursorMAC], b[len(b)-cursorMAC:]
	signed := append(append([]byte{}, body...), listOf(ctx)...)
	if !m.keys.Verify(cursorPurpose, signed, mac) {
		return db.Key{}, false
	}
	return db.Key{At: int64(binary.BigEndian.Uint64(body[1:9])), ID: string(body[9:])}, true
}

// listOf is a digest of the identity of a list: the operation, the workspace, the actor, the
// path and the filters, in any order.
func listOf(ctx context.Context) []byte {
	x := exchangeOf(ctx)
	var filters []string
	eachQuery(x.query, func(key, value string) {
		if key != "nextToken" && key != "pageSize" {
			filters = append(filters, key+"\x00"+value)
		}
	})
	sort.Strings(filters)
	name := ""
	if x.operation != nil {
		name = x.operation.ID
	}
	var digest []byte
	for _, part := range append([]string{name, x.path, string(x.actor.Workspace), x.actor.ID()}, filters...) {
		// The length makes the concatenation unambiguous.
		digest = append(binary.BigEndian.AppendUint64(digest, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(digest)
	return sum[:]
}
