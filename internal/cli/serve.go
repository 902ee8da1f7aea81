package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
)

type serveCommand struct {
	config.Config
	JSON bool `name:"json" help:"Print the account, workspace and token of the first start as JSON."`
}

// Run serves until the process is told to stop, or fails.
func (s *serveCommand) Run(ctx context.Context, c console) error {
	log := s.Logger(c.err)
	server, welcome, err := app.Start(ctx, s.Config, log)
	if err != nil {
		return err
	}
	if welcome != nil {
		if err := s.greet(c, server.URL(), *welcome); err != nil {
			return err
		}
	}
	log.Info("serving", "url", server.URL(), "version", app.Version, "engine", server.DB.Engine(), "data", s.Data, "dev", s.Dev)

	var failure error
	select {
	case <-ctx.Done():
		log.Info("stopping: requests in progress are finished first")
	case failure = <-server.Failed():
		log.Error("the server failed", "error", failure)
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(s.ShutdownTimeout, time.Second))
	defer cancel()
	if err := server.Stop(deadline); err != nil {
		return err
	}
	return failure
}

// greet prints what the first start created. The token is not logged.
func (s *serveCommand) greet(c console, url string, w app.Welcome) error {
	if s.JSON {
		return c.printJSON(struct {
			URL string `json:"url"`
			welcomeJSON
		}{url, welcomeOf(w)})
	}
	_, err := fmt.Fprintf(c.out, `botyard %s, first start. Keep the token: it is shown this once.

  URL        %s
  reference  %s/docs
  account    %s
  workspace  %s
  token      %s

  bp login --api-url %s --token %s --workspace-id %s
  curl -H "Authorization: Bearer %s" -H "x-workspace-id: %s" %s/v1/admin/bots

`, app.Version, url, url, w.Account.Email, w.Workspace, w.Token, url, w.Token, w.Workspace, w.Token, w.Workspace, url)
	return err
}

type accountJSON struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

type welcomeJSON struct {
	Account     accountJSON `json:"account"`
	WorkspaceID string      `json:"workspaceId"`
	Token       string      `json:"token"`
}

func welcomeOf(w app.Welcome) welcomeJSON {
	return welcomeJSON{accountJSON{string(w.Account.ID), w.Account.Email}, string(w.Workspace), w.Token}
}
