package id

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
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

// prefixed is prefix_ULID with now as its time. Within a process, ids of one prefix
// ascend within a millisecond too, so that lists sorted by id are in the order of
// creation.
func prefixed(prefix string, now time.Time) string {
	var u ulid.ULID
	_ = u.SetTime(ulid.Timestamp(now)) // fails after the year 10889
	_ = u.SetEntropy(nextEntropy(prefix, u.Time()))
	return prefix + "_" + u.String()
}

// sequences have the newest ids, by prefix.
var sequences = struct {
	sync.Mutex
	of map[string]*sequence
}{of: map[string]*sequence{}}

// sequence is the ids of a prefix in the milliseconds that were begun last. They are
// several, because transactions that overlap bring the times at which they began in
// any order.
type sequence struct {
	newest [8]struct {
		ms      uint64
		entropy [10]byte
	}
	begun int
}

// nextEntropy is random in the first id of a millisecond, and a random step above the id
// before in every other one.
func nextEntropy(prefix string, ms uint64) []byte {
	sequences.Lock()
	defer sequences.Unlock()
	s := sequences.of[prefix]
	if s == nil {
		s = &sequence{}
		sequences.of[prefix] = s
	}
	for i := range s.newest {
		if last := &s.newest[i]; i < s.begun && last.ms == ms && ascend(&last.entropy) {
			return slices.Clone(last.entropy[:])
		}
	}
	first := &s.newest[s.begun%len(s.newest)]
	s.begun++
	first.ms = ms
	_, _ = rand.Read(first.entropy[:]) // never fails
	return slices.Clone(first.entropy[:])
}

// ascend adds 1 to 2^32; it answers false where that overflows.
func ascend(entropy *[10]byte) bool {
	var step [4]byte
	_, _ = rand.Read(step[:]) // never fails
	high, low := binary.BigEndian.Uint16(entropy[:2]), binary.BigEndian.Uint64(entropy[2:])
	low, carry := bits.Add64(low, uint64(binary.BigEndian.Uint32(step[:]))+1, 0)
	if carry > 0 && high == math.MaxUint16 {
		return false
	}
	binary.BigEndian.PutUint16(entropy[:2], high+uint16(carry))
	binary.BigEndian.PutUint64(entropy[2:], low)
	return true
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

// ordered creates a UUID that ascends with time, to the millisecond, but has the form of
// version 4, by which clients recognise bots' ids. In an index, ids of the same time share a
// page, where random ones would touch a page each.
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

// NewError creates the id of one error answer, in the form that the official client uses for
// its own: err_, the UTC time to the second, an x and eight upper-case hex digits.
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
