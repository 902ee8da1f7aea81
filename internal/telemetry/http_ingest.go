package telemetry

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// The limits of a request.
const (
	maxSent     = 4 << 20  // bytes as sent
	maxUnpacked = 10 << 20 // bytes when decompressed
	maxBatch    = 20_000   // records
	ingestTime  = time.Minute
)

const botHeader = "x-bot-id"

// mountIngest registers POST /v1/ingest.
func mountIngest(m *wire.Mux, s *Service) {
	m.Guard(wire.Guarded{
		Name: "ingest", Method: http.MethodPost, Path: "/v1/ingest", Permission: access.TelemetryWrite, Keys: true, Time: ingestTime,
	}, s.ingest)
}

// Receipt is the answer of ingest.
type Receipt struct {
	// Accepted counts the records that are now stored, Duplicates those that already were.
	Accepted   int        `json:"accepted"`
	Duplicates int        `json:"duplicates"`
	Rejected   []Rejected `json:"rejected"`
}

func (s *Service) ingest(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	from, err := s.senderOf(ctx, r)
	if err != nil {
		return err
	}
	var array bool
	switch media, err := mediaType(r); {
	case err != nil:
		return err
	case media == "application/json":
		array = true
	case media != "application/x-ndjson" && media != "application/jsonlines" && media != "":
		return fault.New(fault.UnsupportedMediaType, "Content-Type %q is not supported: send records as application/x-ndjson, one a line, or as application/json with an array.", fault.BoundedTo(media, 100))
	}
	var receipt Receipt
	err = s.withBody(ctx, r, from, func(b *batch, body []byte) error {
		if array {
			return b.takeArray(ctx, body)
		}
		return b.takeLines(ctx, body)
	}, func(b *batch, duplicates int) {
		receipt = Receipt{Accepted: b.taken - duplicates, Duplicates: duplicates, Rejected: b.rejected}
		if receipt.Rejected == nil {
			receipt.Rejected = []Rejected{}
		}
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.MarshalWrite(w, receipt)
}

// senderOf is the sender of a request, and where its records belong.
func (s *Service) senderOf(ctx context.Context, r *http.Request) (*sender, error) {
	actor := access.From(ctx)
	from := &sender{actor: actor}
	named := id.Bot(r.Header.Get(botHeader))
	switch actor.Kind {
	case access.KindBot:
		from.bot = id.Bot(actor.Subject)
		if named != "" && named != from.bot {
			return nil, access.NoSuchBot(named)
		}
	case access.KindIntegration:
		from.integration = id.Integration(actor.Subject)
	default:
		if named == "" {
			return nil, fault.New(fault.InvalidPayload, "request/headers must have required property '%s': name the bot whose records these are.", botHeader)
		}
		if !storable(string(named)) {
			return nil, access.NoSuchBot(named)
		}
		w, found, err := s.bots.WorkspaceOf(ctx, s.db.Reader(ctx), named)
		if err != nil {
			return nil, err
		}
		if !found || w != actor.Workspace {
			return nil, access.NoSuchBot(named)
		}
		if err := s.bots.LetIn(ctx, actor.Account, []id.Bot{named}); err != nil {
			return nil, err
		}
		from.bot = named
	}
	return from, nil
}

func mediaType(r *http.Request) (string, error) {
	declared := r.Header.Get("Content-Type")
	if declared == "" {
		return "", nil
	}
	media, parameters, err := mime.ParseMediaType(declared)
	if err != nil {
		return "", fault.New(fault.UnsupportedMediaType, "Content-Type %q cannot be read.", fault.BoundedTo(declared, 100))
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", fault.New(fault.UnsupportedMediaType, "Charset %q is not supported: records are sent as UTF-8.", fault.BoundedTo(charset, 100))
	}
	return media, nil
}

// withBody admits a request, reads its body and waits for its turn. take makes records of
// the decompressed body, which it must not retain. When they are stored, kept is called.
// Each step gives back the memory of the one before: the body as it was sent once it is
// decompressed, the decompressed one once the records are made, and these once the blocks
// are.
func (s *Service) withBody(ctx context.Context, r *http.Request, from *sender, take func(b *batch, body []byte) error, kept func(b *batch, duplicates int)) error {
	if r.ContentLength > maxSent {
		return tooLarge(maxSent, "as sent")
	}
	p, err := s.admission.enter(from.scope(), max(r.ContentLength, 0))
	if err != nil {
		return err
	}
	defer p.leave()
	b := s.newBatch(from, p)
	defer b.giveBack()
	if err := s.readBatch(ctx, r, b, take); err != nil {
		return err
	}
	b.taken = len(b.records)
	duplicates := 0
	if b.taken > 0 {
		duplicates, err = s.blocks.appendAfter(ctx, b.records, func(size int) {
			b.giveBack()
			p.shrinkTo(int64(size) + b.refusals)
			p.rest()
		})
		if err != nil {
			return err
		}
	}
	kept(b, duplicates)
	return nil
}

// readBatch makes records of the body of a request.
func (s *Service) readBatch(ctx context.Context, r *http.Request, b *batch, take func(b *batch, body []byte) error) error {
	sent := body{pass: b.pass, most: maxSent, how: "as sent"}
	defer sent.giveBack()
	if err := sent.fill(r.Body, r.ContentLength); err != nil {
		return err
	}
	if err := b.pass.work(ctx); err != nil {
		return err
	}
	unpacked := body{pass: b.pass, most: maxUnpacked, how: "when decompressed"}
	defer unpacked.giveBack()
	packed, err := unpack(r.Header.Get("Content-Encoding"), sent.bytes, &unpacked)
	if err != nil {
		return err
	}
	if !packed {
		return take(b, sent.bytes)
	}
	sent.giveBack()
	return take(b, unpacked.bytes)
}

func tooLarge(most int64, how string) error {
	return fault.New(fault.PayloadTooLarge, "The body is larger than the %d MiB that ingest accepts %s. Send it in parts.", most>>20, how)
}

func tooMany() error {
	return fault.New(fault.PayloadTooLarge, "The body has more records than the %d that ingest accepts at once. Send it in parts.", maxBatch)
}

func notArray(cause error) error {
	what := "there is something after its end"
	if cause != nil {
		what = plain(cause)
	}
	return fault.New(fault.InvalidPayload, "The body is neither a JSON array of records nor a single record: %s. Nothing was kept.", what)
}

func brokenBody(err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return fault.New(fault.InvalidPayload, "The body ended early, or it does not match its Content-Encoding. Nothing was kept; send it again.").Because(err)
}
