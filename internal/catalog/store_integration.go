package catalog

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
)

func number(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: n != 0} }

func insertIntegration(ctx context.Context, q db.Querier, i Integration) error {
	_, err := q.Exec(ctx, `
		INSERT INTO integrations (id, workspace_id, name, name_key, version, dev, visibility, lifecycle_status, verification_status,
			title, description, created_at, updated_at, created_by, installs, views, icon_hash, readme_hash, code_hash, url,
			signing_secret, max_execution_time, sdk_version, attributes, layers, extra_operations, secret_names, parts)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)`,
		string(i.ID), string(i.Workspace), i.Name, []byte(i.Name), i.Version, i.Dev, string(i.Visibility), string(i.Lifecycle), string(i.Verification),
		i.Title, i.Description, i.CreatedAt.UnixMilli(), i.UpdatedAt.UnixMilli(), db.Text(string(i.CreatedBy)), db.Text(string(i.Icon)),
		db.Text(string(i.Readme)), db.Text(string(i.Code)), db.Text(i.URL), i.SigningSecret, number(i.MaxExecutionTime), db.Text(i.SDKVersion),
		string(i.Attributes), string(i.Layers), string(i.ExtraOperations), string(i.SecretNames), string(i.Parts))
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `INSERT INTO integration_definitions (integration_id, definition) VALUES ($1, $2)`, string(i.ID), string(i.Definition))
	return err
}

// updateIntegration writes what an update can change, except for the icon and the
// definition.
func updateIntegration(ctx context.Context, q db.Querier, i Integration) error {
	_, err := q.Exec(ctx, `
		UPDATE integrations SET visibility = $3, title = $4, description = $5, updated_at = $6, readme_hash = $7, code_hash = $8, url = $9,
			max_execution_time = $10, sdk_version = $11, attributes = $12, layers = $13, extra_operations = $14, secret_names = $15, parts = $16,
			verification_status = $17
		WHERE id = $1 AND workspace_id = $2`,
		string(i.ID), string(i.Workspace), string(i.Visibility), i.Title, i.Description, i.UpdatedAt.UnixMilli(), db.Text(string(i.Readme)),
		db.Text(string(i.Code)), db.Text(i.URL), number(i.MaxExecutionTime), db.Text(i.SDKVersion), string(i.Attributes), string(i.Layers),
		string(i.ExtraOperations), string(i.SecretNames), string(i.Parts), string(i.Verification))
	return err
}

func updateIntegrationDefinition(ctx context.Context, q db.Querier, i id.Integration, definition JSON) error {
	_, err := q.Exec(ctx, `UPDATE integration_definitions SET definition = $2 WHERE integration_id = $1`, string(i), string(definition))
	return err
}

// integrationColumns are the columns of integrations i that lists read.
const integrationColumns = `i.id, i.workspace_id, i.name, i.version, i.dev, i.visibility, i.lifecycle_status, i.verification_status,
	i.title, i.description, i.created_at, i.updated_at, i.created_by, i.installs, i.views, i.icon_hash, i.readme_hash, i.attributes, i.parts`

// scanIntegration reads integrationColumns and what the caller selected after them.
func scanIntegration(scan func(...any) error, behind ...any) (i Integration, err error) {
	var createdBy, icon, readme sql.NullString
	var created, updated int64
	var attributes, parts string
	err = scan(append([]any{
		&i.ID, &i.Workspace, &i.Name, &i.Version, &i.Dev, &i.Visibility, &i.Lifecycle, &i.Verification, &i.Title, &i.Description,
		&created, &updated, &createdBy, &i.Installs, &i.Views, &icon, &readme, &attributes, &parts,
	}, behind...)...)
	i.CreatedAt, i.UpdatedAt, i.CreatedBy = db.Moment(created), db.Moment(updated), id.Account(createdBy.String)
	i.Icon, i.Readme, i.Attributes, i.Parts = blob.Hash(icon.String), blob.Hash(readme.String), JSON(attributes), JSON(parts)
	return i, err
}

const integrationDetails = `, i.code_hash, i.url, i.signing_secret, i.max_execution_time, i.sdk_version, i.layers, i.extra_operations, i.secret_names, d.definition`

// oneIntegration reads integrationColumns, integrationDetails and what the caller selected
// after them.
func oneIntegration(row *sql.Row, behind ...any) (Integration, bool, error) {
	var code, address, sdkVersion sql.NullString
	var maxExecutionTime sql.NullInt64
	var signingSecret, layers, extraOperations, secretNames, definition string
	i, err := scanIntegration(row.Scan, append([]any{
		&code, &address, &signingSecret, &maxExecutionTime, &sdkVersion, &layers, &extraOperations, &secretNames, &definition,
	}, behind...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Integration{}, false, nil
	}
	i.Code, i.URL, i.SigningSecret = blob.Hash(code.String), address.String, signingSecret
	i.MaxExecutionTime, i.SDKVersion = maxExecutionTime.Int64, sdkVersion.String
	i.Layers, i.ExtraOperations, i.SecretNames, i.Definition = JSON(layers), JSON(extraOperations), JSON(secretNames), JSON(definition)
	return i, err == nil, err
}

// selectIntegration reads an integration of the workspace.
func selectIntegration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (Integration, bool, error) {
	return oneIntegration(q.QueryRow(ctx, `
		SELECT `+integrationColumns+integrationDetails+`
		FROM integrations i JOIN integration_definitions d ON d.integration_id = i.id
		WHERE i.id = $1 AND i.workspace_id = $2`, string(i), string(w)))
}

// selectUsableIntegration reads an integration that the workspace may use: its own, or an
// open one.
func selectUsableIntegration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (Integration, bool, error) {
	return oneIntegration(q.QueryRow(ctx, `
		SELECT `+integrationColumns+integrationDetails+`
		FROM integrations i JOIN integration_definitions d ON d.integration_id = i.id
		WHERE i.id = $1 AND (i.workspace_id = $2 OR i.visibility <> 'private')`, string(i), string(w)))
}

// selectOpenIntegration reads an open integration and its publisher.
func selectOpenIntegration(ctx context.Context, q db.Querier, i id.Integration) (found Integration, by Publisher, ok bool, err error) {
	var handle sql.NullString
	found, ok, err = oneIntegration(q.QueryRow(ctx, `
		SELECT `+integrationColumns+integrationDetails+`, p.handle, p.name
		FROM integrations i JOIN integration_definitions d ON d.integration_id = i.id JOIN publishers p ON p.id = i.workspace_id
		WHERE i.id = $1 AND i.visibility <> 'private'`, string(i)), &handle, &by.Name)
	by.Workspace, by.Handle = found.Workspace, handle.String
	return found, by, ok, err
}

// sibling is another version of the same name.
type sibling struct {
	id         id.Integration
	version    string
	visibility Visibility
	installs   int64
	icon       blob.Hash
}

func scanSiblings(rows *sql.Rows, err error) ([]sibling, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var siblings []sibling
	for rows.Next() {
		var s sibling
		var icon sql.NullString
		if err := rows.Scan(&s.id, &s.version, &s.visibility, &s.installs, &icon); err != nil {
			return nil, err
		}
		s.icon = blob.Hash(icon.String)
		siblings = append(siblings, s)
	}
	return siblings, rows.Err()
}

// selectSiblings reads the production versions of a name in the workspace.
func selectSiblings(ctx context.Context, q db.Querier, w id.Workspace, name string) ([]sibling, error) {
	return scanSiblings(q.Query(ctx, `
		SELECT id, version, visibility, installs, icon_hash FROM integrations
		WHERE workspace_id = $1 AND dev = FALSE AND name_key = $2`, string(w), []byte(name)))
}

// selectOpenSiblings reads the open versions of a name.
func selectOpenSiblings(ctx context.Context, q db.Querier, name string) ([]sibling, error) {
	return scanSiblings(q.Query(ctx, `
		SELECT id, version, visibility, installs, icon_hash FROM integrations
		WHERE name = $1 AND visibility <> 'private'`, name))
}

// updateIcon gives an icon to all production versions of a name.
func updateIcon(ctx context.Context, q db.Querier, w id.Workspace, name string, icon blob.Hash) error {
	_, err := q.Exec(ctx, `UPDATE integrations SET icon_hash = $3 WHERE workspace_id = $1 AND dev = FALSE AND name_key = $2`,
		string(w), []byte(name), db.Text(string(icon)))
	return err
}

// updateOwnIcon gives an icon to one integration.
func updateOwnIcon(ctx context.Context, q db.Querier, i id.Integration, icon blob.Hash) error {
	_, err := q.Exec(ctx, `UPDATE integrations SET icon_hash = $2 WHERE id = $1`, string(i), db.Text(string(icon)))
	return err
}

// updateReview writes the status of a review.
func updateReview(ctx context.Context, q db.Querier, i id.Integration, v Verification, at time.Time) error {
	_, err := q.Exec(ctx, `UPDATE integrations SET verification_status = $2, updated_at = $3 WHERE id = $1`, string(i), string(v), at.UnixMilli())
	return err
}

func updateLifecycle(ctx context.Context, q db.Querier, i id.Integration, l Lifecycle, at time.Time) error {
	_, err := q.Exec(ctx, `UPDATE integrations SET lifecycle_status = $2, updated_at = $3 WHERE id = $1`, string(i), string(l), at.UnixMilli())
	return err
}

// updateSigningSecrets replaces the signing secret; the old one stays valid until then.
func updateSigningSecrets(ctx context.Context, q db.Querier, i id.Integration, sealed, old string, until time.Time) error {
	_, err := q.Exec(ctx, `UPDATE integrations SET signing_secret = $2, old_signing_secret = $3, old_secret_until = $4 WHERE id = $1`,
		string(i), sealed, old, until.UnixMilli())
	return err
}

// addInstalls adds to the number of bots that have an integration. The copy of that number
// with the words sorts searches of the hub.
func addInstalls(ctx context.Context, q db.Querier, i id.Integration, n int64) error {
	if _, err := q.Exec(ctx, `UPDATE integrations SET installs = installs + $2 WHERE id = $1`, string(i), n); err != nil {
		return err
	}
	_, err := q.Exec(ctx, `UPDATE integration_words SET installs = installs + $2 WHERE integration_id = $1 AND listed = TRUE`, string(i), n)
	return err
}

func addViews(ctx context.Context, q db.Querier, i id.Integration, n int64) error {
	_, err := q.Exec(ctx, `UPDATE integrations SET views = views + $2 WHERE id = $1`, string(i), n)
	return err
}

// writeImplementations replaces what an integration implements.
func writeImplementations(ctx context.Context, q db.Querier, i id.Integration, interfaces map[string]definition.Implementation) error {
	if _, err := q.Exec(ctx, `DELETE FROM integration_interfaces WHERE integration_id = $1`, string(i)); err != nil {
		return err
	}
	var rows [][]any
	for _, alias := range slices.Sorted(maps.Keys(interfaces)) {
		rows = append(rows, []any{string(i), alias, interfaces[alias].ID})
	}
	return db.InsertRows(ctx, q, `INSERT INTO integration_interfaces (integration_id, alias, interface_id) VALUES `, "", rows)
}

// writeWords replaces the words that an integration is found by.
func writeWords(ctx context.Context, q db.Querier, i Integration, words []string) error {
	if _, err := q.Exec(ctx, `DELETE FROM integration_words WHERE integration_id = $1`, string(i.ID)); err != nil {
		return err
	}
	listed, installs := i.Visibility == Public, i.listedInstalls()
	rows := make([][]any, len(words))
	for n, word := range words {
		rows[n] = []any{string(i.ID), []byte(word), listed, installs}
	}
	return db.InsertRows(ctx, q, `INSERT INTO integration_words (integration_id, word, listed, installs) VALUES `, "", rows)
}

// updateListed brings the words of an integration to its visibility.
func updateListed(ctx context.Context, q db.Querier, i Integration) error {
	_, err := q.Exec(ctx, `UPDATE integration_words SET listed = $2, installs = $3 WHERE integration_id = $1`,
		string(i.ID), i.Visibility == Public, i.listedInstalls())
	return err
}

// listedInstalls is the number of installs that is stored with the words; zero unless the
// integration is public.
func (i Integration) listedInstalls() int64 {
	if i.Visibility != Public {
		return 0
	}
	return i.Installs
}

// selectSecrets reads the sealed secrets of an integration by name.
func selectSecrets(ctx context.Context, q db.Querier, i id.Integration) (map[string]string, error) {
	rows, err := q.Query(ctx, `SELECT name, value FROM integration_secrets WHERE integration_id = $1`, string(i))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sealed := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		sealed[name] = value
	}
	return sealed, rows.Err()
}

// writeSecrets sets the sealed secrets of a patch and removes those that are nil.
func writeSecrets(ctx context.Context, q db.Querier, i id.Integration, sealed map[string]*string) error {
	var rows [][]any
	for _, name := range slices.Sorted(maps.Keys(sealed)) {
		if value := sealed[name]; value != nil {
			rows = append(rows, []any{string(i), name, *value})
		} else if _, err := q.Exec(ctx, `DELETE FROM integration_secrets WHERE integration_id = $1 AND name = $2`, string(i), name); err != nil {
			return err
		}
	}
	return db.InsertRows(ctx, q, `INSERT INTO integration_secrets (integration_id, name, value) VALUES `,
		` ON CONFLICT (integration_id, name) DO UPDATE SET value = excluded.value`, rows)
}

// integrationTables are the tables of what belongs to one integration.
var integrationTables = []string{"integration_definitions", "integration_words", "integration_secrets", "integration_interfaces"}

func deleteIntegration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) error {
	for _, table := range integrationTables {
		if _, err := q.Exec(ctx, `DELETE FROM `+table+` WHERE integration_id = $1`, string(i)); err != nil {
			return err
		}
	}
	_, err := q.Exec(ctx, `DELETE FROM integrations WHERE id = $1 AND workspace_id = $2`, string(i), string(w))
	return err
}

func deleteIntegrationsOf(ctx context.Context, q db.Querier, w id.Workspace) error {
	for _, table := range integrationTables {
		if _, err := q.Exec(ctx, `DELETE FROM `+table+` WHERE integration_id IN (SELECT id FROM integrations WHERE workspace_id = $1)`, string(w)); err != nil {
			return err
		}
	}
	_, err := q.Exec(ctx, `DELETE FROM integrations WHERE workspace_id = $1`, string(w))
	return err
}

func selectIntegrationUses(ctx context.Context, q db.Querier, h blob.Hash) (used bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM integrations WHERE code_hash = $1)
			OR EXISTS (SELECT 1 FROM integrations WHERE icon_hash = $1)
			OR EXISTS (SELECT 1 FROM integrations WHERE readme_hash = $1)`, string(h)).Scan(&used)
	return used, err
}

// selectOwner reads which workspace an integration is in.
func selectOwner(ctx context.Context, q db.Querier, i id.Integration) (w id.Workspace, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT workspace_id FROM integrations WHERE id = $1`, string(i)).Scan(&w)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return w, err == nil, err
}

// selectHandle is the handle of a workspace, empty if it has none; found is false if there is
// no such workspace.
func selectHandle(ctx context.Context, q db.Querier, w id.Workspace) (handle string, found bool, err error) {
	var kept sql.NullString
	err = q.QueryRow(ctx, `SELECT handle FROM publishers WHERE id = $1`, string(w)).Scan(&kept)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return kept.String, err == nil, err
}

// selectInstalled reads the integrations of a workspace that some bot has installed.
func selectInstalled(ctx context.Context, q db.Querier, w id.Workspace) ([]Integration, error) {
	rows, err := q.Query(ctx, `SELECT `+integrationColumns+` FROM integrations i WHERE i.workspace_id = $1 AND i.installs > 0 ORDER BY i.id`, string(w))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Integration
	for rows.Next() {
		i, err := scanIntegration(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, rows.Err()
}

// selectNeededElsewhere reads one integration of the workspace that a plugin of another
// workspace depends on.
func selectNeededElsewhere(ctx context.Context, q db.Querier, w id.Workspace) (nameAndVersion string, found bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT i.name || '@' || i.version FROM integrations i
		JOIN plugin_dependencies d ON d.package_id = i.id JOIN plugins p ON p.id = d.plugin_id
		WHERE i.workspace_id = $1 AND i.visibility <> 'private' AND p.workspace_id <> $1 LIMIT 1`, string(w)).Scan(&nameAndVersion)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return nameAndVersion, err == nil, err
}
