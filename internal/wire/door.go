package wire

import (
	"context"
	"reflect"
	"strings"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
)

// botField is a field of an operation's input that names one bot or several.
type botField struct {
	name  string
	index []int
}

// botFields finds the fields that name bots: the {id} of paths below bots and usages, the
// ids of usage queries, and everything called botId. So every operation about a bot is
// guarded without declaring it.
func botFields(path string, input reflect.Type) (fields []botField) {
	ofBot := strings.HasPrefix(path, "/v1/admin/bots/{id}") || strings.HasPrefix(path, "/v1/admin/usages/{id}")
	for _, f := range reflect.VisibleFields(input) {
		parameter, query := f.Tag.Get("path"), name(f.Tag.Get("query"))
		switch {
		case parameter == "botId", parameter == "id" && ofBot:
			fields = append(fields, botField{parameter, f.Index})
		case query == "botId", query == "ids" && strings.HasPrefix(path, "/v1/admin/usages/"):
			fields = append(fields, botField{query, f.Index})
		case f.Name == "Body" && f.Type.Kind() == reflect.Struct:
			for _, member := range reflect.VisibleFields(f.Type) {
				if name(member.Tag.Get("json")) == "botId" {
					fields = append(fields, botField{"botId", append(append([]int{}, f.Index...), member.Index...)})
				}
			}
		}
	}
	return fields
}

// name is the first part of a tag, before its options.
func name(tag string) string {
	first, _, _ := strings.Cut(tag, ",")
	return first
}

// letIn rejects callers that a bot's allowlist excludes. It asks only if there can be such
// a bot: in workspaces that have one, and outside of workspaces.
func (m *Mux) letIn(ctx context.Context, op *Operation, fields []botField, in reflect.Value) error {
	actor := access.From(ctx)
	if len(fields) == 0 || !actor.Confined && op.Scope != Outside {
		return nil
	}
	var bots []id.Bot
	for _, f := range fields {
		switch v := in.FieldByIndex(f.index); v.Kind() {
		case reflect.String:
			bots = append(bots, id.Bot(v.String()))
		case reflect.Slice:
			for n := range v.Len() {
				bots = append(bots, id.Bot(v.Index(n).String()))
			}
		}
	}
	return m.bots.LetIn(ctx, actor.Account, bots)
}
