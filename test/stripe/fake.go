package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The key and the secret of the account that the fake has.
const (
	Key           = "sk_test_botyard"
	WebhookSecret = "whsec_botyard"
)

// Intent is a payment intent of the fake.
type Intent struct {
	ID       string
	Status   string
	Amount   int64
	Currency string
	Customer string
	Method   string
	Metadata map[string]string
	// Taken counts how often money was taken: once at most, or the fake is wrong.
	Taken    int
	Refunded bool
	failure  map[string]any
}

// Trouble is what a step of the fake may come to beside its answer.
type Trouble int

// The troubles.
const (
	NoTrouble Trouble = iota
	// LostRequest: the connection breaks and nothing was done.
	LostRequest
	// LostAnswer: it is done, and the connection breaks before the answer.
	LostAnswer
	// ServerError is a 500 before anything was done.
	ServerError
)

// Fake is Stripe with a memory.
type Fake struct {
	*httptest.Server

	mu        sync.Mutex
	trouble   func(step string) Trouble
	done      func(step string)
	numbers   int
	customers map[string]map[string]string
	attached  map[string]string // method → customer
	intents   map[string]*Intent
	repeats   map[string]recorded // by Idempotency-Key
	steps     []string
}

type recorded struct {
	body   string
	status int
	answer []byte
}

// New starts a fake, stopped when the test ends.
func New(t testing.TB) *Fake {
	f := &Fake{customers: map[string]map[string]string{}, attached: map[string]string{}, intents: map[string]*Intent{}, repeats: map[string]recorded{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Server.Close)
	return f
}

// OnStep has every request from now on ask what trouble it meets, in the words of
// Steps; nil is none. The function may also do what must happen right there.
func (f *Fake) OnStep(trouble func(step string) Trouble) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trouble = trouble
}

// OnDone has the function told of every request that was done, before it is answered.
func (f *Fake) OnDone(done func(step string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = done
}

// Intents are all payment intents, in the order they were made.
func (f *Fake) Intents() (list []Intent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.intents {
		list = append(list, *i)
	}
	slices.SortFunc(list, func(a, b Intent) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Taken is how much money was taken for an invoice and not given back, and how often.
func (f *Fake) Taken(invoice string) (amount int64, times int) {
	for _, i := range f.Intents() {
		if i.Metadata["botyard_invoice"] == invoice && !i.Refunded {
			amount += i.Amount * int64(i.Taken)
			times += i.Taken
		}
	}
	return amount, times
}

// Steps are the requests that came, such as "confirm".
func (f *Fake) Steps() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.steps)
}

func (f *Fake) number(prefix string) string {
	f.numbers++
	return fmt.Sprintf("%s_%08d", prefix, f.numbers)
}

// stepOf names a request.
func stepOf(r *http.Request) string {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch {
	case len(parts) == 3:
		return parts[2] // attach, confirm, cancel
	case r.Method == http.MethodGet:
		return "get"
	case parts[0] == "customers" && len(parts) == 2:
		return "default"
	}
	return strings.TrimSuffix(parts[0], "s")
}

func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		panic(http.ErrAbortHandler)
	}
	step, trouble := stepOf(r), NoTrouble
	f.mu.Lock()
	f.steps = append(f.steps, step)
	onStep, onDone := f.trouble, f.done
	f.mu.Unlock()
	if onStep != nil {
		trouble = onStep(step)
	}
	switch trouble {
	case LostRequest:
		panic(http.ErrAbortHandler)
	case ServerError:
		answer(w, 500, failure("api_error", "", "An unknown error occurred."))
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+Key {
		answer(w, 401, failure("invalid_request_error", "", "Invalid API Key provided: sk_****"))
		return
	}
	status, body := f.once(r)
	if onDone != nil {
		onDone(step)
	}
	if trouble == LostAnswer {
		panic(http.ErrAbortHandler)
	}
	answer(w, status, body)
}

// once answers a request, or a repeat of it as before.
func (f *Fake) once(r *http.Request) (int, any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key, body := r.Header.Get("Idempotency-Key"), r.URL.Path+"?"+r.Form.Encode()
	if before, found := f.repeats[key]; found && key != "" {
		if before.body != body {
			return 400, failure("idempotency_error", "", "Keys for idempotent requests can only be used with the same parameters they were first used with.")
		}
		return before.status, json.RawMessage(before.answer)
	}
	status, said := f.act(r)
	if key != "" {
		text, err := json.Marshal(said)
		if err != nil {
			panic(err)
		}
		f.repeats[key] = recorded{body, status, text}
	}
	return status, said
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_fake")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func failure(kind, code, message string) map[string]any {
	return map[string]any{"error": map[string]any{"type": kind, "code": code, "message": message}}
}

func (f *Fake) act(r *http.Request) (int, any) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	missing := func(what string) (int, any) {
		return 404, failure("invalid_request_error", "resource_missing", "No such "+what+": '"+parts[1]+"'")
	}
	switch stepOf(r) {
	case "customer":
		id := f.number("cus")
		f.customers[id] = map[string]string{"name": r.Form.Get("name")}
		return 200, map[string]any{"id": id, "object": "customer"}
	case "default":
		if f.customers[parts[1]] == nil {
			return missing("customer")
		}
		f.customers[parts[1]]["default"] = r.Form.Get("invoice_settings[default_payment_method]")
		return 200, map[string]any{"id": parts[1], "object": "customer"}
	case "setup_intent":
		id := f.number("seti")
		return 200, map[string]any{"id": id, "object": "setup_intent", "client_secret": id + "_secret_x"}
	case "attach":
		method, customer := parts[1], r.Form.Get("customer")
		if !strings.HasPrefix(method, "pm_") {
			return missing("PaymentMethod")
		}
		if method == "pm_card_attachDeclined" {
			return 402, failure("card_error", "card_declined", "Your card was declined.")
		}
		if holder := f.attached[method]; holder != "" && holder != customer && !strings.HasPrefix(method, "pm_card_") {
			return 400, failure("invalid_request_error", "", "The payment method you provided has already been attached to a customer.")
		}
		f.attached[method] = customer
		return 200, map[string]any{"id": method, "object": "payment_method", "type": "card", "card": map[string]any{"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034}}
	case "payment_intent":
		amount, _ := strconv.ParseInt(r.Form.Get("amount"), 10, 64)
		if amount < 50 {
			return 400, failure("invalid_request_error", "amount_too_small", "Amount must be at least $0.50 usd")
		}
		i := &Intent{ID: f.number("pi"), Status: "requires_confirmation", Amount: amount, Currency: r.Form.Get("currency"),
			Customer: r.Form.Get("customer"), Method: r.Form.Get("payment_method"), Metadata: map[string]string{}}
		for _, key := range slices.Sorted(maps.Keys(r.Form)) {
			if name, found := strings.CutPrefix(key, "metadata["); found {
				i.Metadata[strings.TrimSuffix(name, "]")] = r.Form.Get(key)
			}
		}
		f.intents[i.ID] = i
		return 200, i.show()
	case "refund":
		i := f.intents[r.Form.Get("payment_intent")]
		if i == nil || i.Taken == 0 {
			return 400, failure("invalid_request_error", "", "This PaymentIntent does not have a successful charge to refund.")
		}
		if i.Refunded {
			return 400, failure("invalid_request_error", "charge_already_refunded", "The charge has already been refunded.")
		}
		i.Refunded = true
		return 200, map[string]any{"id": f.number("re"), "object": "refund", "status": "succeeded"}
	}
	i := f.intents[parts[1]]
	if i == nil {
		return missing("payment_intent")
	}
	switch stepOf(r) {
	case "get":
	case "cancel":
		if i.Status == "succeeded" {
			return 400, failure("invalid_request_error", "payment_intent_unexpected_state", "You cannot cancel this PaymentIntent because it has a status of succeeded.")
		}
		i.Status = "canceled"
	case "confirm":
		return f.confirm(i)
	default:
		return 404, failure("invalid_request_error", "", "Unrecognized request URL ("+r.Method+": "+r.URL.Path+").")
	}
	return 200, i.show()
}

// confirm does what the card does.
func (f *Fake) confirm(i *Intent) (int, any) {
	if i.Status != "requires_confirmation" && i.Status != "requires_payment_method" {
		return 400, failure("invalid_request_error", "payment_intent_unexpected_state", "You cannot confirm this PaymentIntent because it has a status of "+i.Status+".")
	}
	refuse := func(code, decline, message string) (int, any) {
		i.Status = "requires_payment_method"
		i.failure = map[string]any{"type": "card_error", "code": code, "decline_code": decline, "message": message}
		said := maps.Clone(i.failure)
		said["payment_intent"] = i.show()
		return 402, map[string]any{"error": said}
	}
	switch i.Method {
	case "pm_card_chargeDeclined":
		return refuse("card_declined", "generic_decline", "Your card was declined.")
	case "pm_card_authenticationRequired":
		return refuse("authentication_required", "authentication_required", "Your card was declined. This transaction requires authentication.")
	case "pm_card_action":
		i.Status = "requires_action"
		return 200, i.show()
	case "pm_card_slow":
		i.Status = "processing"
		return 200, i.show()
	}
	i.Status = "succeeded"
	i.Taken++
	return 200, i.show()
}

func (i *Intent) show() map[string]any {
	received := int64(0)
	if i.Taken > 0 {
		received = i.Amount
	}
	return map[string]any{
		"id": i.ID, "object": "payment_intent", "status": i.Status, "amount": i.Amount, "amount_received": received, "currency": i.Currency,
		"customer": i.Customer, "payment_method": i.Method, "metadata": i.Metadata, "last_payment_error": i.failure, "client_secret": i.ID + "_secret_x",
	}
}

// Succeed has a payment intent that is processing take its money, as banks do hours
// later.
func (f *Fake) Succeed(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.intents[id]
	i.Status = "succeeded"
	i.Taken++
}

// Object is a payment intent in the form of an event.
func (f *Fake) Object(id string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.intents[id].show()
}

// Event is an event in Stripe's form.
func Event(id, kind string, object any) []byte {
	text, err := json.Marshal(map[string]any{
		"id": id, "object": "event", "api_version": "2026-03-25.dahlia", "created": time.Now().Unix(), "livemode": false,
		"pending_webhooks": 1, "request": map[string]any{"id": nil, "idempotency_key": nil}, "type": kind, "data": map[string]any{"object": object},
	})
	if err != nil {
		panic(err)
	}
	return text
}

// Sign is the Stripe-Signature of an event, as if it was sent at a moment.
func Sign(payload []byte, secret string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), payload)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}
