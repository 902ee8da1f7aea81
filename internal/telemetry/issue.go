package telemetry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// OpenIssue is a lasting fault of a bot: all its events of one group. It is open until
// somebody deletes it; a later event opens a new one.
type OpenIssue struct {
	ID   id.Issue
	Code string
	// Title, Description, Category and ResolutionLink are those of the newest event.
	Title, Description string
	Category           fault.Category
	ResolutionLink     string // empty: none
	// GroupedData is what distinguishes the group from others with the same code.
	GroupedData map[string]IssueDatum
	// EventsCount counts all events, including those that are no longer stored.
	EventsCount         int64
	FirstSeen, LastSeen time.Time
}

// IssueEvent is one occurrence of an issue.
type IssueEvent struct {
	ID        id.IssueEvent
	CreatedAt time.Time
	Data      map[string]IssueDatum
}

// UnmarshalJSONFrom accepts {"raw", "pretty"}, or a plain value, of which a string becomes
// Raw as it is, and anything else as JSON.
func (d *IssueDatum) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '{':
		type plain IssueDatum
		return json.UnmarshalDecode(dec, (*plain)(d))
	case '"':
		return json.UnmarshalDecode(dec, &d.Raw)
	}
	value, err := dec.ReadValue()
	d.Raw = string(value)
	return err
}

// maxIssueEvents is how many events are stored of an issue: the newest.
const maxIssueEvents = 50

// issueKey identifies an issue: a bot has at most one for each group.
type issueKey struct {
	bot   id.Bot
	group string
}

// issueDelta is what a batch of records adds to one issue.
type issueDelta struct {
	issueKey
	number      int      // by the order of first events in the batch
	id          id.Issue // for the issue, if it is not open yet
	grouped     map[string]IssueDatum
	count       int64
	first, last int64
	// newest has the texts for the issue. events are the newest events, oldest first.
	newest Issue
	events []issueEvent
}

// issueEvent is one event of an issue in a batch.
type issueEvent struct {
	id   id.IssueEvent
	at   int64
	data map[string]IssueDatum
}

// addEvent adds an event to the delta of its issue.
func addEvent(issues map[issueKey]*issueDelta, bot id.Bot, event issueEvent, i *Issue) {
	group, grouped := groupOf(i.Code, i.Data, i.GroupBy)
	key := issueKey{bot, group}
	m := issues[key]
	if m == nil {
		m = &issueDelta{issueKey: key, number: len(issues), grouped: grouped, first: event.at, last: event.at}
		issues[key] = m
	}
	m.count++
	m.first, m.last = min(m.first, event.at), max(m.last, event.at)
	at, _ := slices.BinarySearchFunc(m.events, event, func(a, b issueEvent) int { return cmp.Compare(a.id, b.id) })
	m.events = slices.Insert(m.events, at, event)
	if at == len(m.events)-1 {
		m.newest = *i
	}
	if extra := len(m.events) - maxIssueEvents; extra > 0 {
		m.events = slices.Delete(m.events, 0, extra)
	}
}

// rollUpIssues adds records to the issues of their bots.
func (s *Service) rollUpIssues(ctx context.Context, tx *db.Tx, records []Record) error {
	issues := map[issueKey]*issueDelta{}
	for i := range records {
		r := &records[i]
		if body, is := r.Body.(*Issue); is {
			addEvent(issues, r.Bot, issueEvent{id.IssueEventOf(r.Time(), r.Sequence), r.At, body.Data}, body)
		}
	}
	return s.writeIssues(ctx, tx, issues)
}

func (s *Service) writeIssues(ctx context.Context, tx *db.Tx, issues map[issueKey]*issueDelta) error {
	if len(issues) == 0 {
		return nil
	}
	// Ids ascend, and determine the order of lists.
	all := slices.SortedFunc(maps.Values(issues), func(a, b *issueDelta) int { return cmp.Compare(a.number, b.number) })
	for _, m := range all {
		m.id = id.NewIssue(s.clock.Now())
	}
	// All servers write rows in the same order; see botDay.compare.
	slices.SortFunc(all, func(a, b *issueDelta) int {
		return cmp.Or(cmp.Compare(a.bot, b.bot), cmp.Compare(a.group, b.group))
	})
	return mergeIssues(ctx, tx, all)
}

// Report adds an event to an issue of a bot for a fault that botyard itself has run into,
// in the transaction of the caller. It does nothing when the bot is gone, or in another
// workspace by now.
func (s *Service) Report(ctx context.Context, tx *db.Tx, w id.Workspace, bot id.Bot, i fault.Issue) error {
	owners, err := selectOwners(ctx, tx, []id.Bot{bot})
	if err != nil || owners[bot] != w {
		return db.Convert(err)
	}
	return s.report(ctx, tx, []id.Bot{bot}, i)
}

// maxTold bounds the bots that get an issue for a fault of their workspace.
const maxTold = 100

// ReportToAll reports a fault of a workspace as an issue of each of its bots, or of the
// maxTold that were changed last when there are more.
func (s *Service) ReportToAll(ctx context.Context, tx *db.Tx, w id.Workspace, i fault.Issue) error {
	bots, err := selectLatestBots(ctx, tx, w, maxTold)
	if err != nil {
		return db.Convert(err)
	}
	return s.report(ctx, tx, bots, i)
}

// report adds an event for a fault to an issue of each of some existing bots.
func (s *Service) report(ctx context.Context, tx *db.Tx, bots []id.Bot, i fault.Issue) error {
	body := &Issue{
		Code: i.Code, Category: string(i.Category), Title: i.Title, Description: i.Description,
		Data: make(map[string]IssueDatum, len(i.Data)), GroupBy: i.GroupBy, ResolutionLink: i.ResolutionLink,
	}
	for name, value := range i.Data {
		body.Data[name] = IssueDatum{Raw: value}
	}
	if wrong := body.check(); wrong != "" {
		return fmt.Errorf("issue %q cannot be reported for bots %v: %s", i.Code, bots, wrong)
	}
	now := s.clock.Now()
	issues := make(map[issueKey]*issueDelta, len(bots))
	for _, bot := range bots {
		addEvent(issues, bot, issueEvent{id.NewIssueEvent(now), now.UnixMilli(), body.Data}, body)
	}
	return db.Convert(s.writeIssues(ctx, tx, issues))
}

func noSuchIssue(issue id.Issue) error {
	return fault.New(fault.ResourceNotFound, "Issue %q does not exist, or it is not of this bot.", fault.Bounded(string(issue)))
}

// seek answers ResourceNotFound unless the workspace has the bot.
func seek(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) error {
	owners, err := selectOwners(ctx, q, []id.Bot{bot})
	if err != nil {
		return db.Convert(err)
	}
	if owners[bot] != w || w == "" {
		return access.NoSuchBot(bot)
	}
	return nil
}

// Issues reads a page of a bot's open issues, the most recently opened first.
// ResourceNotFound when the workspace has no such bot.
func (s *Service) Issues(ctx context.Context, w id.Workspace, bot id.Bot, page db.Page) ([]OpenIssue, *db.Key, error) {
	q := s.db.Reader(ctx)
	if err := seek(ctx, q, w, bot); err != nil {
		return nil, nil, err
	}
	issues, err := selectIssues(ctx, q, w, bot, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	issues, next := db.Cut(issues, page, func(i OpenIssue) db.Key { return db.Key{ID: string(i.ID)} })
	return issues, next, nil
}

// Issue reads one issue. ResourceNotFound when the workspace has no such bot, or the
// bot no such issue.
func (s *Service) Issue(ctx context.Context, w id.Workspace, bot id.Bot, issue id.Issue) (OpenIssue, error) {
	q := s.db.Reader(ctx)
	if err := seek(ctx, q, w, bot); err != nil {
		return OpenIssue{}, err
	}
	i, found, err := selectIssue(ctx, q, w, bot, issue)
	if err != nil {
		return OpenIssue{}, db.Convert(err)
	}
	if !found {
		return OpenIssue{}, noSuchIssue(issue)
	}
	return i, nil
}

// IssueEvents reads the stored events of an issue, newest first. Its errors are those of
// Issue.
func (s *Service) IssueEvents(ctx context.Context, w id.Workspace, bot id.Bot, issue id.Issue) ([]IssueEvent, error) {
	if _, err := s.Issue(ctx, w, bot, issue); err != nil {
		return nil, err
	}
	events, err := selectIssueEvents(ctx, s.db.Reader(ctx), w, bot, issue)
	return events, db.Convert(err)
}

// DeleteIssue deletes an issue with its events; the next event opens a new one. Its errors
// are those of Issue.
func (s *Service) DeleteIssue(ctx context.Context, w id.Workspace, bot id.Bot, issue id.Issue) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := seek(ctx, tx, w, bot); err != nil {
			return err
		}
		found, err := deleteIssue(ctx, tx, w, bot, issue)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return noSuchIssue(issue)
		}
		return nil
	})
}

// groupOf is the key of the group that an event belongs to, and the data that
// distinguishes the group from others with the same code. An entry of groupBy that is not
// the name of a member of data is a literal part of the key: integrations send both. Order
// and duplicates of entries do not matter.
func groupOf(code string, data map[string]IssueDatum, groupBy []string) (key string, grouped map[string]IssueDatum) {
	entries := slices.Compact(slices.Sorted(slices.Values(groupBy)))
	grouped = make(map[string]IssueDatum, len(entries))
	digest := sha256.New()
	write := func(part string) {
		// The length keeps adjacent parts apart.
		_, _ = digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // never fails
		_, _ = digest.Write([]byte(part))
	}
	write(code)
	for _, entry := range entries {
		if value, isData := data[entry]; isData {
			write("data")
			write(entry)
			write(value.Raw)
			grouped[entry] = value
			continue
		}
		write("literal")
		write(entry)
		grouped[entry] = IssueDatum{Raw: entry}
	}
	return hex.EncodeToString(digest.Sum(nil)[:16]), grouped
}
