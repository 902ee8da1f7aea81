package script

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// RunVRLBody is a program and its data.
type RunVRLBody struct {
	Data   wire.Object `json:"data" doc:"The event that the script sees."`
	Script string      `json:"script" doc:"The VRL program: at most 64 KiB."`
}

type runVRLInput struct{ Body RunVRLBody }

// RunVRLResult is the outcome of a program.
type RunVRLResult struct {
	Data   wire.Object              `json:"data" doc:"The event as the script left it."`
	Result wire.Nullable[wire.JSON] `json:"result" required:"false" doc:"The value of the script's last expression."`
}

type runVRLOutput struct{ Body RunVRLResult }

// Mount registers the operation that runs a program once.
func Mount(m *wire.Mux, e *Engine) {
	wire.Register(m, wire.Operation{
		ID: "runVrl", Method: http.MethodPost, Path: "/v1/admin/helper/vrl", Area: "helper",
		Summary: "Run a VRL script",
		Detail: "Runs a script the way an integration's scripts run and returns both the event as the script left it and the value of its last expression. " +
			"A script that does not compile is InvalidPayload with the compiler's diagnostics, one that fails or aborts is Runtime, one that runs longer than a second is OperationTimeout. Nothing is stored.",
		Scope: wire.InHeader, Permission: access.WorkspaceRead, Harmless: true,
	}, func(ctx context.Context, in *runVRLInput) (*runVRLOutput, error) {
		r, err := e.Run(ctx, in.Body.Script, jsontext.Value(in.Body.Data))
		if err != nil {
			return nil, err
		}
		if r.Data.Kind() != '{' {
			return nil, fault.New(fault.Runtime, "The script replaced its data by something that is not an object. For this operation the data must be an object, before and after the run.")
		}
		return &runVRLOutput{Body: RunVRLResult{Data: wire.Object(r.Data), Result: wire.Nullable[wire.JSON]{Value: wire.JSON(r.Value), Valid: r.Value.Kind() != 'n'}}}, nil
	})
}
