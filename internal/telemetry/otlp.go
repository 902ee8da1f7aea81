package telemetry

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// OpenTelemetry logs, as exporters send them over HTTP. The package of the request,
// ExportLogsServiceRequest, would link gRPC, so LogsData is decoded in its place: it has
// the same fields.
//
// https://opentelemetry.io/docs/specs/otlp/#otlphttp

// readOTLP decodes the log records of a request one by one, and passes each to take, or a
// problem with it. The request is never decoded as a whole: a message of two bytes becomes
// a struct of more than a hundred, so a small body could exhaust the memory. The error is
// InvalidPayload when the body is not a request, or that of take.
func readOTLP(body []byte, asJSON bool, take func(r Record, problem string) error) error {
	err := error(nil)
	if asJSON {
		d := jsontext.NewDecoder(bytes.NewBuffer(body))
		if err = walkJSON(d, otlpNames, func(text []byte) error {
			// Trace ids are in hexadecimal there, which protojson takes for base64. They are
			// not used.
			return takeOTLP(text, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal, take)
		}); err == nil && len(bytes.TrimSpace(body[d.InputOffset():])) > 0 {
			err = errors.New("there is something after its end")
		}
	} else {
		err = walkBinary(body, otlpFields, func(message []byte) error {
			return takeOTLP(message, proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal, take)
		})
	}
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return fault.New(fault.InvalidPayload, "The body is not an OTLP ExportLogsServiceRequest: %s. Send one as protobuf, or as JSON with Content-Type application/json.", fault.BoundedTo(err.Error(), 300)).Because(err)
}

func takeOTLP(text []byte, read func([]byte, proto.Message) error, take func(Record, string) error) error {
	if len(text) > maxLine {
		return take(Record{}, fmt.Sprintf("the record has %d bytes; at most %d are allowed", len(text), maxLine))
	}
	var r logspb.LogRecord
	if err := read(text, &r); err != nil {
		return err
	}
	return take(ofOTLP(&r), "")
}

// The path from a request to its log records: resource_logs, scope_logs, log_records.
var (
	otlpFields = []protowire.Number{1, 2, 2}
	// otlpNames are the names in the JSON form; parsers must accept the original ones too.
	otlpNames = [][]string{{"resourceLogs", "resource_logs"}, {"scopeLogs", "scope_logs"}, {"logRecords", "log_records"}}
)

// walkBinary calls use with every message at the end of a path of fields, and skips all
// other fields.
func walkBinary(message []byte, way []protowire.Number, use func([]byte) error) error {
	if len(way) == 0 {
		return use(message)
	}
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return protowire.ParseError(n)
		}
		if number == way[0] && kind == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(message)
			if err := walkBinary(inner, way[1:], use); err != nil {
				return err
			}
		}
		message = message[n:]
	}
	return nil
}

// walkJSON is walkBinary for the JSON form.
func walkJSON(d *jsontext.Decoder, way [][]string, use func([]byte) error) error {
	if len(way) == 0 {
		text, err := d.ReadValue()
		if err != nil {
			return err
		}
		return use(text)
	}
	if err := opens(d, '{'); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if !slices.Contains(way[0], name.String()) || d.PeekKind() == 'n' {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if err := opens(d, '['); err != nil {
			return err
		}
		for d.PeekKind() != ']' {
			if err := walkJSON(d, way[1:], use); err != nil {
				return err
			}
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// opens reads the opening token of an object or array.
func opens(d *jsontext.Decoder, want jsontext.Kind) error {
	token, err := d.ReadToken()
	if err == nil && token.Kind() != want {
		err = fmt.Errorf("there is %s where %s is expected", fault.Bounded(token.String()), want)
	}
	return err
}

// The attributes that say what a line is about, in order of preference: botyard's own
// names come before OpenTelemetry's.
var (
	userAttributes         = []string{"userId", "user.id", "enduser.id"}
	conversationAttributes = []string{"conversationId", "conversation.id", "gen_ai.conversation.id", "session.id"}
	workflowAttributes     = []string{"workflowId", "workflow.id"}
	botAttributes          = []string{"botId", "bot.id"}
)

// ofOTLP makes a log line of an OpenTelemetry log record. The message is the body, followed
// by the remaining attributes as JSON.
func ofOTLP(r *logspb.LogRecord) Record {
	record := Record{Kind: KindLog, Level: levelOf(r)}
	for _, ns := range []uint64{r.GetTimeUnixNano(), r.GetObservedTimeUnixNano()} {
		if record.At == 0 && ns != 0 {
			record.At = int64(ns / uint64(time.Millisecond))
		}
	}
	rest := slices.Clone(r.GetAttributes())
	take := func(names []string) string {
		for _, name := range names {
			at := slices.IndexFunc(rest, func(a *commonpb.KeyValue) bool { return a.GetKey() == name })
			if at >= 0 {
				value := textOf(rest[at].GetValue())
				rest = slices.Delete(rest, at, at+1)
				return value
			}
		}
		return ""
	}
	record.User, record.Conversation, record.Workflow = take(userAttributes), take(conversationAttributes), take(workflowAttributes)
	record.Bot = id.Bot(take(botAttributes))
	// As in lines of the SDK, those of an integration are hidden from the owner of the bot
	// unless they say otherwise.
	record.HiddenFromBot = take([]string{"visible_to_bot_owner"}) != "true"
	record.HiddenFromIntegration = take([]string{"hidden_to_integration_owner"}) == "true"
	record.Message = textOf(r.GetBody())
	if len(rest) > 0 {
		record.Message = strings.TrimPrefix(record.Message+" "+jsonOf(membersOf(rest)), " ")
	}
	return record
}

// levelOf is the level of a severity. Each severity has four numbers, of which the constant
// is the lowest.
func levelOf(r *logspb.LogRecord) Level {
	switch n := r.GetSeverityNumber(); {
	case n >= logspb.SeverityNumber_SEVERITY_NUMBER_ERROR:
		return Error
	case n >= logspb.SeverityNumber_SEVERITY_NUMBER_WARN:
		return Warn
	case n >= logspb.SeverityNumber_SEVERITY_NUMBER_INFO:
		return Info
	case n > logspb.SeverityNumber_SEVERITY_NUMBER_UNSPECIFIED:
		return Debug
	}
	switch text := strings.ToLower(r.GetSeverityText()); {
	case strings.HasPrefix(text, "trace"), strings.HasPrefix(text, "debug"):
		return Debug
	case strings.HasPrefix(text, "warn"):
		return Warn
	case strings.HasPrefix(text, "err"), strings.HasPrefix(text, "fatal"), strings.HasPrefix(text, "crit"):
		return Error
	}
	return Info
}

// textOf is a value as text: a string as it is, anything else as JSON.
func textOf(v *commonpb.AnyValue) string {
	switch v.GetValue().(type) {
	case nil:
		return ""
	case *commonpb.AnyValue_StringValue:
		return clean(v.GetStringValue())
	}
	return jsonOf(jsonValue(v))
}

// clean removes what cannot be stored.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "")
}

func jsonOf(v any) string {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true), json.FormatNilSliceAsNull(false))
	if err != nil {
		return fmt.Sprint(v) // such as NaN, which JSON does not have
	}
	return clean(string(text))
}

// jsonValue is a value in the form that json.Marshal takes; bytes become base64.
func jsonValue(v *commonpb.AnyValue) any {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return x.StringValue
	case *commonpb.AnyValue_BoolValue:
		return x.BoolValue
	case *commonpb.AnyValue_IntValue:
		return x.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return x.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(x.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		items := make([]any, len(x.ArrayValue.GetValues()))
		for i, item := range x.ArrayValue.GetValues() {
			items[i] = jsonValue(item)
		}
		return items
	case *commonpb.AnyValue_KvlistValue:
		return membersOf(x.KvlistValue.GetValues())
	}
	return nil
}

func membersOf(list []*commonpb.KeyValue) map[string]any {
	members := make(map[string]any, len(list))
	for _, kv := range list {
		members[kv.GetKey()] = jsonValue(kv.GetValue())
	}
	return members
}

// The fields of ExportLogsServiceResponse and of its ExportLogsPartialSuccess.
const (
	partialSuccess                = 1
	rejectedRecords, errorMessage = 1, 2
)

// answerOTLP is the answer to a request of which a number of records were refused; reason
// is that of the first. When none was, it is an empty message.
func answerOTLP(refused int, reason string, asJSON bool) []byte {
	if asJSON {
		if refused == 0 {
			return []byte(`{}`)
		}
		// The JSON mapping of int64 is a string. Quoting valid UTF-8 does not fail.
		quoted, _ := jsontext.AppendQuote(nil, clean(reason))
		return fmt.Appendf(nil, `{"partialSuccess":{"rejectedLogRecords":"%d","errorMessage":%s}}`, refused, quoted)
	}
	if refused == 0 {
		return []byte{}
	}
	var partial []byte
	partial = protowire.AppendTag(partial, rejectedRecords, protowire.VarintType)
	partial = protowire.AppendVarint(partial, uint64(refused))
	partial = protowire.AppendTag(partial, errorMessage, protowire.BytesType)
	partial = protowire.AppendString(partial, clean(reason))
	return protowire.AppendBytes(protowire.AppendTag(nil, partialSuccess, protowire.BytesType), partial)
}
