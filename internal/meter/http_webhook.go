package meter

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/secret"
)

// Webhook tells the operator of warnings, at an address that the operator chose and
// that may well be a private one. The zero Webhook tells nobody.
type Webhook struct {
	URL    string
	Secret secret.Value
	Clock  clock.Clock
}

// SignatureHeader is where a call of the webhook is signed: t=<seconds since 1970>,
// v1=<the hex of HMAC-SHA256, with the secret, of the seconds, a dot and the body>.
// Whoever is called compares the signature, and refuses seconds that are long past.
const SignatureHeader = "X-Botyard-Signature"

// webhookTime is how long a call may take.
const webhookTime = 15 * time.Second

// webhookClient follows no redirect: the signature is for who was configured.
var webhookClient = &http.Client{
	Timeout:       webhookTime,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Tell does a job of kind JobWarn: it sends the warning as it was put into the queue.
// An answer other than 2xx is an error, and the job is done again later.
func (w Webhook) Tell(ctx context.Context, job jobs.Job) error {
	if w.URL == "" {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(job.Payload))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(w.Clock.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "botyard")
	r.Header.Set(SignatureHeader, "t="+at+",v1="+signature(w.Secret, at, job.Payload))
	answer, err := webhookClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // only read
	if _, err := io.CopyN(io.Discard, answer.Body, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the quota webhook answered %s", answer.Status)
	}
	return nil
}

// signature is the HMAC of a moment and a body.
func signature(key secret.Value, at string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
