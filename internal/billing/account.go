package billing

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// maxAddress bounds each part of an address, in characters.
const maxAddress = 200

// check returns the address with white space trimmed from its parts. InvalidPayload when
// a part is missing or too long.
func (a Address) check() (Address, error) {
	for _, part := range []struct {
		name     string
		value    *string
		optional bool
	}{
		{"lineOne", &a.LineOne, false}, {"lineTwo", &a.LineTwo, true}, {"city", &a.City, false},
		{"state", &a.State, true}, {"postalCode", &a.PostalCode, false},
	} {
		*part.value = strings.TrimSpace(*part.value)
		if n := utf8.RuneCountInString(*part.value); n > maxAddress || n == 0 && !part.optional {
			return a, fault.New(fault.InvalidPayload, "%s has %d characters; it must have at most %d, and at least one unless it is optional.", part.name, n, maxAddress)
		}
	}
	a.Country = strings.ToUpper(a.Country)
	return a, nil
}

// SetAddress sets the billing address of a workspace. Invoices already issued keep the
// address they were issued with.
func (s *Service) SetAddress(ctx context.Context, w id.Workspace, a Address) error {
	a, err := a.check()
	if err != nil {
		return err
	}
	return s.edit(ctx, w, "billing address", func(sub *Subscription) { sub.Address = &a })
}

// edit makes a change that costs nothing; did describes it in the audit trail.
func (s *Service) edit(ctx context.Context, w id.Workspace, did string, change func(*Subscription)) error {
	return s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		sub, of, err := s.subscription(ctx, tx, w)
		if err != nil {
			return err
		}
		change(&sub)
		if err := s.save(ctx, tx, sub); err != nil {
			return err
		}
		return s.Trail.Record(ctx, tx, w, access.Act{Action: "UPDATE_WORKSPACE", Resource: string(w), Name: of.name, Value: did})
	})
}

// SetReadonly reserves changes of the plan, of add-ons, or of both to the operator; nil
// leaves a flag as it is. It is for workspaces that are billed by contract, and no
// operation of the API leads here.
func (s *Service) SetReadonly(ctx context.Context, w id.Workspace, planToo, addonsToo *bool) (sub Subscription, err error) {
	err = s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		var of party
		if sub, of, err = s.subscription(ctx, tx, w); err != nil {
			return err
		}
		for _, flag := range []struct {
			action string
			kept   *bool
			wanted *bool
		}{
			{"UPDATE_WORKSPACE_PLAN_READONLY", &sub.PlanReadonly, planToo},
			{"UPDATE_WORKSPACE_ADDONS_READONLY", &sub.AddonsReadonly, addonsToo},
		} {
			if flag.wanted == nil || *flag.wanted == *flag.kept {
				continue
			}
			*flag.kept = *flag.wanted
			value := "false"
			if *flag.wanted {
				value = "true"
			}
			if err := s.Trail.Record(ctx, tx, w, access.Act{Action: flag.action, Resource: string(w), Name: of.name, Value: value}); err != nil {
				return err
			}
		}
		return s.save(ctx, tx, sub)
	})
	return sub, err
}

// maxGrant bounds one purchase of credit: ten thousand dollars.
const maxGrant = plan.Nano(10_000_000_000_000)

// Grant is credit for AI that was bought.
type Grant struct {
	ID      string
	Invoice id.Invoice
	Amount  plan.Nano
	Period  Period
	Created time.Time
	// Request identifies the request that bought it, so that a repeat is recognised;
	// empty when the caller sent no key.
	Request string
}

// BuyCredit buys credit for AI that is valid until the end of the month. A repeat of a
// request, recognised by its key unless that is empty, returns the same grant and buys
// nothing. PaymentRequired when it must be paid for first and the payment is declined.
func (s *Service) BuyCredit(ctx context.Context, w id.Workspace, amount plan.Nano, request string) (Grant, error) {
	if amount < 1 || amount > maxGrant {
		return Grant{}, fault.New(fault.InvalidPayload, "amount is %d nano-dollars; it must be from 1 to %d.", amount, maxGrant)
	}
	for again := false; ; again = true {
		g, found, err := s.bought(ctx, w, request)
		if found || err != nil {
			return g, err
		}
		_, invoice, err := s.buy(ctx, w, Purchase{Grant: amount, Request: request})
		if !again && request != "" && (fault.Is(err, fault.AlreadyExists) || fault.Is(err, fault.ResourceLockedConflict)) {
			continue // perhaps it lost to itself: the same request may have come twice at once
		}
		if err != nil {
			return Grant{}, err
		}
		g, found, err = selectGrant(ctx, s.DB.Reader(ctx), w, invoice)
		if err == nil && !found {
			err = fault.New(fault.ResourceNotFound, "The credit was bought with invoice %s, and is gone already: the invoice was voided, or the workspace deleted.", invoice)
		}
		return g, db.Convert(err)
	}
}

// bought returns the grant that a request bought. If it is still being paid for, the
// payment is completed first; when that is declined, so is the request.
func (s *Service) bought(ctx context.Context, w id.Workspace, request string) (g Grant, found bool, err error) {
	if request == "" {
		return Grant{}, false, nil
	}
	// The grant is read last: a purchase that is not held any more has left it by then.
	sub, err := s.Subscription(ctx, w)
	if err != nil {
		return Grant{}, false, err
	}
	if sub.Held != "" && sub.Pending.Purchase.Request == request {
		draft, found, err := selectInvoice(ctx, s.DB.Reader(ctx), w, sub.Held)
		if err != nil {
			return Grant{}, false, db.Convert(err)
		}
		if found {
			if _, err := s.payHeld(ctx, w, draft); err != nil {
				return Grant{}, false, err
			}
		}
	}
	g, found, err = selectGrantByRequest(ctx, s.DB.Reader(ctx), w, request)
	return g, found, db.Convert(err)
}
