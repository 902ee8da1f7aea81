package id

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// Workspace names a workspace: wkspace_ and a ULID.
type Workspace string

// Bot names a bot: a UUID, or devbot_ and a ULID when it is a development bot.
type Bot string

// Account names an account. It is a UUID, because the public contract gives
// members' userId that format.
type Account string

// Member names a membership of a workspace; it exists before the account does.
type Member string

// Token names an access token; it is not the token's value.
type Token string

// Audit names an audit record.
type Audit string

// Job names a job.
type Job string

// Integration names one version of an integration: intver_ and a ULID, or devint_
// and a ULID when it is a development integration.
type Integration string

// Interface names one version of an interface: ifver_ and a ULID.
type Interface string

// Plugin names one version of a plugin: plugver_ and a ULID.
type Plugin string

// Invoice names an invoice: invoice_ and a ULID.
type Invoice string

// Payment names an attempt to have an invoice paid: payment_ and a ULID.
type Payment string

// Trial names a trial of a plan: trial_ and a ULID.
type Trial string

// monotonic makes ids of one process ascend within a millisecond, so that lists
// sorted by id are in the order of creation.
var monotonic = struct {
	sync.Mutex
	entropy *ulid.MonotonicEntropy
}{entropy: ulid.Monotonic(rand.Reader, 0)}

// prefixed is prefix_ULID with now as its time.
func prefixed(prefix string, now time.Time) string {
	monotonic.Lock()
	defer monotonic.Unlock()
	u, err := ulid.New(ulid.Timestamp(now), monotonic.entropy)
	if err != nil {
		// 2^80 ids in one millisecond: start a new random sequence.
		monotonic.entropy = ulid.Monotonic(rand.Reader, 0)
		u = ulid.MustNew(ulid.Timestamp(now), monotonic.entropy)
	}
	return prefix + "_" + u.String()
}

// NewWorkspace makes a workspace's id.
func NewWorkspace(now time.Time) Workspace { return Workspace(prefixed("wkspace", now)) }

// NewBot makes a production bot's id, or a development bot's.
func NewBot(dev bool, now time.Time) Bot {
	if dev {
		return Bot(prefixed("devbot", now))
	}
	return Bot(ordered(now))
}

// ordered makes a UUID that ascends with time, to the millisecond, and has the form
// of version 4: clients know bots' ids by that form, and an index keeps neighbours
// in time on one page, where random ids would touch a page each.
func ordered(now time.Time) string {
	u := uuid.New()
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i)))
	}
	return u.String()
}

// NewAccount makes an account's id.
func NewAccount() Account { return Account(uuid.NewString()) }

// NewMember makes a membership's id.
func NewMember() Member { return Member(uuid.NewString()) }

// NewToken makes the id of a token; kind is pat, bak or iak.
func NewToken(kind string, now time.Time) Token { return Token(prefixed(kind, now)) }

// NewAudit makes an audit record's id.
func NewAudit(now time.Time) Audit { return Audit(prefixed("audit", now)) }

// NewJob makes a job's id.
func NewJob(now time.Time) Job { return Job(prefixed("job", now)) }

// NewIntegration makes the id of a version of an integration, or of a development
// integration.
func NewIntegration(dev bool, now time.Time) Integration {
	if dev {
		return Integration(prefixed(devIntegration, now))
	}
	return Integration(prefixed("intver", now))
}

// devIntegration begins the id of a development integration.
const devIntegration = "devint"

// Dev says whether it is a development integration.
func (i Integration) Dev() bool { return strings.HasPrefix(string(i), devIntegration+"_") }

// NewInterface makes the id of a version of an interface.
func NewInterface(now time.Time) Interface { return Interface(prefixed("ifver", now)) }

// NewPlugin makes the id of a version of a plugin.
func NewPlugin(now time.Time) Plugin { return Plugin(prefixed("plugver", now)) }

// NewInvoice makes an invoice's id.
func NewInvoice(now time.Time) Invoice { return Invoice(prefixed("invoice", now)) }

// NewPayment makes the id of an attempt to have an invoice paid.
func NewPayment(now time.Time) Payment { return Payment(prefixed("payment", now)) }

// NewTrial makes a trial's id.
func NewTrial(now time.Time) Trial { return Trial(prefixed("trial", now)) }

// NewGrant makes the id of a grant of credit.
func NewGrant(now time.Time) string { return prefixed("grant", now) }

// NewDiscount makes the id of a discount.
func NewDiscount(now time.Time) string { return prefixed("discount", now) }

// NewError makes the id of one error answer, in the form the official client
// makes its own: err_, the UTC second, an x and eight upper-case hex digits.
func NewError(now time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand.Read ends the program instead
	return fmt.Sprintf("err_%sx%X", now.UTC().Format("20060102150405"), random)
}

// NewRequest makes the id of one request, for logs.
func NewRequest(now time.Time) string { return prefixed("req", now) }

// NewUsage makes the id of a usage record that came without one.
func NewUsage(now time.Time) string { return prefixed("usage", now) }

// NewWarning makes the id of one warning about a quota.
func NewWarning(now time.Time) string { return prefixed("notif", now) }
