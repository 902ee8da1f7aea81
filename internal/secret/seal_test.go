package secret

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSealRoundTrip(t *testing.T) {
	ring := New()
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		table, row, field := rapid.String().Draw(t, "table"), rapid.String().Draw(t, "row"), rapid.String().Draw(t, "field")
		sealed := ring.Seal(plain, table, row, field)
		if !strings.HasPrefix(sealed, "v1:"+ring.IDs()[0]+":") {
			t.Fatalf("sealed as %q", sealed)
		}
		if len(plain) > 8 && strings.Contains(sealed, string(plain)) {
			t.Fatal("the plain text is in the sealed text")
		}
		got, err := ring.Open(sealed, table, row, field)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %q, %v; want %q", got, err, plain)
		}
		if sealed == ring.Seal(plain, table, row, field) {
			t.Fatal("sealed twice to the same text")
		}
	})
}

func TestMovedValueDoesNotOpen(t *testing.T) {
	ring := New()
	rapid.Check(t, func(t *rapid.T) {
		// Few letters and short parts: boundaries between the parts move often.
		part := rapid.StringOfN(rapid.RuneFrom([]rune("ab:/")), 0, 3, -1)
		places := rapid.SliceOfN(part, 6, 6).Draw(t, "places")
		sealed := ring.Seal([]byte("s"), places[0], places[1], places[2])
		_, err := ring.Open(sealed, places[3], places[4], places[5])
		same := places[0] == places[3] && places[1] == places[4] && places[2] == places[5]
		if same && err != nil {
			t.Fatal(err)
		}
		if !same && !errors.Is(err, ErrMoved) {
			t.Fatalf("sealed for %q, opened at %q: %v", places[:3], places[3:], err)
		}
	})
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	ring := New()
	sealed := ring.Seal([]byte("secret"), "bots", "b1", "secrets")
	for i := range len(sealed) {
		for _, c := range []byte{'A', 'b', ':', '0', ' ', '\n'} {
			changed := sealed[:i] + string(c) + sealed[i+1:]
			if changed == sealed {
				continue
			}
			if got, err := ring.Open(changed, "bots", "b1", "secrets"); err == nil {
				t.Fatalf("%q opened as %q", changed, got)
			}
		}
	}
	for n := range len(sealed) {
		if _, err := ring.Open(sealed[:n], "bots", "b1", "secrets"); err == nil {
			t.Fatalf("the first %d characters opened", n)
		}
	}
}

func TestOpenTellsWhy(t *testing.T) {
	ring := mustParse(t, line("k1", 1))
	other := mustParse(t, line("k1", 2))
	stranger := mustParse(t, line("k2", 1))
	sealed := ring.Seal([]byte("secret"), "bots", "b1", "secrets")
	for name, test := range map[string]struct {
		ring    *Keyring
		sealed  string
		row     string
		want    error
		message string
	}{
		"unknown key":        {stranger, sealed, "b1", ErrUnknownKey, "it needs key k1, the ring has k2"},
		"other key, same id": {other, sealed, "b1", ErrTampered, "bots.secrets in row"},
		"other row":          {ring, sealed, "b2", ErrMoved, `row "b2"`},
		"plain text":         {ring, "hello", "b1", ErrMalformed, "not a sealed value"},
		"empty":              {ring, "", "b1", ErrMalformed, "not a sealed value"},
		"other version":      {ring, "v2" + sealed[2:], "b1", ErrMalformed, "not a sealed value"},
		"too short":          {ring, "v1:k1:AAAA", "b1", ErrMalformed, "not a sealed value"},
		"padded":             {ring, sealed + "==", "b1", ErrMalformed, "not a sealed value"},
		"tampered":           {ring, flipLast(sealed), "b1", ErrTampered, "changed after it was sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.ring.Open(test.sealed, "bots", test.row, "secrets")
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.message)
			}
		})
	}
}

// flipLast changes a bit of the authentication tag that survives base64.
func flipLast(sealed string) string {
	i := len(sealed) - 3
	c := byte('A')
	if sealed[i] == c {
		c = 'B'
	}
	return sealed[:i] + string(c) + sealed[i+1:]
}

func TestRotation(t *testing.T) {
	old := New()
	sealed := old.Seal([]byte("secret"), "t", "r", "f")
	mac := old.Sign("cursor", []byte("data"))
	ring := old.Rotate()
	if old.NeedsRotation(sealed) || !ring.NeedsRotation(sealed) || ring.NeedsRotation("plain") {
		t.Error("NeedsRotation is wrong")
	}
	plain, err := ring.Open(sealed, "t", "r", "f")
	if err != nil || string(plain) != "secret" {
		t.Fatalf("the rotated ring opens %q, %v", plain, err)
	}
	resealed := ring.Seal(plain, "t", "r", "f")
	if ring.NeedsRotation(resealed) {
		t.Error("a value sealed by the new primary needs rotation")
	}
	if _, err := old.Open(resealed, "t", "r", "f"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("the old ring opens a new value: %v", err)
	}
	if !ring.Verify("cursor", []byte("data"), mac) {
		t.Error("a signature did not survive the rotation")
	}
	if old.Verify("cursor", []byte("data"), ring.Sign("cursor", []byte("data"))) {
		t.Error("the old ring verifies a new signature")
	}
	if err := ring.VerifyCheck(old.Check()); err != nil {
		t.Error(err)
	}
	retired := ring.Retire()
	if got, err := retired.Open(resealed, "t", "r", "f"); err != nil || string(got) != "secret" {
		t.Errorf("after the old key is retired: %q, %v", got, err)
	}
	if _, err := retired.Open(sealed, "t", "r", "f"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("a retired key still opens: %v", err)
	}
	if len(ring.IDs()) != 2 || len(retired.IDs()) != 1 {
		t.Errorf("the rings have the keys %v and %v", ring.IDs(), retired.IDs())
	}
}

func TestCheck(t *testing.T) {
	ring := New()
	if err := ring.VerifyCheck(ring.Check()); err != nil {
		t.Fatal(err)
	}
	if err := New().VerifyCheck(ring.Check()); !errors.Is(err, ErrUnknownKey) || !strings.Contains(err.Error(), "does not belong to this database") {
		t.Errorf("another ring: %v", err)
	}
	if err := mustParse(t, line("k", 1)).VerifyCheck(mustParse(t, line("k", 2)).Check()); !errors.Is(err, ErrTampered) {
		t.Errorf("another key of the same id: %v", err)
	}
	if err := ring.VerifyCheck(ring.Seal([]byte("x"), checkTable, checkRow, checkField)); !errors.Is(err, ErrTampered) {
		t.Errorf("another value: %v", err)
	}
}

func TestSign(t *testing.T) {
	ring := New()
	data := []byte("data")
	mac := ring.Sign("cursor", data)
	if len(mac) != 32 || !ring.Verify("cursor", data, mac) {
		t.Fatal("a signature does not verify")
	}
	for name, ok := range map[string]bool{
		"other purpose": ring.Verify("url", data, mac),
		"other data":    ring.Verify("cursor", []byte("date"), mac),
		"cut":           ring.Verify("cursor", data, mac[:31]),
		"empty":         ring.Verify("cursor", data, nil),
		"other ring":    New().Verify("cursor", data, mac),
	} {
		if ok {
			t.Errorf("%s verifies", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	ring, err := Parse(line("k1", 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ring.Seal([]byte("secret"), "t", "r", "f"), "t", "r", "f")
	f.Add("v1:k1:AAAA", "t", "r", "f")
	f.Add("v1::", "", "", "")
	f.Add("v1:k1:k1:", "t", "r", "f")
	f.Fuzz(func(t *testing.T, sealed, table, row, field string) {
		ring.NeedsRotation(sealed)
		plain, err := ring.Open(sealed, table, row, field)
		if err != nil {
			for _, why := range []error{ErrMalformed, ErrUnknownKey, ErrMoved, ErrTampered} {
				if errors.Is(err, why) {
					return
				}
			}
			t.Fatalf("an error without a reason: %v", err)
		}
		// Only the seed can open: nobody guesses an authentication tag.
		if string(plain) != "secret" {
			t.Fatalf("%q opened as %q", sealed, plain)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(line("a", 1) + "\n# c\n" + line("b", 2))
	f.Add("a b c")
	f.Fuzz(func(t *testing.T, text string) {
		ring, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(string(ring.encode()))
		if err != nil {
			t.Fatalf("the encoded ring does not parse: %v", err)
		}
		if !again.Verify("p", nil, ring.Sign("p", nil)) {
			t.Fatal("the encoded ring is another ring")
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	ring := New()
	plain := Random(200)
	for b.Loop() {
		if _, err := ring.Open(ring.Seal(plain, "bots", "b1", "secrets"), "bots", "b1", "secrets"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	ring := New()
	data := Random(64)
	mac := ring.Sign("cursor", data)
	for b.Loop() {
		ring.Verify("cursor", data, mac)
	}
}
