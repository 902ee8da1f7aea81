package wire

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/botyard/botyard/internal/access"
)

// Scope says how an operation names the workspace that it is about.
type Scope int

// The scopes.
const (
	// Outside of workspaces: the account's own affairs, and what is public.
	Outside Scope = iota
	// InHeader: by the x-workspace-id header, which is required.
	InHeader
	// InPath: by the {id} of the path.
	InPath
	// InUndeclaredHeader is InHeader for operations whose contract does not declare the
	// header although the cloud requires it.
	InUndeclaredHeader
)

// Operation is one row of the operation table: all that the router, the access
// check, the document, the matrix test and the reference page need to know.
type Operation struct {
	ID      string
	Method  string
	Path    string
	Area    string // groups operations in the reference, e.g. "bots"
	Summary string
	Detail  string

	Scope      Scope
	Permission access.Permission
	// Code marks operations whose body may carry code: it may be larger and take longer
	// to arrive, and only a few are handled at once.
	Code bool
	// LargeAnswer marks operations whose answer may be as large as code: only a few are
	// handled at once.
	LargeAnswer bool
	// Harmless marks a POST that changes nothing, so an Idempotency-Key has no effect
	// on it.
	Harmless bool
	// Outward marks an operation that calls another service, for which no transaction may
	// wait. It recognises repeated requests itself, by RepeatKey.
	Outward bool
	// WhileBlocked marks a change that a workspace may make while it is blocked for unpaid
	// invoices: what ends the block, and what only removes things. Reading is always
	// allowed.
	WhileBlocked bool

	// Bots are the parameters and members that name bots, as Register found them.
	Bots []string
}

// openToBlocked reports whether a blocked workspace may use the operation.
func (o *Operation) openToBlocked() bool {
	return o.WhileBlocked || o.Harmless || o.Method == http.MethodGet
}

const metadataKey = "operation"

func operationOf(op *huma.Operation) *Operation {
	o, _ := op.Metadata[metadataKey].(*Operation)
	return o
}

// Register adds an operation and its handler. It panics on an invalid declaration. An error
// of the handler that is not a *fault.Error is answered as Internal.
func Register[I, O any](m *Mux, op Operation, handler func(context.Context, *I) (*O, error)) {
	if op.Permission == "" {
		panic(op.ID + ": an operation must declare its permission")
	}
	named := botFields(op.Path, reflect.TypeFor[I]())
	for _, f := range named {
		op.Bots = append(op.Bots, f.name)
	}
	declared := &op
	m.operations = append(m.operations, declared)

	h := huma.Operation{
		OperationID:     op.ID,
		Method:          op.Method,
		Path:            op.Path,
		Summary:         op.Summary,
		Description:     op.Detail,
		Tags:            []string{op.Area},
		DefaultStatus:   http.StatusOK,
		MaxBodyBytes:    m.limits.Body + 1, // huma refuses at exactly its limit
		BodyReadTimeout: m.limits.BodyTime,
		Metadata:        map[string]any{metadataKey: declared},
		Security:        []map[string][]string{{"token": {}}},
	}
	if op.Code {
		h.MaxBodyBytes, h.BodyReadTimeout = m.limits.CodeBody+1, m.limits.CodeBodyTime
	}
	if op.Scope == InHeader {
		h.Parameters = append(h.Parameters, headerParameter(workspaceHeader, true, "The workspace that the request is about."))
	}
	if strings.HasPrefix(op.Path, "/v1/") {
		h.Parameters = append(h.Parameters, headerParameter("x-multiple-integrations", false, "Set to true, integrations of a bot are keyed by alias; else by integration id."))
	}

	dotted := dottedFields(reflect.TypeFor[I]())
	for _, d := range dotted {
		h.Parameters = append(h.Parameters, &huma.Param{
			Name: d.name, In: "query", Required: d.required, Description: d.doc,
			Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString}},
		})
	}
	d := &decoder{registry: m.api.OpenAPI().Components.Schemas}
	huma.Register(m.apiOf(d), h, func(ctx context.Context, in *I) (*O, error) {
		if len(dotted) > 0 {
			readDotted(reflect.ValueOf(in).Elem(), dotted, exchangeOf(ctx).query)
		}
		if err := m.letIn(ctx, declared, named, reflect.ValueOf(in).Elem()); err != nil {
			return nil, err
		}
		if op.LargeAnswer {
			leave, err := m.answerSlots.take(ctx, access.From(ctx).ID(), "answers")
			if err != nil {
				return nil, err
			}
			defer leave()
		}
		return handler(ctx, in)
	})
	if m.added.RequestBody != nil {
		d.schema = m.added.RequestBody.Content["application/json"].Schema
	}
}

// apiOf is the API for one operation, with that operation's decoder: huma configures formats
// per API. The document and the router are shared. The middleware must be added before the
// operation: huma silently ignores what is added later, and the token would go unchecked.
func (m *Mux) apiOf(d *decoder) huma.API {
	config := m.config
	config.Formats = map[string]huma.Format{"application/json": {Marshal: encode, Unmarshal: d.decode}}
	api := humachi.New(m.router, config)
	api.UseMiddleware(m.admit, m.limitBody, m.idempotent)
	return api
}

func headerParameter(name string, required bool, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Required: required, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
}

type dottedField struct {
	index []int
	name  string
	doc   string
	// required is for the document alone: clients send an empty map as nothing.
	required bool
}

func dottedFields(t reflect.Type) (fields []dottedField) {
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("dotted"); name != "" {
			fields = append(fields, dottedField{f.Index, name, f.Tag.Get("doc"), f.Tag.Get("required") == "true"})
		}
	}
	return fields
}

// readDotted fills the Map parameters. The last of several values for a key counts, as for
// all parameters of the API.
func readDotted(in reflect.Value, fields []dottedField, rawQuery string) {
	eachQuery(rawQuery, func(key, value string) {
		for _, f := range fields {
			n := len(f.name)
			if len(key) <= n+1 || key[n] != '.' || key[:n] != f.name {
				continue
			}
			field := in.FieldByIndex(f.index).Addr().Interface().(*Map)
			if *field == nil {
				*field = Map{}
			}
			(*field)[key[n+1:]] = value
		}
	})
}
