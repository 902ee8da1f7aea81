package exercise_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

const otlpPath = "/v1/otlp/v1/logs"

// keyOf makes a key that acts as a bot.
func keyOf(t *testing.T, a *harness.Actor, bot string) string {
	t.Helper()
	var made struct{ Value string }
	a.Do(t, "POST", "/v1/admin/bots/baks", object{"botId": bot}, &made)
	return made.Value
}

// newestLogs reads the newest page of a bot's lines.
func newestLogs(t *testing.T, a *harness.Actor, bot string) []object {
	t.Helper()
	var list struct{ Logs []object }
	a.Do(t, "GET", botsPath+"/"+bot+"/logs?timeStart="+url.QueryEscape(time.Now().AddDate(0, 0, -20).UTC().Format(time.RFC3339)), nil, &list)
	return list.Logs
}

// TestOpenTelemetry sends lines with OpenTelemetry's own SDK and exporter, as a bot
// that logs by it does.
func TestOpenTelemetry(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		for _, compression := range []otlploghttp.Compression{otlploghttp.NoCompression, otlploghttp.GzipCompression} {
			exporter, err := otlploghttp.New(t.Context(),
				otlploghttp.WithEndpointURL(a.Base+otlpPath), otlploghttp.WithCompression(compression),
				otlploghttp.WithHeaders(map[string]string{"Authorization": "Bearer " + keyOf(t, a, bot)}))
			if err != nil {
				t.Fatal(err)
			}
			provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
			logger := provider.Logger("bot")
			start := s.Clock.Now().Add(-time.Hour).Truncate(time.Second)
			for i, severity := range []otellog.Severity{otellog.SeverityTrace, otellog.SeverityInfo, otellog.SeverityWarn2, otellog.SeverityFatal} {
				var r otellog.Record
				r.SetTimestamp(start.Add(time.Duration(i) * time.Second))
				r.SetSeverity(severity)
				r.SetBody(attribute.StringValue(fmt.Sprintf("%v line %d é", compression, i)))
				r.AddAttributes(attribute.String("user.id", "u"), attribute.String("conversationId", "c"))
				if i == 3 {
					r.AddAttributes(attribute.Int("attempt", 2))
				}
				logger.Emit(t.Context(), r)
			}
			// The exporter tells of what the server refuses.
			if err := provider.ForceFlush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := provider.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			var want []object
			for i, level := range []string{"debug", "info", "warn", "error"} {
				message := fmt.Sprintf("%v line %d é", compression, i)
				if i == 3 {
					message += ` {"attempt":2}`
				}
				want = append([]object{{
					"timestamp": start.Add(time.Duration(i) * time.Second).UTC().Format("2006-01-02T15:04:05.000Z"),
					"level":     level, "message": message, "userId": "u", "conversationId": "c",
				}}, want...)
			}
			got := newestLogs(t, a, bot)
			got = got[:min(len(got), 4)]
			if compression == otlploghttp.GzipCompression {
				got = nil
				for _, line := range newestLogs(t, a, bot) {
					if line["message"].(string)[0] == fmt.Sprint(compression)[0] {
						got = append(got, line)
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("compression %v: %s", compression, diff)
			}
		}
	})
}

// What the specification says of answers: partial success, errors that are told.
func TestOTLPAnswers(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		key := a.As(keyOf(t, a, bot)).In("")
		body := func(times ...string) object {
			var records []object
			for _, at := range times {
				records = append(records, object{"timeUnixNano": at, "severityNumber": 9, "body": object{"stringValue": "line"}})
			}
			return object{"resourceLogs": []object{{"scopeLogs": []object{{"logRecords": records}}}}}
		}
		now, tomorrow := fmt.Sprint(s.Clock.Now().UnixNano()), fmt.Sprint(s.Clock.Now().Add(24*time.Hour).UnixNano())
		var answer struct {
			PartialSuccess *struct{ RejectedLogRecords, ErrorMessage string }
		}
		key.Do(t, "POST", otlpPath, body(now, "0"), &answer)
		if answer.PartialSuccess != nil {
			t.Errorf("what was taken whole is answered %+v", answer.PartialSuccess)
		}
		key.Do(t, "POST", otlpPath, body(now, tomorrow, "1000000000"), &answer)
		if p := answer.PartialSuccess; p == nil || p.RejectedLogRecords != "2" || p.ErrorMessage == "" {
			t.Errorf("what was taken in part is answered %+v", p)
		}
		if n := len(newestLogs(t, a, bot)); n != 3 {
			t.Errorf("%d lines are kept, want 3", n)
		}
		empty := key.Ask(t, "POST", otlpPath, []byte{}, "Content-Type", "application/x-protobuf")
		if empty.Status != 200 || len(empty.Body) != 0 || empty.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("an empty request is answered %d %v %q", empty.Status, empty.Header, empty.Body)
		}
		key.Refused(t, fault.InvalidPayload, nil, "POST", otlpPath, "{")
		key.Refused(t, fault.InvalidPayload, nil, "POST", otlpPath, "\xff\xff", "Content-Type", "application/x-protobuf")
		key.Refused(t, fault.UnsupportedMediaType, []string{"text/plain"}, "POST", otlpPath, "x", "Content-Type", "text/plain")
		key.As("").Refused(t, fault.Unauthorized, nil, "POST", otlpPath, body(now))
		stranger.Refused(t, fault.ResourceNotFound, []string{bot}, "POST", otlpPath, body(now), "x-bot-id", bot)
		viewer := s.Person(t)
		addMember(t, a, viewer.Email, "viewer")
		viewer.In(a.Workspace).Refused(t, fault.Forbidden, nil, "POST", otlpPath, body(now), "x-bot-id", bot)

		// An integration's lines are hidden from the owner of the bot, unless they say
		// otherwise; so its attributes are read.
		text, _ := json.Marshal(body(now))
		if answer := a.Ask(t, "POST", otlpPath, text, "x-bot-id", bot); answer.Status != 200 {
			t.Errorf("an account's lines are answered %d: %s", answer.Status, answer.Body)
		}
		if n := len(newestLogs(t, a, bot)); n != 4 {
			t.Errorf("%d lines are kept, want 4", n)
		}
	})
}
