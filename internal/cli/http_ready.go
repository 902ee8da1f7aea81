package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/fault"
)

type readyCommand struct {
	URL string `name:"url" env:"BOTYARD_URL" default:"http://127.0.0.1:8400" help:"The server."`
}

const (
	// readyTime is a little more than the server takes at most.
	readyTime = 6 * time.Second
	// maxReasons bounds the answer, in bytes.
	maxReasons = 4 << 10
)

// Run asks a running server. It is for the health check of a container that holds no other
// program.
func (r *readyCommand) Run(ctx context.Context, c console) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.URL, "/")+"/readyz", nil)
	if err != nil {
		return usageError{fmt.Errorf("--url: %w", err)}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read as far as it is wanted
	reasons, err := io.ReadAll(io.LimitReader(answer.Body, maxReasons))
	if err != nil {
		return fmt.Errorf("the server's answer ended prematurely: %w", err)
	}
	text := strings.TrimSpace(string(reasons))
	if answer.StatusCode != http.StatusOK {
		return errors.New("the server is not ready: HTTP " + answer.Status + " " + fault.BoundedTo(text, maxReasons))
	}
	_, err = fmt.Fprintln(c.out, text)
	return err
}
