package config

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/secret"
)

// TestMain keeps the settings of who runs the tests out of them.
func TestMain(m *testing.M) {
	for _, s := range settings() {
		os.Unsetenv(s.env)
	}
	os.Exit(m.Run())
}

// grammar is shaped as a real command line is: one command with all settings,
// one with those of the installation and a flag of its own, one with none.
type grammar struct {
	Serve struct {
		Config `embed:""`
	} `cmd:""`
	Account struct {
		Installation `embed:""`
		Email        string `name:"email"`
		// The same name as a setting of the server, but another thing.
		MaxBody string `name:"max-body" default:"own"`
	} `cmd:""`
	Version struct{} `cmd:""`
}

func parse(t *testing.T, args ...string) (*grammar, error) {
	t.Helper()
	g := &grammar{}
	parser, err := kong.New(g, kong.Name("botyard"), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return g, err
}

func mustServe(t *testing.T, args ...string) Config {
	t.Helper()
	g, err := parse(t, append([]string{"serve"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return g.Serve.Config
}

func write(t *testing.T, name, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	want := Config{
		Installation: Installation{
			Data:                   "./botyard-data",
			DatabaseMaxConnections: 20,
			DatabaseExecMode:       "cache_statement",
			SQLiteSynchronous:      "FULL",
			Calls: Calls{
				CallTimeout: 2 * time.Minute, RegistrationWait: 10 * time.Second,
				WebhookMaxBody: 4 << 20, WebhookConcurrency: 1024, WebhookMemory: 256 << 20,
			},
			LogLevel:      "info",
			LogFormat:     "text",
			RetentionLogs: 30, RetentionEvents: 90, SessionSilence: 30 * time.Minute,
		},
		Listen:         "127.0.0.1:8400",
		WebchatHostURL: "https://cdn.botpress.cloud/webchat/v1", WebchatMessagingURL: "https://messaging.botpress.cloud",
		WebchatFilesURL: "https://mediafiles.botpress.cloud", WebchatIntegration: "webchat",
		RateLimitWorkspace: 10000,
		RateLimitToken:     10000,
		RateLimitBotKey:    10000, RateLimitIntegrationKey: 10000,
		MaxBody:            1 << 20,
		MaxCodeBody:        64 << 20,
		MaxParallelUploads: 4,
		ReadHeaderTimeout:  10 * time.Second,
		ReadTimeout:        5 * time.Minute,
		RequestTimeout:     time.Minute,
		IdleTimeout:        2 * time.Minute,
		ShutdownTimeout:    20 * time.Second,
		PaymentProvider:    "auto",
	}
	if diff := cmp.Diff(want, mustServe(t)); diff != "" {
		t.Error(diff)
	}
	want.File = write(t, "empty.yaml", "# nothing\n")
	if diff := cmp.Diff(want, mustServe(t, "--config", want.File)); diff != "" {
		t.Error(diff)
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "botyard.yaml", "listen: ':3'\nlog_level: error\nshutdown_timeout: 3s\nmax_body: 3MiB\ndev: yes\n")
	t.Setenv("BOTYARD_LISTEN", ":2")
	t.Setenv("BOTYARD_LOG_LEVEL", "warn")
	t.Setenv("BOTYARD_SHUTDOWN_TIMEOUT", "2s")
	got := mustServe(t, "--config", file, "--listen", ":1")
	if got.Listen != ":1" {
		t.Errorf("listen is %q: the flag must win over environment and file", got.Listen)
	}
	if got.LogLevel != "warn" || got.ShutdownTimeout != 2*time.Second {
		t.Errorf("log_level is %q, shutdown_timeout %s: the environment must win over the file", got.LogLevel, got.ShutdownTimeout)
	}
	if got.MaxBody != 3<<20 || !got.Dev {
		t.Errorf("max_body is %s, dev %v: the file must win over the default", got.MaxBody, got.Dev)
	}
	if got.LogFormat != "text" {
		t.Errorf("log_format is %q: the default must be taken", got.LogFormat)
	}
	// A flag with the value of the default still wins.
	if got := mustServe(t, "--config", file, "--log-level", "info", "--dev=false"); got.LogLevel != "info" || got.Dev {
		t.Errorf("log_level is %q, dev %v", got.LogLevel, got.Dev)
	}
}

// TestEverySource gives every setting a value by flag, by environment and by
// both forms of file, and expects the same Config.
func TestEverySource(t *testing.T) {
	keys := write(t, "keys", "k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	catalogue := write(t, "plans.yaml", plan.Published())
	values := map[string]string{
		"plans": catalogue, "data": "/srv", "dev": "true", "database_url": "postgres://u:p@h/d", "database_max_connections": "7",
		"database_exec_mode": "exec", "sqlite_synchronous": "NORMAL", "retention_logs": "7", "retention_events": "8", "session_silence": "45m", "blob_url": "s3://b?region=r",
		"secret_key_file": keys, "log_level": "debug", "log_format": "json", "listen": "[::1]:0",
		"webchat_host_url": "https://chat.example.com/v1", "webchat_messaging_url": "https://messages.example.com",
		"webchat_files_url": "https://files.example.com", "webchat_integration": "talk",
		"public_url": "https://example.com/yard", "rate_limit_workspace": "0", "rate_limit_token": "5",
		"rate_limit_bot_key": "6", "rate_limit_integration_key": "7", "redis_url": "redis://:p@h:6379/1", "trusted_proxies": "127.0.0.1, fd00::/8",
		"quota_webhook_url": "https://ops.example.com/quotas", "quota_webhook_secret": "0123456789abcdef",
		"max_body": "2MiB", "max_code_body": "3000000", "max_parallel_uploads": "2", "read_header_timeout": "1s",
		"read_timeout": "2s", "request_timeout": "3s", "idle_timeout": "4s", "shutdown_timeout": "1m30s",
		"bootstrap_email": "a@example.com", "bootstrap_name": "A", "bootstrap_token": "bp_pat_x", "memory_limit": "1GiB",
		"egress_allow": "10.0.0.0/8, fd00::1", "call_timeout": "9s", "registration_wait": "8s",
		"webhook_max_body": "1MiB", "tunnels": "true", "trace_calls": "true", "webhook_concurrency": "7", "webhook_memory": "16MiB",
		"payment_provider": "stripe", "stripe_key": "sk_x", "stripe_webhook_secret": "whsec_x", "stripe_url": "https://stripe.example.com",
		"invoice_seller": "A Ltd", "invoice_note": "Thank you",
	}
	// The twins of what is set above cannot be set too.
	twins := map[string]bool{"database_url_file": true, "secret_key": true, "bootstrap_token_file": true, "redis_url_file": true, "quota_webhook_secret_file": true, "stripe_key_file": true, "stripe_webhook_secret_file": true}
	var flags []string
	yaml, json := "", "{\"$schema\": \"config.schema.json\""
	for _, s := range fileSettings() {
		value, given := values[s.key()]
		if !given {
			if !twins[s.key()] {
				t.Errorf("the test has no value for %s", s.key())
			}
			continue
		}
		if s.kind == boolKind {
			flags = append(flags, "--"+s.flag)
		} else {
			flags = append(flags, "--"+s.flag, value)
		}
		quoted := `"` + value + `"`
		if s.kind == boolKind || s.kind == intKind {
			quoted = value
		}
		yaml += s.key() + ": " + quoted + "\n"
		json += ",\n\"" + s.key() + "\": " + quoted
	}
	want := mustServe(t, flags...)
	if want.SecretKey == "" || want.MaxCodeBody != 3_000_000 || want.ShutdownTimeout != 90*time.Second {
		t.Errorf("the flags give %+v", want)
	}
	for _, file := range []string{write(t, "c.yaml", yaml), write(t, "c.json", json+"}"), write(t, "c", yaml)} {
		got := mustServe(t, "--config", file)
		got.File = ""
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b secret.Value) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
	for _, s := range fileSettings() {
		if value, given := values[s.key()]; given {
			t.Setenv(s.env, value)
		}
	}
	if diff := cmp.Diff(want, mustServe(t)); diff != "" {
		t.Errorf("environment: %s", diff)
	}
}

func TestFileByEnvironment(t *testing.T) {
	t.Setenv("BOTYARD_CONFIG", write(t, "c.yaml", "data: /srv\nlisten: ':9'\nmax_body: 2MiB\n"))
	if got := mustServe(t); got.Data != "/srv" || got.Listen != ":9" {
		t.Errorf("serve: data is %q, listen %q", got.Data, got.Listen)
	}
	// A command that needs less takes its part of the same file.
	g, err := parse(t, "account", "--email", "a@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if g.Account.Data != "/srv" || g.Account.MaxBody != "own" {
		t.Errorf("account: data is %q, its own max-body %q", g.Account.Data, g.Account.MaxBody)
	}
	// A command that needs none does not read it.
	t.Setenv("BOTYARD_CONFIG", "/does/not/exist")
	if _, err := parse(t, "version"); err != nil {
		t.Error(err)
	}
	if _, err := parse(t, "serve"); err == nil {
		t.Error("serve takes a file that does not exist")
	}
}

func TestFileRefuses(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"unknown key":          {"c.yaml", "databse_url: x", `there is no setting "databse_url"; the nearest is "database_url"`},
		"unknown key, JSON":    {"c.json", `{"loglevel":"info"}`, `there is no setting "loglevel"; the nearest is "log_level"`},
		"flag's spelling":      {"c.yaml", "log-level: info", `the nearest is "log_level"`},
		"upper case":           {"c.yaml", "LISTEN: x", `the nearest is "listen"`},
		"the file itself":      {"c.yaml", "config: x", `there is no setting "config"`},
		"a list":               {"c.yaml", "listen: [a, b]", "listen must be one value"},
		"a map, JSON":          {"c.json", `{"listen":{}}`, "listen must be one value"},
		"twice":                {"c.yaml", "listen: ':1'\nlisten: ':2'", "listen"},
		"twice, JSON":          {"c.json", `{"listen":":1","listen":":2"}`, "listen"},
		"two documents":        {"c.yaml", "listen: ':1'\n---\nlisten: ':2'", "2 YAML documents"},
		"not a map":            {"c.yaml", "- listen", "c.yaml"},
		"not YAML":             {"c.yaml", "listen: [", "c.yaml"},
		"not JSON":             {"c.json", "listen: x", "c.json"},
		"bad duration":         {"c.yaml", "shutdown_timeout: 20", "shutdown-timeout"},
		"bad size":             {"c.yaml", "max_body: 1MB5", `"1MB5" is not an amount of bytes`},
		"bad choice":           {"c.yaml", "log_level: loud", `--log-level must be one of "debug","info","warn","error" but got "loud"`},
		"bad number":           {"c.yaml", "rate_limit_token: many", "rate-limit-token"},
		"out of range":         {"c.yaml", "max_parallel_uploads: 0", "max_parallel_uploads is 0; it must be from 1"},
		"installation's, too":  {"c.yaml", "database_max_connections: -1", "database_max_connections is -1"},
		"too soon":             {"c.yaml", "session_silence: 59s", "session_silence is 59s; it must be from 1m to 24h"},
		"too late":             {"c.yaml", "session_silence: 24h1s", "session_silence is 24h0m1s"},
		"both twins":           {"c.yaml", "database_url: postgres://h\ndatabase_url_file: /x", "database_url and database_url_file are both set"},
		"proxy by name":        {"c.yaml", "trusted_proxies: proxy.internal", `trusted_proxies has "proxy.internal"`},
		"other redis":          {"c.yaml", "redis_url: http://h", "redis_url must be redis://"},
		"unsigned webhook":     {"c.yaml", "quota_webhook_url: https://h/q", "quota_webhook_secret has 0 characters"},
		"webhook nowhere":      {"c.yaml", "quota_webhook_url: h/q", "quota_webhook_url is"},
		"missing secret file":  {"c.yaml", "bootstrap_token_file: /does/not/exist", "bootstrap_token_file cannot be read"},
		"directory for secret": {"c.yaml", "bootstrap_token_file: /", "bootstrap_token_file cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, "serve", "--config", write(t, test.file, test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := parse(t, "serve", "--config", "/does/not/exist"); err == nil || !strings.Contains(err.Error(), "config file /does/not/exist") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestEmptyValuesInAFileAreNotSet(t *testing.T) {
	got := mustServe(t, "--config", write(t, "c.yaml", "listen:\ndata: ~\nlog_level: null\n"))
	if got.Listen != "127.0.0.1:8400" || got.Data != "./botyard-data" || got.LogLevel != "info" {
		t.Errorf("got %q, %q, %q", got.Listen, got.Data, got.LogLevel)
	}
	if got := mustServe(t, "--config", write(t, "c.json", `{"listen":null}`)); got.Listen != "127.0.0.1:8400" {
		t.Errorf("got %q", got.Listen)
	}
}

func TestSecretFiles(t *testing.T) {
	url := write(t, "url", "  postgres://from-file\n\n")
	for name, give := range map[string]func(t *testing.T) []string{
		"flag":        func(*testing.T) []string { return []string{"--database-url-file", url} },
		"environment": func(t *testing.T) []string { t.Setenv("BOTYARD_DATABASE_URL_FILE", url); return nil },
		"file": func(t *testing.T) []string {
			return []string{"--config", write(t, "c.yaml", "database_url_file: "+url)}
		},
		"flag over file": func(t *testing.T) []string {
			return []string{"--config", write(t, "c.yaml", "database_url: postgres://other"), "--database-url-file", url}
		},
		"environment over file": func(t *testing.T) []string {
			t.Setenv("BOTYARD_DATABASE_URL_FILE", url)
			return []string{"--config", write(t, "c.yaml", "database_url: postgres://other")}
		},
		"value in the environment over name in the file": func(t *testing.T) []string {
			t.Setenv("BOTYARD_DATABASE_URL", "postgres://from-file")
			return []string{"--config", write(t, "c.yaml", "database_url_file: /does/not/exist")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustServe(t, give(t)...).DatabaseURL.Reveal(); got != "postgres://from-file" {
				t.Errorf("database_url is %q", got)
			}
		})
	}
	t.Setenv("BOTYARD_DATABASE_URL", "postgres://env")
	if _, err := parse(t, "serve", "--database-url-file", url); err == nil || !strings.Contains(err.Error(), "both set") {
		t.Errorf("a value in the environment and a file by flag: %v", err)
	}
	if _, err := parse(t, "serve", "--bootstrap-token-file", write(t, "empty", " \n")); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty file: %v", err)
	}
	if _, err := parse(t, "serve", "--bootstrap-token-file", write(t, "big", strings.Repeat("x", maxSecretFile+1))); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestValidation(t *testing.T) {
	for flag, bad := range map[string][]string{
		"data":                     {""},
		"database-url":             {"mysql://u:hunter2@h/d", "host=x password=hunter2"},
		"database-exec-mode":       {"fast"},
		"sqlite-synchronous":       {"OFF", "full"},
		"blob-url":                 {"blobs", "file://x", "s3://", "gs://b"},
		"secret-key":               {"hunter2", "k hunter2"},
		"listen":                   {"", "8400", "127.0.0.1", ":x", ":70000", ":-1", "a:b:1"},
		"webchat-host-url":         {"", "chat.example.com", "https://u@h", "https://h?a=b"},
		"public-url":               {"example.com", "ftp://x", "https://", "https://u@h", "https://h?a=b", "https://h#a", "https://:8400"},
		"rate-limit-workspace":     {"-1"},
		"max-body":                 {"0", "2GiB", "-1"},
		"max-code-body":            {"1KiB"},
		"shutdown-timeout":         {"0s", "-1s"},
		"request-timeout":          {"0"},
		"bootstrap-email":          {"x", "A <a@example.com>", "a@b, c@d"},
		"memory-limit":             {"1MiB"},
		"database-max-connections": {"0", "x"},
	} {
		for _, value := range bad {
			_, err := parse(t, "serve", "--"+flag+"="+value)
			if err == nil {
				t.Errorf("--%s=%s is taken", flag, value)
				continue
			}
			if message := err.Error(); !strings.Contains(message, flag) && !strings.Contains(message, strings.ReplaceAll(flag, "-", "_")) {
				t.Errorf("--%s=%s: the error does not name the setting: %v", flag, value, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("--%s: the error quotes a secret: %v", flag, err)
			}
		}
	}
	for flag, good := range map[string][]string{
		"database-url": {"postgres://h/d", "postgresql://h/d"},
		"blob-url":     {"file:///srv/blobs", "s3://b?region=r"},
		"listen":       {":0", "0.0.0.0:80", "[::]:65535", "localhost:8400"},
		"public-url":   {"http://localhost:8400", "https://example.com/yard/"},
		"memory-limit": {"0", "32MiB", "4GB"},
	} {
		for _, value := range good {
			if _, err := parse(t, "serve", "--"+flag+"="+value); err != nil {
				t.Errorf("--%s=%s: %v", flag, value, err)
			}
		}
	}
	if got := mustServe(t, "--public-url", "https://example.com/yard/").PublicURL; got != "https://example.com/yard" {
		t.Errorf("public_url is %q", got)
	}
	if _, err := parse(t, "serve", "--listen=x", "--idle-timeout=0s"); err == nil || !strings.Contains(err.Error(), "listen is") || !strings.Contains(err.Error(), "idle_timeout is") {
		t.Errorf("two mistakes are not told at once: %v", err)
	}
}

func TestPayments(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "manual",
		"--dev":                           "test",
		"--dev --payment-provider=manual": "manual",
		"--dev --payment-provider=test":   "test",
		"--payment-provider=stripe --stripe-key=sk_1":                                 "stripe",
		"--payment-provider=stripe --stripe-key=rk_1 --stripe-url=http://127.0.0.1:1": "stripe",
	} {
		c := mustServe(t, strings.Fields(text)...)
		if got := c.Payments(); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for text, says := range map[string]string{
		"--payment-provider=test":                           "--dev",
		"--payment-provider=cash":                           "payment-provider",
		"--payment-provider=stripe":                         "stripe_key",
		"--payment-provider=stripe --stripe-key=pk_hunter2": "stripe_key",
		"--payment-provider=stripe --stripe-key=sk_1 --stripe-webhook-secret=hunter2":  "stripe_webhook_secret",
		"--payment-provider=stripe --stripe-key=sk_1 --stripe-url=http://example.com":  "stripe_url",
		"--payment-provider=stripe --stripe-key=sk_1 --stripe-url=https://u:p@example": "stripe_url",
		"--invoice-note=" + strings.Repeat("x", 2001):                                  "invoice_note",
	} {
		if _, err := parse(t, append([]string{"serve"}, strings.Fields(text)...)...); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.80q: %v", text, err)
		}
	}
}

func TestNames(t *testing.T) {
	flags := map[string]bool{}
	for _, s := range settings() {
		if s.flag == "" || s.help == "" {
			t.Errorf("%+v has no name or no help", s)
		}
		if want := "BOTYARD_" + strings.ToUpper(s.key()); s.env != want {
			t.Errorf("--%s has the variable %s, want %s", s.flag, s.env, want)
		}
		if flags[s.flag] {
			t.Errorf("--%s is there twice", s.flag)
		}
		flags[s.flag] = true
	}
	for _, s := range settings() {
		if s.kind == reflect.TypeFor[secret.Value]() && !flags[twinOf(s.flag)] {
			t.Errorf("--%s is a secret without --%s", s.flag, twinOf(s.flag))
		}
	}
}

func TestKeysAndBlobs(t *testing.T) {
	dir := t.TempDir()
	in := mustServe(t, "--data", dir).Installation
	if _, err := in.Keys(false); err == nil {
		t.Error("missing keys are no error")
	}
	made, err := in.Keys(true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(in.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	given := mustServe(t, "--secret-key", string(text), "--data", t.TempDir())
	same, err := given.Keys(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := same.VerifyCheck(made.Check()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(given.KeyFile()); err == nil {
		t.Error("a key file was made beside secret_key")
	}
	if got, err := in.Blobs(); got != "file://"+dir+"/blobs" || err != nil {
		t.Errorf("Blobs() = %q, %v", got, err)
	}
	in.BlobURL = "s3://b"
	if got, err := in.Blobs(); got != "s3://b" || err != nil {
		t.Errorf("Blobs() = %q, %v", got, err)
	}
}

func TestLogger(t *testing.T) {
	var out strings.Builder
	in := mustServe(t, "--log-level", "warn", "--log-format", "json", "--database-url", "postgres://u:hunter2@h/d").Installation
	log := in.Logger(&out)
	log.Info("left out")
	log.Warn("written", "settings", in)
	if got := out.String(); !strings.Contains(got, `"msg":"written"`) || strings.Contains(got, "left out") || strings.Contains(got, "hunter2") {
		t.Errorf("the log is %s", got)
	}
	for level, want := range map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError} {
		log := (&Installation{LogLevel: level}).Logger(io.Discard)
		if !log.Enabled(t.Context(), want) || log.Enabled(t.Context(), want-1) {
			t.Errorf("log_level %s is not %s", level, want)
		}
	}
}

func TestPlansFile(t *testing.T) {
	dir := t.TempDir()
	own, broken := filepath.Join(dir, "own.yaml"), filepath.Join(dir, "broken.yaml")
	text := strings.Replace(plan.Published(), "month: 89\n", "month: 99.50\n", 1)
	for path, text := range map[string]string{own: text, broken: "plans: 5\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := (&Installation{Plans: own}).Catalog()
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := c.Plan(plan.Plus); *p.Month != 9_950 {
		t.Errorf("plus costs %s a month, want 99.50", *p.Month)
	}
	for _, path := range []string{broken, filepath.Join(dir, "none.yaml")} {
		if _, err := (&Installation{Plans: path}).Catalog(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one that names the file", path, err)
		}
	}
}
