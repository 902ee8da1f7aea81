package id

import "github.com/google/uuid"

// Webhook is the end of the address that the outside calls an installed
// integration at. It is a UUID: whoever knows it may call, so it cannot be guessed.
type Webhook string

// NewWebhook makes a webhook's id.
func NewWebhook() Webhook { return Webhook(uuid.NewString()) }
