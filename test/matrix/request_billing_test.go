package matrix_test

import (
	"net/http"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/plan"
)

// billingRequests are those of plans, subscriptions, invoices and payments.
var billingRequests = map[string][]request{
	"listPlans":                 plain(""),
	"getPlan":                   plain("", "plus"),
	"listAddons":                plain(""),
	"getAddon":                  plain("", "bot_addon"),
	"getBillingReadonly":        plain(""),
	"getBillingAddress":         plain(""),
	"setBillingAddress":         plain(`{"lineOne":"1 Main Street","city":"Montreal","postalCode":"H2X 1Y4","country":"CA"}`),
	"getSubscription":           plain(""),
	"setPlan":                   plain(`{"planId":"plus","interval":"month"}`),
	"setAddons":                 plain(`{"addons":{"bot_addon":1}}`),
	"previewSubscriptionUpdate": plain(`{"plan":{"planId":"team","interval":"year"}}`),
	"setCancelAtPeriodEnd":      plain(`{}`),
	"getAutoRechargeSettings":   plain(""),
	"setAutoRechargeSettings":   plain(`{"settings":{"ai_credits_addon":{"enabled":true}}}`),
	"getTrials":                 plain(""),
	"createTrial":               plain(`{"plan":"plus","lengthInDays":7}`),
	"removeTrial": {{prepare: func(sc *scene) ([]string, string, error) {
		_, err := sc.asOwner(http.MethodPost, "/v2/billing/trials", `{"plan":"plus","lengthInDays":7}`)
		return nil, "", err
	}}},
	"createCreditGrant":             plain(`{"amount":10000000000,"feature":"ai_spend"}`),
	"listInvoices":                  plain(""),
	"listWorkspaceInvoices":         aboutWorkspace(""),
	"getPaymentMethod":              plain(""),
	"setPaymentMethod":              plain(`{"paymentMethodId":"pm_card_visa"}`),
	"createPaymentMethodIntent":     plain("{}"),
	"chargeWorkspaceUnpaidInvoices": aboutWorkspace("{}"),
	"payInvoice": {{prepare: func(sc *scene) ([]string, string, error) {
		invoice, err := sc.invoice()
		return []string{invoice}, "{}", err
	}}},
	"getUpcomingInvoice": aboutWorkspace(""),
}

// invoice has the owner's workspace owe one, with a card to pay it, and answers its id.
func (sc *scene) invoice() (string, error) {
	// The operator brings a workspace down from managed; going up costs.
	if _, err := sc.Billing.AssignPlan(sc.ctx, sc.owner.Workspace, "community"); err != nil {
		return "", err
	}
	if _, err := sc.Billing.SetPlan(sc.ctx, sc.owner.Workspace, billing.Change{Plan: "plus", Term: plan.Month}, ""); err != nil {
		return "", err
	}
	if _, err := sc.asOwner(http.MethodPost, "/v2/billing/payment-methods", `{"paymentMethodId":"pm_card_visa"}`); err != nil {
		return "", err
	}
	list, _, err := sc.Billing.Invoices(sc.ctx, sc.owner.Workspace, db.Page{})
	if err != nil {
		return "", err
	}
	return string(list[0].ID), nil
}
