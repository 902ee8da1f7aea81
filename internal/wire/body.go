package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/gzip"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
)

// rendered is an answer that is JSON already.
type rendered interface{ rendered() []byte }

func encode(w io.Writer, v any) error {
	if r, ok := v.(rendered); ok {
		_, err := w.Write(r.rendered())
		return err
	}
	return json.MarshalWrite(w, v, writing)
}

// decode reads a body. Its errors become details of huma's, of which translate
// makes one InvalidPayload.
func decode(body []byte, v any) error {
	// Escapes of lone surrogates are taken, as JSON.stringify can make them;
	// bytes that are no UTF-8 are not: no engine could keep them as text.
	if !utf8.Valid(body) {
		return fmt.Errorf("it is not UTF-8 (first at byte %d); JSON is sent as UTF-8", firstInvalid(body))
	}
	if err := json.Unmarshal(body, v, reading); err != nil {
		return fmt.Errorf("it is not JSON of the expected form: %s", plainWords(err))
	}
	if _, generic := v.(*any); !generic {
		return refuseNUL(body, v)
	}
	return nil
}

var programmersWords = regexp.MustCompile(`^jsontext: |^json: | into Go [^ ]+`)

// plainWords is an error of the JSON package without the names of this program's types.
func plainWords(err error) string {
	return strings.Replace(programmersWords.ReplaceAllString(err.Error(), ""), "cannot unmarshal", "cannot take", 1)
}

func firstInvalid(body []byte) int {
	for i := 0; i < len(body); {
		r, n := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(body)
}

// limitBody enforces the bounds of a request's body: its type, its encoding, its size, and
// for large ones how many are in memory at once.
//
// Whether a body is large shows while it is read, and is measured uncompressed: a body that
// only claims to be large, or arrives slowly, keeps nobody waiting.
func (m *Mux) limitBody(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	x := exchangeOf(ctx.Context())
	if ctx.Operation().RequestBody == nil {
		next(ctx)
		return
	}
	limit := m.limits.Body
	if operationOf(ctx.Operation()).Code {
		limit = m.limits.CodeBody
	}
	if err := checkContentType(r); err != nil {
		m.refuse(x, w.(*answer), err)
		return
	}
	// huma recognises this spelling only.
	r.Header.Set("Content-Type", "application/json")
	if r.ContentLength > limit {
		m.refuse(x, w.(*answer), fault.New(fault.PayloadTooLarge, "The request body is %d bytes; this operation accepts %s.", r.ContentLength, size(limit)))
		return
	}
	switch encoding := r.Header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		r.Body = &gunzip{body: r.Body}
	default:
		m.refuse(x, w.(*answer), fault.New(fault.UnsupportedMediaType, "Content-Encoding %q is not supported: send the body plain or with gzip.", fault.BoundedTo(encoding, 100)))
		return
	}
	u := &upload{ctx: ctx.Context(), body: r.Body, places: m.codeSlots, actor: x.actor.ID(), room: m.limits.Body}
	defer u.free()
	r.Body = u
	next(ctx)
}

// upload is a body that takes one of the places for large bodies before it exceeds what needs
// none, and waits while all are taken.
type upload struct {
	ctx    context.Context
	body   io.Reader
	places *places
	actor  string
	room   int64  // bytes that still need no place
	leave  func() // the place; nil without one
}

func (u *upload) Read(p []byte) (int, error) {
	if u.leave == nil {
		if u.room <= 0 {
			if err := u.take(); err != nil {
				return 0, err
			}
		} else if int64(len(p)) > u.room {
			p = p[:u.room]
		}
	}
	n, err := u.body.Read(p)
	u.room -= int64(n)
	return n, err
}

func (u *upload) take() (err error) {
	u.leave, err = u.places.take(u.ctx, u.actor, "request bodies")
	return err
}

func (u *upload) free() {
	if u.leave != nil {
		u.leave()
	}
}

// Close does nothing: the server closes the body after the answer, and the rest of a refused
// body must stay readable until then; see drain.
func (u *upload) Close() error { return nil }

func checkContentType(r *http.Request) error {
	declared := r.Header.Get("Content-Type")
	if declared == "" || declared == "application/json" {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(declared)
	if err != nil || media != "application/json" {
		return fault.New(fault.UnsupportedMediaType, "Content-Type %q is not supported: the body must be application/json.", fault.BoundedTo(declared, 100))
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fault.New(fault.UnsupportedMediaType, "Charset %q is not supported: JSON is sent as UTF-8.", fault.BoundedTo(charset, 100))
	}
	return nil
}

// gunzip decompresses a body while it is read. Its reader bounds the output, so a small body
// cannot expand without limit.
type gunzip struct {
	body   io.Reader
	reader *gzip.Reader
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.reader == nil {
		if g.reader, err = gzip.NewReader(g.body); err != nil {
			return 0, brokenGzip(err)
		}
	}
	n, err = g.reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = brokenGzip(err)
	}
	return n, err
}

func (g *gunzip) Close() error { return nil }

func brokenGzip(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return fault.New(fault.InvalidPayload, "The body is not valid gzip, although its Content-Encoding says so.").Because(err)
}

// arriving is a body that comes from the connection. At its end, the read deadline is lifted:
// from then on net/http watches the connection for its end, and mistakes a deadline that
// passes for it. The context of this request, and of all later ones on the connection, would
// be cancelled.
type arriving struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *arriving) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		// Not every connection knows deadlines.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// arrived is a body that has been read already. huma sets a read deadline for it all the
// same, which arriving lifts.
func arrived(body []byte, control *http.ResponseController) io.ReadCloser {
	return &arriving{io.NopCloser(bytes.NewReader(body)), control}
}

// How much of an unread body is read, and for how long, before an error is answered: a
// caller that is still sending would otherwise get a broken pipe and never see the answer.
const (
	drainMost = 16 << 20
	drainTime = time.Second
)

func drain(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	// Not every connection knows deadlines; those of tests then wait for EOF.
	_ = http.NewResponseController(w).SetReadDeadline(clock.Deadline(drainTime))
	_, _ = io.CopyN(io.Discard, r.Body, drainMost)
}
