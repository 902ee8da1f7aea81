package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/secret"
)

// maxSecretFile bounds a file that holds a secret, in bytes.
const maxSecretFile = 1 << 20

// AfterApply reads the secrets that are in files and validates. kong calls it
// after parsing. Its error names the setting, the value unless that is secret,
// and what would be right; several are joined.
func (i *Installation) AfterApply() error {
	return errors.Join(
		takeFromFile("database_url", &i.DatabaseURL, i.DatabaseURLFile),
		takeFromFile("secret_key", &i.SecretKey, i.SecretKeyFile),
		i.checkData(),
		i.checkDatabaseURL(),
		checkRange("database_max_connections", i.DatabaseMaxConnections, 1, 10_000),
		i.checkBlobURL(),
		i.checkSecretKey(),
		i.checkPlans(),
		i.checkCalls(),
		checkRange("retention_logs", i.RetentionLogs, 1, 3650),
		checkRange("retention_events", i.RetentionEvents, 1, 3650),
		i.checkSessionSilence(),
	)
}

// AfterApply does for the settings of the server what Installation's does for
// its own; kong calls both.
func (c *Config) AfterApply() error {
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	return errors.Join(
		takeFromFile("bootstrap_token", &c.BootstrapToken, c.BootstrapTokenFile),
		takeFromFile("redis_url", &c.RedisURL, c.RedisURLFile),
		takeFromFile("quota_webhook_secret", &c.QuotaWebhookSecret, c.QuotaWebhookSecretFile),
		c.checkTrustedProxies(),
		c.checkRedisURL(),
		c.checkQuotaWebhook(),
		takeFromFile("stripe_key", &c.StripeKey, c.StripeKeyFile),
		takeFromFile("stripe_webhook_secret", &c.StripeWebhookSecret, c.StripeWebhookSecretFile),
		c.checkPayment(),
		c.checkListen(),
		c.checkPublicURL(),
		checkWebchatURL("webchat_host_url", &c.WebchatHostURL),
		checkWebchatURL("webchat_messaging_url", &c.WebchatMessagingURL),
		checkWebchatURL("webchat_files_url", &c.WebchatFilesURL),
		checkRange("rate_limit_workspace", c.RateLimitWorkspace, 0, 1_000_000_000),
		checkRange("rate_limit_token", c.RateLimitToken, 0, 1_000_000_000),
		checkRange("rate_limit_bot_key", c.RateLimitBotKey, 0, 1_000_000_000),
		checkRange("rate_limit_integration_key", c.RateLimitIntegrationKey, 0, 1_000_000_000),
		c.checkBodies(),
		checkRange("max_parallel_uploads", c.MaxParallelUploads, 1, 10_000),
		checkPositive("read_header_timeout", c.ReadHeaderTimeout),
		checkPositive("read_timeout", c.ReadTimeout),
		checkPositive("request_timeout", c.RequestTimeout),
		checkPositive("idle_timeout", c.IdleTimeout),
		checkPositive("shutdown_timeout", c.ShutdownTimeout),
		c.checkBootstrapEmail(),
		c.checkMemoryLimit(),
	)
}

// takeFromFile puts the content of file, without spaces around it, into value.
func takeFromFile(key string, value *secret.Value, file string) error {
	if file == "" {
		return nil
	}
	if *value != "" {
		return fmt.Errorf("%s and %s_file are both set; set one of them", key, key)
	}
	opened, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("%s_file cannot be read: %w", key, err)
	}
	defer opened.Close()
	text, err := io.ReadAll(io.LimitReader(opened, maxSecretFile+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s_file cannot be read: %w", key, err)
	case len(text) > maxSecretFile:
		return fmt.Errorf("%s_file %s has more than %d bytes; it must hold the secret alone", key, file, maxSecretFile)
	}
	*value = secret.Value(strings.TrimSpace(string(text)))
	if *value == "" {
		return fmt.Errorf("%s_file %s is empty; it must hold the secret", key, file)
	}
	return nil
}

func (i *Installation) checkData() error {
	if i.Data == "" {
		return errors.New("data is empty; it must name a directory, such as ./botyard-data")
	}
	return nil
}

// checkDatabaseURL does not quote the URL: it may hold a password.
func (i *Installation) checkDatabaseURL() error {
	if i.DatabaseURL == "" {
		return nil
	}
	scheme, _, found := strings.Cut(i.DatabaseURL.Reveal(), "://")
	if !found || scheme != "postgres" && scheme != "postgresql" {
		return errors.New("database_url must begin with postgres:// or postgresql://; leave it out for SQLite in the data directory")
	}
	return nil
}

func (i *Installation) checkBlobURL() error {
	if i.BlobURL == "" || strings.HasPrefix(i.BlobURL, "file:///") {
		return nil
	}
	if bucket, isS3 := strings.CutPrefix(i.BlobURL, "s3://"); isS3 && bucket != "" {
		return nil
	}
	return fmt.Errorf("blob_url is %q; it must be s3://bucket?region=... or file:///directory", i.BlobURL)
}

func (i *Installation) checkSecretKey() error {
	if i.SecretKey == "" {
		return nil
	}
	if _, err := secret.Parse(i.SecretKey.Reveal()); err != nil {
		return fmt.Errorf("secret_key is not the text of a key file: %w", err)
	}
	return nil
}

func (i *Installation) checkPlans() error {
	_, err := i.Catalog()
	return err
}

func (c *Config) checkListen() error {
	_, port, err := net.SplitHostPort(c.Listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("listen is %q; it must be an address and a port from 0 to 65535, such as 127.0.0.1:8400 or :8400", c.Listen)
	}
	return nil
}

// checkWebchatURL drops the slash at the end of an address that pages will load.
func checkWebchatURL(key string, address *string) error {
	*address = strings.TrimRight(*address, "/")
	u, err := url.Parse(*address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s is %q; it must be http:// or https://, a host and at most a port and a path, such as https://chat.example.com/v1", key, *address)
	}
	return nil
}

func (c *Config) checkTrustedProxies() error {
	_, err := c.Proxies()
	return err
}

// Proxies is what trusted_proxies names.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	return prefixes("trusted_proxies", c.TrustedProxies)
}

// checkRedisURL does not show the URL: it may hold a password.
func (c *Config) checkRedisURL() error {
	if c.RedisURL == "" {
		return nil
	}
	if _, err := redis.ParseURL(c.RedisURL.Reveal()); err != nil {
		return errors.New("redis_url must be redis://host:port/0, rediss:// for TLS, or unix:///path of a socket")
	}
	return nil
}

// minWebhookSecret is how many characters a secret for signatures must have.
const minWebhookSecret = 16

func (c *Config) checkQuotaWebhook() error {
	if c.QuotaWebhookURL == "" {
		return nil
	}
	u, err := url.Parse(c.QuotaWebhookURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("quota_webhook_url is %q; it must be http:// or https:// and a host, such as https://ops.example.com/quotas", c.QuotaWebhookURL)
	}
	if n := len(c.QuotaWebhookSecret.Reveal()); n < minWebhookSecret {
		return fmt.Errorf("quota_webhook_secret has %d characters; a webhook needs one of %d at least, so that who is told can check who tells", n, minWebhookSecret)
	}
	return nil
}

func (c *Config) checkPublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("public_url is %q; it must be http:// or https://, a host and at most a port and a path, such as https://botyard.example.com", c.PublicURL)
	}
	return nil
}

// checkPayment does not quote keys. Files are read before it is called.
func (c *Config) checkPayment() error {
	const maxText = 2000
	switch {
	case len(c.InvoiceSeller) > maxText || len(c.InvoiceNote) > maxText:
		return fmt.Errorf("invoice_seller has %d bytes and invoice_note %d; both may have %d", len(c.InvoiceSeller), len(c.InvoiceNote), maxText)
	case c.PaymentProvider == "test" && !c.Dev:
		return errors.New("payment_provider is test, which takes play money: it is for --dev alone")
	case c.PaymentProvider != "stripe":
		return nil
	}
	if key := c.StripeKey.Reveal(); !strings.HasPrefix(key, "sk_") && !strings.HasPrefix(key, "rk_") {
		return errors.New("payment_provider is stripe, so stripe_key must be the secret key of the account: it begins with sk_ or rk_")
	}
	if text := c.StripeWebhookSecret.Reveal(); text != "" && !strings.HasPrefix(text, "whsec_") {
		return errors.New("stripe_webhook_secret must be the secret of the webhook endpoint: it begins with whsec_")
	}
	if c.StripeURL == "" {
		return nil
	}
	// The key is sent there: in the clear to this machine alone.
	u, err := url.Parse(c.StripeURL)
	if err == nil && u.Hostname() != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())) {
		return nil
	}
	return fmt.Errorf("stripe_url is %q; it must be https:// and a host, or http:// and an address of this machine", c.StripeURL)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Payments is payment_provider, decided: manual, stripe or test.
func (c *Config) Payments() string {
	switch {
	case c.PaymentProvider != "auto":
		return c.PaymentProvider
	case c.Dev:
		return "test"
	}
	return "manual"
}

func (c *Config) checkBodies() error {
	const most = 1 << 30
	switch {
	case c.MaxBody < 1<<10 || c.MaxBody > most:
		return fmt.Errorf("max_body is %s; it must be from 1KiB to 1GiB", c.MaxBody)
	case c.MaxCodeBody < c.MaxBody || c.MaxCodeBody > most:
		return fmt.Errorf("max_code_body is %s; it must be from max_body, which is %s, to 1GiB", c.MaxCodeBody, c.MaxBody)
	}
	return nil
}

func (c *Config) checkBootstrapEmail() error {
	if c.BootstrapEmail == "" {
		return nil
	}
	if address, err := mail.ParseAddress(c.BootstrapEmail); err != nil || address.Address != c.BootstrapEmail {
		return fmt.Errorf("bootstrap_email is %q; it must be an address alone, such as owner@example.com", c.BootstrapEmail)
	}
	return nil
}

func (c *Config) checkMemoryLimit() error {
	const least = 32 << 20
	if c.MemoryLimit != 0 && c.MemoryLimit < least {
		return fmt.Errorf("memory_limit is %s; it must be at least 32MiB, or 0 for none", c.MemoryLimit)
	}
	return nil
}

func (i *Installation) checkSessionSilence() error {
	if i.SessionSilence < time.Minute || i.SessionSilence > 24*time.Hour {
		return fmt.Errorf("session_silence is %s; it must be from 1m to 24h", i.SessionSilence)
	}
	return nil
}

func checkRange(key string, value, least, most int) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %d; it must be from %d to %d", key, value, least, most)
	}
	return nil
}

func checkPositive(key string, value time.Duration) error {
	if value <= 0 {
		return fmt.Errorf("%s is %s; it must be longer than 0, such as 20s", key, value)
	}
	return nil
}

// Keys opens the key ring: the keys of secret_key, or else those of the file
// secret.key in the data directory, which must exist. A missing file is made when
// createIfMissing says so.
func (i *Installation) Keys(createIfMissing bool) (*secret.Keyring, error) {
	if i.SecretKey != "" {
		return secret.Parse(i.SecretKey.Reveal())
	}
	return secret.Open(i.KeyFile(), createIfMissing)
}

// KeyFile is the path of the key file: secret_key_file, or secret.key in the data
// directory.
func (i *Installation) KeyFile() string {
	if i.SecretKeyFile != "" {
		return i.SecretKeyFile
	}
	return filepath.Join(i.Data, "secret.key")
}

// Blobs is the URL of the blobs: blob_url, or the directory blobs in the data
// directory.
func (i *Installation) Blobs() (string, error) {
	if i.BlobURL != "" {
		return i.BlobURL, nil
	}
	absolute, err := filepath.Abs(filepath.Join(i.Data, "blobs"))
	if err != nil {
		return "", fmt.Errorf("data is %q, which has no absolute path: %w", i.Data, err)
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}).String(), nil
}

// maxPlans bounds the file of the catalogue, in bytes.
const maxPlans = 1 << 20

// Catalog is the catalogue of plans: that of the file of plans, or the published one.
func (i *Installation) Catalog() (*plan.Catalog, error) {
	if i.Plans == "" {
		return plan.Default(), nil
	}
	opened, err := os.Open(i.Plans)
	if err != nil {
		return nil, fmt.Errorf("plans cannot be read: %w", err)
	}
	defer opened.Close()
	text, err := io.ReadAll(io.LimitReader(opened, maxPlans+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("plans cannot be read: %w", err)
	case len(text) > maxPlans:
		return nil, fmt.Errorf("plans: %s has more than %d bytes", i.Plans, maxPlans)
	}
	c, err := plan.Read(text)
	if err != nil {
		return nil, fmt.Errorf("plans: %s: %w", i.Plans, err)
	}
	return c, nil
}

// Logger is a logger that writes to w as log_level and log_format say.
func (i *Installation) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{}
	switch i.LogLevel {
	case "debug":
		options.Level = slog.LevelDebug
	case "warn":
		options.Level = slog.LevelWarn
	case "error":
		options.Level = slog.LevelError
	}
	if i.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
