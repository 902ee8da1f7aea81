package catalog

import (
	"context"
	"log/slog"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/wire"
)

// Options are the dependencies of the service.
type Options struct {
	DB         *db.DB
	Clock      clock.Clock
	Log        *slog.Logger
	Keys       *secret.Keyring
	Blobs      *blob.Store
	Trail      trail
	Quota      quota
	Workspaces workspaces
	Tokens     keys
	// PublicURL gives the address under which callers reach this installation, without a
	// trailing slash. It is known only once the server listens.
	PublicURL func() string
	// Installs is set after New, because package bot needs the catalog in turn.
	Installs installs
	// Leavers are told when a single integration is deleted.
	Leavers []Leaver
}

// Service holds the use cases of integrations, interfaces and plugins.
type Service struct {
	Options
	views views
}

// New makes the service over a migrated database.
func New(o Options) *Service { return &Service{Options: o} }

// Mount registers the operations of the catalog and of the hub, and the addresses of
// icons and readmes.
func Mount(m *wire.Mux, s *Service) {
	mountIntegrations(m, s)
	mountIntegrationHub(m, s)
	mountIntegrationKeys(m, s)
	mountInterfaces(m, s)
	mountPlugins(m, s)
	mountAssets(m, s)
}

// publisher reads which names a workspace may publish under.
func (s *Service) publisher(ctx context.Context, q db.Querier, w id.Workspace) (p publisher, err error) {
	handle, found, err := selectHandle(ctx, q, w)
	if err != nil {
		return p, db.Convert(err)
	}
	if !found {
		return p, access.NoSuchWorkspace(w)
	}
	p.handle = handle
	platform, found, err := s.Workspaces.Platform(ctx, q)
	p.platform = found && platform == w
	return p, err
}

// DeleteWorkspace deletes everything that a workspace has published, in the caller's
// transaction and after its bots. ReferenceConstraint while bots or packages of other
// workspaces use some of it.
func (s *Service) DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	for _, leave := range []func(context.Context, *db.Tx, id.Workspace) error{s.leavePlugins, s.leaveIntegrations, s.leaveInterfaces} {
		if err := leave(ctx, tx, w); err != nil {
			return err
		}
	}
	return nil
}

// UsesBlob says whether a package of any workspace has the blob as its code, icon or
// readme.
func (s *Service) UsesBlob(ctx context.Context, h blob.Hash) (bool, error) {
	q := s.DB.Reader(ctx)
	for _, uses := range []func(context.Context, db.Querier, blob.Hash) (bool, error){selectIntegrationUses, selectInterfaceUses, selectPluginUses} {
		if used, err := uses(ctx, q, h); used || err != nil {
			return used, db.Convert(err)
		}
	}
	return false, nil
}
