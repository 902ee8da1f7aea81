// Package stripe is Stripe as the tests need it: a fake that speaks its protocol and
// remembers what it was told, and stripe-mock, Stripe's own, which remembers nothing
// and holds every request against Stripe's document.
//
// It owns what a card does, which charges took money, and how an event is signed. It
// does not own what becomes of that in botyard.
package stripe
