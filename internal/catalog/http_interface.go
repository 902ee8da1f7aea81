package catalog

import (
	"context"
	"net/http"
	"strconv"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// InterfaceDetails describes an interface in an answer, for the schema only. The answer
// itself is assembled from stored text by appendInterface; a test compares the two.
type InterfaceDetails struct {
	ID        string    `json:"id" minLength:"28" maxLength:"36" doc:"The id of this version of the interface."`
	CreatedAt wire.Time `json:"createdAt" doc:"When it was created."`
	UpdatedAt wire.Time `json:"updatedAt" doc:"When it was last updated."`
	Name      string    `json:"name" maxLength:"200" doc:"The name."`
	Version   string    `json:"version" maxLength:"200" doc:"The version."`
	definition.Interface
	Title       string                          `json:"title" minLength:"1" maxLength:"64" doc:"The display name."`
	Description string                          `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL     string                          `json:"iconUrl" doc:"The URL of the icon."`
	ReadmeURL   string                          `json:"readmeUrl" doc:"The URL of the readme."`
	Public      bool                            `json:"public" doc:"Whether everyone can see it."`
	Attributes  map[string]definition.Attribute `json:"attributes,omitempty" doc:"Free-form attributes for tools, by name."`
}

// InterfaceAnswer is the answer of the operations that show an interface.
type InterfaceAnswer struct {
	Interface InterfaceDetails `json:"interface" doc:"The interface."`
}

// ListedInterface is an interface in a list.
type ListedInterface struct {
	ID          string    `json:"id" minLength:"28" maxLength:"36" doc:"The id of this version of the interface."`
	CreatedAt   wire.Time `json:"createdAt" doc:"When it was created."`
	UpdatedAt   wire.Time `json:"updatedAt" doc:"When it was last updated."`
	Name        string    `json:"name" maxLength:"200" doc:"The name."`
	Version     string    `json:"version" maxLength:"200" doc:"The version."`
	Title       string    `json:"title" minLength:"1" maxLength:"64" doc:"The display name."`
	Description string    `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL     string    `json:"iconUrl" doc:"The URL of the icon."`
	ReadmeURL   string    `json:"readmeUrl" doc:"The URL of the readme."`
	Public      bool      `json:"public" doc:"Whether everyone can see it."`
}

// ListInterfacesAnswer is the answer of the operations that list interfaces.
type ListInterfacesAnswer struct {
	Interfaces []ListedInterface `json:"interfaces" doc:"The interfaces on this page."`
	Meta       wire.Meta         `json:"meta" doc:"The cursor of the next page."`
}

// CreateInterfaceBody is the body of createInterface.
type CreateInterfaceBody struct {
	Name    string `json:"name" maxLength:"200" doc:"The name with the workspace's handle in front: handle/name."`
	Version string `json:"version" maxLength:"200" doc:"The version, such as 1.0.0."`
	definition.NewInterface
	SDKVersion  *string `json:"sdkVersion,omitempty" maxLength:"200" doc:"The version of the SDK that it was built with."`
	Icon        *string `json:"icon,omitempty" doc:"The icon in base64, shared by all versions of the name."`
	Readme      *string `json:"readme,omitempty" doc:"The readme: Markdown in base64."`
	Title       *string `json:"title,omitempty" minLength:"1" maxLength:"64" doc:"The display name; derived from the name when absent."`
	Description *string `json:"description,omitempty" maxLength:"256" doc:"What it is for."`
	Public      bool    `json:"public,omitempty" doc:"Whether everyone can see it."`
}

// UpdateInterfaceBody is the body of updateInterface.
type UpdateInterfaceBody struct {
	definition.InterfacePatch
	SDKVersion  *string `json:"sdkVersion,omitempty" maxLength:"200" doc:"The version of the SDK that it was built with."`
	Icon        *string `json:"icon,omitempty" doc:"The icon in base64, shared by all versions of the name."`
	Readme      *string `json:"readme,omitempty" doc:"The readme: Markdown in base64."`
	Title       *string `json:"title,omitempty" minLength:"1" maxLength:"64" doc:"The display name."`
	Description *string `json:"description,omitempty" maxLength:"256" doc:"What it is for."`
	Public      *bool   `json:"public,omitempty" doc:"Whether everyone can see it."`
}

type (
	createInterfaceInput struct {
		AllowBreaking bool `header:"x-bypass-breaking-changes-detection" hidden:"true"`
		Body          CreateInterfaceBody
	}
	updateInterfaceInput struct {
		AllowBreaking bool   `header:"x-bypass-breaking-changes-detection" hidden:"true"`
		ID            string `path:"id" doc:"The interface."`
		Body          UpdateInterfaceBody
	}
	interfaceInput struct {
		ID string `path:"id" doc:"The interface."`
	}
	interfaceOutput struct {
		Body wire.Document[InterfaceAnswer]
	}
	listInterfacesOutput struct{ Body ListInterfacesAnswer }
)

const (
	interfacesPath    = "/v1/admin/interfaces"
	hubInterfacesPath = "/v1/admin/hub/interfaces"
)

// mountInterfaces registers the operations of interfaces, in the workspace and in
// the hub.
func mountInterfaces(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "createInterface", Method: http.MethodPost, Path: interfacesPath, Area: "interfaces",
		Summary: "Create an interface",
		Detail:  "Publishes one version. The name starts with the workspace's handle. Changes that break compatibility with the preceding version need a new major version or the header x-bypass-breaking-changes-detection: true.",
		Scope:   wire.InHeader, Permission: access.CatalogWrite, Code: true},
		func(ctx context.Context, in *createInterfaceInput) (*interfaceOutput, error) {
			return s.showInterface(s.CreateInterface(ctx, access.From(ctx), in.Body.draft(), in.AllowBreaking))
		})
	wire.Register(m, wire.Operation{ID: "listInterfaces", Method: http.MethodGet, Path: interfacesPath, Area: "interfaces",
		Summary: "List a workspace's interfaces", Detail: "Every version is one item, newest first.",
		Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *listPackagesInput) (*listInterfacesOutput, error) {
			return s.showInterfaces(ctx, m, in, in.of(access.From(ctx).Workspace))
		})
	wire.Register(m, wire.Operation{ID: "getInterface", Method: http.MethodGet, Path: interfacesPath + "/{id}", Area: "interfaces",
		Summary: "Get an interface", Detail: "The interface must be public or belong to the workspace.",
		Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *interfaceInput) (*interfaceOutput, error) {
			return s.showInterface(s.GetInterface(ctx, access.From(ctx).Workspace, id.Interface(in.ID)))
		})
	wire.Register(m, wire.Operation{ID: "getInterfaceByName", Method: http.MethodGet, Path: interfacesPath + "/{name}/{version}", Area: "interfaces",
		Summary: "Get an interface by name and version", Detail: "Returns the highest version that matches: one of the workspace if there is any, else a public one.",
		Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *namedInput) (*interfaceOutput, error) {
			return s.showInterface(s.GetInterfaceByName(ctx, access.From(ctx).Workspace, in.Name, in.Version))
		})
	wire.Register(m, wire.Operation{ID: "updateInterface", Method: http.MethodPut, Path: interfacesPath + "/{id}", Area: "interfaces",
		Summary: "Update an interface",
		Detail:  "Members that are absent stay unchanged. Maps merge by key: null removes an entry, a value replaces it. The contents of a public version cannot be changed: publish a new version.",
		Scope:   wire.InHeader, Permission: access.CatalogWrite, Code: true},
		func(ctx context.Context, in *updateInterfaceInput) (*interfaceOutput, error) {
			update := in.Body.update()
			update.AllowBreaking = in.AllowBreaking
			return s.showInterface(s.UpdateInterface(ctx, access.From(ctx), id.Interface(in.ID), update))
		})
	wire.Register(m, wire.Operation{ID: "deleteInterface", Method: http.MethodDelete, Path: interfacesPath + "/{id}", Area: "interfaces",
		Summary: "Delete an interface", Detail: "Deletes one version, which no integration may implement and no plugin depend on. Developers can delete what they created; managers and above can delete any.",
		Scope: wire.InHeader, Permission: access.CatalogDeleteOwn},
		func(ctx context.Context, in *interfaceInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.DeleteInterface(ctx, access.From(ctx), id.Interface(in.ID))
		})
	wire.Register(m, wire.Operation{ID: "listPublicInterfaces", Method: http.MethodGet, Path: hubInterfacesPath, Area: "hub",
		Summary: "List the hub's interfaces", Detail: "Every version is one item, newest first.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *listPackagesInput) (*listInterfacesOutput, error) {
			return s.showInterfaces(ctx, m, in, in.of(""))
		})
	wire.Register(m, wire.Operation{ID: "getPublicInterfaceById", Method: http.MethodGet, Path: hubInterfacesPath + "/{id}", Area: "hub",
		Summary: "Get a hub interface", Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *interfaceInput) (*interfaceOutput, error) {
			return s.showInterface(s.GetInterface(ctx, "", id.Interface(in.ID)))
		})
	wire.Register(m, wire.Operation{ID: "getPublicInterface", Method: http.MethodGet, Path: hubInterfacesPath + "/{name}/{version}", Area: "hub",
		Summary: "Get a hub interface by name and version", Detail: "Returns the highest version that matches.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *namedInput) (*interfaceOutput, error) {
			return s.showInterface(s.GetInterfaceByName(ctx, "", in.Name, in.Version))
		})
}

// ReadInterface parses the body of a createInterface request, which is the form of the
// definitions that "botyard hub load" publishes.
func ReadInterface(body []byte) (InterfaceDraft, error) {
	var b CreateInterfaceBody
	err := wire.ParseJSON(body, &b)
	return b.draft(), err
}

func (b CreateInterfaceBody) draft() InterfaceDraft {
	return InterfaceDraft{
		Name: b.Name, Version: b.Version, Definition: b.NewInterface, Title: b.Title, Description: b.Description,
		Public: b.Public, SDKVersion: b.SDKVersion, Assets: assets{b.Icon, b.Readme},
	}
}

func (b UpdateInterfaceBody) update() InterfaceUpdate {
	return InterfaceUpdate{
		Definition: b.InterfacePatch, Title: b.Title, Description: b.Description, Public: b.Public,
		SDKVersion: b.SDKVersion, Assets: assets{b.Icon, b.Readme},
	}
}

func (s *Service) showInterface(i Interface, err error) (*interfaceOutput, error) {
	if err != nil {
		return nil, err
	}
	return &interfaceOutput{Body: wire.Document[InterfaceAnswer]{Bytes: s.appendInterface(nil, i)}}, nil
}

func (s *Service) showInterfaces(ctx context.Context, m *wire.Mux, in *listPackagesInput, f Filter) (*listInterfacesOutput, error) {
	page, err := m.Page(ctx, in.PageQuery)
	if err != nil {
		return nil, err
	}
	list, next, err := s.ListInterfaces(ctx, f, page)
	if err != nil {
		return nil, err
	}
	items := make([]ListedInterface, len(list))
	for n, i := range list {
		items[n] = ListedInterface{
			ID: string(i.ID), CreatedAt: wire.TimeOf(i.CreatedAt), UpdatedAt: wire.TimeOf(i.UpdatedAt), Name: i.Name, Version: i.Version,
			Title: i.Title, Description: i.Description, IconURL: s.IconURL(i.Icon), ReadmeURL: s.ReadmeURL(i.Readme), Public: i.Public,
		}
	}
	return &listInterfacesOutput{Body: ListInterfacesAnswer{Interfaces: items, Meta: m.Meta(ctx, next)}}, nil
}

// appendInterface appends an InterfaceAnswer. What is stored as JSON is copied verbatim.
func (s *Service) appendInterface(out []byte, i Interface) []byte {
	out = wire.AppendText(append(out, `{"interface":{"id":`...), string(i.ID))
	out = wire.TimeOf(i.CreatedAt).AppendJSON(append(out, `,"createdAt":`...))
	out = wire.TimeOf(i.UpdatedAt).AppendJSON(append(out, `,"updatedAt":`...))
	out = wire.AppendText(append(out, `,"name":`...), i.Name)
	out = wire.AppendText(append(out, `,"version":`...), i.Version)
	out = s.appendPresentation(out, i.Title, i.Description, i.Icon, i.Readme)
	out = strconv.AppendBool(append(out, `,"public":`...), i.Public)
	out = append(append(out, `,"attributes":`...), i.Attributes...)
	return append(appendMembers(out, i.Definition), '}')
}
