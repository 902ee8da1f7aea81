package wire

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
)

// idempotency makes a POST with an Idempotency-Key take effect once. The operation runs
// inside the transaction that stores its answer, so change and answer are committed
// together or not at all: even if a server dies, a repeated request either finds the answer
// or does the work. Only successes are stored; a refusal changed nothing and is decided
// again.
//
// The transaction claims the key before the operation runs. So a repeat that comes at the
// same moment waits for the outcome, instead of running the operation into what the first
// request has just created.
type idempotency struct {
	db    *db.DB
	clock clock.Clock
	keys  Keys
}

// answersKept is how long a repeated request gets the stored answer.
const answersKept = 24 * time.Hour

const (
	keyHeader = "Idempotency-Key"
	maxKey    = 255
)

// errRefused rolls the transaction of an operation back that answered with an error.
var errRefused = errors.New("the operation was refused")

// Answers are stored sealed: some contain tokens or signing secrets, which are shown once
// and stored nowhere else in plain text. An actor's id contains no slash.
var answerColumn = db.SealedColumn{Table: "idempotency_keys", Key: []string{"actor", "key"}, Column: "answer"}

// find returns what is stored for a key, or nil.
func (i *idempotency) find(ctx context.Context, q db.Querier, actor, key string, now time.Time) (*kept, error) {
	k, sealed, err := findAnswer(ctx, q, actor, key, now)
	if k == nil || err != nil || k.status == unanswered {
		return k, err
	}
	k.answer, err = answerColumn.Open(i.keys, sealed, actor, key)
	return k, err
}

// claim returns the stored answer to a request, or claims the key for it and returns nil. A
// key that stands for another request is InvalidPayload.
func (i *idempotency) claim(ctx context.Context, tx *db.Tx, actor, key, request string, now time.Time) (*kept, error) {
	found, err := i.find(ctx, tx, actor, key, now)
	if err != nil {
		return nil, err
	}
	switch {
	case found == nil:
		return nil, claimKey(ctx, tx, actor, key, request, now.Add(answersKept))
	case found.request != request:
		return nil, fault.New(fault.InvalidPayload, "Idempotency-Key %q was used for another request in the last 24 hours. A new request needs a new key.", key)
	case found.status == unanswered:
		return nil, nil
	}
	return found, nil
}

func (i *idempotency) keep(ctx context.Context, q db.Querier, actor, key string, k kept, expires time.Time) error {
	return keepAnswer(ctx, q, actor, key, k, answerColumn.Seal(i.keys, k.answer, actor, key), expires)
}

// ResealAnswers seals the stored answers again that were sealed by an older key than the
// primary one, and returns how many those were.
func ResealAnswers(ctx context.Context, d *db.DB, keys Keys) (int, error) {
	return d.Reseal(ctx, keys, answerColumn)
}

// kept is the stored answer to an earlier request.
type kept struct {
	request string
	status  int
	answer  []byte
}

// unanswered is the status of a key that a request has claimed and that has no answer yet.
const unanswered = 0

func (m *Mux) idempotent(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	key := r.Header.Get(keyHeader)
	if key == "" || r.Method != http.MethodPost {
		next(ctx)
		return
	}
	a, x := w.(*answer), exchangeOf(ctx.Context())
	if err := checkKey(key); err != nil {
		m.refuse(x, a, err)
		return
	}
	op := operationOf(ctx.Operation())
	if op.Harmless {
		next(ctx)
		return
	}
	limit, bodyTime := m.limits.Body, m.limits.BodyTime
	if op.Code {
		limit, bodyTime = m.limits.CodeBody, m.limits.CodeBodyTime
	}
	control := http.NewResponseController(a)
	if bodyTime > 0 {
		// The connections of some tests have no deadlines.
		_ = control.SetReadDeadline(clock.Deadline(bodyTime))
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		m.refuse(x, a, brokenBody(err))
		return
	}
	request := fingerprint(r, body)
	actor := x.actor.ID()
	now := m.clock.Now()
	if op.Outward {
		m.idempotentOutward(ctx, next, body, key, request)
		return
	}

	err = m.idempotency.db.Tx(ctx.Context(), func(txCtx context.Context, tx *db.Tx) error {
		a.reset() // the answer of an earlier run, which was not committed
		x.fault, x.cause, x.replayed = nil, nil, false
		found, err := m.idempotency.claim(txCtx, tx, actor, key, request, now)
		if err != nil {
			return err
		}
		if found != nil {
			replay(x, a, found)
			return nil
		}
		again := r.Clone(txCtx)
		again.Body = arrived(body, control)
		next(huma.WithContext(humachi.NewContext(ctx.Operation(), again, a), txCtx))
		if a.status >= 400 {
			return errRefused
		}
		return m.idempotency.keep(txCtx, tx, actor, key, kept{request, a.status, a.body.Bytes()}, now.Add(answersKept))
	})
	if err != nil && !errors.Is(err, errRefused) {
		m.refuse(x, a, db.Convert(err))
	}
}

// replay repeats the answer to an earlier request.
func replay(x *exchange, a *answer, found *kept) {
	x.replayed = true
	a.Header().Set("Content-Type", "application/json")
	a.Header().Set("Idempotent-Replayed", "true")
	a.WriteHeader(found.status)
	_, _ = a.Write(found.answer)
}

// idempotentOutward claims the key, runs an operation outside of a transaction and stores
// its answer afterwards. A repeated request that comes before that, or after a crash in
// between, runs the operation again, which has to recognise it by RepeatKey; another request
// with the key is rejected.
func (m *Mux) idempotentOutward(ctx huma.Context, next func(huma.Context), body []byte, key, request string) {
	r, w := humachi.Unwrap(ctx)
	a, x := w.(*answer), exchangeOf(ctx.Context())
	actor := x.actor.ID()
	var found *kept
	err := m.idempotency.db.Tx(ctx.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		found, err = m.idempotency.claim(ctx, tx, actor, key, request, m.clock.Now())
		return err
	})
	switch {
	case err != nil:
		m.refuse(x, a, db.Convert(err))
		return
	case found != nil:
		replay(x, a, found)
		return
	}
	again := r.Clone(context.WithValue(ctx.Context(), repeatKey{}, actor+" "+key+" "+request))
	again.Body = arrived(body, http.NewResponseController(a))
	next(huma.WithContext(humachi.NewContext(ctx.Operation(), again, a), again.Context()))
	// The operation has taken effect, or has refused: it is answered even if that cannot be
	// stored.
	err = m.idempotency.db.Tx(context.WithoutCancel(ctx.Context()), func(ctx context.Context, tx *db.Tx) error {
		if a.status >= 400 {
			return disclaimKey(ctx, tx, actor, key)
		}
		now := m.clock.Now()
		if found, err := m.idempotency.find(ctx, tx, actor, key, now); err != nil || found != nil && found.status != unanswered {
			return err
		}
		return m.idempotency.keep(ctx, tx, actor, key, kept{request, a.status, a.body.Bytes()}, now.Add(answersKept))
	})
	if err != nil {
		m.log.WarnContext(ctx.Context(), "the answer to a request with an Idempotency-Key cannot be stored", "request", x.id, "error", err)
	}
}

type repeatKey struct{}

// RepeatKey identifies a request of an Outward operation: it is equal in repeated requests,
// and empty if the caller sent no Idempotency-Key.
func RepeatKey(ctx context.Context) string {
	key, _ := ctx.Value(repeatKey{}).(string)
	return key
}

func checkKey(key string) error {
	for _, c := range []byte(key) {
		if c < 0x20 || c > 0x7e {
			return fault.New(fault.InvalidPayload, "An Idempotency-Key must be printable ASCII, such as a UUID.")
		}
	}
	if len(key) > maxKey {
		return fault.New(fault.InvalidPayload, "An Idempotency-Key may have at most %d characters, and this one has %d; use a UUID, for example.", maxKey, len(key))
	}
	return nil
}

// fingerprint identifies a request: with the same key, it must be the same.
func fingerprint(r *http.Request, body []byte) string {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get(workspaceHeader)} {
		_, _ = io.WriteString(h, part)
		_, _ = h.Write([]byte{0})
	}
	_, _ = h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// ForgetAnswers deletes expired answers; a periodic job calls it.
func (m *Mux) ForgetAnswers(ctx context.Context) error {
	return m.idempotency.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		return db.Convert(deleteAnswers(ctx, tx, m.clock.Now()))
	})
}
