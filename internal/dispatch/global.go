package dispatch

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// addressee splits what stands behind /webhook/integration/global/ into the name of
// an integration and the rest. A name has at most one slash, escaped or not.
func (s *Service) addressee(ctx context.Context, rest string) (shared definition.Shared, path string, err error) {
	first, behind, _ := strings.Cut(rest, "/")
	second, more, _ := strings.Cut(behind, "/")
	for _, try := range []struct{ name, rest string }{{first + "/" + second, more}, {first, behind}} {
		name, err := url.PathUnescape(try.name)
		if err != nil || name == "" || len(name) > maxName || !isText(name) || strings.HasSuffix(name, "/") {
			continue
		}
		shared, found, err := s.Shared.Shared(ctx, name)
		if found || err != nil {
			return shared, "/" + try.rest, err
		}
	}
	return shared, "", fault.New(fault.ResourceNotFound, "There is no integration %q that takes calls at a shared address.", fault.Bounded(rest))
}

// maxName is the longest name of an integration, in bytes.
const maxName = 800

// route finds the instance that a call is for, by the script of its integration; the
// answer is that of the script for calls that are for none.
func (s *Service) route(ctx context.Context, shared definition.Shared, in incoming, memory *lease) (w id.Webhook, other answered, err error) {
	if memory.grow(int64(quotedSize(in.body))) != nil {
		return "", other, full()
	}
	data := append(in.appendJSON([]byte(`{`)), `,"secrets":`...)
	data = append(appendTexts(data, shared.Secrets), '}')
	if shared.ExtractScript != "" {
		identifier, err := s.extract(ctx, shared.ExtractScript, data)
		if err != nil {
			return "", other, err
		}
		if identifier != "" {
			w, found, err := s.Instances.Identified(ctx, shared.Scope, identifier)
			if found || err != nil {
				return w, other, err
			}
		}
	}
	if shared.FallbackHandlerScript == "" {
		return "", other, fault.New(fault.ResourceNotFound, "No installation of the integration matches this call.")
	}
	other, err = s.fallBack(ctx, shared.FallbackHandlerScript, data)
	return "", other, err
}

// extract runs the script that tells whom a call is for; empty when it cannot tell. A
// script that fails is one that cannot tell: what is sent to it is anything.
func (s *Service) extract(ctx context.Context, script string, data []byte) (string, error) {
	value, err := s.Scripts.Evaluate(ctx, script, data)
	if unable(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var identifier string
	if value.Kind() == jsontext.KindString {
		err = json.Unmarshal(value, &identifier)
	}
	if len(identifier) > maxIdentifier || !isText(identifier) {
		identifier = ""
	}
	return identifier, err
}

// unable says whether an error is the script's own.
func unable(err error) bool {
	return fault.Is(err, fault.Runtime) || fault.Is(err, fault.InvalidPayload)
}

// fallBack runs the script that answers calls which are for no instance. What its
// result does not say is an empty answer of 200.
func (s *Service) fallBack(ctx context.Context, script string, data []byte) (answered, error) {
	value, err := s.Scripts.Evaluate(ctx, script, data)
	if unable(err) {
		return answered{}, fault.New(fault.ResourceNotFound, "No installation of the integration matches this call, and its fallback script failed.").Because(err)
	}
	if err != nil {
		return answered{}, err
	}
	var result struct {
		Status  int                       `json:"status"`
		Headers map[string]jsontext.Value `json:"headers"`
		Body    jsontext.Value            `json:"body"`
	}
	if value.Kind() == jsontext.KindBeginObject {
		if err := json.Unmarshal(value, &result); err != nil {
			return answered{}, fault.New(fault.ResourceNotFound, "No installation of the integration matches this call, and its fallback script did not return a valid answer.").Because(err)
		}
	}
	out := answered{status: http.StatusOK, header: http.Header{}, body: textOf(result.Body)}
	if result.Status >= 200 && result.Status < 600 {
		out.status = result.Status
	}
	for name, text := range result.Headers {
		if value := textOf(text); validHeader(name, value) {
			out.header.Add(name, string(value))
		}
	}
	delete(out.header, identifierHeader) // it is for no instance
	return out, nil
}

// textOf is a value of a script's result as text: a string without its quotes, and
// nothing for null.
func textOf(value jsontext.Value) []byte {
	switch value.Kind() {
	case jsontext.KindString:
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return nil
		}
		return text
	case jsontext.KindNull, jsontext.KindInvalid:
		return nil
	}
	return value
}

func validHeader(name string, value []byte) bool {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
		return false
	}
	for _, b := range value {
		if b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}
