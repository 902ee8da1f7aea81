package catalog

import (
	"context"
	"errors"
	"strings"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
)

// signingSecretLength gives a signing secret 288 random bits.
const signingSecretLength = 48

// errValid rolls back the transaction of a validation that found nothing wrong.
var errValid = errors.New("the request is valid and is rolled back")

// CreateIntegration creates a version of an integration in the actor's workspace, and its
// signing secret, which only this answer shows. Forbidden when the workspace may not
// publish under the name, AlreadyExists when the name has that version, QuotaExceeded
// when the workspace has too many integrations, LimitExceeded when the name has too many
// versions, BreakingChanges when the version is not as compatible as its number promises,
// ReferenceNotFound when an interface does not exist. InvalidPayload, InvalidJsonSchema
// and LimitExceeded say what is wrong with the draft.
func (s *Service) CreateIntegration(ctx context.Context, actor access.Actor, d IntegrationDraft) (i Integration, signingSecret string, err error) {
	d = d.developed()
	if err := d.check(); err != nil {
		return Integration{}, "", err
	}
	b, err := s.putBlobs(ctx, d.IntegrationSettings)
	if err != nil {
		return Integration{}, "", err
	}
	signingSecret = secret.Text(signingSecretLength)
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		i, err = s.createIntegration(ctx, tx, actor, d, b, signingSecret)
		return err
	})
	return i, signingSecret, err
}

// ValidateIntegration fails as CreateIntegration would, and changes nothing.
func (s *Service) ValidateIntegration(ctx context.Context, actor access.Actor, d IntegrationDraft) error {
	d = d.developed()
	if err := d.check(); err != nil {
		return err
	}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := s.createIntegration(ctx, tx, actor, d, blobs{}, secret.Text(signingSecretLength)); err != nil {
			return err
		}
		return errValid
	})
	if errors.Is(err, errValid) {
		return nil
	}
	return err
}

// blobs are the hashes of the content in a request; nil is absent.
type blobs struct{ code, icon, readme *blob.Hash }

// putBlobs stores code, icon and readme. It runs before the transaction, which must not
// wait for a disk or a bucket. When the transaction fails nothing refers to the blobs,
// and they are collected later.
func (s *Service) putBlobs(ctx context.Context, settings IntegrationSettings) (b blobs, err error) {
	if b.icon, b.readme, err = s.putAssets(ctx, settings.Assets); err != nil || settings.Code == nil {
		return b, err
	}
	hash, err := s.Blobs.Put(ctx, []byte(*settings.Code))
	b.code = &hash
	return b, err
}

func (s *Service) createIntegration(ctx context.Context, tx *db.Tx, actor access.Actor, d IntegrationDraft, b blobs, signingSecret string) (Integration, error) {
	now := s.Clock.Now()
	empty, err := emptyIntegration()
	if err != nil {
		return Integration{}, err
	}
	u := d.update()
	i, err := empty.apply(u, findInterface(ctx, tx, actor.Workspace), now)
	if err != nil {
		return Integration{}, err
	}
	i.ID, i.Workspace, i.Name, i.Version, i.Dev = id.NewIntegration(d.Dev, now), actor.Workspace, d.Name, d.Version, d.Dev
	i.CreatedAt, i.CreatedBy = now, actor.Account
	i.SigningSecret = s.sealSigningSecret(i.ID, signingSecret)
	set(&i.Code, b.code)
	set(&i.Icon, b.icon)
	set(&i.Readme, b.readme)

	secrets := d.Secrets
	added := int64(0)
	if !i.Dev {
		siblings, err := selectSiblings(ctx, tx, i.Workspace, i.Name)
		if err != nil {
			return Integration{}, db.Convert(err)
		}
		if err := s.admit(ctx, tx, i.release(), i.Visibility.open(), versionsOf(siblings)); err != nil {
			return Integration{}, err
		}
		if !d.AllowBreaking {
			if err := checkBase(i.release(), versionsOf(siblings), i.breakingChangesSince(ctx, tx, siblings)); err != nil {
				return Integration{}, err
			}
		}
		if len(siblings) == 0 {
			added = 1
		} else if b.icon == nil {
			i.Icon = siblings[0].icon
		}
		if secrets, err = s.inheritSecrets(ctx, tx, i, siblings, d.Secrets); err != nil {
			return Integration{}, err
		}
	}
	if i, secrets, err = i.withSecrets(secrets); err != nil {
		return Integration{}, err
	}
	// Also a change by zero fails when the workspace has been deleted meanwhile.
	if err := s.Quota.Integrations(ctx, tx, i.Workspace, added); err != nil {
		return Integration{}, err
	}
	if err := insertIntegration(ctx, tx, i); err != nil {
		return Integration{}, alreadyPublishedOr(i.release(), err)
	}
	if b.icon != nil && !i.Dev {
		if err := updateIcon(ctx, tx, i.Workspace, i.Name, i.Icon); err != nil {
			return Integration{}, db.Convert(err)
		}
	}
	if err := writeSecrets(ctx, tx, i.ID, s.sealSecrets(i.ID, secrets)); err != nil {
		return Integration{}, db.Convert(err)
	}
	if err := s.index(ctx, tx, i, len(u.Definition.Interfaces) > 0); err != nil {
		return Integration{}, err
	}
	return i, s.record(ctx, tx, i.release(), "integration created")
}

// index writes what searches and filters find an integration by: its words and, when
// interfaces is set, the interfaces that it implements.
func (s *Service) index(ctx context.Context, tx *db.Tx, i Integration, interfaces bool) error {
	words, err := i.words()
	if err != nil {
		return err
	}
	if err := writeWords(ctx, tx, i, words); err != nil || !interfaces {
		return db.Convert(err)
	}
	d, err := definition.ParseIntegration([]byte(i.Definition))
	if err != nil {
		return err
	}
	return db.Convert(writeImplementations(ctx, tx, i.ID, d.Interfaces))
}

// breakingChangesSince lists what would break users of another version of the name in the
// same workspace.
func (i Integration) breakingChangesSince(ctx context.Context, tx *db.Tx, siblings []sibling) func(base string) ([]definition.Change, error) {
	return func(base string) ([]definition.Change, error) {
		before, found, err := selectIntegration(ctx, tx, i.Workspace, siblingOf(siblings, base).id)
		if err != nil || !found {
			return nil, db.Convert(err)
		}
		return before.breakingChanges(i)
	}
}

func versionsOf(siblings []sibling) []string {
	versions := make([]string, len(siblings))
	for n, s := range siblings {
		versions[n] = s.version
	}
	return versions
}

func siblingOf(siblings []sibling, version string) sibling {
	for _, s := range siblings {
		if s.version == version {
			return s
		}
	}
	return sibling{}
}

// inheritSecrets adds the secrets of the next lower version to those given for a new
// version, except for names that the caller set or sent as null.
func (s *Service) inheritSecrets(ctx context.Context, tx *db.Tx, i Integration, siblings []sibling, given map[string]*string) (map[string]*string, error) {
	version, found := pick("<"+i.Version, versionsOf(siblings))
	if !found {
		return given, nil
	}
	below := siblingOf(siblings, version).id
	sealed, err := selectSecrets(ctx, tx, below)
	if err != nil {
		return nil, db.Convert(err)
	}
	secrets := make(map[string]*string, len(given)+len(sealed))
	for name, value := range sealed {
		plain, err := s.openSecret(below, name, value)
		if err != nil {
			return nil, err
		}
		secrets[name] = &plain
	}
	for name, value := range given {
		secrets[name] = value
	}
	return secrets, nil
}

// UpdateIntegration changes an integration; what the update leaves out stays.
// ResourceNotFound when the workspace has no such integration, Forbidden when the update
// would change the content of a public or unlisted version, BreakingChanges when it would
// break those who use the integration, ReferenceConstraint when it would make it private
// while other workspaces use it. InvalidPayload, InvalidJsonSchema, ReferenceNotFound and
// LimitExceeded say what is wrong with the update.
func (s *Service) UpdateIntegration(ctx context.Context, actor access.Actor, i id.Integration, u IntegrationUpdate) (after Integration, err error) {
	if u, err = s.developed(ctx, actor, i, u); err != nil {
		return Integration{}, err
	}
	if err := u.check(); err != nil {
		return Integration{}, err
	}
	if u.Code != nil {
		// Do not store up to 50 MB for an integration that does not exist.
		if _, err := s.GetIntegration(ctx, actor.Workspace, i); err != nil {
			return Integration{}, err
		}
	}
	b, err := s.putBlobs(ctx, u.IntegrationSettings)
	if err != nil {
		return Integration{}, err
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		after, err = s.updateIntegration(ctx, tx, actor, i, u, b)
		return err
	})
	return after, err
}

// developed is the update, when it is of a development integration without an icon or a
// readme that cannot be used; see assets.usable.
func (s *Service) developed(ctx context.Context, actor access.Actor, i id.Integration, u IntegrationUpdate) (IntegrationUpdate, error) {
	if u.Assets.check() == nil {
		return u, nil
	}
	before, err := s.GetIntegration(ctx, actor.Workspace, i)
	if err == nil && before.Dev {
		u.Assets = u.Assets.usable()
	}
	return u, err
}

// ValidateIntegrationUpdate fails as UpdateIntegration would, and changes nothing.
func (s *Service) ValidateIntegrationUpdate(ctx context.Context, actor access.Actor, i id.Integration, u IntegrationUpdate) error {
	u, err := s.developed(ctx, actor, i, u)
	if err != nil {
		return err
	}
	if err := u.check(); err != nil {
		return err
	}
	var b blobs
	if u.Code != nil {
		hash := blob.Of([]byte(*u.Code))
		b.code = &hash
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := s.updateIntegration(ctx, tx, actor, i, u, b); err != nil {
			return err
		}
		return errValid
	})
	if errors.Is(err, errValid) {
		return nil
	}
	return err
}

func (s *Service) updateIntegration(ctx context.Context, tx *db.Tx, actor access.Actor, i id.Integration, u IntegrationUpdate, b blobs) (Integration, error) {
	before, found, err := selectIntegration(ctx, tx, actor.Workspace, i)
	if err != nil {
		return Integration{}, db.Convert(err)
	}
	if !found {
		return Integration{}, errNotFound(IntegrationKind, string(i))
	}
	after, err := before.apply(u, findInterface(ctx, tx, actor.Workspace), s.Clock.Now())
	if err != nil {
		return Integration{}, err
	}
	after, secrets, err := after.withSecrets(u.Secrets)
	if err != nil {
		return Integration{}, err
	}
	set(&after.Code, b.code)
	set(&after.Icon, b.icon)
	set(&after.Readme, b.readme)
	if err := s.checkIntegrationChange(ctx, tx, before, after, u.AllowBreaking); err != nil {
		return Integration{}, err
	}
	if before.Verification == Approved && !after.asReviewed(before) {
		after.Verification = Unapproved
	}
	if err := updateIntegration(ctx, tx, after); err != nil {
		return Integration{}, alreadyPublishedOr(after.release(), err)
	}
	if b.icon != nil {
		if after.Dev {
			err = updateOwnIcon(ctx, tx, i, after.Icon)
		} else {
			err = updateIcon(ctx, tx, after.Workspace, after.Name, after.Icon)
		}
		if err != nil {
			return Integration{}, db.Convert(err)
		}
	}
	if err := writeSecrets(ctx, tx, i, s.sealSecrets(i, secrets)); err != nil {
		return Integration{}, db.Convert(err)
	}
	if err := s.rewrite(ctx, tx, before, after, len(u.Definition.Interfaces) > 0); err != nil {
		return Integration{}, err
	}
	if after.URL != "" && after.URL != before.URL {
		if err := s.Installs.EndpointChanged(ctx, tx, i); err != nil {
			return Integration{}, err
		}
	}
	return after, s.record(ctx, tx, after.release(), "integration updated: "+strings.Join(u.members(), ", "))
}

// rewrite updates what is stored outside of an integration's row, as far as it changed:
// the definition, the words and, when interfaces is set, the implementations.
func (s *Service) rewrite(ctx context.Context, tx *db.Tx, before, after Integration, interfaces bool) error {
	redefined := before.Definition != after.Definition
	if redefined {
		if err := updateIntegrationDefinition(ctx, tx, after.ID, after.Definition); err != nil {
			return db.Convert(err)
		}
	}
	switch {
	case redefined || before.Title != after.Title || before.Description != after.Description:
		return s.index(ctx, tx, after, redefined && interfaces)
	case before.Visibility != after.Visibility:
		return db.Convert(updateListed(ctx, tx, after))
	}
	return nil
}

// checkIntegrationChange checks that an update may turn before into after; see
// UpdateIntegration for the errors.
func (s *Service) checkIntegrationChange(ctx context.Context, tx *db.Tx, before, after Integration, allowBreaking bool) error {
	if before.Dev {
		if after.Visibility.open() {
			return errDevIsPrivate(before.Name, after.Visibility)
		}
		return nil // breaking it is part of developing it
	}
	if before.Visibility.open() {
		parts, err := before.contentChanges(after)
		if err != nil {
			return err
		}
		if len(parts) > 0 {
			return errFrozen(before.release(), before.Visibility, parts)
		}
		if after.Visibility.open() {
			return nil
		}
		bots, err := s.users(ctx, tx, before.release())
		if err != nil {
			return err
		}
		packages, err := selectDependents(ctx, tx, before.Workspace, string(before.ID))
		if err != nil {
			return db.Convert(err)
		}
		if err := checkClosing(before.release(), before.Visibility, after.Visibility, bots.others); err != nil {
			return err
		}
		return checkHiding(before.release(), packages)
	}
	if after.Visibility.open() {
		if err := s.mayPublish(ctx, tx, before.release(), true); err != nil {
			return err
		}
	}
	if allowBreaking || before.Definition == after.Definition {
		return nil
	}
	if before.Installs == 0 {
		by, err := selectDependents(ctx, tx, before.Workspace, string(before.ID))
		if err != nil {
			return db.Convert(err)
		}
		if by.none() {
			return nil
		}
	}
	changes, err := before.breakingChanges(after)
	if err != nil {
		return err
	}
	return errBreakingUpdate(before.release(), changes)
}

// DeleteIntegration deletes a version of an integration with its secrets and keys.
// ResourceNotFound when the workspace has no such integration; the other errors are those
// of checkDeletion.
func (s *Service) DeleteIntegration(ctx context.Context, actor access.Actor, i id.Integration) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, ok, err := selectIntegration(ctx, tx, actor.Workspace, i)
		if err != nil {
			return db.Convert(err)
		}
		if !ok {
			return errNotFound(IntegrationKind, string(i))
		}
		if err := s.checkDeletion(ctx, tx, actor, found.release(), found.CreatedBy, found.Visibility); err != nil {
			return err
		}
		if err := deleteIntegration(ctx, tx, actor.Workspace, i); err != nil {
			return db.Convert(err)
		}
		if err := s.Tokens.DeleteSubject(ctx, tx, actor.Workspace, string(i)); err != nil {
			return err
		}
		for _, l := range s.Leavers {
			if err := l.DeleteIntegration(ctx, tx, i); err != nil {
				return err
			}
		}
		if err := s.releaseName(ctx, tx, found); err != nil {
			return err
		}
		return s.record(ctx, tx, found.release(), "integration deleted")
	})
}

// releaseName subtracts the name of a deleted version from the workspace's quota when it
// was the last version of that name.
func (s *Service) releaseName(ctx context.Context, tx *db.Tx, deleted Integration) error {
	if deleted.Dev {
		return nil
	}
	siblings, err := selectSiblings(ctx, tx, deleted.Workspace, deleted.Name)
	if err != nil || len(siblings) > 0 {
		return db.Convert(err)
	}
	return s.Quota.Integrations(ctx, tx, deleted.Workspace, -1)
}

// leaveIntegrations deletes the integrations of a workspace that is deleted.
// ReferenceConstraint while bots or plugins of other workspaces use one.
func (s *Service) leaveIntegrations(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	used, err := selectInstalled(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	for _, i := range used {
		_, others, err := s.Installs.IntegrationUsers(ctx, tx, w, i.ID)
		if err != nil {
			return err
		}
		if others > 0 {
			return fault.New(fault.ReferenceConstraint, "The workspace cannot be deleted: %s of other workspaces have its integration %s@%s installed.",
				count(others, "bot"), fault.Bounded(i.Name), fault.Bounded(i.Version))
		}
	}
	needed, found, err := selectNeededElsewhere(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	if found {
		return fault.New(fault.ReferenceConstraint, "The workspace cannot be deleted: plugins of other workspaces depend on its integration %s.", fault.Bounded(needed))
	}
	return db.Convert(deleteIntegrationsOf(ctx, tx, w))
}
