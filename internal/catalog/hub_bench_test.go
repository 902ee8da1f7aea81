package catalog

import (
	"context"
	"testing"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/engines"
)

// hubVersions is how many versions the hub of the benchmark has: 5,000 names, each
// in 20 versions.
const hubVersions = "100000"

// fill puts a hub into a database by its own means, which differ in how a number
// becomes text and text becomes bytes.
func fill(b *testing.B, d *db.DB) {
	b.Helper()
	pad, bytes, collect := "printf('%026d', x)", "CAST(%s AS BLOB)", "ANALYZE"
	if d.Engine() == db.PostgreSQL {
		pad, bytes = "lpad(x::text, 26, '0')", "convert_to(%s, 'UTF8')"
	}
	blob := func(text string) string { return replaceOnce(bytes, text) }
	numbers := "WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x + 1 < " + hubVersions + ") "
	name := "'home/package-' || (x % 5000)"
	for _, statement := range []string{
		`INSERT INTO workspaces (id, name, owner_id, handle, plan, billing_version, blocked, spending_limit, about, profile_picture,
			contact_email, website, social_accounts, is_public, created_at, updated_at)
			VALUES ('wkspace_home', 'W', '', 'home', 'managed', 'v1', FALSE, 0, '', '', '', '', '[]', FALSE, 0, 0)`,
		numbers + `INSERT INTO integrations (id, workspace_id, name, name_key, version, dev, visibility, lifecycle_status, verification_status,
			title, description, created_at, updated_at, installs, views, signing_secret, attributes, layers, extra_operations, secret_names, parts)
			SELECT 'intver_' || ` + pad + `, 'wkspace_home', ` + name + `, ` + blob(name) + `, '1.' || (x / 5000) || '.0', FALSE, 'public', 'published',
			'unapproved', 'Package ' || (x % 5000), 'Does things with packages and their mail', x, x * 7919 % 100003, x % 97, x % 89, 's', '{}', '[]', '{}', '[]',
			'{"actions":["sendMail"],"interfaces":[]}' FROM n`,
		numbers + `INSERT INTO integration_definitions (integration_id, definition) SELECT 'intver_' || ` + pad + `, '{}' FROM n`,
	} {
		exec(b, d, statement)
	}
	// Words that all have, that one name has, and that one in a hundred versions has.
	for _, word := range []string{"'package'", "'does'", "'mail'", "'home'", "'p' || (x % 5000)", "'rarely' || (x % 100)", "'w' || (x % 3)"} {
		exec(b, d, numbers+`INSERT INTO integration_words (integration_id, word, listed, installs) SELECT 'intver_' || `+pad+`, `+blob(word)+`, TRUE, x % 97 FROM n`)
	}
	exec(b, d, collect)
}

func replaceOnce(pattern, text string) string {
	for i := range pattern {
		if pattern[i:min(len(pattern), i+2)] == "%s" {
			return pattern[:i] + text + pattern[i+2:]
		}
	}
	return pattern
}

func exec(b *testing.B, d *db.DB, statement string) {
	b.Helper()
	if err := d.Tx(b.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, statement)
		return err
	}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHub reads pages of a hub of 100,000 versions.
func BenchmarkHub(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		b.Run(string(engine), func(b *testing.B) {
			d := engines.Open(b, engine)
			fill(b, d)
			s := New(Options{DB: d})
			middle := &db.Key{At: 50_000, ID: "intver_00000000000000000000050000"}
			for name, f := range map[string]struct {
				IntegrationFilter
				after *db.Key
			}{
				"newest":                        {},
				"deep":                          {after: middle},
				"byUpdate":                      {IntegrationFilter: IntegrationFilter{Sort: ByUpdate}, after: middle},
				"byName":                        {IntegrationFilter: IntegrationFilter{Sort: ByName, Ascending: true}},
				"byInstalls":                    {IntegrationFilter: IntegrationFilter{Sort: ByInstalls}},
				"ofName":                        {IntegrationFilter: IntegrationFilter{Name: "home/package-77"}},
				"ofVersion":                     {IntegrationFilter: IntegrationFilter{Version: "1.3.0"}},
				"approved":                      {IntegrationFilter: IntegrationFilter{Verification: Approved}},
				"approvedByInstalls":            {IntegrationFilter: IntegrationFilter{Verification: Approved, Sort: ByInstalls}},
				"searchOneName":                 {IntegrationFilter: IntegrationFilter{Search: "p77"}},
				"searchOneNameByName":           {IntegrationFilter: IntegrationFilter{Search: "p77", Sort: ByName}},
				"searchOneInAHundred":           {IntegrationFilter: IntegrationFilter{Search: "rarely42"}},
				"searchOneInAHundredByInstalls": {IntegrationFilter: IntegrationFilter{Search: "rarely42", Sort: ByInstalls}},
				"searchOneInAHundredByName":     {IntegrationFilter: IntegrationFilter{Search: "rarely42", Sort: ByName}},
				"searchOneInAHundredByUpdate":   {IntegrationFilter: IntegrationFilter{Search: "rarely42", Sort: ByUpdate}},
				"searchAll":                     {IntegrationFilter: IntegrationFilter{Search: "mail"}},
				"searchLetter":                  {IntegrationFilter: IntegrationFilter{Search: "r", Sort: ByUpdate}},
				"searchTwo":                     {IntegrationFilter: IntegrationFilter{Search: "mail rarely42"}},
				"searchTwoByInstalls":           {IntegrationFilter: IntegrationFilter{Search: "mail rarely42", Sort: ByInstalls}},
				"searchNothing":                 {IntegrationFilter: IntegrationFilter{Search: "zebra"}},
				"ownSearch":                     {IntegrationFilter: IntegrationFilter{Workspace: home, Search: "mail"}},
				"ownSearchRare":                 {IntegrationFilter: IntegrationFilter{Workspace: home, Search: "p77"}},
			} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						if _, _, err := s.ListIntegrations(b.Context(), "", f.IntegrationFilter, db.Page{Size: 20, After: f.after}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			for _, reference := range []string{"latest", "1.3.0", "^1.2.0"} {
				b.Run("named/"+reference, func(b *testing.B) {
					for b.Loop() {
						if _, _, err := s.PublicIntegrationNamed(b.Context(), "home/package-77", reference); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
