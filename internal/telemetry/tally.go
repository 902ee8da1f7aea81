package telemetry

import (
	"github.com/botyard/botyard/internal/id"
)

// dayTally is what a batch of records adds to the analytics of bots, as far as it can be
// told without the database.
type dayTally struct {
	days  map[botDay]*Day
	users map[botUserDay]struct{}
	lanes map[lane][]int64
}

type (
	botDay struct {
		bot id.Bot
		day date
	}
	botUser struct {
		bot  id.Bot
		user string
	}
	botUserDay struct {
		botUser
		day date
	}
	// lane is the scope of sessions: a conversation, or what one user does outside of
	// conversations.
	lane struct {
		bot                id.Bot
		conversation, user string
	}
)

// nanoUSD is the number of nano-dollars in a dollar.
const nanoUSD = 1e9

// tallyOf counts records of bots.
func tallyOf(records []Record) dayTally {
	t := dayTally{days: map[botDay]*Day{}, users: map[botUserDay]struct{}{}, lanes: map[lane][]int64{}}
	for i := range records {
		t.add(&records[i])
	}
	return t
}

func (t *dayTally) day(bot id.Bot, on date) *Day {
	key := botDay{bot, on}
	if t.days[key] == nil {
		t.days[key] = &Day{}
	}
	return t.days[key]
}

func (t *dayTally) add(r *Record) {
	on := dateOf(r.At)
	switch body := r.Body.(type) {
	case *Message:
		if body.Direction == incoming {
			t.day(r.Bot, on).UserMessages++
			t.active(r)
		} else {
			t.day(r.Bot, on).BotMessages++
		}
	case *Event:
		d := t.day(r.Bot, on)
		d.Events++
		d.EventTypes.add(body.Type, 1)
		t.active(r)
	case *CustomEvent:
		t.day(r.Bot, on).CustomEvents.add(body.Name, body.Count)
	case *LLMCall:
		t.day(r.Bot, on).LLM.add(body)
	}
}

// active notes that the user of a record was active: sent a message, or caused an event.
func (t *dayTally) active(r *Record) {
	if r.User == "" {
		return
	}
	t.users[botUserDay{botUser{r.Bot, r.User}, dateOf(r.At)}] = struct{}{}
	in := lane{bot: r.Bot, conversation: r.Conversation}
	if in.conversation == "" {
		in.user = r.User
	}
	t.lanes[in] = append(t.lanes[in], r.At)
}

func (l *LLM) add(c *LLMCall) {
	l.Calls++
	if c.Error != "" {
		l.Errors++
	}
	l.InputTokens = sum(l.InputTokens, c.InputTokens)
	l.OutputTokens = sum(l.OutputTokens, c.OutputTokens)
	l.CostNanoUSD = sum(l.CostNanoUSD, c.CostNanoUSD)
	l.Cost.Add(float64(c.CostNanoUSD) / nanoUSD)
	if c.LatencyMs <= 0 {
		return
	}
	l.Latency.Add(c.LatencyMs)
	if c.Error == "" && c.OutputTokens > 0 {
		// A latency near zero would make the speed infinite, and with it the mean of the day.
		l.TokensPerSecond.Add(min(float64(c.OutputTokens)/(c.LatencyMs/1000), maxCount))
	}
}
