package app

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/catalog"
	"github.com/botyard/botyard/internal/fault"
)

// Loaded is an interface whose definition was loaded into the hub.
type Loaded struct {
	Name    string
	Version string
	// ID is empty if the version existed already and was left unchanged.
	ID string
}

// LoadHub publishes the interfaces whose definitions are in files, one per file, from the
// platform's workspace. Existing versions are left unchanged, so loading again does
// nothing. It returns ResourceNotFound if the installation has had no first start.
func (a *App) LoadHub(ctx context.Context, files fs.FS) (loaded []Loaded, err error) {
	platform, started, err := a.Workspaces.Platform(ctx, a.DB.Reader(ctx))
	if err != nil {
		return nil, err
	}
	if !started {
		return nil, fault.New(fault.ResourceNotFound, "The installation has had no first start, so nobody can publish yet. Run \"botyard serve\" once.")
	}
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, err
	}
	actor := access.Actor{Kind: access.KindOperator, Workspace: platform}
	ctx = access.With(ctx, actor)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return loaded, err
		}
		draft, err := catalog.ReadInterface(text)
		if err != nil {
			return loaded, fmt.Errorf("%s is not the definition of an interface: %w", name, err)
		}
		one := Loaded{Name: draft.Name, Version: draft.Version}
		switch made, err := a.Catalog.CreateInterface(ctx, actor, draft, false); {
		case err == nil:
			one.ID = string(made.ID)
		case !fault.Is(err, fault.AlreadyExists):
			return loaded, fmt.Errorf("%s cannot be loaded: %w", name, err)
		}
		loaded = append(loaded, one)
	}
	return loaded, nil
}
