package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/fault"
)

// downloadsPath is the prefix of the addresses of downloads.
const downloadsPath = "/downloads/"

// downloadPurpose separates the signatures of addresses from others.
const downloadPurpose = "download"

// FromBlobs is the source of downloads whose key is the hash of a blob.
const FromBlobs = "blob"

// Download is content whose address is part of an answer. Whoever has the address may read
// the content until it expires, without a token: browsers and curl send none.
type Download struct {
	// Source names the origin of the content: FromBlobs, or a name given to Downloads.
	Source string `json:"s"`
	// Key identifies the content in its source. It is visible in the address, so it must
	// not be a secret.
	Key string `json:"k"`
	// Name is the name of the file that a browser saves.
	Name string `json:"n"`
	// Type is the content type, such as application/pdf.
	Type string `json:"t"`
	// Until is when the address expires.
	Until time.Time `json:"-"`
}

// signedDownload is the content of an address.
type signedDownload struct {
	Download
	Expires int64 `json:"e"` // milliseconds since 1970
}

// Source reads content by its key. It returns ResourceNotFound if the content is gone.
type Source func(ctx context.Context, key string) ([]byte, error)

// Downloads registers a source. It is called during set-up, before the first request.
func (m *Mux) Downloads(source string, read Source) { m.sources[source] = read }

// DownloadURL is the address of a download. It is signed, so that it can be neither changed
// nor forged.
func (m *Mux) DownloadURL(d Download) (string, error) {
	content, err := AppendJSON(nil, signedDownload{d, d.Until.UnixMilli()})
	if err != nil {
		return "", err
	}
	encoding := base64.RawURLEncoding
	return m.publicURL() + downloadsPath + encoding.EncodeToString(content) + "." +
		encoding.EncodeToString(m.keys.Sign(downloadPurpose, content)) + "/" + url.PathEscape(d.Name), nil
}

// maxAddress bounds the addresses that are examined: a real one is a tenth of it.
const maxAddress = 8192

// openDownload is the download at an address; ok is false if the address was not created by
// DownloadURL, or has expired.
func (m *Mux) openDownload(path string) (d Download, ok bool) {
	token, _, _ := strings.Cut(strings.TrimPrefix(path, downloadsPath), "/")
	text, signature, _ := strings.Cut(token, ".")
	if len(token) > maxAddress {
		return d, false
	}
	encoding := base64.RawURLEncoding.Strict()
	content, err := encoding.DecodeString(text)
	if err != nil {
		return d, false
	}
	mac, err := encoding.DecodeString(signature)
	if err != nil || !m.keys.Verify(downloadPurpose, content, mac) {
		return d, false
	}
	var signed signedDownload
	if err := ParseJSON(content, &signed); err != nil || m.clock.Now().UnixMilli() >= signed.Expires {
		return d, false
	}
	return signed.Download, true
}

// download stands for downloads in logs and metrics: whoever could read their paths there
// could read the content.
var download = &Operation{ID: "download"}

// mountDownloads adds the addresses of downloads.
func (m *Mux) mountDownloads(blobs *blob.Store) {
	m.Downloads(FromBlobs, func(ctx context.Context, key string) ([]byte, error) {
		content, err := blobs.Get(ctx, blob.Hash(key))
		if errors.Is(err, blob.ErrMissing) {
			err = noDownload()
		}
		return content, err
	})
	m.Handle(downloadsPath+"*", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchangeOf(r.Context()).operation = download
		if err := m.serveDownload(w, r); err != nil {
			m.Refuse(w, r, err)
		}
	}))
}

// noDownload is the answer for addresses that are forged, have expired, or whose content is
// gone.
func noDownload() error {
	return fault.New(fault.ResourceNotFound, "There is no such download: the address is wrong or has expired, or the content is gone. Ask for a new address.")
}

func (m *Mux) serveDownload(w http.ResponseWriter, r *http.Request) error {
	header := w.Header()
	if err := m.rates.address(r, header); err != nil {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		return fault.New(fault.MethodNotFound, "Downloads can only be read, with GET.")
	}
	d, ok := m.openDownload(r.URL.Path)
	read := m.sources[d.Source]
	if !ok || read == nil {
		return noDownload()
	}
	ctx, cancel := context.WithTimeout(r.Context(), m.limits.CodeTime)
	defer cancel()
	// Content may be as large as code, and is in memory until it is sent.
	leave, err := m.answerSlots.take(ctx, addressOf(r), "downloads")
	if err != nil {
		return err
	}
	defer leave()
	content, err := read(ctx, d.Key)
	if err != nil {
		return err
	}
	Isolate(header)
	header.Set("Cache-Control", "private, no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Type", d.Type)
	header.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(d.Name))
	_, err = w.Write(content)
	return err
}

// Isolate sets the headers of content that is not ours, so that it cannot act in our name:
// opened as a page, it has an opaque origin, and may load and run nothing. Pages of other
// origins may embed it.
func Isolate(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
}
