package access

import (
	"hash/crc32"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var aKind = rapid.SampledFrom([]TokenKind{PAT, BAK, IAK})

func TestTokenForm(t *testing.T) {
	form := regexp.MustCompile(`^bp_(pat|bak|iak)_[A-Za-z0-9_-]{36}$`)
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		kind := aKind.Draw(t, "kind")
		value := NewTokenValue(kind)
		if !form.MatchString(value) || !strings.HasPrefix(value, "bp_"+string(kind)+"_") {
			t.Fatalf("%s is not of the public form", value)
		}
		if got, ok := WellFormed(value); !ok || got != kind || !Checksummed(value) {
			t.Fatalf("%s: kind %q, well-formed %t, checksummed %t", value, got, ok, Checksummed(value))
		}
		if seen[value] || hashOf(value) == hashOf(value+"x") {
			t.Fatalf("%s came twice", value)
		}
		seen[value] = true
	})
}

// TestChecksum: any one character changed, the checksum does not fit. Six digits
// of base 62 hold more than 32 bits, so no sum is cut.
func TestChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := []byte(NewTokenValue(aKind.Draw(t, "kind")))
		at := rapid.IntRange(len("bp_pat_"), len(value)-1).Draw(t, "at")
		to := rapid.SampledFrom([]byte(checksumDigits+"_-")).Draw(t, "to")
		if value[at] == to {
			t.Skip()
		}
		value[at] = to
		if Checksummed(string(value)) {
			t.Fatalf("%s, changed at %d, still fits its checksum", value, at)
		}
	})
	// The value is fixed for all time: scanners know it.
	body := strings.Repeat("A", tokenRandom)
	sum, want := crc32.ChecksumIEEE([]byte("bp_pat_"+body)), uint32(0)
	for _, digit := range []byte(checksum(PAT, body)) {
		want = want*62 + uint32(strings.IndexByte(checksumDigits, digit))
	}
	if sum != want {
		t.Errorf("the checksum reads %d, the CRC-32 is %d", want, sum)
	}
	if checksum(PAT, body) == checksum(BAK, body) {
		t.Error("the kind is not in the checksum")
	}
}

func TestWellFormed(t *testing.T) {
	body := strings.Repeat("aZ0_-9", 6)
	for value, want := range map[string]TokenKind{
		"bp_pat_" + body: PAT, "bp_bak_" + body: BAK, "bp_iak_" + body: IAK,
		"": "", "bp_pat_": "", "bp_pat_" + body + "a": "", "bp_pat_" + body[1:]: "", " bp_pat_" + body: "",
		"bp_xxx_" + body: "", "BP_PAT_" + body: "", body: "", "bp_pat_" + strings.Replace(body, "a", "+", 1): "",
		"bp_pat_" + strings.Replace(body, "aZ", "é", 1): "", "bp_pat_" + strings.Replace(body, "a", "\x00", 1): "",
	} {
		if got, ok := WellFormed(value); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %t; want %q", value, got, ok, want)
		}
	}
	if Checksummed("bp_pat_" + body) {
		t.Error("a token without a checksum has one")
	}
}

func FuzzWellFormed(f *testing.F) {
	f.Add(NewTokenValue(PAT))
	f.Add("bp_bak_")
	f.Add("bp_pat_" + strings.Repeat("é", 18))
	form := regexp.MustCompile(`\Abp_(pat|bak|iak)_[A-Za-z0-9_-]{36}\z`)
	f.Fuzz(func(t *testing.T, value string) {
		kind, ok := WellFormed(value)
		if ok != form.MatchString(value) || ok && !strings.HasPrefix(value, tokenPrefix(kind)) {
			t.Errorf("%q: kind %q, %t", value, kind, ok)
		}
		if Checksummed(value) && !ok {
			t.Errorf("%q fits a checksum and is no token", value)
		}
	})
}
