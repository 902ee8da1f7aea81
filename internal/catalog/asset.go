package catalog

import (
	"bytes"
	"context"
	_ "embed" // the icon of those that have none
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/fault"
)

// defaultIcon is the icon of what was published without one.
//
//go:embed icon.svg
var defaultIcon []byte

const (
	assetsPath = "/v1/assets/"
	// noIcon and noReadme stand in place of a hash for those that have none.
	noIcon   = "icon.svg"
	noReadme = "readme.md"
	// assetPurpose is what the seal of an address is made for.
	assetPurpose = "asset"
)

// The content types that assets are served with: what is none of the images is
// text, and nothing is ever served as a page.
const (
	svgType  = "image/svg+xml"
	textType = "text/markdown; charset=utf-8"
)

// assetURL is the address of an asset: its hash and a seal over it. Whoever has
// the address was given it by an answer, so reading it needs no token, and asking
// for other hashes tells nobody what this installation holds.
func (s *Service) assetURL(hash blob.Hash, absent string) string {
	address := s.PublicURL() + assetsPath
	if hash == "" {
		return address + absent
	}
	seal := s.Keys.Sign(assetPurpose, []byte(hash))
	return address + string(hash) + "-" + base64.RawURLEncoding.EncodeToString(seal)
}

// IconURL is the address of an icon; the empty hash is that of the default icon.
func (s *Service) IconURL(icon blob.Hash) string { return s.assetURL(icon, noIcon) }

// ReadmeURL is the address of a readme; the empty hash is that of an empty one.
func (s *Service) ReadmeURL(readme blob.Hash) string { return s.assetURL(readme, noReadme) }

// asset reads what an address names: content and its type. ResourceNotFound when
// the address is not one that an answer gave, or the asset is gone.
func (s *Service) asset(ctx context.Context, name string) (content []byte, contentType string, err error) {
	switch name {
	case noIcon:
		return defaultIcon, svgType, nil
	case noReadme:
		return nil, textType, nil
	}
	missing := fault.New(fault.ResourceNotFound, "There is no such icon or readme. Take its address from iconUrl or readmeUrl of a fresh answer.")
	text, sealed, _ := strings.Cut(name, "-")
	hash, err := blob.ParseHash(text)
	if err != nil {
		return nil, "", missing
	}
	seal, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || !s.Keys.Verify(assetPurpose, []byte(hash), seal) {
		return nil, "", missing
	}
	content, err = s.Blobs.Get(ctx, hash)
	if errors.Is(err, blob.ErrMissing) {
		return nil, "", missing
	}
	return content, contentTypeOf(content), err
}

// assets are an icon and a readme in a request, in base64; nil was not said, and
// the empty text is none.
type assets struct{ icon, readme *string }

// check says whether they could be stored: InvalidPayload when the icon is no image
// or the readme no text, LimitExceeded when one is too large.
func (a assets) check() error {
	if a.icon != nil {
		content, err := decodeAsset("icon", *a.icon)
		if err != nil {
			return err
		}
		if len(content) > 0 && contentTypeOf(content) == textType {
			return fault.New(fault.InvalidPayload, "The icon is not an image that can be shown: it must be SVG, PNG, JPEG, GIF or WebP, in base64.")
		}
	}
	if a.readme != nil {
		content, err := decodeAsset("readme", *a.readme)
		if err != nil {
			return err
		}
		if !utf8.Valid(content) {
			return fault.New(fault.InvalidPayload, "The readme is not text: it must be Markdown in UTF-8, in base64.")
		}
	}
	return nil
}

// usable is what of them could be stored. "bp dev" sends the names of the files where
// "bp deploy" sends what is in them, so a development integration does without.
func (a assets) usable() assets {
	if (assets{icon: a.icon}).check() != nil {
		a.icon = nil
	}
	if (assets{readme: a.readme}).check() != nil {
		a.readme = nil
	}
	return a
}

// putAssets stores what a.check let pass and answers the hashes: nil was not said,
// empty is none. It is done before the transaction, which must not wait for a disk
// or a bucket; when that fails, the blobs are without a reference and are collected.
func (s *Service) putAssets(ctx context.Context, a assets) (icon, readme *blob.Hash, err error) {
	if icon, err = s.putAsset(ctx, "icon", a.icon); err != nil {
		return nil, nil, err
	}
	readme, err = s.putAsset(ctx, "readme", a.readme)
	return icon, readme, err
}

func (s *Service) putAsset(ctx context.Context, what string, encoded *string) (*blob.Hash, error) {
	if encoded == nil {
		return nil, nil
	}
	content, err := decodeAsset(what, *encoded)
	var hash blob.Hash
	if err == nil && len(content) > 0 {
		hash, err = s.Blobs.Put(ctx, content)
	}
	return &hash, err
}

func decodeAsset(what, encoded string) ([]byte, error) {
	if n := base64.StdEncoding.DecodedLen(len(encoded)); n > maxAsset+2 {
		return nil, fault.New(fault.LimitExceeded, "The %s is about %d bytes; it can have %d.", what, n, maxAsset).
			With("limit", maxAsset).With("count", n)
	}
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		content, err = base64.RawStdEncoding.DecodeString(encoded)
	}
	if err != nil {
		return nil, fault.New(fault.InvalidPayload, "The %s is not base64: send its bytes encoded in base64.", what)
	}
	return content, nil
}

// images are the beginnings of the images that are not text.
var images = []struct{ begin, contentType string }{
	{"\x89PNG\r\n\x1a\n", "image/png"},
	{"\xff\xd8\xff", "image/jpeg"},
	{"GIF87a", "image/gif"},
	{"GIF89a", "image/gif"},
}

// contentTypeOf is the type that content is served with.
func contentTypeOf(content []byte) string {
	for _, image := range images {
		if bytes.HasPrefix(content, []byte(image.begin)) {
			return image.contentType
		}
	}
	if len(content) >= 12 && string(content[:4]) == "RIFF" && string(content[8:12]) == "WEBP" {
		return "image/webp"
	}
	if isSVG(content) {
		return svgType
	}
	return textType
}

// isSVG says whether the first element of the text is svg.
func isSVG(content []byte) bool {
	rest := bytes.TrimPrefix(content, []byte("\ufeff"))
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		var end string
		switch {
		case bytes.HasPrefix(rest, []byte("<?")):
			end = "?>"
		case bytes.HasPrefix(rest, []byte("<!--")):
			end = "-->"
		case bytes.HasPrefix(rest, []byte("<!")):
			end = ">"
		default:
			name, found := bytes.CutPrefix(rest, []byte("<svg"))
			return found && len(name) > 0 && strings.ContainsRune(" \t\r\n/>", rune(name[0])) && utf8.Valid(content)
		}
		_, after, found := bytes.Cut(rest, []byte(end))
		if !found {
			return false
		}
		rest = after
	}
}
