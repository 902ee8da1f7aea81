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

// downloadsPath begins the addresses of downloads.
const downloadsPath = "/downloads/"

// downloadPurpose is what the signature of an address is made for.
const downloadPurpose = "download"

// FromBlobs is the source of downloads whose key is the hash of a blob.
const FromBlobs = "blob"

// Download is content that an answer gives the address of. Whoever has the address
// may read it until it expires, without a token: browsers and curl send none.
type Download struct {
	// Source is who has the content: FromBlobs, or a name given to Downloads.
	Source string `json:"s"`
	// Key is what the source knows the content by. The address shows it, so it is
	// no secret.
	Key string `json:"k"`
	// Name is the file that a browser saves it as.
	Name string `json:"n"`
	// Type is the content type, such as application/pdf.
	Type string `json:"t"`
	// Until is when the address ceases to be good.
	Until time.Time `json:"-"`
}

// signedDownload is what an address holds.
type signedDownload struct {
	Download
	Expires int64 `json:"e"` // milliseconds since 1970
}

// Source reads what it knows by key. ResourceNotFound says that it is gone.
type Source func(ctx context.Context, key string) ([]byte, error)

// Downloads has a source answer the downloads that name it. It is called while the
// Mux is put together, before the first request.
func (m *Mux) Downloads(source string, read Source) { m.sources[source] = read }

// DownloadURL is the address of a download. It is signed: what it holds can neither
// be changed nor made up.
func (m *Mux) DownloadURL(d Download) (string, error) {
	content, err := AppendJSON(nil, signedDownload{d, d.Until.UnixMilli()})
	if err != nil {
		return "", err
	}
	encoding := base64.RawURLEncoding
	return m.publicURL() + downloadsPath + encoding.EncodeToString(content) + "." +
		encoding.EncodeToString(m.keys.Sign(downloadPurpose, content)) + "/" + url.PathEscape(d.Name), nil
}

// maxAddress bounds what is looked at: a real address is a tenth of it.
const maxAddress = 8192

// openDownload is what the address at path holds; ok is false when it was not given
// by DownloadURL, or has expired.
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

// download is how the requests of downloads stand in logs and metrics: their paths
// let whoever reads them read the content.
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

// noDownload is the one answer for an address that was made up, has expired, or
// whose content is gone.
func noDownload() error {
	return fault.New(fault.ResourceNotFound, "There is no such download: its address is not one that an answer gave, it has expired, or the content is gone. Ask for a new address.")
}

func (m *Mux) serveDownload(w http.ResponseWriter, r *http.Request) error {
	header := w.Header()
	if err := m.rates.address(r, header); err != nil {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		return fault.New(fault.MethodNotFound, "Downloads are read with GET.")
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

// Isolate sets the headers of content that is not ours, so that it never acts in
// our name: opened as a page of its own it has an origin that is not this one, and
// may load and run nothing. Pages of other origins may show it.
func Isolate(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
}
