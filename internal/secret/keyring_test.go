package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

// line is a key line with 32 equal bytes.
func line(id string, b byte) string {
	return id + " " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, keyBytes))
}

func mustParse(t testing.TB, text string) *Keyring {
	t.Helper()
	ring, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestParse(t *testing.T) {
	ring := mustParse(t, "# keys\r\n\r\n  "+line("new", 1)+"  \r\n"+line("old", 2))
	if diff := cmp.Diff([]string{"new", "old"}, ring.IDs()); diff != "" {
		t.Error(diff)
	}
	again := mustParse(t, string(ring.encode()))
	if got, err := again.Open(ring.Seal([]byte("x"), "t", "r", "f"), "t", "r", "f"); err != nil || string(got) != "x" {
		t.Errorf("the encoded ring is another ring: %q, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	secretPart := strings.Fields(line("a", 7))[1]
	for name, test := range map[string]struct{ text, want string }{
		"nothing":       {"", "there is no key"},
		"only comments": {"# a\n\n", "there is no key"},
		"one word":      {"\n" + secretPart, "line 2 of the keys has 1 words"},
		"three words":   {line("a", 7) + " x", "line 1 of the keys has 3 words"},
		"bad id":        {line("a:b", 7), "a key id has 1 to 32 characters"},
		"long id":       {line(strings.Repeat("a", 33), 7), "a key id has 1 to 32 characters"},
		"not base64":    {"a " + secretPart[1:] + "!", "key a is not base64"},
		"short":         {"a c2hvcnQ=", "key a has 5 bytes; it must have 32"},
		"twice":         {line("a", 7) + "\n" + line("a", 8), "key id a is there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			if strings.Contains(err.Error(), secretPart[2:20]) {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
}

func TestNothingPrintsAKey(t *testing.T) {
	raw := bytes.Repeat([]byte{0xAB}, keyBytes)
	ring := mustParse(t, line("primary", 0xAB))
	value := Value("hunter2")
	type holder struct {
		Ring  *Keyring
		Value Value
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", ring)
		fmt.Fprintf(&out, verb+"\n", value)
		fmt.Fprintf(&out, verb+"\n", holder{ring, value})
		fmt.Fprintf(&out, verb+"\n", &holder{ring, value})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("m", "ring", ring, "value", value, "both", holder{ring, value})
	}
	if marshaled, err := json.Marshal(holder{ring, value}); err == nil {
		out.Write(marshaled)
	}
	printed := out.String()
	for _, leak := range []string{
		string(raw[:8]), hex.EncodeToString(raw[:8]), strings.ToUpper(hex.EncodeToString(raw[:8])),
		base64.StdEncoding.EncodeToString(raw)[:12], "171 171 171", "0xab, 0xab",
		"hunter2", hex.EncodeToString([]byte("hunter2")), strings.ToUpper(hex.EncodeToString([]byte("hunter2"))),
	} {
		if strings.Contains(printed, leak) {
			t.Errorf("%q was printed in:\n%s", leak, printed)
		}
	}
	if !strings.Contains(printed, "secret.Keyring(primary)") || !strings.Contains(printed, "[hidden]") {
		t.Errorf("what is printed does not say what it is:\n%s", printed)
	}
	if got := fmt.Sprintf("%v|%v", (*Keyring)(nil), Value("")); got != "secret.Keyring(nil)|" {
		t.Errorf("nothing prints as %q", got)
	}
}

func TestText(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	seen := map[rune]int{}
	for n := range 70 {
		text := Text(n)
		if len(text) != n {
			t.Fatalf("Text(%d) has %d characters", n, len(text))
		}
		if strings.Trim(text, alphabet) != "" {
			t.Fatalf("Text(%d) = %q", n, text)
		}
	}
	// 64,000 characters: each of the 64 about 1,000 times.
	for range 1000 {
		for _, r := range Text(64) {
			seen[r]++
		}
	}
	for _, r := range alphabet {
		if seen[r] < 800 || seen[r] > 1200 {
			t.Errorf("%q came %d times, about 1000 are expected", r, seen[r])
		}
	}
	one, two := Text(22), Text(22)
	if bytes.Equal(Random(16), Random(16)) || one == two {
		t.Error("random twice the same")
	}
}
