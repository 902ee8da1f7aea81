package blob

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bucketServer speaks as much of the S3 protocol as the store uses, so that the
// real S3 client is in the tests: objects, multipart uploads, listing by page.
type bucketServer struct {
	name    string
	mu      sync.Mutex
	objects map[string]object
	uploads map[string]map[int][]byte
	broken  bool // break every connection in the middle of an object
}

type object struct {
	body []byte
	at   time.Time
}

func newBucketServer(name string) *bucketServer {
	return &bucketServer{name: name, objects: map[string]object{}, uploads: map[string]map[int][]byte{}}
}

// pageSize is small, so that listings have several pages.
const pageSize = 7

func (b *bucketServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	bucket, key, _ := strings.Cut(path, "/")
	if bucket != b.name {
		fail(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	body, err := readBody(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	query := r.URL.Query()
	upload := query.Get("uploadId")
	switch {
	case key == "" && r.Method == http.MethodGet:
		b.list(w, query.Get("continuation-token"))
	case r.Method == http.MethodPost && query.Has("uploads"):
		upload = strconv.Itoa(len(b.uploads))
		b.uploads[upload] = map[int][]byte{}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", upload)
	case r.Method == http.MethodPost && upload != "":
		var whole []byte
		for _, part := range slices.Sorted(maps.Keys(b.uploads[upload])) {
			whole = append(whole, b.uploads[upload][part]...)
		}
		b.objects[key] = object{whole, time.Now()}
		fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodPut && upload != "":
		part, _ := strconv.Atoi(query.Get("partNumber"))
		b.uploads[upload][part] = body
		w.Header().Set("ETag", `"e"`)
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
		stored, found := b.objects[strings.TrimPrefix(source, b.name+"/")]
		if err != nil || !found {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		b.objects[key] = object{stored.body, time.Now()}
		fmt.Fprint(w, `<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>`)
	case r.Method == http.MethodPut:
		b.objects[key] = object{body, time.Now()}
		w.Header().Set("ETag", `"e"`)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		stored, found := b.objects[key]
		if !found {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", `"e"`)
		if b.broken && r.Method == http.MethodGet {
			w.Header().Set("Content-Length", strconv.Itoa(len(stored.body)))
			if _, err := w.Write(stored.body[:len(stored.body)/2]); err != nil {
				panic(err)
			}
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", stored.at, bytes.NewReader(stored.body))
	case r.Method == http.MethodDelete:
		delete(b.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (b *bucketServer) breakConnections(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

func (b *bucketServer) list(w http.ResponseWriter, after string) {
	type content struct {
		Key          string
		LastModified string
		Size         int
	}
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []content
	}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if key <= after {
			continue
		}
		if len(page.Contents) == pageSize {
			page.IsTruncated = true
			page.NextContinuationToken = page.Contents[pageSize-1].Key
			break
		}
		stored := b.objects[key]
		page.Contents = append(page.Contents, content{key, stored.at.UTC().Format(time.RFC3339Nano), len(stored.body)})
	}
	if err := xml.NewEncoder(w).Encode(page); err != nil {
		panic(err)
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}

// readBody reads a body, also one in S3's own chunks: "<hex size>[;signature]",
// the bytes, and after the last chunk trailers.
func readBody(r *http.Request) ([]byte, error) {
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return io.ReadAll(r.Body)
	}
	var body []byte
	in := bufio.NewReader(r.Body)
	for {
		head, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		text, _, _ := strings.Cut(strings.TrimSpace(head), ";")
		size, err := strconv.ParseInt(text, 16, 64)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			_, err := io.Copy(io.Discard, in)
			return body, err
		}
		chunk := make([]byte, size+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		body = append(body, chunk[:size]...)
	}
}
