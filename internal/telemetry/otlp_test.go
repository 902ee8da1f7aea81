package telemetry

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/botyard/botyard/internal/fault"
)

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func attribute(key string, value *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: value}
}

// request is what an exporter sends, in both of its forms.
func otlpRequest(t *testing.T, records ...*logspb.LogRecord) (binary, asJSON []byte) {
	t.Helper()
	request := &collectorpb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{
		{ScopeLogs: []*logspb.ScopeLogs{{LogRecords: records}}},
	}}
	binary, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err = protojson.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return binary, asJSON
}

func TestOTLP(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	number := func(n int64) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: n}}
	}
	for _, tt := range []struct {
		name string
		sent *logspb.LogRecord
		want Record
	}{
		{"plain", &logspb.LogRecord{TimeUnixNano: uint64(at.UnixNano()), SeverityNumber: 9, Body: text("héllo")},
			Record{At: at.UnixMilli(), Level: Info, Message: "héllo"}},
		{"observed only", &logspb.LogRecord{ObservedTimeUnixNano: uint64(at.UnixNano()), SeverityNumber: 17, Body: text("x")},
			Record{At: at.UnixMilli(), Level: Error, Message: "x"}},
		{"who and where", &logspb.LogRecord{SeverityNumber: 13, Body: text("x"), TraceId: make([]byte, 16), Attributes: []*commonpb.KeyValue{
			attribute("user.id", text("u")), attribute("conversationId", text("c")), attribute("workflowId", text("w")),
		}}, Record{Level: Warn, Message: "x", User: "u", Conversation: "c", Workflow: "w"}},
		{"more attributes", &logspb.LogRecord{SeverityNumber: 5, Body: text("x"), Attributes: []*commonpb.KeyValue{
			attribute("b", number(math.MaxInt64)), attribute("a", text("\x00é")), attribute("userId", number(7)),
		}}, Record{Level: Debug, Message: `x {"a":"\u0000é","b":9223372036854775807}`, User: "7"}},
		{"a body that is no text", &logspb.LogRecord{SeverityText: "WARNING", Body: &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{
			KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{
				attribute("list", &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{
					{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}, {Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 1.5}}, {},
					{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{1, 2}}},
				}}}}),
			}}}}}, Record{Level: Warn, Message: `{"list":[true,1.5,null,"AQI="]}`}},
		{"nothing but attributes", &logspb.LogRecord{Attributes: []*commonpb.KeyValue{attribute("a", text("b"))}},
			Record{Level: Info, Message: `{"a":"b"}`}},
		{"nothing", &logspb.LogRecord{SeverityText: "fatal"}, Record{Level: Error}},
		{"no number", &logspb.LogRecord{Body: &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: math.NaN()}}}, Record{Level: Info, Message: "NaN"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Kind, tt.want.HiddenFromBot = KindLog, true
			binary, asJSON := otlpRequest(t, tt.sent)
			for _, body := range [][]byte{binary, asJSON} {
				got, err := readOTLP(body, &body[0] == &asJSON[0])
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]Record{tt.want}, got, cmp.AllowUnexported(Record{})); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// What exporters in other languages write: numbers as texts or numbers, ids of
// traces in hexadecimal, members that we do not know.
func TestOTLPInJSON(t *testing.T) {
	got, err := readOTLP([]byte(`{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"bot"}}]},
		"scopeLogs":[{"scope":{"name":"s"},"logRecords":[{"timeUnixNano":"1544712660300000000","severityNumber":10,"severityText":"Information",
		"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","body":{"stringValue":"Example"},"new":1}]}]}]}`), true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Record{{Kind: KindLog, HiddenFromBot: true, Level: Info, At: 1544712660300, Message: "Example"}}, got, cmp.AllowUnexported(Record{})); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{"", "[]", "{", `{"resourceLogs":1}`} {
		if _, err := readOTLP([]byte(body), true); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("%q: %v", body, err)
		}
	}
	if _, err := readOTLP([]byte("\xff\xff"), false); !fault.Is(err, fault.InvalidPayload) {
		t.Errorf("no message: %v", err)
	}
}

// The answers are read by the messages of the specification.
func TestOTLPAnswer(t *testing.T) {
	const reason = "the level \x00 is \"none\""
	for _, refused := range []int{0, 3, 1 << 20} {
		for _, asJSON := range []bool{false, true} {
			var got collectorpb.ExportLogsServiceResponse
			body := answerOTLP(refused, reason, asJSON)
			var err error
			if asJSON {
				err = protojson.Unmarshal(body, &got)
			} else {
				err = proto.Unmarshal(body, &got)
			}
			if err != nil {
				t.Fatalf("%d refused, JSON %t: %v in %q", refused, asJSON, err, body)
			}
			if (got.PartialSuccess != nil) != (refused > 0) || got.GetPartialSuccess().GetRejectedLogRecords() != int64(refused) ||
				refused > 0 && got.GetPartialSuccess().GetErrorMessage() != strings.ReplaceAll(reason, "\x00", "") {
				t.Errorf("%d refused, JSON %t: %v", refused, asJSON, &got)
			}
		}
	}
}

func FuzzOTLP(f *testing.F) {
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}`), true)
	f.Add([]byte("\x0a\x0c\x12\x0a\x12\x08\x2a\x06\x0a\x04text"), false)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		records, err := readOTLP(body, asJSON)
		if err != nil && !fault.Is(err, fault.InvalidPayload) {
			t.Fatal(err)
		}
		for _, r := range records {
			if r.Level.String() == "" || strings.Contains(r.Message, "\x00") || strings.ToValidUTF8(r.Message, "") != r.Message {
				t.Fatalf("%+v", r)
			}
		}
	})
}
