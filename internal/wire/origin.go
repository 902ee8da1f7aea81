package wire

import "net/http"

// requestHeaders are the headers that the official clients may send from a web page.
const requestHeaders = "authorization, content-type, idempotency-key, x-workspace-id, x-bot-id, x-integration-id, x-integration-alias, x-user-id, x-multiple-integrations, x-bypass-breaking-changes-detection"

// exposedHeaders are the headers of an answer that a web page may read.
const exposedHeaders = "ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id"

// crossOrigin lets pages of other origins call the API, and reports whether the request was
// a preflight. The origin is echoed because the official client sends credentials. Only the
// token decides what a page may do: there is no cookie that a foreign page could exploit.
func crossOrigin(header http.Header, r *http.Request) (preflight bool) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	header.Add("Vary", "Origin")
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Expose-Headers", exposedHeaders)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")
	header.Set("Access-Control-Allow-Headers", requestHeaders)
	header.Set("Access-Control-Max-Age", "7200")
	return true
}
