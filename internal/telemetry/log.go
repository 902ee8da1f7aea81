package telemetry

import (
	"context"
	"strconv"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// logPage is the number of log lines on a page. The contract has no parameter for it.
const logPage = 100

// LogQuery selects log lines; empty fields match all.
type LogQuery struct {
	From, Until  time.Time
	Level        string
	User         string
	Conversation string
	Workflow     string
	// Contains is a substring of the message; case matters.
	Contains string
	After    *db.Key
}

// maxNeedle bounds LogQuery.Contains, in bytes.
const maxNeedle = 1000

// BotLogs reads a page of a bot's log lines, newest first; next is nil on the last page.
// ResourceNotFound when the workspace has no such bot, InvalidQuery for a bad filter.
func (s *Service) BotLogs(ctx context.Context, w id.Workspace, bot id.Bot, q LogQuery) (lines []Record, next *db.Key, err error) {
	there := false
	if storable(string(bot)) {
		var of id.Workspace
		if of, there, err = s.bots.WorkspaceOf(ctx, s.db.Reader(ctx), bot); err != nil {
			return nil, nil, err
		}
		there = there && of == w
	}
	if !there {
		return nil, nil, access.NoSuchBot(bot)
	}
	return s.logs(ctx, w, Filter{Bot: bot}, q)
}

// IntegrationLogs reads a page of the log lines that an integration of the workspace has
// written, in whichever bot. Its errors are those of BotLogs.
func (s *Service) IntegrationLogs(ctx context.Context, w id.Workspace, i id.Integration, q LogQuery) (lines []Record, next *db.Key, err error) {
	own := false
	if storable(string(i)) {
		if own, err = s.integrations.OwnsIntegration(ctx, s.db.Reader(ctx), w, i); err != nil {
			return nil, nil, err
		}
	}
	if !own {
		return nil, nil, s.integrations.NoSuchIntegration(i)
	}
	return s.logs(ctx, w, Filter{Integration: i}, q)
}

func (s *Service) logs(ctx context.Context, w id.Workspace, f Filter, q LogQuery) (lines []Record, next *db.Key, err error) {
	f.Kinds = []Kind{KindLog}
	f.From, f.Until, f.Before = q.From, q.Until, q.After
	f.User, f.Conversation, f.Workflow, f.Contains = q.User, q.Conversation, q.Workflow, q.Contains
	if q.Level != "" {
		var known bool
		if f.Level, known = LevelNamed(q.Level); !known {
			return nil, nil, fault.New(fault.InvalidQuery, "level is %q; it must be debug, info, warn or error.", fault.BoundedTo(q.Level, 40))
		}
	}
	if len(q.Contains) > maxNeedle {
		return nil, nil, fault.New(fault.InvalidQuery, "messageContains has %d bytes; at most %d are allowed.", len(q.Contains), maxNeedle)
	}
	if !f.Until.IsZero() && f.Until.Before(f.From) {
		return nil, nil, fault.New(fault.InvalidQuery, "timeEnd is before timeStart; it must be the same or later.")
	}
	if err := s.keeping.bound(ctx, w, &f, Logs); err != nil {
		return nil, nil, err
	}
	lines = make([]Record, 0, logPage+1)
	if err := s.blocks.Scan(ctx, f, func(r *Record) bool {
		lines = append(lines, *r)
		return len(lines) <= logPage
	}); err != nil {
		return nil, nil, db.Convert(err)
	}
	lines, next = db.Cut(lines, db.Page{Size: logPage}, func(r Record) db.Key {
		return db.Key{At: r.At, ID: strconv.FormatInt(r.Sequence, 10)}
	})
	return lines, next, nil
}
