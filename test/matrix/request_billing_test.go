package matrix_test

import "net/http"

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
	"createCreditGrant":  plain(`{"amount":10000000000,"feature":"ai_spend"}`),
	"listInvoices":       plain(""),
	"getUpcomingInvoice": aboutWorkspace(""),
}
