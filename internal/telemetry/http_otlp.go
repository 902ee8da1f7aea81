package telemetry

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// otlpBinary is the media type of OTLP as protobuf.
const otlpBinary = "application/x-protobuf"

// mountOTLP registers the endpoint for OpenTelemetry logs. Exporters are configured with
// /v1/otlp and append /v1/logs themselves.
func mountOTLP(m *wire.Mux, s *Service) {
	m.Guard(wire.Guarded{
		Name: "ingestOTLP", Method: http.MethodPost, Path: "/v1/otlp/v1/logs", Permission: access.TelemetryWrite, Keys: true, Time: ingestTime,
	}, s.ingestOTLP)
}

// takeRecord is take for a record that has been decoded.
func (b *batch) takeRecord(ctx context.Context, r *Record) error {
	b.lines++
	if r.At == 0 {
		r.At = b.now.UnixMilli()
	}
	if b.from.integration == "" {
		r.HiddenFromBot, r.HiddenFromIntegration = false, false
	}
	problem, err := b.service.settle(ctx, b, r)
	if err != nil {
		return err
	}
	if problem != "" {
		return b.reject(problem)
	}
	return b.accept(*r)
}

func (s *Service) ingestOTLP(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	from, err := s.senderOf(ctx, r)
	if err != nil {
		return err
	}
	media, err := mediaType(r)
	if err != nil {
		return err
	}
	asJSON := media == "application/json"
	if !asJSON && media != otlpBinary {
		return fault.New(fault.UnsupportedMediaType, "Content-Type %q is not supported: send OTLP as %s or as application/json.", fault.BoundedTo(media, 100), otlpBinary)
	}
	var answer []byte
	err = s.withBody(ctx, r, from, func(b *batch, body []byte) error {
		return readOTLP(body, asJSON, func(r Record, problem string) error {
			if problem != "" {
				b.lines++
				return b.reject(problem)
			}
			return b.takeRecord(ctx, &r)
		})
	}, func(b *batch, _ int) {
		reason := ""
		if len(b.rejected) > 0 {
			reason = b.rejected[0].Message
		}
		answer = answerOTLP(len(b.rejected), reason, asJSON)
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media)
	_, err = w.Write(answer)
	return err
}
