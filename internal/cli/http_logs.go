package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/telemetry"
	"github.com/botyard/botyard/internal/wire"
)

type logsCommand struct {
	Tail logsTailCommand `cmd:"" help:"Print the log lines of a bot as they come, until interrupted."`
}

type logsTailCommand struct {
	URL   string       `name:"url" env:"BOTYARD_URL" default:"http://127.0.0.1:8400" help:"The server."`
	Token secret.Value `name:"token" env:"BOTYARD_TOKEN" required:"" help:"A personal access token of someone who may read the bot."`
	Bot   string       `required:"" help:"The bot."`
	Level string       `default:"debug" enum:"debug,info,warn,error" help:"Least level that is printed: ${enum}."`
	JSON  bool         `name:"json" help:"Print each line as JSON."`
}

// Waits between attempts to reach a server that went away.
const (
	firstWait = time.Second
	maxWait   = 30 * time.Second
	// silence is how long a server says nothing before it is taken for dead: it
	// sends a heartbeat every fifteen seconds.
	silence = time.Minute
)

// errRefused is an answer that a repeat does not change.
var errRefused = errors.New("refused")

// Run prints until it is interrupted, which is how it is meant to end.
func (l *logsTailCommand) Run(ctx context.Context, c console) error {
	last, wait := "", firstWait
	for {
		read, err := l.read(ctx, c, &last)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errRefused):
			return err
		case read:
			wait = firstWait
		}
		fmt.Fprintf(c.err, "botyard: the stream broke off (%v); trying again in %s\n", err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, maxWait)
	}
}

// read prints one stream to its end, and says whether it told of anything. last is
// the place of the last line that was printed.
func (l *logsTailCommand) read(ctx context.Context, c console, last *string) (read bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(silence, cancel)
	defer alive.Stop()
	query := url.Values{"botId": {l.Bot}, "level": {l.Level}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(l.URL, "/")+telemetry.TailPath+"?"+query.Encode(), nil)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errRefused, err)
	}
	r.Header.Set("Authorization", "Bearer "+l.Token.Reveal())
	if *last != "" {
		r.Header.Set("Last-Event-ID", *last)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }() // only read
	if response.StatusCode != http.StatusOK {
		return false, refusal(response)
	}
	var event, place string
	lines := bufio.NewReader(response.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return read, err
		}
		alive.Reset(silence)
		field, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ": ")
		switch field {
		case "event":
			event = value
		case "id":
			place = value
		case "data":
			if event == "end" {
				return read, fmt.Errorf("the server ended it: %s", value)
			}
			if err := l.print(c, value); err != nil {
				return read, fmt.Errorf("%w: %w", errRefused, err)
			}
			read, *last = true, place
		}
	}
}

// refusal is what a server said that did not open the stream.
func refusal(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what is there is shown
	var f wire.Fault
	if json.Unmarshal(body, &f) != nil || f.Message == "" {
		f.Message = fmt.Sprintf("the server answered %s", response.Status)
	}
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return errors.New(f.Message)
	}
	return fmt.Errorf("%w: %s", errRefused, f.Message)
}

func (l *logsTailCommand) print(c console, data string) error {
	if l.JSON {
		_, err := fmt.Fprintln(c.out, data)
		return err
	}
	var line struct {
		Timestamp, Level, Message string
	}
	if err := json.Unmarshal([]byte(data), &line, json.MatchCaseInsensitiveNames(true)); err != nil {
		return fmt.Errorf("the server sent a line that is none: %w", err)
	}
	_, err := fmt.Fprintf(c.out, "%s %-5s %s\n", line.Timestamp, line.Level, line.Message)
	return err
}
