package billing

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
)

// PaymentMethod reads the payment method of a workspace; found is false when none is set.
func (s *Service) PaymentMethod(ctx context.Context, w id.Workspace) (m Method, found bool, err error) {
	p, _, err := selectPayer(ctx, s.DB.Reader(ctx), w)
	if err != nil || !s.chargeable(p) {
		return Method{}, false, db.Convert(err)
	}
	return p.method, true, nil
}

// maxMethod bounds the id of a method, in bytes.
const maxMethod = 255

// SetPaymentMethod makes a method that the provider knows the payment method of a
// workspace, and has open invoices charged to it. InvalidPayload when the provider does
// not accept it.
func (s *Service) SetPaymentMethod(ctx context.Context, w id.Workspace, method string) (m Method, err error) {
	if method == "" || len(method) > maxMethod {
		return Method{}, fault.New(fault.InvalidPayload, "paymentMethodId has %d bytes; it is the id that the payment provider gave the method, of 1 to %d.", len(method), maxMethod)
	}
	customer, err := s.customer(ctx, w)
	if err != nil {
		return Method{}, err
	}
	if m, err = s.Provider.Attach(ctx, customer, method); err != nil {
		return Method{}, err
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		p, found, err := selectParty(ctx, tx, w)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return access.NoSuchWorkspace(w)
		}
		now := s.Clock.Now()
		if err := upsertPayer(ctx, tx, w, payer{s.Provider.Name(), customer, m}, now); err != nil {
			return db.Convert(err)
		}
		if err := s.Trail.Record(ctx, tx, w, access.Act{Action: "UPDATE_PAYMENT_METHOD", Resource: string(w), Name: p.name, Value: m.String()}); err != nil {
			return err
		}
		unpaid, err := selectUnpaid(ctx, tx, w)
		if err != nil {
			return db.Convert(err)
		}
		for _, i := range unpaid {
			if i.Status != Open {
				continue
			}
			// The key makes a repeat of the job join the attempt that the first made.
			try := retrying{Invoice: i.ID, Request: "method " + string(id.NewPayment(now)), Method: m.ID, SetAt: now}
			if err := s.Queue.Enqueue(ctx, tx, jobRetry, try, jobs.Unique(string(i.ID)+" "+try.Request)); err != nil {
				return err
			}
		}
		return nil
	})
	return m, err
}

// String is the method as it is recorded: the brand and the last digits.
func (m Method) String() string {
	if m.Card == nil {
		return m.Type
	}
	return m.Card.Brand + " ending in " + m.Card.LastFour
}

// PaymentMethodIntent returns the secret with which a browser gives the provider a payment
// method of the workspace.
func (s *Service) PaymentMethodIntent(ctx context.Context, w id.Workspace) (clientSecret string, err error) {
	customer, err := s.customer(ctx, w)
	if err != nil {
		return "", err
	}
	return s.Provider.Intent(ctx, customer)
}

// customer returns the provider's id of the workspace, creating the customer there if
// need be.
func (s *Service) customer(ctx context.Context, w id.Workspace) (string, error) {
	if s.Provider == nil {
		return "", noProvider()
	}
	p, found, err := selectPayer(ctx, s.DB.Reader(ctx), w)
	if err != nil || found && p.provider == s.Provider.Name() {
		return p.customer, db.Convert(err)
	}
	of, found, err := selectParty(ctx, s.DB.Reader(ctx), w)
	if err != nil {
		return "", db.Convert(err)
	}
	if !found {
		return "", access.NoSuchWorkspace(w)
	}
	customer, err := s.Provider.Customer(ctx, w, of.name, of.email)
	if err != nil {
		return "", err
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, found, err := selectParty(ctx, tx, w); err != nil {
			return db.Convert(err)
		} else if !found {
			return access.NoSuchWorkspace(w) // deleted meanwhile
		}
		p, found, err := selectPayer(ctx, tx, w)
		if err != nil {
			return db.Convert(err)
		}
		if found && p.provider == s.Provider.Name() {
			customer = p.customer // another request was first
			return nil
		}
		return db.Convert(upsertPayer(ctx, tx, w, payer{provider: s.Provider.Name(), customer: customer}, s.Clock.Now()))
	})
	return customer, err
}
