package telemetry

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
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

// readAllOTLP collects the records that are right.
func readAllOTLP(body []byte, asJSON bool) (records []Record, err error) {
	err = readOTLP(body, asJSON, func(r Record, problem string) error {
		if problem == "" {
			records = append(records, r)
		}
		return nil
	})
	return records, err
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
				got, err := readAllOTLP(body, &body[0] == &asJSON[0])
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
	got, err := readAllOTLP([]byte(`{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"bot"}}]},
		"scopeLogs":[{"scope":{"name":"s"},"logRecords":[{"timeUnixNano":"1544712660300000000","severityNumber":10,"severityText":"Information",
		"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","body":{"stringValue":"Example"},"new":1}]}]}]}`), true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Record{{Kind: KindLog, HiddenFromBot: true, Level: Info, At: 1544712660300, Message: "Example"}}, got, cmp.AllowUnexported(Record{})); diff != "" {
		t.Error(diff)
	}
	got, err = readAllOTLP([]byte(` {"resourceLogs":null,"new":[{}],"resource_logs":[{"scope_logs":[{"log_records":[{"severity_number":17},{}]},{}]}]} `), true)
	if err != nil || len(got) != 2 || got[0].Level != Error {
		t.Errorf("the fields' own names: %v, %+v", err, got)
	}
	for _, body := range []string{
		"", "[]", "null", "{", `{"resourceLogs":1}`, `{"resourceLogs":[null]}`, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[1]}]}]}`,
		`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{]}]}]}`, `{"resourceLogs":[]}{}`,
	} {
		if _, err := readAllOTLP([]byte(body), true); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("%q: %v", body, err)
		}
	}
	if _, err := readAllOTLP([]byte("\xff\xff"), false); !fault.Is(err, fault.InvalidPayload) {
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

// A record of two or three bytes becomes a structure of more than a hundred, and an
// attribute likewise: neither may be unfolded before it is known that there are not
// too many.
func TestOTLPBombs(t *testing.T) {
	nest := func(inner []byte) []byte {
		for _, field := range []protowire.Number{2, 1} {
			inner = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), inner)
		}
		return inner
	}
	const records = 3_000_000
	attributes := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), bytes.Repeat([]byte{6<<3 | 2, 0}, records))
	for name, tt := range map[string]struct {
		body   []byte
		asJSON bool
		want   fault.Type
	}{
		"records, binary":    {nest(bytes.Repeat([]byte{2<<3 | 2, 0}, records)), false, fault.PayloadTooLarge},
		"records, JSON":      {[]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + strings.Repeat("{},", records) + `{}]}]}]}`), true, fault.PayloadTooLarge},
		"attributes, binary": {nest(attributes), false, ""},
		"attributes, JSON":   {[]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[` + strings.Repeat("{},", records) + `{}]}]}]}]}`), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := &batch{pass: entered(t, newAdmission())}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := readOTLP(tt.body, tt.asJSON, func(r Record, problem string) error {
				if problem != "" {
					return b.reject(problem)
				}
				return b.accept(Record{})
			})
			runtime.ReadMemStats(&after)
			if tt.want != "" && !fault.Is(err, tt.want) || tt.want == "" && (err != nil || len(b.rejected) != 1) {
				t.Errorf("%v, %d taken, %d rejected", err, len(b.records), len(b.rejected))
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 64<<20 {
				t.Errorf("%d MiB were allocated for a body of %d MiB", taken>>20, len(tt.body)>>20)
			}
		})
	}
}

// An answer names every record that was rejected, and is much larger than those.
func TestRejectedRecordsCount(t *testing.T) {
	for name, take := range map[string]func(*batch, int) error{
		"lines": func(b *batch, n int) error { return b.takeLines(t.Context(), bytes.Repeat([]byte("1\n"), n)) },
		"array": func(b *batch, n int) error {
			return b.takeArray(t.Context(), []byte("["+strings.Repeat("1,", n-1)+"1]"))
		},
	} {
		b := &batch{from: &sender{}, pass: entered(t, newAdmission())}
		if err := take(b, maxBatch); err != nil || len(b.rejected) != maxBatch {
			t.Errorf("%s: %v, %d rejected", name, err, len(b.rejected))
		}
		if err := take(&batch{from: &sender{}, pass: entered(t, newAdmission())}, maxBatch+1); !fault.Is(err, fault.PayloadTooLarge) {
			t.Errorf("%s: one more: %v", name, err)
		}
	}
}

func FuzzOTLP(f *testing.F) {
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}`), true)
	f.Add([]byte("\x0a\x0c\x12\x0a\x12\x08\x2a\x06\x0a\x04text"), false)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		records, err := readAllOTLP(body, asJSON)
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
