package telemetry

import (
	"context"
	"net/http"
	"strconv"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// TailPath is the path of the live tail of a bot's log lines.
const TailPath = "/v1/logs/tail"

// TailedLine is a log line in the live tail.
type TailedLine struct {
	Timestamp      wire.Time `json:"timestamp"`
	Level          string    `json:"level"`
	Message        string    `json:"message"`
	UserID         string    `json:"userId,omitempty"`
	WorkflowID     string    `json:"workflowId,omitempty"`
	ConversationID string    `json:"conversationId,omitempty"`
}

// mountTail registers the live tail: GET /v1/logs/tail?botId=…&level=…, server-sent events
// named log. The id of an event is the sequence of its line: a reader that reconnects with
// Last-Event-ID continues after it and misses nothing.
func mountTail(m *wire.Mux, s *Service) {
	m.Stream("tailLogs", TailPath, func(ctx context.Context, r *http.Request) (wire.Feed, error) {
		query := r.URL.Query()
		bot := id.Bot(query.Get("botId"))
		if bot == "" {
			return nil, fault.New(fault.InvalidQuery, "botId is missing: name the bot whose log lines are wanted.")
		}
		minLevel := Debug
		if name := query.Get("level"); name != "" {
			var known bool
			if minLevel, known = LevelNamed(name); !known {
				return nil, fault.New(fault.InvalidQuery, "level is %q; it must be debug, info, warn or error.", fault.Bounded(name))
			}
		}
		last := r.Header.Get("Last-Event-ID")
		after, err := strconv.ParseInt(last, 10, 64)
		if last != "" && (err != nil || after < 0) {
			return nil, fault.New(fault.InvalidQuery, "Last-Event-ID is %q, which is not the id of an event of this stream. Leave it out to begin with what is logged from now on.", fault.Bounded(last))
		}
		// Paths are checked for text that is not storable; queries are not.
		if !storable(string(bot)) {
			return nil, access.NoSuchBot(bot)
		}
		account := access.From(ctx).Account
		if err := s.bots.LetIn(ctx, account, []id.Bot{bot}); err != nil {
			return nil, err
		}
		w, err := s.readers.Introspect(ctx, account, bot)
		if err != nil {
			return nil, err
		}
		if last == "" {
			// It is determined before the stream opens: from then on the reader misses nothing.
			if after, err = s.TailEnd(ctx); err != nil {
				return nil, err
			}
		}
		return func(ctx context.Context, out *wire.Stream) error {
			return s.Tail(ctx, w, bot, after, minLevel, func(records []Record) error {
				events := make([]wire.Event, len(records))
				for i := range records {
					line, err := tailed(&records[i])
					if err != nil {
						return err
					}
					events[i] = wire.Event{ID: strconv.FormatInt(records[i].Sequence, 10), Name: "log", Data: line}
				}
				return out.Send(events...)
			})
		}, nil
	})
}

func tailed(r *Record) ([]byte, error) {
	return wire.AppendJSON(nil, TailedLine{
		Timestamp: wire.Time(r.At), Level: r.Level.String(), Message: r.Message,
		UserID: r.User, WorkflowID: r.Workflow, ConversationID: r.Conversation,
	})
}
