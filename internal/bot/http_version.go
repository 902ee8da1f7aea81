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
	Name        string `json:"name" doc:"Its name."`
	Description string `json:"description,omitempty" doc:"What it is."`
}

// ListBotVersionsAnswer is the answer of listBotVersions.
type ListBotVersionsAnswer struct {
	Versions []BotVersion `json:"versions" doc:"All versions of the bot, the newest first."`
}

// CreateBotVersionBody is the body of createBotVersion.
type CreateBotVersionBody struct {
	Name        string `json:"name" doc:"Its name, of 1 to 200 characters."`
	Description string `json:"description,omitempty" doc:"What it is, in 2000 characters at most."`
}

// CreateBotVersionAnswer is the answer of createBotVersion.
type CreateBotVersionAnswer struct {
	Version BotVersion `json:"version" doc:"The version."`
}

// GetBotVersionAnswer is the answer of getBotVersion.
type GetBotVersionAnswer struct {
	URL string `json:"url" format:"uri" doc:"Where the version is downloaded, as bot json, for 15 minutes."`
}

// DeployBotVersionBody is the body of deployBotVersion.
type DeployBotVersionBody struct {
	VersionID string `json:"versionId" doc:"The version."`
}

// PublishFromBotJSONBody is the body of publishFromBotJson.
type PublishFromBotJSONBody struct {
	BotJSON wire.Object `json:"botJson" doc:"What getBotJson answered, of this bot or another: an Archive."`
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
		Summary: "Save a version of a bot", Detail: "What the bot is made of now: its definition, what is installed with its settings, and its code. The server saves one by itself whenever code is deployed.",
		Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *createVersionInput) (*createVersionOutput, error) {
			v, err := s.CreateVersion(ctx, access.From(ctx), id.Bot(in.ID), in.Body.Name, in.Body.Description)
			return &createVersionOutput{Body: CreateBotVersionAnswer{Version: shown(v)}}, err
		})
	wire.Register(m, wire.Operation{ID: "listBotVersions", Method: http.MethodGet, Path: path, Area: "bots",
		Summary: "List the versions of a bot", Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *botInput) (*listVersionsOutput, error) {
			versions, err := s.Versions(ctx, access.From(ctx).Workspace, id.Bot(in.ID))
			items := make([]BotVersion, len(versions))
			for i, v := range versions {
				items[i] = shown(v)
			}
			return &listVersionsOutput{Body: ListBotVersionsAnswer{Versions: items}}, err
		})
	wire.Register(m, wire.Operation{ID: "getBotVersion", Method: http.MethodGet, Path: path + "/{versionId}", Area: "bots",
		Summary: "Give the address that a version is downloaded from", Detail: "The address needs no token and is good for 15 minutes. It answers bot json, as getBotJson does, which publishFromBotJson takes.",
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
		Summary: "Make a bot what a version holds", Detail: "Definition, what is installed with its settings, and code become what they were, all or nothing. Name, tags, secrets and the address of the bot stay. Something that can no longer be installed is named, and nothing is changed.",
		Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *deployVersionInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.DeployVersion(ctx, access.From(ctx), id.Bot(in.ID), id.BotVersion(in.Body.VersionID))
		})
	mountArchives(m, s)
}

func mountArchives(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "getBotJson", Method: http.MethodGet, Path: botPath + "/bot-json", Area: "bots",
		Summary: "Give a bot as JSON", Detail: "An Archive: all that the bot is made of, without secrets. publishFromBotJson makes the same bot of it, also in another workspace that sees what is installed.",
		Scope: wire.InHeader, Permission: access.BotExport, LargeAnswer: true},
		func(ctx context.Context, in *botInput) (*archiveOutput, error) {
			text, err := s.Archive(ctx, access.From(ctx), id.Bot(in.ID))
			return &archiveOutput{Body: wire.Document[wire.Object]{Bytes: text}}, err
		})
	read := wire.Form[Archive](m, "body.botJson")
	wire.Register(m, wire.Operation{ID: "publishFromBotJson", Method: http.MethodPost, Path: botPath + "/publish-from-bot-json", Area: "bots",
		Summary: "Make a bot what bot json says", Detail: "What it does not hold is removed, but for the secrets of the bot and those in the configurations of what stays installed. Answers the bot, as updateBot does.",
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
