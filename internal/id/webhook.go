package id

import "github.com/google/uuid"

// Webhook is the end of the address that the outside calls an installed
// integration at. It is a UUID: whoever knows it may call, so it cannot be guessed.
type Webhook string

// Shareable is the id by which an installed integration is given to those who are to
// try it. It is a UUID: whoever knows it may, so it cannot be guessed.
type Shareable string

// NewShareable makes a shareable id.
func NewShareable() Shareable { return Shareable(uuid.NewString()) }

// NewWebhook makes a webhook's id.
func NewWebhook() Webhook { return Webhook(uuid.NewString()) }
