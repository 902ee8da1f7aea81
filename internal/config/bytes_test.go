package config

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "17": 17, "17B": 17, "1KiB": 1024, "64MiB": 64 << 20, "2GiB": 2 << 30,
		"5kB": 5000, "3 MB": 3_000_000, " 1GB ": 1_000_000_000, "9223372036854775807": math.MaxInt64,
	} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "1 TiB", "1mib", "0x10", "1_000", "9223372036854775808", "9007199254740993KiB"} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}

func TestBytesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Bytes(rapid.Int64Min(0).Draw(t, "amount"))
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got Bytes
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Fatalf("%d is written as %q and read as %d, %v", want, text, got, err)
		}
	})
}
