package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

// scope is the service where OTEL_SERVICE_NAME does not say another, and the scope of
// the spans.
const scope = "botyard"

// Bounds of a span, whatever the environment asks for.
const (
	maxAttributes = 32
	maxEvents     = 80 // a transaction is run 60 times at the most
	maxText       = 300
)

// Tracer begins traces. A nil Tracer begins none, and costs nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   api.Tracer
}

// FromEnv makes the tracer that the environment asks for, by the variables of the
// OpenTelemetry specification. It is nil when none is asked for: OTEL_TRACES_EXPORTER
// is none, or is empty while no OTLP endpoint is named, or OTEL_SDK_DISABLED is true.
// Asked for and impossible is an error: an exporter other than otlp, a protocol other
// than http/protobuf. The endpoint need not be there: spans are sent in batches, and
// those that cannot be sent are dropped and told of in the log.
//
// See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
func FromEnv(ctx context.Context, env func(string) string, version string, log *slog.Logger) (*Tracer, error) {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	switch exporter := strings.TrimSpace(env("OTEL_TRACES_EXPORTER")); exporter {
	case "none":
		return nil, nil
	case "":
		if env("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
			return nil, nil
		}
	case "otlp":
	default:
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %.50q; it must be otlp or none", exporter)
	}
	protocol := env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = env("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("the protocol of OTLP is set to %.50q; botyard sends http/protobuf, to port 4318 of most collectors", protocol)
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("the exporter of traces cannot be made: %w", err)
	}
	// The SDK reads the rest: OTEL_TRACES_SAMPLER, OTEL_BSP_…, OTEL_EXPORTER_OTLP_….
	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", scope), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, errors.Join(fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES cannot be read: %w", err), exporter.Shutdown(ctx))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("traces cannot be exported", "error", err)
	}))
	limits := sdk.NewSpanLimits()
	limits.AttributeCountLimit, limits.EventCountLimit, limits.AttributeValueLengthLimit = maxAttributes, maxEvents, maxText
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(described), sdk.WithRawSpanLimits(limits))
	return &Tracer{provider, provider.Tracer(scope, api.WithInstrumentationVersion(version))}, nil
}

// Close sends what was not sent yet, for as long as ctx lasts, and ends the export.
// No span is begun after it.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("the last traces could not be exported: %w", err)
	}
	return nil
}

// On says whether spans are made.
func (t *Tracer) On() bool { return t != nil }

// Begin begins a span that came of parent, or a trace of its own without one.
func (t *Tracer) Begin(ctx context.Context, name string, kind Kind, parent Parent) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(parent.extend(ctx), name, api.WithSpanKind(api.SpanKind(kind)))
	return ctx, Span{span}
}
