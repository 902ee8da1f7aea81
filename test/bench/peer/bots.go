package main

import (
	"fmt"
	"os"

	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"
)

// definitionLimit is the largest definition a record takes, in bytes.
const definitionLimit = 16 << 20

// createBots is the migration of a new data directory: the bots collection, the
// user who calls, and a superuser, without whom PocketBase opens its installer.
func createBots(app core.App) error {
	bots := core.NewBaseCollection("bots")
	bots.Fields.Add(
		&core.TextField{Name: "name", Required: true},
		&core.TextField{Name: "workspace", Required: true},
		&core.BoolField{Name: "dev"},
		&core.JSONField{Name: "tags"},
		&core.JSONField{Name: "definition", MaxSize: definitionLimit},
		&core.AutodateField{Name: "created", OnCreate: true},
		&core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true},
	)
	bots.AddIndex("idx_bots_workspace_created", false, "workspace, created", "")
	signedIn := types.Pointer("@request.auth.id != ''")
	bots.ListRule, bots.ViewRule, bots.CreateRule = signedIn, signedIn, signedIn
	if err := app.Save(bots); err != nil {
		return fmt.Errorf("create the bots collection: %w", err)
	}
	for _, name := range []string{"users", core.CollectionNameSuperusers} {
		if err := createCaller(app, name); err != nil {
			return err
		}
	}
	return nil
}

// createCaller adds the account named by the environment to an auth collection.
func createCaller(app core.App, collection string) error {
	owners, err := app.FindCollectionByNameOrId(collection)
	if err != nil {
		return fmt.Errorf("find the collection %s: %w", collection, err)
	}
	caller := core.NewRecord(owners)
	caller.SetEmail(os.Getenv(emailVariable))
	caller.SetPassword(os.Getenv(passwordVariable))
	if err := app.Save(caller); err != nil {
		return fmt.Errorf("create an account in %s from %s and %s: %w",
			collection, emailVariable, passwordVariable, err)
	}
	return nil
}
