package config

import (
	"time"

	"github.com/botyard/botyard/internal/secret"
)

// Installation says where the data of an installation is and how to open it. It
// is what every command that works on the data needs. After parsing it is valid,
// and the secrets of the file twins are in their fields.
type Installation struct {
	// File is read by BeforeResolve, while the command line is parsed.
	File string `name:"config" env:"BOTYARD_CONFIG" placeholder:"FILE" help:"Read settings from this file, YAML or (with the ending .json) JSON. Flags and environment variables win over it."`

	Data string `name:"data" env:"BOTYARD_DATA" default:"./botyard-data" placeholder:"DIRECTORY" help:"Directory of the data: the SQLite database, the blobs, the secret key."`
	Dev  bool   `name:"dev" env:"BOTYARD_DEV" help:"Development installation: its clock can be advanced. Never for production."`

	DatabaseURL            secret.Value `name:"database-url" env:"BOTYARD_DATABASE_URL" placeholder:"postgres://..." help:"PostgreSQL database. Without it, an SQLite database in the data directory."`
	DatabaseURLFile        string       `name:"database-url-file" env:"BOTYARD_DATABASE_URL_FILE" placeholder:"FILE" help:"File that holds the database URL."`
	DatabaseMaxConnections int          `name:"database-max-connections" env:"BOTYARD_DATABASE_MAX_CONNECTIONS" default:"20" help:"Most connections to PostgreSQL that one process opens."`
	DatabaseExecMode       string       `name:"database-exec-mode" env:"BOTYARD_DATABASE_EXEC_MODE" default:"cache_statement" enum:"cache_statement,cache_describe,describe_exec,exec,simple_protocol" help:"How statements are sent to PostgreSQL: ${enum}. Behind a pooler in transaction mode use cache_describe or exec."`
	SQLiteSynchronous      string       `name:"sqlite-synchronous" env:"BOTYARD_SQLITE_SYNCHRONOUS" default:"FULL" enum:"FULL,NORMAL" help:"FULL keeps every acknowledged change through a power failure, NORMAL only through the end of the process."`

	RetentionLogs   int `name:"retention-logs" env:"BOTYARD_RETENTION_LOGS" default:"30" placeholder:"DAYS" help:"Days that log lines are kept, where a workspace has no number of its own."`
	RetentionEvents int `name:"retention-events" env:"BOTYARD_RETENTION_EVENTS" default:"90" placeholder:"DAYS" help:"Days that messages, events, action runs and the like are kept, where a workspace has no number of its own."`

	SessionSilence time.Duration `name:"session-silence" env:"BOTYARD_SESSION_SILENCE" default:"30m" help:"How long nothing comes from a user before the next message begins a new session of the analytics, 1m to 24h."`

	BlobURL string `name:"blob-url" env:"BOTYARD_BLOB_URL" placeholder:"s3://..." help:"Where blobs are kept: s3://bucket?region=... or file:///directory. Without it, the directory blobs in the data directory."`

	SecretKey     secret.Value `name:"secret-key" env:"BOTYARD_SECRET_KEY" placeholder:"KEYS" help:"The keys that seal secrets, as the text of a key file. Without it, the file secret.key in the data directory, made on the first start."`
	SecretKeyFile string       `name:"secret-key-file" env:"BOTYARD_SECRET_KEY_FILE" placeholder:"FILE" help:"File that holds the keys."`

	Plans string `name:"plans" env:"BOTYARD_PLANS" placeholder:"FILE" help:"The catalogue of plans, add-ons and coupons, as YAML. Without it, the one with the published prices."`

	Calls

	LogLevel  string `name:"log-level" env:"BOTYARD_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: ${enum}."`
	LogFormat string `name:"log-format" env:"BOTYARD_LOG_FORMAT" default:"text" enum:"text,json" help:"Form of the log: ${enum}."`
}

// Config is all settings of a server. After parsing it is valid.
type Config struct {
	Installation

	Listen    string `name:"listen" env:"BOTYARD_LISTEN" default:"127.0.0.1:8400" placeholder:"HOST:PORT" help:"Address to serve on. Port 0 takes a free one."`
	PublicURL string `name:"public-url" env:"BOTYARD_PUBLIC_URL" placeholder:"URL" help:"The URL that callers reach this server by. Without it, http:// and the address served on."`

	WebchatHostURL      string `name:"webchat-host-url" env:"BOTYARD_WEBCHAT_HOST_URL" default:"https://cdn.botpress.cloud/webchat/v1" placeholder:"URL" help:"Where the webchat's program is, which snippets of getBotWebchat load."`
	WebchatMessagingURL string `name:"webchat-messaging-url" env:"BOTYARD_WEBCHAT_MESSAGING_URL" default:"https://messaging.botpress.cloud" placeholder:"URL" help:"The service that carries the webchat's messages."`
	WebchatFilesURL     string `name:"webchat-files-url" env:"BOTYARD_WEBCHAT_FILES_URL" default:"https://mediafiles.botpress.cloud" placeholder:"URL" help:"Where the settings and pages of bots' webchats are: <URL>/<bot>/webchat/config.js and bot.html."`
	WebchatIntegration  string `name:"webchat-integration" env:"BOTYARD_WEBCHAT_INTEGRATION" default:"webchat" help:"Name of the integration that the webchat talks to."`

	RateLimitWorkspace int `name:"rate-limit-workspace" env:"BOTYARD_RATE_LIMIT_WORKSPACE" default:"10000" help:"Most requests a second for one workspace; 0 is no limit."`
	RateLimitToken     int `name:"rate-limit-token" env:"BOTYARD_RATE_LIMIT_TOKEN" default:"10000" help:"Most requests a second with one token; 0 is no limit."`

	RateLimitBotKey         int          `name:"rate-limit-bot-key" env:"BOTYARD_RATE_LIMIT_BOT_KEY" default:"10000" help:"Most requests a second with one key of a bot; 0 is no limit."`
	RateLimitIntegrationKey int          `name:"rate-limit-integration-key" env:"BOTYARD_RATE_LIMIT_INTEGRATION_KEY" default:"10000" help:"Most requests a second with one key of an integration; 0 is no limit."`
	TrustedProxies          string       `name:"trusted-proxies" env:"BOTYARD_TRUSTED_PROXIES" placeholder:"ADDRESSES" help:"Proxies in front of this server, such as 127.0.0.1,10.0.0.0/8: whom they name in X-Forwarded-For is who calls. Without it, who calls is who connects."`
	RedisURL                secret.Value `name:"redis-url" env:"BOTYARD_REDIS_URL" placeholder:"redis://..." help:"Redis in which several servers count requests together. Without it, each counts its own."`
	RedisURLFile            string       `name:"redis-url-file" env:"BOTYARD_REDIS_URL_FILE" placeholder:"FILE" help:"File that holds the Redis URL."`

	QuotaWebhookURL        string       `name:"quota-webhook-url" env:"BOTYARD_QUOTA_WEBHOOK_URL" placeholder:"URL" help:"Where to tell of workspaces that come close to a quota. Without it, only their audit trails say so."`
	QuotaWebhookSecret     secret.Value `name:"quota-webhook-secret" env:"BOTYARD_QUOTA_WEBHOOK_SECRET" placeholder:"SECRET" help:"What the calls of the quota webhook are signed with, 16 characters at least."`
	QuotaWebhookSecretFile string       `name:"quota-webhook-secret-file" env:"BOTYARD_QUOTA_WEBHOOK_SECRET_FILE" placeholder:"FILE" help:"File that holds the secret of the quota webhook."`

	MaxBody            Bytes `name:"max-body" env:"BOTYARD_MAX_BODY" default:"1MiB" help:"Largest request body."`
	MaxCodeBody        Bytes `name:"max-code-body" env:"BOTYARD_MAX_CODE_BODY" default:"64MiB" help:"Largest request body of the operations that carry code."`
	MaxParallelUploads int   `name:"max-parallel-uploads" env:"BOTYARD_MAX_PARALLEL_UPLOADS" default:"4" help:"Most requests that may hold a body above max-body in memory at once, at most half of them of one account; others wait."`

	ReadHeaderTimeout time.Duration `name:"read-header-timeout" env:"BOTYARD_READ_HEADER_TIMEOUT" default:"10s" help:"Longest time for a request's headers to arrive."`
	ReadTimeout       time.Duration `name:"read-timeout" env:"BOTYARD_READ_TIMEOUT" default:"5m" help:"Longest time for a whole request to arrive, its body included."`
	RequestTimeout    time.Duration `name:"request-timeout" env:"BOTYARD_REQUEST_TIMEOUT" default:"60s" help:"Longest time for an operation to be worked on."`
	IdleTimeout       time.Duration `name:"idle-timeout" env:"BOTYARD_IDLE_TIMEOUT" default:"2m" help:"Longest time a connection is kept between requests."`
	ShutdownTimeout   time.Duration `name:"shutdown-timeout" env:"BOTYARD_SHUTDOWN_TIMEOUT" default:"20s" help:"Longest time for requests under way to end when the server stops."`

	BootstrapEmail     string       `name:"bootstrap-email" env:"BOTYARD_BOOTSTRAP_EMAIL" placeholder:"EMAIL" help:"E-mail of the owner account that the first start makes."`
	BootstrapName      string       `name:"bootstrap-name" env:"BOTYARD_BOOTSTRAP_NAME" placeholder:"NAME" help:"Name of the owner account that the first start makes."`
	BootstrapToken     secret.Value `name:"bootstrap-token" env:"BOTYARD_BOOTSTRAP_TOKEN" placeholder:"TOKEN" help:"Access token that the first start gives the owner. Without it, one is made and printed once."`
	BootstrapTokenFile string       `name:"bootstrap-token-file" env:"BOTYARD_BOOTSTRAP_TOKEN_FILE" placeholder:"FILE" help:"File that holds the bootstrap token."`

	PaymentProvider         string       `name:"payment-provider" env:"BOTYARD_PAYMENT_PROVIDER" default:"auto" enum:"auto,manual,stripe,test" help:"Who takes payments of invoices: ${enum}. manual takes none, and the operator marks invoices as paid; test takes play money, with --dev only; auto is test with --dev and manual without."`
	StripeKey               secret.Value `name:"stripe-key" env:"BOTYARD_STRIPE_KEY" placeholder:"KEY" help:"Secret key of the Stripe account: sk_... or, restricted, rk_..."`
	StripeKeyFile           string       `name:"stripe-key-file" env:"BOTYARD_STRIPE_KEY_FILE" placeholder:"FILE" help:"File that holds the key."`
	StripeWebhookSecret     secret.Value `name:"stripe-webhook-secret" env:"BOTYARD_STRIPE_WEBHOOK_SECRET" placeholder:"SECRET" help:"Secret that Stripe signs events to <public-url>/webhooks/stripe with: whsec_..."`
	StripeWebhookSecretFile string       `name:"stripe-webhook-secret-file" env:"BOTYARD_STRIPE_WEBHOOK_SECRET_FILE" placeholder:"FILE" help:"File that holds the secret."`
	StripeURL               string       `name:"stripe-url" env:"BOTYARD_STRIPE_URL" placeholder:"URL" help:"The URL of Stripe's API, where it is not Stripe's own."`
	InvoiceSeller           string       `name:"invoice-seller" env:"BOTYARD_INVOICE_SELLER" placeholder:"TEXT" help:"Who issues invoices: name, address and tax number, in lines. It stands on every invoice from then on."`
	InvoiceNote             string       `name:"invoice-note" env:"BOTYARD_INVOICE_NOTE" placeholder:"TEXT" help:"What stands below the sums of invoices, such as how to pay."`

	MemoryLimit Bytes `name:"memory-limit" env:"BOTYARD_MEMORY_LIMIT" default:"0" help:"Memory the process tries to stay below, such as 512MiB; 0 is no limit. GOMEMLIMIT does the same."`
}
