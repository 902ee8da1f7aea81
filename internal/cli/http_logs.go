package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/telemetry"
	"github.com/botyard/botyard/internal/wire"
)

type logsCommand struct {
	Tail logsTailCommand `cmd:"" help:"Print the log lines of a bot as they arrive, until interrupted."`
}

type logsTailCommand struct {
	URL   string       `name:"url" env:"BOTYARD_URL" default:"http://127.0.0.1:8400" help:"The server."`
	Token secret.Value `name:"token" env:"BOTYARD_TOKEN" required:"" help:"A personal access token of somebody who may read the bot."`
	Bot   string       `required:"" help:"The bot."`
	Level string       `default:"debug" enum:"debug,info,warn,error" help:"The lowest level to print: ${enum}."`
	JSON  bool         `name:"json" help:"Print each line as JSON."`
}

// The backoff between attempts to reach a server that went away.
const (
	firstWait = time.Second
	maxWait   = 30 * time.Second
	// silence is how long a server may send nothing before it is considered dead: it
	// sends a heartbeat every fifteen seconds.
	silence = time.Minute
)

// refusedError is an error that a retry does not fix.
type refusedError struct{ error }

// Run prints until it is interrupted, which is how it is meant to end.
func (l *logsTailCommand) Run(ctx context.Context, c console) error {
	last, wait := "", firstWait
	for {
		read, err := l.read(ctx, c, &last)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, new(refusedError)):
			return err
		case read:
			wait = firstWait
		}
		fmt.Fprintf(c.err, "botyard: the stream ended (%v); reconnecting in %s\n", err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, maxWait)
	}
}

// read prints one stream to its end, and reports whether it printed anything. last is the
// position of the last line that was printed.
func (l *logsTailCommand) read(ctx context.Context, c console, last *string) (read bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(silence, cancel)
	defer alive.Stop()
	query := url.Values{"botId": {l.Bot}, "level": {l.Level}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(l.URL, "/")+telemetry.TailPath+"?"+query.Encode(), nil)
	if err != nil {
		return false, refusedError{err}
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
				var end struct {
					Reason string `json:"reason"`
				}
				_ = json.Unmarshal([]byte(value), &end) // without a reason it has ended too
				return read, fmt.Errorf("the server ended it: %s", end.Reason)
			}
			if err := l.print(c, value); err != nil {
				return read, refusedError{err}
			}
			read, *last = true, place
		}
	}
}

// refusal is the error of a server that did not open the stream.
func refusal(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what is there is shown
	var f wire.Fault
	if json.Unmarshal(body, &f) != nil || f.Message == "" {
		f.Message = fmt.Sprintf("the server answered %s", response.Status)
	}
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return errors.New(f.Message)
	}
	return refusedError{errors.New(f.Message)}
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
		return fmt.Errorf("the server sent a line that cannot be read: %w", err)
	}
	_, err := fmt.Fprintf(c.out, "%s %-5s %s\n", line.Timestamp, line.Level, printable(line.Message))
	return err
}

// printable makes one line of what a bot wrote, and keeps it from controlling the terminal:
// unprintable characters, such as line ends and escape sequences, are escaped as in Go.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\t' || strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
