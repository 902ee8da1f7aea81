package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// The bounds of a request.
const (
	mostSent     = 4 << 20  // bytes as they are sent
	mostUnpacked = 10 << 20 // bytes when they are unpacked
	mostBatch    = 20_000   // records
	ingestTime   = time.Minute
)

const botHeader = "x-bot-id"

// mountIngest adds the way in.
func mountIngest(m *wire.Mux, s *Service) {
	m.Guard(wire.Guarded{
		Name: "ingest", Method: http.MethodPost, Path: "/v1/ingest", Permission: access.TelemetryWrite, Keys: true, Time: ingestTime,
	}, s.ingest)
}

// Receipt is the answer of ingest.
type Receipt struct {
	// Accepted are the records that are kept now, Duplicates those that were kept
	// before.
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
	err = s.withBody(ctx, r, from, func(body []byte, p *pass) error {
		b := s.newBatch(from)
		if array {
			err = b.takeArray(ctx, body)
		} else {
			err = b.takeLines(ctx, body)
		}
		if err != nil {
			return err
		}
		records := b.records
		receipt.Accepted, b.records = len(records), nil // not held while they wait for the disk
		if receipt.Duplicates, err = s.keep(ctx, records, p); err != nil {
			return err
		}
		receipt.Accepted, receipt.Rejected = receipt.Accepted-receipt.Duplicates, b.rejected
		if receipt.Rejected == nil {
			receipt.Rejected = []Rejected{}
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.MarshalWrite(w, receipt)
}

func (s *Service) newBatch(from *sender) *batch {
	return &batch{service: s, from: from, now: s.clock.Now(), oldest: map[Class]time.Time{}}
}

// keep has records kept and answers how many were before. The turn to be worked on
// is given back while they wait for the disk.
func (s *Service) keep(ctx context.Context, records []Record, p *pass) (duplicates int, err error) {
	if len(records) == 0 {
		return 0, nil
	}
	return s.blocks.appendAfter(ctx, records, p.rest)
}

// senderOf is who sends records and where they belong.
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

// sentBodies and bodies keep the memory of bodies for the next ones: as they are
// sent, of which hundreds may wait and are small, and unpacked, of which few are at
// work. Were they one, what waits would hold the memory of what is unpacked.
var (
	sentBodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	bodies     = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

// The largest that are kept.
const (
	keptSent = 128 << 10
	keptBody = 2 << 20
)

// withBody lets a request in, reads and unpacks its body, waits for its turn and
// calls use, which must not keep the body.
func (s *Service) withBody(ctx context.Context, r *http.Request, from *sender, use func(body []byte, p *pass) error) error {
	if r.ContentLength > mostSent {
		return tooLarge(mostSent, "as it is sent")
	}
	p, err := s.door.enter(from.scope(), max(r.ContentLength, 4<<10))
	defer p.leave()
	if err != nil {
		return err
	}
	sent := sentBodies.Get().(*bytes.Buffer)
	defer giveBack(&sentBodies, sent, keptSent)
	if size := r.ContentLength; size > 0 {
		sent.Grow(int(size) + bytes.MinRead)
	}
	if err := fill(sent, r.Body, mostSent, p.size, p, "as it is sent"); err != nil {
		return err
	}
	if err := p.work(ctx); err != nil {
		return err
	}
	unpacked, err := unpack(r.Header.Get("Content-Encoding"), sent, p)
	if err != nil {
		return err
	}
	if unpacked != sent {
		defer giveBack(&bodies, unpacked, keptBody)
	}
	return use(unpacked.Bytes(), p)
}

func giveBack(pool *sync.Pool, b *bytes.Buffer, most int) {
	if b.Cap() <= most {
		b.Reset()
		pool.Put(b)
	}
}

// fill reads all, taking room for what is more than there is room for already.
func fill(to *bytes.Buffer, from io.Reader, most, room int64, p *pass, how string) error {
	for {
		_, err := io.CopyN(to, from, 64<<10)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return brokenBody(err)
		}
		size := int64(to.Len())
		if size > most {
			return tooLarge(most, how)
		}
		if size > room {
			if err := p.grow(size - room); err != nil {
				return err
			}
			room = size
		}
		if ended {
			return nil
		}
	}
}

func tooLarge(most int64, how string) error {
	return fault.New(fault.PayloadTooLarge, "The body is larger than the %d MiB that ingest accepts %s. Send it in parts.", most>>20, how)
}

func tooMany() error {
	return fault.New(fault.PayloadTooLarge, "The body has more than the %d records that ingest accepts at once. Send it in parts.", mostBatch)
}

func notArray(cause error) error {
	what := "it goes on after its end"
	if cause != nil {
		what = plain(cause)
	}
	return fault.New(fault.InvalidPayload, "The body is not a JSON array of records, nor one record: %s. Nothing was kept.", what)
}

func brokenBody(err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return fault.New(fault.InvalidPayload, "The body broke off before its end, or is not what its Content-Encoding says. Nothing was kept; send it again.").Because(err)
}

var (
	gunzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	unzstds = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderMaxMemory(mostUnpacked+1))
		if err != nil {
			panic(fmt.Sprintf("the options of the decoder are wrong: %v", err))
		}
		return d
	}}
)

// unpack decompresses a body, within bounds.
func unpack(encoding string, sent *bytes.Buffer, p *pass) (*bytes.Buffer, error) {
	var from io.Reader
	switch strings.ToLower(encoding) {
	case "", "identity":
		return sent, nil
	case "gzip":
		z := gunzips.Get().(*gzip.Reader)
		defer gunzips.Put(z)
		if err := z.Reset(sent); err != nil {
			return nil, brokenBody(err)
		}
		from = z
	case "zstd":
		z := unzstds.Get().(*zstd.Decoder)
		defer func() {
			if z.Reset(nil) == nil {
				unzstds.Put(z)
			}
		}()
		if err := z.Reset(sent); err != nil {
			return nil, brokenBody(err)
		}
		from = z
	default:
		return nil, fault.New(fault.UnsupportedMediaType, "Content-Encoding %q is not supported: send the body plain, with gzip or with zstd.", fault.BoundedTo(encoding, 100))
	}
	unpacked := bodies.Get().(*bytes.Buffer)
	err := fill(unpacked, from, mostUnpacked, 0, p, "when it is unpacked")
	if err != nil {
		giveBack(&bodies, unpacked, keptBody)
		return nil, err
	}
	return unpacked, nil
}
