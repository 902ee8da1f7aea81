package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// shownOfRefusal is how many bytes of an unwelcome answer an error quotes.
const shownOfRefusal = 512

// Connection is one keep-alive connection. It is not for use by two goroutines.
type Connection struct {
	conn   net.Conn
	reader *bufio.Reader
}

// Dial connects to address (host:port).
func Dial(ctx context.Context, address string) (*Connection, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to the server: %w", err)
	}
	return &Connection{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// Close ends the connection.
func (c *Connection) Close() error { return c.conn.Close() }

// SetDeadline bounds every exchange from now on.
func (c *Connection) SetDeadline(at time.Time) error { return c.conn.SetDeadline(at) }

// Exchange sends one request and reads its whole answer. The body is written to
// body, or dropped when that is nil; either way its length is returned. An answer
// other than 200 is a *StatusError.
func (c *Connection) Exchange(request []byte, body io.Writer) (int64, error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, fmt.Errorf("send the request: %w", err)
	}
	answer, err := c.readHead()
	if err != nil {
		return 0, err
	}
	if answer.status != 200 {
		var text bytes.Buffer
		if _, err := c.readBody(answer, &text); err != nil {
			return 0, err
		}
		return 0, &StatusError{Status: answer.status, Body: text.String()}
	}
	return c.readBody(answer, body)
}

// StatusError is an answer that is not 200.
type StatusError struct {
	Status int
	Body   string
}

func (e *StatusError) Error() string {
	text := e.Body
	if len(text) > shownOfRefusal {
		text = text[:shownOfRefusal] + "…"
	}
	return fmt.Sprintf("the server answered %d, wanted 200: %s", e.Status, text)
}

// head is what must be known of an answer to find its end.
type head struct {
	status  int
	length  int64
	chunked bool
}

var (
	contentLength    = []byte("content-length")
	transferEncoding = []byte("transfer-encoding")
	connectionField  = []byte("connection")
)

var errClosing = errors.New("the server closes the connection after its answer, wanted keep-alive")

func (c *Connection) readHead() (head, error) {
	answer := head{length: -1}
	line, err := c.readLine()
	if err != nil {
		return answer, fmt.Errorf("read the status line: %w", err)
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return answer, fmt.Errorf("read the status line: got %q, wanted HTTP/1.1 and a status", line)
	}
	if answer.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return answer, fmt.Errorf("read the status line %q: %w", line, err)
	}
	for {
		line, err := c.readLine()
		if err != nil {
			return answer, fmt.Errorf("read the header: %w", err)
		}
		if len(line) == 0 {
			break
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			return answer, fmt.Errorf("read the header: %q has no colon", line)
		}
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, contentLength):
			if answer.length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return answer, fmt.Errorf("read Content-Length: %w", err)
			}
		case bytes.EqualFold(name, transferEncoding):
			answer.chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, connectionField) && bytes.EqualFold(value, []byte("close")):
			if answer.status == 200 {
				return answer, errClosing
			}
		}
	}
	if answer.length < 0 && !answer.chunked {
		return answer, errors.New("the answer has neither Content-Length nor chunks, so its end is unknown")
	}
	return answer, nil
}

func (c *Connection) readBody(answer head, to io.Writer) (int64, error) {
	if !answer.chunked {
		return answer.length, c.take(answer.length, to)
	}
	var total int64
	for {
		line, err := c.readLine()
		if err != nil {
			return total, fmt.Errorf("read a chunk's size: %w", err)
		}
		size, err := strconv.ParseInt(string(line), 16, 64)
		if err != nil {
			return total, fmt.Errorf("read a chunk's size: %w", err)
		}
		if err := c.take(size, to); err != nil {
			return total, err
		}
		total += size
		if line, err = c.readLine(); err != nil {
			return total, fmt.Errorf("read a chunk's end: %w", err)
		}
		if len(line) != 0 {
			return total, fmt.Errorf("read a chunk's end: got %q, wanted an empty line", line)
		}
		if size == 0 {
			return total, nil
		}
	}
}

// take moves n bytes of a body to the writer, or drops them when it is nil.
func (c *Connection) take(n int64, to io.Writer) error {
	var err error
	if to == nil {
		_, err = c.reader.Discard(int(n))
	} else {
		_, err = io.CopyN(to, c.reader, n)
	}
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	return nil
}

// readLine returns a line without its end, valid until the next read.
func (c *Connection) readLine() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}
