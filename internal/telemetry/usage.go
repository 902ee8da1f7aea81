package telemetry

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// costOf is the cost that the output of an action states, in nano-dollars. The actions of
// language models report it in dollars, as botpress.cost.
func costOf(output jsontext.Value) int64 {
	if !bytes.Contains(output, []byte(`"botpress"`)) {
		return 0
	}
	var says struct {
		Botpress struct {
			Cost float64 `json:"cost"`
		} `json:"botpress"`
	}
	if json.Unmarshal(output, &says, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return 0 // a member of that name with another meaning
	}
	cost := math.Round(says.Botpress.Cost * nanoUSD)
	if !(cost > 0) { // NaN is not
		return 0
	}
	return int64(min(cost, maxCount))
}

// calls are the incoming messages and events of one bot in one hour.
type calls struct {
	workspace id.Workspace
	bot       id.Bot
	hour      int64
}

// uses collects the usage of a batch of records for the meter.
type uses struct {
	calls map[calls]*plan.Usage
	all   []plan.Usage
}

// use adds the usage of one record. Its id is made of the record's, so that the meter
// recognises it.
func (u *uses) use(r *Record, t plan.Type, value int64, metadata map[string]string) {
	if value > 0 {
		u.all = append(u.all, plan.Usage{
			ID: usageID(r.Sequence), Workspace: r.Workspace, Bot: r.Bot, Type: t, Value: value, At: r.Time(), Metadata: metadata,
		})
	}
}

func usageID(sequence int64) string { return "record " + strconv.FormatInt(sequence, 10) }

// call adds an incoming message or event. Those of one hour in a batch become one usage,
// since a busy bot has thousands.
func (u *uses) call(r *Record) {
	key := calls{r.Workspace, r.Bot, r.At / time.Hour.Milliseconds()}
	c := u.calls[key]
	if c == nil {
		u.calls[key] = &plan.Usage{ID: usageID(r.Sequence), Workspace: r.Workspace, Bot: r.Bot, Type: plan.InvocationCalls, Value: 1, At: r.Time()}
		return
	}
	c.Value++
	if r.Time().After(c.At) {
		c.At = r.Time()
	}
}

// rollUpUsage reports usage to the meter: incoming messages and events, the cost of calls
// of language models and of billable actions, and usage records.
func (s *Service) rollUpUsage(ctx context.Context, tx *db.Tx, records []Record) error {
	u := uses{calls: map[calls]*plan.Usage{}}
	billable, err := s.billable(ctx, tx, records)
	if err != nil {
		return err
	}
	for i := range records {
		r := &records[i]
		switch body := r.Body.(type) {
		case *Message:
			if body.Direction == incoming {
				u.call(r)
			}
		case *Event:
			u.call(r)
		case *LLMCall:
			u.use(r, plan.AISpend, body.CostNanoUSD, map[string]string{"type": "IntegrationAction", "subtype": body.Model})
		case *ActionRun:
			if body.costs() && slices.Contains(billable[body.IntegrationName][r.Bot], body.ActionType) {
				u.use(r, plan.AISpend, body.CostNanoUSD, map[string]string{
					"type": "IntegrationAction", "subtype": body.ActionType, "source": body.IntegrationName,
				})
			}
		case *Usage:
			u.use(r, plan.Type(body.Type), body.Value, textsOf(body.Metadata))
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(u.calls), func(a, b calls) int {
		return cmp.Or(cmp.Compare(a.workspace, b.workspace), cmp.Compare(a.bot, b.bot), cmp.Compare(a.hour, b.hour))
	}) {
		u.all = append(u.all, *u.calls[key])
	}
	u.all = slices.DeleteFunc(u.all, func(u plan.Usage) bool { return u.Check() != nil })
	if len(u.all) == 0 {
		return nil
	}
	return s.meter.Add(ctx, tx, u.all)
}

// textsOf are the members of an object that are strings.
func textsOf(object jsontext.Value) map[string]string {
	if len(object) == 0 {
		return nil
	}
	var members map[string]any
	if json.Unmarshal(object, &members, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return nil // it was checked when it came
	}
	texts := map[string]string{}
	for name, value := range members {
		if text, is := value.(string); is {
			texts[name] = text
		}
	}
	return texts
}

// billing has the billable actions for one batch, by integration and bot.
type billing map[string]map[id.Bot][]string

// billable looks up which runs of a batch are billable, with one query an integration.
func (s *Service) billable(ctx context.Context, q db.Querier, records []Record) (billing, error) {
	asked := map[string][]id.Bot{}
	for i := range records {
		if run, is := records[i].Body.(*ActionRun); is && run.costs() {
			asked[run.IntegrationName] = append(asked[run.IntegrationName], records[i].Bot)
		}
	}
	known := billing{}
	for _, integration := range slices.Sorted(maps.Keys(asked)) {
		bots := asked[integration]
		slices.Sort(bots)
		of, err := s.actions.Billable(ctx, q, integration, slices.Compact(bots))
		if err != nil {
			return nil, err
		}
		known[integration] = of
	}
	return known, nil
}

// costs says whether a run states a cost and was not answered from a cache.
func (a *ActionRun) costs() bool { return a.CostNanoUSD != 0 && !a.Cached }
