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

// PluginDetails describes a plugin in an answer, for the schema only. The answer itself is
// assembled from stored text by appendPlugin; a test compares the two.
type PluginDetails struct {
	ID        string    `json:"id" minLength:"28" maxLength:"36" doc:"The id of this version of the plugin."`
	Name      string    `json:"name" maxLength:"200" doc:"The name."`
	Version   string    `json:"version" maxLength:"200" doc:"The version."`
	CreatedAt wire.Time `json:"createdAt" doc:"When it was created."`
	UpdatedAt wire.Time `json:"updatedAt" doc:"When it was last updated."`
	definition.Plugin
	Title           string                          `json:"title" minLength:"1" maxLength:"64" doc:"The display name."`
	Description     string                          `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL         string                          `json:"iconUrl" doc:"The URL of the icon."`
	ReadmeURL       string                          `json:"readmeUrl" doc:"The URL of the readme."`
	Public          bool                            `json:"public" doc:"Whether the visibility is public."`
	Visibility      Visibility                      `json:"visibility" enum:"public,private,unlisted" doc:"The visibility."`
	LifecycleStatus Lifecycle                       `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can still be newly installed."`
	Attributes      map[string]definition.Attribute `json:"attributes,omitempty" doc:"Free-form attributes for tools, by name."`
}

// PluginAnswer is the answer of the operations that show a plugin.
type PluginAnswer struct {
	Plugin PluginDetails `json:"plugin" doc:"The plugin."`
}

// ListedPlugin is a plugin in a list.
type ListedPlugin struct {
	ID              string     `json:"id" minLength:"28" maxLength:"36" doc:"The id of this version of the plugin."`
	CreatedAt       wire.Time  `json:"createdAt" doc:"When it was created."`
	UpdatedAt       wire.Time  `json:"updatedAt" doc:"When it was last updated."`
	Name            string     `json:"name" maxLength:"200" doc:"The name."`
	Version         string     `json:"version" maxLength:"200" doc:"The version."`
	Title           string     `json:"title" minLength:"1" maxLength:"64" doc:"The display name."`
	Description     string     `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL         string     `json:"iconUrl" doc:"The URL of the icon."`
	ReadmeURL       string     `json:"readmeUrl" doc:"The URL of the readme."`
	Public          bool       `json:"public" doc:"Whether the visibility is public."`
	Visibility      Visibility `json:"visibility" enum:"public,private,unlisted" doc:"The visibility."`
	LifecycleStatus Lifecycle  `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can still be newly installed."`
}

// ListPluginsAnswer is the answer of the operations that list plugins.
type ListPluginsAnswer struct {
	Plugins []ListedPlugin `json:"plugins" doc:"The plugins on this page."`
	Meta    wire.Meta      `json:"meta" doc:"The cursor of the next page."`
}

// PluginCode is the code of a plugin in a request that creates one.
type PluginCode struct {
	Node    string `json:"node" doc:"The bundle for Node.js."`
	Browser string `json:"browser" doc:"The bundle for browsers."`
}

// PluginCodePatch is the code of a plugin in a request that changes one.
type PluginCodePatch struct {
	Node    *string `json:"node,omitempty" doc:"The bundle for Node.js."`
	Browser *string `json:"browser,omitempty" doc:"The bundle for browsers."`
}

// CreatePluginBody is the body of createPlugin.
type CreatePluginBody struct {
	Name    string `json:"name" maxLength:"200" doc:"The name with the workspace's handle in front: handle/name."`
	Version string `json:"version" maxLength:"200" doc:"The version, such as 1.0.0."`
	definition.NewPlugin
	SDKVersion  *string     `json:"sdkVersion,omitempty" maxLength:"200" doc:"The version of the SDK that it was built with."`
	Code        PluginCode  `json:"code" doc:"The code that bots are built with."`
	Icon        *string     `json:"icon,omitempty" doc:"The icon in base64, shared by all versions of the name."`
	Readme      *string     `json:"readme,omitempty" doc:"The readme: Markdown in base64."`
	Title       *string     `json:"title,omitempty" minLength:"1" maxLength:"64" doc:"The display name; derived from the name when absent."`
	Description *string     `json:"description,omitempty" maxLength:"256" doc:"What it is for."`
	Public      *bool       `json:"public,omitempty" doc:"The older form of visibility."`
	Visibility  *Visibility `json:"visibility,omitempty" enum:"public,private,unlisted" doc:"The visibility; private when absent."`
}

// UpdatePluginBody is the body of updatePlugin.
type UpdatePluginBody struct {
	definition.PluginPatch
	SDKVersion  *string         `json:"sdkVersion,omitempty" maxLength:"200" doc:"The version of the SDK that it was built with."`
	Code        PluginCodePatch `json:"code,omitzero" doc:"The code that bots are built with."`
	Icon        *string         `json:"icon,omitempty" doc:"The icon in base64, shared by all versions of the name."`
	Readme      *string         `json:"readme,omitempty" doc:"The readme: Markdown in base64."`
	Title       *string         `json:"title,omitempty" minLength:"1" maxLength:"64" doc:"The display name."`
	Description *string         `json:"description,omitempty" maxLength:"256" doc:"What it is for."`
	Public      *bool           `json:"public,omitempty" doc:"The older form of visibility."`
	Visibility  *Visibility     `json:"visibility,omitempty" enum:"public,private,unlisted" doc:"The visibility."`
}

// PluginCodeAnswer is the answer of the operations that read a plugin's code.
type PluginCodeAnswer struct {
	Code string `json:"code" doc:"The bundle."`
}

type (
	createPluginInput struct {
		AllowBreaking bool `header:"x-bypass-breaking-changes-detection" hidden:"true"`
		Body          CreatePluginBody
	}
	updatePluginInput struct {
		AllowBreaking bool   `header:"x-bypass-breaking-changes-detection" hidden:"true"`
		ID            string `path:"id" doc:"The plugin."`
		Body          UpdatePluginBody
	}
	pluginInput struct {
		ID string `path:"id" doc:"The plugin."`
	}
	dereferencedPluginInput struct {
		ID         string   `path:"id" doc:"The plugin."`
		Interfaces wire.Map `dotted:"interfaces" required:"true" doc:"The integration that backs each interface, by the interface's alias in the plugin."`
	}
	pluginCodeInput struct {
		ID       string   `path:"id" doc:"The plugin."`
		Platform Platform `path:"platform" enum:"node,browser" doc:"The platform that the code is for."`
	}
	pluginOutput      struct{ Body wire.Document[PluginAnswer] }
	pluginCodeOutput  struct{ Body PluginCodeAnswer }
	listPluginsOutput struct{ Body ListPluginsAnswer }
)

const (
	pluginsPath    = "/v1/admin/plugins"
	hubPluginsPath = "/v1/admin/hub/plugins"
)

// mountPlugins registers the operations of plugins in the workspace.
func mountPlugins(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "createPlugin", Method: http.MethodPost, Path: pluginsPath, Area: "plugins",
		Summary: "Create a plugin",
		Detail:  "Publishes one version. The name starts with the workspace's handle. Changes that break compatibility with the preceding version need a new major version or the header x-bypass-breaking-changes-detection: true.",
		Scope:   wire.InHeader, Permission: access.CatalogWrite, Code: true},
		func(ctx context.Context, in *createPluginInput) (*pluginOutput, error) {
			return s.showPlugin(s.CreatePlugin(ctx, access.From(ctx), in.Body.draft(), in.AllowBreaking))
		})
	wire.Register(m, wire.Operation{ID: "listPlugins", Method: http.MethodGet, Path: pluginsPath, Area: "plugins",
		Summary: "List a workspace's plugins", Detail: "Every version is one item, newest first.",
		Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *listPackagesInput) (*listPluginsOutput, error) {
			return s.showPlugins(ctx, m, in, in.of(access.From(ctx).Workspace))
		})
	wire.Register(m, wire.Operation{ID: "getPlugin", Method: http.MethodGet, Path: pluginsPath + "/{id}", Area: "plugins",
		Summary: "Get a plugin", Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *pluginInput) (*pluginOutput, error) {
			return s.showPlugin(s.GetPlugin(ctx, access.From(ctx).Workspace, id.Plugin(in.ID)))
		})
	wire.Register(m, wire.Operation{ID: "getPluginByName", Method: http.MethodGet, Path: pluginsPath + "/{name}/{version}", Area: "plugins",
		Summary: "Get a plugin by name and version", Detail: "Returns the highest version that matches.",
		Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *namedInput) (*pluginOutput, error) {
			return s.showPlugin(s.GetPluginByName(ctx, access.From(ctx).Workspace, in.Name, in.Version))
		})
	wire.Register(m, wire.Operation{ID: "getDereferencedPlugin", Method: http.MethodGet, Path: pluginsPath + "/{id}/dereferenced", Area: "plugins",
		Summary: "Get a dereferenced plugin", Detail: "References to entities of interfaces are replaced by the given integrations' schemas.",
		Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *dereferencedPluginInput) (*pluginOutput, error) {
			return s.showPlugin(s.GetDereferencedPlugin(ctx, access.From(ctx).Workspace, id.Plugin(in.ID), in.Interfaces))
		})
	wire.Register(m, wire.Operation{ID: "getPluginCode", Method: http.MethodGet, Path: pluginsPath + "/{id}/code/{platform}", Area: "plugins",
		Summary: "Get the code of a plugin", Scope: wire.InHeader, Permission: access.CatalogRead, LargeAnswer: true},
		func(ctx context.Context, in *pluginCodeInput) (*pluginCodeOutput, error) {
			return s.showPluginCode(ctx, access.From(ctx).Workspace, in)
		})
	wire.Register(m, wire.Operation{ID: "updatePlugin", Method: http.MethodPut, Path: pluginsPath + "/{id}", Area: "plugins",
		Summary: "Update a plugin",
		Detail:  "Members that are absent stay unchanged. Maps merge by key: null removes an entry, a value replaces it. The contents of a public or unlisted version cannot be changed: publish a new version.",
		Scope:   wire.InHeader, Permission: access.CatalogWrite, Code: true},
		func(ctx context.Context, in *updatePluginInput) (*pluginOutput, error) {
			update := in.Body.update()
			update.AllowBreaking = in.AllowBreaking
			return s.showPlugin(s.UpdatePlugin(ctx, access.From(ctx), id.Plugin(in.ID), update))
		})
	wire.Register(m, wire.Operation{ID: "deletePlugin", Method: http.MethodDelete, Path: pluginsPath + "/{id}", Area: "plugins",
		Summary: "Delete a plugin", Detail: "Deletes one version, which must not be installed anywhere. Developers can delete what they created; managers and above can delete any.",
		Scope: wire.InHeader, Permission: access.CatalogDeleteOwn},
		func(ctx context.Context, in *pluginInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.DeletePlugin(ctx, access.From(ctx), id.Plugin(in.ID))
		})
	mountHubPlugins(m, s)
}

// mountHubPlugins registers the operations of the plugins in the hub.
func mountHubPlugins(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "listPublicPlugins", Method: http.MethodGet, Path: hubPluginsPath, Area: "hub",
		Summary: "List the hub's plugins", Detail: "Every version is one item, newest first.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *listPackagesInput) (*listPluginsOutput, error) {
			return s.showPlugins(ctx, m, in, in.of(""))
		})
	wire.Register(m, wire.Operation{ID: "getPublicPluginById", Method: http.MethodGet, Path: hubPluginsPath + "/{id}", Area: "hub",
		Summary: "Get a hub plugin", Detail: "The plugin must be public or unlisted.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *pluginInput) (*pluginOutput, error) {
			return s.showPlugin(s.GetPlugin(ctx, "", id.Plugin(in.ID)))
		})
	wire.Register(m, wire.Operation{ID: "getPublicPlugin", Method: http.MethodGet, Path: hubPluginsPath + "/{name}/{version}", Area: "hub",
		Summary: "Get a hub plugin by name and version", Detail: "Returns the highest public or unlisted version that matches.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *namedInput) (*pluginOutput, error) {
			return s.showPlugin(s.GetPluginByName(ctx, "", in.Name, in.Version))
		})
	wire.Register(m, wire.Operation{ID: "getDereferencedPublicPluginById", Method: http.MethodGet, Path: hubPluginsPath + "/{id}/dereferenced", Area: "hub",
		Summary: "Get a dereferenced hub plugin", Detail: "References to entities of interfaces are replaced by the given integrations' schemas. The integrations must be in the hub too.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *dereferencedPluginInput) (*pluginOutput, error) {
			return s.showPlugin(s.GetDereferencedPlugin(ctx, "", id.Plugin(in.ID), in.Interfaces))
		})
	wire.Register(m, wire.Operation{ID: "getPublicPluginCode", Method: http.MethodGet, Path: hubPluginsPath + "/{id}/code/{platform}", Area: "hub",
		Summary: "Get the code of a hub plugin", Scope: wire.Outside, Permission: access.Self, LargeAnswer: true},
		func(ctx context.Context, in *pluginCodeInput) (*pluginCodeOutput, error) {
			return s.showPluginCode(ctx, "", in)
		})
}

func (b CreatePluginBody) draft() PluginDraft {
	return PluginDraft{
		Name: b.Name, Version: b.Version, Definition: b.NewPlugin, Title: b.Title, Description: b.Description, Visibility: b.Visibility,
		Public: b.Public, SDKVersion: b.SDKVersion, Node: b.Code.Node, Browser: b.Code.Browser, Assets: assets{b.Icon, b.Readme},
	}
}

func (b UpdatePluginBody) update() PluginUpdate {
	return PluginUpdate{
		Definition: b.PluginPatch, Title: b.Title, Description: b.Description, Visibility: b.Visibility, Public: b.Public,
		SDKVersion: b.SDKVersion, Node: b.Code.Node, Browser: b.Code.Browser, Assets: assets{b.Icon, b.Readme},
	}
}

func (s *Service) showPlugin(p Plugin, err error) (*pluginOutput, error) {
	if err != nil {
		return nil, err
	}
	return &pluginOutput{Body: wire.Document[PluginAnswer]{Bytes: s.appendPlugin(nil, p)}}, nil
}

func (s *Service) showPluginCode(ctx context.Context, w id.Workspace, in *pluginCodeInput) (*pluginCodeOutput, error) {
	code, err := s.PluginCode(ctx, w, id.Plugin(in.ID), in.Platform)
	return &pluginCodeOutput{Body: PluginCodeAnswer{Code: code}}, err
}

func (s *Service) showPlugins(ctx context.Context, m *wire.Mux, in *listPackagesInput, f Filter) (*listPluginsOutput, error) {
	page, err := m.Page(ctx, in.PageQuery)
	if err != nil {
		return nil, err
	}
	list, next, err := s.ListPlugins(ctx, f, page)
	if err != nil {
		return nil, err
	}
	items := make([]ListedPlugin, len(list))
	for n, p := range list {
		items[n] = ListedPlugin{
			ID: string(p.ID), CreatedAt: wire.TimeOf(p.CreatedAt), UpdatedAt: wire.TimeOf(p.UpdatedAt), Name: p.Name, Version: p.Version,
			Title: p.Title, Description: p.Description, IconURL: s.IconURL(p.Icon), ReadmeURL: s.ReadmeURL(p.Readme),
			Public: p.Visibility == Public, Visibility: p.Visibility, LifecycleStatus: p.Lifecycle,
		}
	}
	return &listPluginsOutput{Body: ListPluginsAnswer{Plugins: items, Meta: m.Meta(ctx, next)}}, nil
}

// appendPlugin appends a PluginAnswer. What is stored as JSON is copied verbatim.
func (s *Service) appendPlugin(out []byte, p Plugin) []byte {
	out = wire.AppendText(append(out, `{"plugin":{"id":`...), string(p.ID))
	out = wire.AppendText(append(out, `,"name":`...), p.Name)
	out = wire.AppendText(append(out, `,"version":`...), p.Version)
	out = wire.TimeOf(p.CreatedAt).AppendJSON(append(out, `,"createdAt":`...))
	out = wire.TimeOf(p.UpdatedAt).AppendJSON(append(out, `,"updatedAt":`...))
	out = s.appendPresentation(out, p.Title, p.Description, p.Icon, p.Readme)
	out = strconv.AppendBool(append(out, `,"public":`...), p.Visibility == Public)
	out = wire.AppendText(append(out, `,"visibility":`...), string(p.Visibility))
	out = wire.AppendText(append(out, `,"lifecycleStatus":`...), string(p.Lifecycle))
	out = append(append(out, `,"attributes":`...), p.Attributes...)
	return append(appendMembers(out, p.Definition), '}')
}
