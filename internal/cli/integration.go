package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/catalog"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
)

type integrationCommand struct {
	Verify    verifyCommand    `cmd:"" help:"Answer the request to review an integration."`
	Deprecate deprecateCommand `cmd:"" help:"Prevent new installations of an integration."`
	Ping      pingCommand      `cmd:"" help:"Check that an installed integration answers at its URL."`
}

type verifyCommand struct {
	ID     string `name:"id" required:"" help:"The integration's id."`
	Status string `name:"status" required:"" enum:"approved,rejected" help:"The outcome: approved or rejected."`
	JSON   bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run records the outcome of a review.
func (v *verifyCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, v.Installation, c, func(it *app.App) error {
		if err := it.Catalog.Review(ctx, id.Integration(v.ID), catalog.Verification(v.Status)); err != nil {
			return err
		}
		if v.JSON {
			return c.printJSON(map[string]string{"integrationId": v.ID, "verificationStatus": v.Status})
		}
		_, err := fmt.Fprintf(c.out, "Integration %s is %s.\n", v.ID, v.Status)
		return err
	})
}

type deprecateCommand struct {
	ID   string `name:"id" required:"" help:"The integration's id."`
	JSON bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run deprecates an integration. Bots that have it keep it.
func (d *deprecateCommand) Run(ctx context.Context, c console) error {
	return deprecate(ctx, d.Installation, c, catalog.IntegrationKind, d.ID, d.JSON, func(s *catalog.Service) error {
		return s.Deprecate(ctx, id.Integration(d.ID))
	})
}

// deprecate deprecates a package by do, and prints the result.
func deprecate(ctx context.Context, in config.Installation, c console, k catalog.Kind, packageID string, asJSON bool, do func(*catalog.Service) error) error {
	return withInstallation(ctx, in, c, func(it *app.App) error {
		if err := do(it.Catalog); err != nil {
			return err
		}
		if asJSON {
			return c.printJSON(map[string]string{string(k) + "Id": packageID, "lifecycleStatus": string(catalog.Deprecated)})
		}
		kind := strings.ToUpper(string(k[:1])) + string(k[1:])
		_, err := fmt.Fprintf(c.out, "%s %s is deprecated: bots that have it keep it, and no other bot can install it.\n", kind, packageID)
		return err
	})
}

type pingCommand struct {
	Webhook string `name:"webhook" required:"" help:"The webhook id of the installed integration."`
	JSON    bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run calls an installed integration as a server would, from this machine.
func (p *pingCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, p.Installation, c, func(it *app.App) error {
		i, found, err := it.Bots.Called(ctx, id.Webhook(p.Webhook))
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("no installed integration has the webhook %q; getBot shows the webhooks of a bot", p.Webhook)
		}
		if err := it.Dispatch.Ping(ctx, i.Callee); err != nil {
			return err
		}
		if p.JSON {
			return c.printJSON(map[string]string{"integrationId": string(i.Integration), "webhookId": p.Webhook, "url": i.Endpoint.URL})
		}
		_, err = fmt.Fprintf(c.out, "Integration %s answers at %s.\n", i.Integration, i.Endpoint.URL)
		return err
	})
}
