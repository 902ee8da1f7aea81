package catalog

import (
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

type (
	// namedInput asks for the version of a name that a reference means.
	namedInput struct {
		Name    string `path:"name" doc:"The name."`
		Version string `path:"version" doc:"The version: exact, latest, or a range in npm's syntax."`
	}
	// listPackagesInput asks for a list of interfaces or plugins.
	listPackagesInput struct {
		Name    string `query:"name" doc:"Only those with this name."`
		Version string `query:"version" doc:"Only those with exactly this version."`
		wire.PageQuery
	}
)

// of is the filter for the packages of a workspace or, with the empty one, of the hub.
func (in *listPackagesInput) of(w id.Workspace) Filter {
	return Filter{Workspace: w, Hub: w == "", Name: in.Name, Version: in.Version}
}

// appendPresentation appends the members that people see of a package, after other members.
func (s *Service) appendPresentation(out []byte, title, description string, icon, readme blob.Hash) []byte {
	out = wire.AppendText(append(out, `,"title":`...), title)
	out = wire.AppendText(append(out, `,"description":`...), description)
	out = wire.AppendText(append(out, `,"iconUrl":`...), s.IconURL(icon))
	return wire.AppendText(append(out, `,"readmeUrl":`...), s.ReadmeURL(readme))
}

// appendMembers appends the members of an object that is never empty after those of
// another one, with the closing brace.
func appendMembers(out []byte, object JSON) []byte {
	return append(append(out, ','), object[1:]...)
}
