package bot

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// BotVersion is a saved version of a bot.
type BotVersion struct {
	ID          string `json:"id" doc:"The version."`
	Name        string `json:"name" doc:"The name."`
	Description string `json:"description,omitempty" doc:"The description."`
}

// ListBotVersionsAnswer is the answer of listBotVersions.
type ListBotVersionsAnswer struct {
	Versions []BotVersion `json:"versions" doc:"All versions of the bot, newest first."`
}

// CreateBotVersionBody is the body of createBotVersion.
type CreateBotVersionBody struct {
	Name        string `json:"name" doc:"The name: 1 to 200 characters."`
	Description string `json:"description,omitempty" doc:"The description: at most 2000 characters."`
}

// CreateBotVersionAnswer is the answer of createBotVersion.
type CreateBotVersionAnswer struct {
	Version BotVersion `json:"version" doc:"The version."`
}

// GetBotVersionAnswer is the answer of getBotVersion.
type GetBotVersionAnswer struct {
	URL string `json:"url" format:"uri" doc:"The URL from which the version can be downloaded as bot JSON for 15 minutes."`
}

// DeployBotVersionBody is the body of deployBotVersion.
type DeployBotVersionBody struct {
	VersionID string `json:"versionId" doc:"The version."`
}

// PublishFromBotJSONBody is the body of publishFromBotJson.
type PublishFromBotJSONBody struct {
	BotJSON wire.Object `json:"botJson" doc:"An Archive, as getBotJson returned it for this or another bot."`
}

type (
	createVersionInput struct {
		ID   string `path:"id" doc:"The bot."`
		Body CreateBotVersionBody
	}
	createVersionOutput struct{ Body CreateBotVersionAnswer }
	versionInput        struct {
		ID        string `path:"id" doc:"The bot."`
		VersionID string `path:"versionId" doc:"The version."`
	}
	listVersionsOutput struct{ Body ListBotVersionsAnswer }
	getVersionOutput   struct{ Body GetBotVersionAnswer }
	deployVersionInput struct {
		ID   string `path:"id" doc:"The bot."`
		Body DeployBotVersionBody
	}
	publishInput struct {
		Keyed
		ID   string `path:"id" doc:"The bot."`
		Body PublishFromBotJSONBody
	}
	archiveOutput struct{ Body wire.Document[wire.Object] }
)

// versionDownload is the source of downloads whose key is a workspace, a bot of it
// and a version of that, with slashes between them.
const versionDownload = "bot-version"

// downloadTime is how long the address of a version is good.
const downloadTime = 15 * time.Minute

func mountVersions(m *wire.Mux, s *Service) {
	const path = botPath + "/versions"
	wire.Register(m, wire.Operation{ID: "createBotVersion", Method: http.MethodPost, Path: path, Area: "bots",
		Summary: "Create a bot version", Detail: "Saves the bot's present definition, installations with their settings, and code. The server also saves a version on every deployment of code.",
		Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *createVersionInput) (*createVersionOutput, error) {
			v, err := s.CreateVersion(ctx, access.From(ctx), id.Bot(in.ID), in.Body.Name, in.Body.Description)
			return &createVersionOutput{Body: CreateBotVersionAnswer{Version: shown(v)}}, err
		})
	wire.Register(m, wire.Operation{ID: "listBotVersions", Method: http.MethodGet, Path: path, Area: "bots",
		Summary: "List a bot's versions", Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *botInput) (*listVersionsOutput, error) {
			versions, err := s.Versions(ctx, access.From(ctx).Workspace, id.Bot(in.ID))
			items := make([]BotVersion, len(versions))
			for i, v := range versions {
				items[i] = shown(v)
			}
			return &listVersionsOutput{Body: ListBotVersionsAnswer{Versions: items}}, err
		})
	wire.Register(m, wire.Operation{ID: "getBotVersion", Method: http.MethodGet, Path: path + "/{versionId}", Area: "bots",
		Summary: "Get a bot version", Detail: "The response has a URL that needs no token and is valid for 15 minutes. It returns the version as bot JSON, in the form of getBotJson and publishFromBotJson.",
		Scope: wire.InHeader, Permission: access.BotExport},
		func(ctx context.Context, in *versionInput) (*getVersionOutput, error) {
			actor := access.From(ctx)
			v, err := s.Version(ctx, actor, id.Bot(in.ID), id.BotVersion(in.VersionID))
			if err != nil {
				return nil, err
			}
			url, err := m.DownloadURL(wire.Download{
				Source: versionDownload, Key: strings.Join([]string{string(actor.Workspace), string(v.Bot), string(v.ID)}, "/"),
				Name: string(v.ID) + ".json", Type: "application/json", Until: s.Clock.Now().Add(downloadTime),
			})
			return &getVersionOutput{Body: GetBotVersionAnswer{URL: url}}, err
		})
	m.Downloads(versionDownload, func(ctx context.Context, key string) ([]byte, error) {
		w, rest, _ := strings.Cut(key, "/")
		bot, version, _ := strings.Cut(rest, "/")
		return s.VersionArchive(ctx, id.Workspace(w), id.Bot(bot), id.BotVersion(version))
	})
	wire.Register(m, wire.Operation{ID: "deployBotVersion", Method: http.MethodPost, Path: path + "/deploy", Area: "bots",
		Summary: "Deploy a bot version", Detail: "Restores the definition, the installations with their settings, and the code, all or nothing. The bot's name, tags, secrets and url stay. If something can no longer be installed, the error names it and nothing changes.",
		Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *deployVersionInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.DeployVersion(ctx, access.From(ctx), id.Bot(in.ID), id.BotVersion(in.Body.VersionID))
		})
	mountArchives(m, s)
}

func mountArchives(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "getBotJson", Method: http.MethodGet, Path: botPath + "/bot-json", Area: "bots",
		Summary: "Export a bot as JSON", Detail: "Returns an Archive: everything the bot consists of, without secrets. publishFromBotJson recreates the bot from it, also in another workspace in which the installed packages are visible.",
		Scope: wire.InHeader, Permission: access.BotExport, LargeAnswer: true},
		func(ctx context.Context, in *botInput) (*archiveOutput, error) {
			text, err := s.Archive(ctx, access.From(ctx), id.Bot(in.ID))
			return &archiveOutput{Body: wire.Document[wire.Object]{Bytes: text}}, err
		})
	read := wire.Form[Archive](m, "body.botJson")
	wire.Register(m, wire.Operation{ID: "publishFromBotJson", Method: http.MethodPost, Path: botPath + "/publish-from-bot-json", Area: "bots",
		Summary: "Publish a bot from JSON", Detail: "Replaces the bot by the archive. What the archive does not contain is removed, except the bot's secrets and the secrets in the configurations of packages that stay installed. Returns the bot, as updateBot does.",
		Scope: wire.InHeader, Permission: access.BotWrite, Code: true},
		func(ctx context.Context, in *publishInput) (*archiveOutput, error) {
			a, err := read(in.Body.BotJSON)
			if err != nil {
				return nil, err
			}
			b, err := s.Publish(ctx, access.From(ctx), id.Bot(in.ID), a)
			if err != nil {
				return nil, err
			}
			return &archiveOutput{Body: wire.Document[wire.Object](s.answer(b, "", in.byAlias).Body)}, nil
		})
}

func shown(v Version) BotVersion {
	return BotVersion{ID: string(v.ID), Name: v.Name, Description: v.Description}
}
