package audit

import "github.com/danielgtaylor/huma/v2"

// userID is an account's id with the format that the contract gives it.
type userID string

// Schema is that of a UUID.
func (userID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}
