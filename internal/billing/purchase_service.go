package billing

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

// Subscription reads what a workspace pays for.
func (s *Service) Subscription(ctx context.Context, w id.Workspace) (Subscription, error) {
	sub, _, err := s.subscription(ctx, s.DB.Reader(ctx), w)
	return sub, err
}

// SetPlan changes the plan of a workspace: now for an upgrade, at the end of the period for
// a downgrade. Forbidden when only the operator may do that, PaymentRequired when it must
// be paid for first and the payment is declined.
func (s *Service) SetPlan(ctx context.Context, w id.Workspace, to Change, coupon string) (Subscription, error) {
	sub, _, err := s.buy(ctx, w, Purchase{Change: &to, Coupon: coupon})
	return sub, err
}

// SetAddons changes the quantities of add-ons: increases at once, decreases with the next
// month. It fails as SetPlan does.
func (s *Service) SetAddons(ctx context.Context, w id.Workspace, quantities map[string]int64, coupon string) (Subscription, error) {
	sub, _, err := s.buy(ctx, w, Purchase{Addons: quantities, Coupon: coupon})
	return sub, err
}

// AssignPlan is the operator's change of a plan: at once, up or down, also to a plan that
// is not for sale or when the plan is read-only. Unused time is credited and the new plan
// charged by the usual rules.
func (s *Service) AssignPlan(ctx context.Context, w id.Workspace, to plan.ID) (Subscription, error) {
	sub, _, err := s.buy(operator(ctx), w, Purchase{Change: &Change{to, plan.Month}, Operator: true})
	return sub, err
}

// Preview is what a purchase would cost.
type Preview struct {
	Proposal proposal
	Before   Subscription
	// Now is what would be charged at once.
	Now bill
	// Next is what the next cycle would cost, without AI spend and balance, and At is when
	// it begins.
	Next bill
	At   time.Time
}

// Preview rates a purchase without making it: in the same second, SetPlan and SetAddons
// charge the same.
func (s *Service) Preview(ctx context.Context, w id.Workspace, to Change, quantities map[string]int64, coupon string) (Preview, error) {
	sub, _, err := s.subscription(ctx, s.DB.Reader(ctx), w)
	if err != nil {
		return Preview{}, err
	}
	p := Purchase{Change: &to, Addons: quantities, Coupon: coupon}
	if err := s.checkPermitted(sub, p); err != nil {
		return Preview{}, err
	}
	if sub, err = s.caughtUp(ctx, sub); err != nil {
		return Preview{}, err
	}
	p.At = sub.billedAt(s.Clock.Now())
	return preview(s.Plans, sub, p)
}

func preview(c *plan.Catalog, sub Subscription, p Purchase) (Preview, error) {
	o, err := sub.propose(c, p)
	if err != nil {
		return Preview{}, err
	}
	v := Preview{Proposal: o, Before: sub, Now: o.rate(c, p, "")}
	after := v.Now.Subscription
	v.At = after.nextBilling()
	after.Balance = 0
	for after.CycleEnd.Before(v.At) {
		after = after.nextCycle(c)
	}
	after = after.nextCycle(c)
	v.Next = rate(rating{Catalog: c, Subscription: after, At: v.At})
	return v, nil
}

// nextBilling is when something is charged next: the next first of the month, but the
// end of a year when nothing is paid by the month.
func (s Subscription) nextBilling() time.Time {
	if s.Term == plan.Year && !slices.ContainsFunc(s.Addons, func(a Addon) bool { return a.next() > 0 }) {
		return s.Period.End
	}
	return s.CycleEnd
}

// checkPermitted refuses changes that are reserved to the operator, and all changes while a
// purchase waits for its payment.
func (s *Service) checkPermitted(sub Subscription, p Purchase) error {
	switch {
	case sub.Held != "":
		return held()
	case p.Operator:
		return nil
	case p.Change != nil && sub.PlanReadonly && (Change{sub.Plan, sub.Term} != *p.Change):
		return fault.New(fault.Forbidden, "The plan of this workspace is set by contract; the operator of this server changes it.")
	case (len(p.Addons) > 0 || p.Recharge != "" || p.Grant > 0) && sub.AddonsReadonly:
		return fault.New(fault.Forbidden, "The add-ons and the credit of this workspace are set by contract; the operator of this server changes them.")
	}
	return nil
}

// held is the error of what cannot be done while a purchase is being paid for.
func held() error {
	return fault.New(fault.ResourceLockedConflict, "A purchase of this workspace is being paid for. Repeat the request in a moment.").After(time.Second)
}

// buy makes a purchase. Where the workspace can be charged, that happens first: the
// purchase is held with a draft of its invoice, the draft is charged outside any
// transaction, and then the purchase takes effect or is dropped.
func (s *Service) buy(ctx context.Context, w id.Workspace, p Purchase) (sub Subscription, invoice id.Invoice, err error) {
	var draft Invoice
	err = s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		sub, draft, err = s.purchase(ctx, tx, w, p)
		return err
	})
	if err == nil && sub.Held == draft.ID {
		sub, err = s.payHeld(ctx, w, draft)
	}
	return sub, draft.ID, err
}

// purchase makes a purchase in the caller's transaction, or holds it until its invoice is
// paid: then the subscription's Held is that invoice.
func (s *Service) purchase(ctx context.Context, tx *db.Tx, w id.Workspace, p Purchase) (Subscription, Invoice, error) {
	sub, of, err := s.subscription(ctx, tx, w)
	if err != nil {
		return sub, Invoice{}, err
	}
	p.At = s.Clock.Now()
	if err := s.checkPermitted(sub, p); err != nil {
		return sub, Invoice{}, err
	}
	if of.blocked && !p.Operator {
		// It was not when the request came: a block that begins meanwhile is seen here.
		return sub, Invoice{}, access.Unpaid(w)
	}
	if p.Request != "" {
		// Looked up here, a grant that the same request has just bought is seen: without
		// this it would be paid for again, and could never take effect.
		_, found, err := selectGrantByRequest(ctx, tx, w, p.Request)
		if err != nil {
			return sub, Invoice{}, db.Convert(err)
		}
		if found {
			return sub, Invoice{}, fault.New(fault.AlreadyExists, "This request has bought its credit already.")
		}
	}
	if sub, of, err = s.catchUp(ctx, tx, sub, of); err != nil {
		return sub, Invoice{}, err
	}
	p.At = sub.billedAt(p.At)
	if p.Recharge != "" {
		if err := s.stillDue(ctx, tx, sub, p.Recharge); err != nil {
			return sub, Invoice{}, err
		}
	}
	o, err := sub.propose(s.Plans, p)
	if err != nil {
		return sub, Invoice{}, err
	}
	invoice, kind := id.NewInvoice(p.At), ChangeInvoice
	if p.Grant > 0 {
		kind = GrantInvoice
	}
	b := o.rate(s.Plans, p, invoice)
	if p.Recharge != "" {
		if err := s.checkSpending(ctx, tx, of, w, b.Total, p.At); err != nil {
			return sub, Invoice{}, err
		}
	}
	draft := s.draft(of, b, invoice, kind, monthOf(p.At), p.At)
	if b.Total > 0 && !p.Operator {
		prompt, err := s.Collect.ChargesFirst(ctx, tx, w)
		if err != nil {
			return sub, Invoice{}, err
		}
		if prompt {
			if err := s.checkMinimum(ctx, tx, w, b.Total, p.At); err != nil {
				return sub, Invoice{}, err
			}
			sub, err = s.hold(ctx, tx, sub, p, b, draft)
			return sub, draft, err
		}
		if err := s.checkTrust(ctx, tx, of, w, b, p.At); err != nil {
			return sub, Invoice{}, err
		}
	}
	if len(draft.Lines) > 0 {
		if _, err := s.issue(ctx, tx, draft); err != nil {
			return sub, Invoice{}, err
		}
	}
	return b.Subscription, draft, s.applyPurchase(ctx, tx, of, sub, b.Subscription, p, draft)
}

// settleAfter is when the job takes over a purchase whose request did not end it, because
// the server died during the payment.
const settleAfter = time.Minute

// settleDecided is when the job does so after the outcome of the payment is known.
const settleDecided = 5 * time.Second

// SettleJob is the kind of job that ends a purchase which a server left unfinished.
const SettleJob = "billing-settle-purchase"

// settlement is the payload of a SettleJob.
type settlement struct {
	Workspace id.Workspace `json:"workspace"`
	Invoice   id.Invoice   `json:"invoice"`
}

// hold keeps a purchase until its invoice is paid.
func (s *Service) hold(ctx context.Context, tx *db.Tx, sub Subscription, p Purchase, b bill, draft Invoice) (Subscription, error) {
	after := b.Subscription
	sub.Held = draft.ID
	sub.Pending = &Pending{Purchase: p, Plan: after.Plan, Term: after.Term, Period: after.Period, Terms: after.Terms, Used: sub.Balance - after.Balance}
	if err := insertInvoice(ctx, tx, draft); err != nil {
		return sub, db.Convert(err)
	}
	if err := s.save(ctx, tx, sub); err != nil {
		return sub, err
	}
	return sub, s.settleAt(ctx, tx, draft, s.Clock.Now().Add(settleAfter))
}

// settleAt has the job end the purchase that waits for a draft, at a time or before.
func (s *Service) settleAt(ctx context.Context, tx *db.Tx, draft Invoice, at time.Time) error {
	return s.Queue.Enqueue(ctx, tx, SettleJob, settlement{draft.Workspace, draft.ID}, jobs.Unique(string(draft.ID)), jobs.RunAt(at))
}

// settleSoon has the job end the purchase whose payment has an outcome. The request that
// makes the purchase usually does so at once; it is over when the bank decides later.
func (s *Service) settleSoon(ctx context.Context, tx *db.Tx, draft Invoice) error {
	return s.settleAt(ctx, tx, draft, s.Clock.Now().Add(settleDecided))
}

// Settle handles SettleJob: it ends a purchase that waits for its payment, however far a
// server that died got with it. One that has ended is left alone.
func (s *Service) Settle(ctx context.Context, job jobs.Job) error {
	var what settlement
	if err := json.Unmarshal(job.Payload, &what); err != nil {
		return err
	}
	sub, found, err := selectSubscription(ctx, s.DB.Reader(ctx), what.Workspace)
	if err != nil || !found || sub.Held != what.Invoice {
		return db.Convert(err)
	}
	draft, found, err := selectInvoice(ctx, s.DB.Reader(ctx), what.Workspace, what.Invoice)
	if err != nil || !found {
		return db.Convert(err)
	}
	if _, err := s.payHeld(ctx, what.Workspace, draft); err != nil && !fault.Is(err, fault.PaymentRequired) {
		return err
	}
	return nil
}

// payHeld charges the draft of a held purchase and ends the purchase: it takes effect if
// the charge succeeds and is dropped if it is declined. If the outcome is not known, the
// purchase goes on waiting and the job tries again. If somebody else has ended it meanwhile,
// payHeld returns how it ended.
func (s *Service) payHeld(ctx context.Context, w id.Workspace, draft Invoice) (sub Subscription, err error) {
	charged := s.Collect.Charge(ctx, draft)
	// Money may have moved, so go on even if the caller has gone.
	ctx = context.WithoutCancel(ctx)
	var declined error
	err = s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		declined = charged
		if sub, _, err = s.subscription(ctx, tx, w); err != nil {
			return err
		}
		switch {
		case sub.Held != draft.ID:
			declined, err = s.endOf(ctx, tx, draft, charged)
			return err
		case charged != nil && !fault.Is(charged, fault.PaymentRequired):
			return charged
		case charged != nil:
			// A declined attempt may have been reported as paid since.
			a, _, err := selectLatest(ctx, tx, w, draft.ID)
			if err != nil {
				return db.Convert(err)
			}
			if a.State == AttemptPaid {
				declined = nil
			}
		}
		sub, err = s.endPurchase(ctx, tx, draft, declined)
		return err
	})
	if err == nil {
		err = declined
	}
	return sub, err
}

// endOf returns how the purchase that waited for a draft has ended: nil when it took effect,
// otherwise PaymentRequired. charged is what the caller's own charge came to.
func (s *Service) endOf(ctx context.Context, tx *db.Tx, draft Invoice, charged error) (declined, err error) {
	_, issued, err := selectInvoice(ctx, tx, draft.Workspace, draft.ID)
	switch {
	case err != nil || issued:
		return nil, db.Convert(err)
	case fault.Is(charged, fault.PaymentRequired):
		return charged, nil
	}
	return fault.New(fault.PaymentRequired, "The operator has recorded the payment of %s %s as declined. If anything was taken for it, that is refunded.", draft.Total, draft.Currency), nil
}

// endPurchase ends the purchase that waits for a draft, in the caller's transaction: it
// takes effect, or is dropped if declined is not nil. One that has ended is left alone.
func (s *Service) endPurchase(ctx context.Context, tx *db.Tx, draft Invoice, declined error) (Subscription, error) {
	sub, of, err := s.subscription(ctx, tx, draft.Workspace)
	if err != nil || sub.Held != draft.ID {
		return sub, err
	}
	pending, before := *sub.Pending, sub.clone()
	sub.Held, sub.Pending = "", nil
	if err := deleteDraft(ctx, tx, draft.Workspace, draft.ID); err != nil {
		return sub, db.Convert(err)
	}
	if declined != nil {
		return sub, s.dropPurchase(ctx, tx, sub, pending.Purchase, declined)
	}
	status, recharges, arrears := sub.Status, sub.Recharges, sub.Arrears
	sub.Plan, sub.Term, sub.Period, sub.Terms = pending.Plan, pending.Term, pending.Period, pending.Terms
	sub.Status, sub.Recharges, sub.Arrears = status, recharges, arrears
	sub.Balance -= pending.Used
	if err := s.issuePaid(ctx, tx, draft); err != nil {
		return sub, err
	}
	return sub, s.applyPurchase(ctx, tx, of, before, sub, pending.Purchase, draft)
}

// issuePaid issues a draft that has been charged.
func (s *Service) issuePaid(ctx context.Context, tx *db.Tx, i Invoice) (err error) {
	if i.Number, err = nextNumber(ctx, tx, invoiceNumbers); err != nil {
		return db.Convert(err)
	}
	i.Status, i.PaidAt = Paid, s.Clock.Now()
	if err := insertInvoice(ctx, tx, i); err != nil {
		return db.Convert(err)
	}
	return s.Collect.Paid(ctx, tx, i)
}

// dropPurchase drops a purchase whose payment was declined. Auto-recharge is switched off,
// because it would be declined again and again.
func (s *Service) dropPurchase(ctx context.Context, tx *db.Tx, sub Subscription, p Purchase, why error) error {
	if p.Recharge != "" {
		if err := s.disableRecharge(ctx, tx, &sub, p.Recharge, fault.From(why).Message); err != nil {
			return err
		}
	}
	return s.save(ctx, tx, sub)
}

// applyPurchase writes a subscription as a purchase changed it, and updates everything that
// depends on it: grants, the trial, the workspace's plan and quotas, the audit trail.
func (s *Service) applyPurchase(ctx context.Context, tx *db.Tx, of party, before, after Subscription, p Purchase, invoice Invoice) error {
	if err := s.save(ctx, tx, after); err != nil {
		return err
	}
	if p.Grant > 0 {
		g := Grant{id.NewGrant(p.At), invoice.ID, p.Grant, Period{p.At, monthOf(p.At).End}, p.At, p.Request}
		if err := insertGrant(ctx, tx, after.Workspace, g); err != nil {
			return db.Convert(err)
		}
	}
	if before.Plan != after.Plan {
		if err := s.endTrial(ctx, tx, after.Workspace, of); err != nil {
			return err
		}
	} else if of.trial != "" {
		of.plan = after.Plan // a trial has put the workspace on another
	}
	if of.plan != after.Plan {
		if err := s.Workspaces.SetPlan(ctx, after.Workspace, after.Plan); err != nil {
			return err
		}
	}
	if err := s.pushExtras(ctx, tx, after, p.At); err != nil {
		return err
	}
	if p.Recharge != "" {
		return s.Trail.Record(ctx, tx, after.Workspace, access.Act{Action: "EXECUTE_AUTO_RECHARGE_SUCCESS", Resource: p.Recharge, Value: invoice.Total.String()})
	}
	if did := describe(before, after, p); did != "" {
		return s.Trail.Record(ctx, tx, after.Workspace, access.Act{Action: "UPDATE_WORKSPACE", Resource: string(after.Workspace), Name: of.name, Value: did})
	}
	return nil
}

// describe says in words, for the audit trail, what a purchase changed apart from the plan
// of the workspace.
func describe(before, after Subscription, p Purchase) string {
	var did []string
	if after.Next != nil && (before.Next == nil || *before.Next != *after.Next) {
		did = append(did, fmt.Sprintf("next plan=%s by the %s", after.Next.Plan, after.Next.Term))
	} else if before.Next != nil && after.Next == nil && before.Plan == after.Plan {
		did = append(did, "next plan=none")
	}
	if before.Term != after.Term {
		did = append(did, "paid by the "+string(after.Term))
	}
	for _, a := range after.Addons {
		was := Addon{}
		if held := before.addon(a.ID); held != nil {
			was = *held
		}
		if was.Quantity != a.Quantity || was.next() != a.next() {
			did = append(did, fmt.Sprintf("%s=%d, next %d", a.ID, a.Quantity, a.next()))
		}
	}
	if p.Coupon != "" {
		did = append(did, "coupon="+p.Coupon)
	}
	if p.Grant > 0 {
		did = append(did, "AI credit="+p.Grant.CentsUp().String())
	}
	return strings.Join(did, ", ")
}

// pushExtras sets what add-ons and credit add to the quotas of the plan.
func (s *Service) pushExtras(ctx context.Context, tx *db.Tx, sub Subscription, at time.Time) error {
	if s.Usage == nil {
		return nil
	}
	extras := sub.extras(s.Plans)
	granted, err := sumGrants(ctx, tx, sub.Workspace, monthOf(at))
	if err != nil {
		return db.Convert(err)
	}
	if granted > 0 {
		for _, t := range plan.TypesOf(plan.IntegrationSpend) {
			extras[t] += min(granted, math.MaxInt64-extras[t])
		}
	}
	return s.Usage.SetExtras(ctx, tx, sub.Workspace, extras)
}

// Cancel ends the subscription with the period that is paid for: the workspace is then on
// the free plan, without add-ons. SetPlan with the current plan takes that back. Forbidden
// when only the operator may change the plan, or the add-ons that the workspace has.
func (s *Service) Cancel(ctx context.Context, w id.Workspace) (sub Subscription, err error) {
	err = s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		var of party
		if sub, of, err = s.subscription(ctx, tx, w); err != nil {
			return err
		}
		p := Purchase{Change: &Change{}, Addons: map[string]int64{}}
		for _, a := range sub.Addons {
			if a.next() > 0 {
				p.Addons[a.ID] = 0
			}
		}
		if err := s.checkPermitted(sub, p); err != nil {
			return err
		}
		if sub, of, err = s.catchUp(ctx, tx, sub, of); err != nil {
			return err
		}
		before := sub.clone()
		if !sub.cancel() {
			return nil
		}
		return s.applyPurchase(ctx, tx, of, before, sub, Purchase{At: s.Clock.Now()}, Invoice{})
	})
	return sub, err
}

// cancel schedules the free plan and no add-ons; false when there was nothing to cancel.
func (s *Subscription) cancel() (changed bool) {
	if s.Plan == plan.Managed {
		return false
	}
	s.Addons = slices.Clone(s.Addons)
	for i := range s.Addons {
		if a := &s.Addons[i]; a.next() > 0 {
			none, resumed := int64(0), a.next()
			a.Next, a.Resumed, changed = &none, &resumed, true
		}
	}
	switch {
	case s.Canceled:
		return changed
	case s.Plan == plan.Community:
		s.Canceled = len(s.Addons) > 0
	default:
		s.Next, s.Canceled = &Change{plan.Community, plan.Month}, true
	}
	return s.Canceled
}

// uncancel removes whatever is scheduled for the plan, a cancellation included. With
// resume the add-ons go on as well; otherwise they still end.
func (s *Subscription) uncancel(resume bool) {
	s.Next, s.Canceled = nil, false
	for i := range s.Addons {
		a := &s.Addons[i]
		if resume && a.Resumed != nil {
			a.Next = a.Resumed
		}
		a.Resumed = nil
	}
}
