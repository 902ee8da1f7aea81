package load

import (
	"bytes"
	"fmt"
	"sync/atomic"
)

// Request is what will be sent, before it is made into bytes.
type Request struct {
	Method string
	// Path holds the query too, escaped already.
	Path string
	// Header holds whole lines, such as "Authorization: Bearer …", without line ends.
	Header []string
	// Body is sent as application/json; nil sends none.
	Body []byte
}

// Bytes is the request as it goes over the wire to address (host:port).
func (r Request) Bytes(address string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, address)
	for _, line := range r.Header {
		b.WriteString(line + "\r\n")
	}
	if r.Body != nil {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}

// Source gives each connection, numbered from 0, its stream of requests. The
// bytes that a stream returns are valid until its next call. Streams of one
// source run at the same time.
type Source func(connection int) (next func() []byte)

// Cycle repeats the requests in order. Connections start apart from each other,
// so that they do not all ask for the same thing at once.
func Cycle(requests [][]byte) Source {
	return func(connection int) func() []byte {
		at := connection * 7919 % len(requests)
		return func() []byte {
			request := requests[at]
			at = (at + 1) % len(requests)
			return request
		}
	}
}

// Number stands in a template where each request gets a number of its own, of
// the same width, so that Content-Length stays true.
const Number = "##########"

// numbers is shared by every run of the process: a number is never given twice.
var numbers atomic.Uint64

// Numbered repeats the template with a new number each time, the same wherever
// Number stands. A template without Number is repeated as it is.
func Numbered(template []byte) Source {
	var places []int
	for at := 0; ; at += len(Number) {
		next := bytes.Index(template[at:], []byte(Number))
		if next < 0 {
			break
		}
		at += next
		places = append(places, at)
	}
	return func(int) func() []byte {
		request := bytes.Clone(template)
		if len(places) == 0 {
			return func() []byte { return request }
		}
		return func() []byte {
			n := fmt.Sprintf("%0*d", len(Number), numbers.Add(1))
			for _, at := range places {
				copy(request[at:], n)
			}
			return request
		}
	}
}
