package catalog

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/fault"
)

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"slack": true, "acme/slack": true, "a/b": true, "Acme.Tools/my_plugin-2": true, "_x": true, "4": true,
		"": false, "/": false, "/x": false, "x/": false, "a/b/c": false, "a b": false, "a/é": false, "-x": false, ".x": false, "x/..": false,
		"a/\n": false, "x@1.0.0": false, strings.Repeat("n", 200): true, strings.Repeat("n", 201): false,
	} {
		if err := checkName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestVersions(t *testing.T) {
	for version, good := range map[string]bool{
		"1.0.0": true, "0.0.0": true, "1.2.3-beta.1": true, "1.2.3+build": true, "10.20.30": true,
		"": false, "1": false, "1.0": false, "v1.0.0": false, "01.0.0": false, "1.0.0-01": false, "latest": false, "1.0.0 ": false, "1.x.0": false,
		"1.0.0-" + strings.Repeat("a", 194): true, "1.0.0-" + strings.Repeat("a", 195): false,
	} {
		if err := checkVersion(version); (err == nil) != good {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestMayPublish(t *testing.T) {
	acme, platform, nobody := publisher{handle: "acme"}, publisher{platform: true}, publisher{}
	founded := publisher{handle: "acme", platform: true}
	for _, test := range []struct {
		p     publisher
		name  string
		right string // what the message says would be right; empty: it may
	}{
		{acme, "acme/x", ""}, {acme, "other/x", `"acme/x"`}, {acme, "x", `"acme/x"`}, {acme, "ACME/x", `"acme/x"`},
		{platform, "x", ""}, {platform, "acme/x", "updateWorkspace"}, {founded, "x", ""}, {founded, "acme/x", ""}, {founded, "other/x", `"acme/x"`},
		{nobody, "x", "updateWorkspace"}, {nobody, "acme/x", "updateWorkspace"},
	} {
		err := test.p.mayPublish(test.name)
		switch {
		case test.right == "" && err != nil:
			t.Errorf("%+v may not publish %q: %v", test.p, test.name, err)
		case test.right != "" && (!fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), test.right)):
			t.Errorf("%+v publishes %q: %v", test.p, test.name, err)
		}
	}
}

func TestChosenVisibility(t *testing.T) {
	yes, no := true, false
	unlisted := Unlisted
	for _, test := range []struct {
		visibility *Visibility
		public     *bool
		before     Visibility
		want       Visibility
		chosen     bool
	}{
		{nil, nil, Private, Private, false}, {nil, nil, Public, Public, false},
		{nil, &yes, Private, Public, true}, {nil, &yes, Unlisted, Public, true},
		{nil, &no, Public, Private, true}, {nil, &no, Unlisted, Unlisted, true}, {nil, &no, Private, Private, true},
		{&unlisted, &yes, Private, Unlisted, true}, {&unlisted, &no, Public, Unlisted, true}, {&unlisted, nil, Private, Unlisted, true},
	} {
		if got, chosen := chosenVisibility(test.visibility, test.public, test.before); got != test.want || chosen != test.chosen {
			t.Errorf("%+v: %s, %v", test, got, chosen)
		}
	}
}

func TestInstalled(t *testing.T) {
	if err := checkNotInstalled(release{kind: IntegrationKind, name: "a/x", version: "1.0.0"}, users{}); err != nil {
		t.Error(err)
	}
	err := checkNotInstalled(release{kind: IntegrationKind, name: "a/x", version: "1.0.0"}, users{[]string{"A", "B", "C", "D", "E", "F", "G"}, 1})
	for _, part := range []string{"a/x@1.0.0", `"A"`, `"E"`, "2 more of this workspace", "1 bot of other workspaces"} {
		if !fault.Is(err, fault.ReferenceConstraint) || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
	if strings.Contains(err.Error(), `"F"`) {
		t.Errorf("it names too many: %v", err)
	}
}

func TestContentTypes(t *testing.T) {
	for content, want := range map[string]string{
		`<svg/>`: svgType, `<svg xmlns="x">`: svgType, "\ufeff <?xml version='1.0'?>\n<!DOCTYPE svg><!-- <html> --><svg>": svgType,
		"\x89PNG\r\n\x1a\n...": "image/png", "\xff\xd8\xff\xe0": "image/jpeg", "GIF89a..": "image/gif", "RIFF....WEBPVP8 ": "image/webp",
		"": textType, "# Title": textType, "<html><svg></svg></html>": textType, "<svgx>": textType, "<svg": textType, "<?xml": textType,
		"<!-- <svg>": textType, "<SVG>": textType, "text <svg>": textType, "<svg>\xff": textType, "RIFF....WAVE": textType,
	} {
		if got := contentTypeOf([]byte(content)); got != want {
			t.Errorf("%q is %s, want %s", content, got, want)
		}
	}
}

// FuzzContentType holds that nothing is served with a type that browsers run but
// for SVG, which the headers tame.
func FuzzContentType(f *testing.F) {
	for _, content := range []string{"<svg/>", "<?xml?><svg>", "GIF89a", "<html>"} {
		f.Add([]byte(content))
	}
	harmless := []string{svgType, textType, "image/png", "image/jpeg", "image/gif", "image/webp"}
	f.Fuzz(func(t *testing.T, content []byte) {
		if got := contentTypeOf(content); !slices.Contains(harmless, got) {
			t.Errorf("%q is %s", content, got)
		}
	})
}

func TestAssets(t *testing.T) {
	encode := func(s string) *string { e := base64.StdEncoding.EncodeToString([]byte(s)); return &e }
	raw, broken, empty := base64.RawStdEncoding.EncodeToString([]byte("# four")), "%%%", ""
	for name, test := range map[string]struct {
		a    assets
		kind fault.Type
	}{
		"nothing": {assets{}, ""}, "none": {assets{&empty, &empty}, ""}, "both": {assets{encode("<svg/>"), encode("# T")}, ""},
		"without padding": {assets{nil, &raw}, ""}, "no base64": {assets{&broken, nil}, fault.InvalidPayload}, "readme no base64": {assets{nil, &broken}, fault.InvalidPayload},
		"icon of text": {assets{encode("hello"), nil}, fault.InvalidPayload}, "readme of bytes": {assets{nil, encode("\xff\xfe")}, fault.InvalidPayload},
		"most":     {assets{nil, encode(strings.Repeat("x", maxAsset))}, ""},
		"too much": {assets{nil, encode(strings.Repeat("x", maxAsset+3))}, fault.LimitExceeded},
	} {
		err := test.a.check()
		if test.kind == "" && err != nil || test.kind != "" && !fault.Is(err, test.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "Send Mail!": {"send", "mail"}, "sendMessage": {"sendmessage", "send", "message"}, "acme/my_tool-2": {"acme", "my", "tool", "2"},
		"HTTPServer": {"httpserver"}, "getURLOf": {"geturlof", "get", "urlof"}, "Zürich 中文": {"zürich", "中文"}, "OAuth2Token": {"oauth2token", "oauth2", "token"},
	} {
		if got := indexed(text); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if words, err := searched("b a b -"); err != nil || !slices.Equal(words, []string{"a", "b"}) {
		t.Errorf("%q %v", words, err)
	}
	if _, err := searched(strings.Repeat("x y z 1 2 3 ", 3) + "4 5 6 7 8"); !fault.Is(err, fault.InvalidQuery) {
		t.Errorf("too many words: %v", err)
	}
	long := Integration{Name: "n", Title: "t", Description: strings.Repeat("d", 1000), Parts: noParts}
	if words, err := long.words(); err != nil || len(words) != 3 || len(words[0]) != maxWord {
		t.Errorf("%q %v", words, err)
	}
}

// TestPrefixEnd holds that the texts between a prefix and what is beyond it are those
// that begin with it.
func TestPrefixEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 'b', 0xfe, 0xff}), 0, 4)
		prefix, text := bytes.Draw(t, "prefix"), bytes.Draw(t, "text")
		end := prefixEnd(prefix)
		within := string(text) >= string(prefix) && (end == nil || string(text) < string(end))
		if begins := strings.HasPrefix(string(text), string(prefix)); begins != within {
			t.Fatalf("%q begins with %q: %v; in the range to %q: %v", text, prefix, begins, end, within)
		}
	})
}

func FuzzSearch(f *testing.F) {
	f.Add("sendMessage now", "send")
	f.Add("ÀÉ中文-x", "àé")
	f.Fuzz(func(t *testing.T, title, search string) {
		words, err := searched(search)
		if err != nil {
			return
		}
		i := Integration{Title: strings.ToValidUTF8(title, ""), Parts: noParts}
		all, err := i.words()
		if err != nil {
			t.Fatal(err)
		}
		m, err := i.matches(words)
		if err != nil {
			t.Fatal(err)
		}
		met := slices.ContainsFunc(all, func(word string) bool {
			return slices.ContainsFunc(words, func(s string) bool { return strings.HasPrefix(word, s) })
		})
		if m.Title != met && len(all) < maxWords {
			t.Errorf("%q is found by %q: %v; the index says %v", title, search, m.Title, met)
		}
	})
}
