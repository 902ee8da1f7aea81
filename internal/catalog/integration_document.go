package catalog

import (
	"strconv"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/wire"
)

// IntegrationDetails describes an integration in an answer, for the schema only. The
// answer itself is assembled from stored text by appendIntegration; a test compares the
// two.
type IntegrationDetails struct {
	ID               string    `json:"id" minLength:"28" maxLength:"36" doc:"The id of this version of the integration."`
	CreatedAt        wire.Time `json:"createdAt" doc:"When it was created."`
	UpdatedAt        wire.Time `json:"updatedAt" doc:"When it was last updated."`
	MaxExecutionTime float64   `json:"maxExecutionTime,omitzero" doc:"The time limit of a call, in seconds."`
	URL              string    `json:"url" maxLength:"2000" doc:"The URL at which the integration runs; empty when it runs here, and in the hub."`
	SigningSecret    string    `json:"signingSecret" maxLength:"2000" doc:"The secret that signs calls to the integration; shown only when the integration is created, empty afterwards."`
	Name             string    `json:"name" maxLength:"200" doc:"The name."`
	Version          string    `json:"version" maxLength:"200" doc:"The version."`
	definition.Integration
	Dev                bool                            `json:"dev" doc:"Whether this is a development integration."`
	Title              string                          `json:"title" minLength:"1" maxLength:"64" doc:"The display name."`
	Description        string                          `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL            string                          `json:"iconUrl" doc:"The URL of the icon."`
	ReadmeURL          string                          `json:"readmeUrl" doc:"The URL of the readme."`
	Public             bool                            `json:"public" doc:"Whether the visibility is public."`
	Visibility         Visibility                      `json:"visibility" enum:"public,private,unlisted" doc:"The visibility."`
	VerificationStatus Verification                    `json:"verificationStatus" enum:"unapproved,pending,approved,rejected" doc:"The status of the verification."`
	LifecycleStatus    Lifecycle                       `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can still be newly installed."`
	Secrets            []string                        `json:"secrets" doc:"The names of the secrets; empty in the hub."`
	Attributes         map[string]definition.Attribute `json:"attributes,omitempty" doc:"Free-form attributes for tools, by name."`
}

// IntegrationAnswer is the answer of the operations that show an integration of the
// workspace.
type IntegrationAnswer struct {
	Integration IntegrationDetails `json:"integration" doc:"The integration."`
}

// PublicIntegrationDetails is an integration of the hub.
type PublicIntegrationDetails struct {
	IntegrationDetails
	OwnerWorkspace PackageOwner `json:"ownerWorkspace" doc:"The workspace that published it."`
	Meta           Popularity   `json:"meta" doc:"Figures on its popularity."`
}

// PublicIntegrationAnswer is the answer of the operations that show an integration of
// the hub.
type PublicIntegrationAnswer struct {
	Integration PublicIntegrationDetails `json:"integration" doc:"The integration."`
}

// answerOverhead is more than the size of an answer without the stored texts.
const answerOverhead = 1024

func (i Integration) answerSize() int {
	return len(i.Definition) + len(i.Attributes) + len(i.SecretNames) + len(i.URL) + len(i.Description) + answerOverhead
}

func (s *Service) showIntegration(i Integration, signingSecret string, err error) (*integrationOutput, error) {
	if err != nil {
		return nil, err
	}
	out := s.appendIntegration(append(make([]byte, 0, i.answerSize()), `{"integration":`...), i, signingSecret)
	return &integrationOutput{Body: wire.Document[IntegrationAnswer]{Bytes: append(out, "}}"...)}}, nil
}

// showPublicIntegration is an integration as the hub shows it: without the address where
// its owner runs it and without the names of its secrets.
func (s *Service) showPublicIntegration(i Integration, by Publisher, err error) (*publicIntegrationOutput, error) {
	if err != nil {
		return nil, err
	}
	i.URL, i.SecretNames = "", "[]"
	out := s.appendIntegration(append(make([]byte, 0, i.answerSize()), `{"integration":`...), i, "")
	out = wire.AppendText(append(out, `,"ownerWorkspace":{"id":`...), string(by.Workspace))
	out = append(out, `,"handle":`...)
	if by.Handle == "" {
		out = append(out, "null"...)
	} else {
		out = wire.AppendText(out, by.Handle)
	}
	out = wire.AppendText(append(out, `,"name":`...), by.Name)
	out = strconv.AppendInt(append(out, `},"meta":{"installs":`...), i.Installs, 10)
	out = strconv.AppendInt(append(out, `,"views":`...), i.Views, 10)
	return &publicIntegrationOutput{Body: wire.Document[PublicIntegrationAnswer]{Bytes: append(out, "}}}"...)}}, nil
}

// appendIntegration appends IntegrationDetails without the closing brace. What is stored
// as JSON is copied verbatim.
func (s *Service) appendIntegration(out []byte, i Integration, signingSecret string) []byte {
	out = wire.AppendText(append(out, `{"id":`...), string(i.ID))
	out = wire.TimeOf(i.CreatedAt).AppendJSON(append(out, `,"createdAt":`...))
	out = wire.TimeOf(i.UpdatedAt).AppendJSON(append(out, `,"updatedAt":`...))
	if i.MaxExecutionTime != 0 {
		out = strconv.AppendInt(append(out, `,"maxExecutionTime":`...), i.MaxExecutionTime, 10)
	}
	out = wire.AppendText(append(out, `,"url":`...), i.URL)
	out = wire.AppendText(append(out, `,"signingSecret":`...), signingSecret)
	out = wire.AppendText(append(out, `,"name":`...), i.Name)
	out = wire.AppendText(append(out, `,"version":`...), i.Version)
	out = strconv.AppendBool(append(out, `,"dev":`...), i.Dev)
	out = s.appendPresentation(out, i.Title, i.Description, i.Icon, i.Readme)
	out = strconv.AppendBool(append(out, `,"public":`...), i.Visibility == Public)
	out = wire.AppendText(append(out, `,"visibility":`...), string(i.Visibility))
	out = wire.AppendText(append(out, `,"verificationStatus":`...), string(i.Verification))
	out = wire.AppendText(append(out, `,"lifecycleStatus":`...), string(i.Lifecycle))
	out = append(append(out, `,"secrets":`...), i.SecretNames...)
	out = append(append(out, `,"attributes":`...), i.Attributes...)
	// The definition is an object that is never empty: its members follow, without the
	// braces.
	return append(append(out, ','), i.Definition[1:len(i.Definition)-1]...)
}
