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

// defaultIcon is the icon of packages that have none.
//
//go:embed icon.svg
var defaultIcon []byte

const (
	assetsPath = "/v1/assets/"
	// noIcon and noReadme are the names of the defaults, in place of a hash.
	noIcon   = "icon.svg"
	noReadme = "readme.md"
	// assetPurpose is the purpose of the signatures in addresses; see secret.Keyring.
	assetPurpose = "asset"
)

// The content types of assets besides the other images. Whatever is not an image is
// served as text, and nothing is ever served as a web page.
const (
	svgType  = "image/svg+xml"
	textType = "text/markdown; charset=utf-8"
)

// assetURL is the address of an asset: its hash and a signature of that. Only an answer
// of this installation can have given a caller the address, so no token is needed to
// read it, and nobody can find out by guessing hashes what is stored here.
func (s *Service) assetURL(hash blob.Hash, absent string) string {
	address := s.PublicURL() + assetsPath
	if hash == "" {
		return address + absent
	}
	signature := s.Keys.Sign(assetPurpose, []byte(hash))
	return address + string(hash) + "-" + base64.RawURLEncoding.EncodeToString(signature)
}

// IconURL is the address of an icon; the empty hash is that of the default icon.
func (s *Service) IconURL(icon blob.Hash) string { return s.assetURL(icon, noIcon) }

// ReadmeURL is the address of a readme; the empty hash is that of an empty one.
func (s *Service) ReadmeURL(readme blob.Hash) string { return s.assetURL(readme, noReadme) }

// asset reads the asset with the name that its address ends in, and its content type.
// ResourceNotFound when the signature is not valid or the asset no longer exists.
func (s *Service) asset(ctx context.Context, name string) (content []byte, contentType string, err error) {
	switch name {
	case noIcon:
		return defaultIcon, svgType, nil
	case noReadme:
		return nil, textType, nil
	}
	missing := fault.New(fault.ResourceNotFound, "There is no such icon or readme. Take its address from iconUrl or readmeUrl of a fresh answer.")
	text, signed, _ := strings.Cut(name, "-")
	hash, err := blob.ParseHash(text)
	if err != nil {
		return nil, "", missing
	}
	signature, err := base64.RawURLEncoding.DecodeString(signed)
	if err != nil || !s.Keys.Verify(assetPurpose, []byte(hash), signature) {
		return nil, "", missing
	}
	content, err = s.Blobs.Get(ctx, hash)
	if errors.Is(err, blob.ErrMissing) {
		return nil, "", missing
	}
	return content, contentTypeOf(content), err
}

// assets are the icon and the readme in a request, in base64. Nil is absent; the empty
// string removes it.
type assets struct{ icon, readme *string }

// check checks both: InvalidPayload when the icon is not an image or the readme not text,
// LimitExceeded when one is too large.
func (a assets) check() error {
	if a.icon != nil {
		content, err := decodeAsset("icon", *a.icon)
		if err != nil {
			return err
		}
		if len(content) > 0 && contentTypeOf(content) == textType {
			return fault.New(fault.InvalidPayload, "The icon is not an image of a known format; it must be SVG, PNG, JPEG, GIF or WebP, in base64.")
		}
	}
	if a.readme != nil {
		content, err := decodeAsset("readme", *a.readme)
		if err != nil {
			return err
		}
		if !utf8.Valid(content) {
			return fault.New(fault.InvalidPayload, "The readme is not text; it must be Markdown in UTF-8, in base64.")
		}
	}
	return nil
}

// usable is those of them that pass check; the others become absent. It is for
// development integrations: "bp dev" sends the names of the files where "bp deploy" sends
// their content.
func (a assets) usable() assets {
	if (assets{icon: a.icon}).check() != nil {
		a.icon = nil
	}
	if (assets{readme: a.readme}).check() != nil {
		a.readme = nil
	}
	return a
}

// putAssets stores assets that passed check and answers their hashes: nil is absent, the
// empty hash removes. As for putBlobs, it runs before the transaction.
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
		return nil, fault.New(fault.LimitExceeded, "The %s is about %d bytes long; at most %d are allowed.", what, n, maxAsset).
			With("limit", maxAsset).With("count", n)
	}
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		content, err = base64.RawStdEncoding.DecodeString(encoded)
	}
	if err != nil {
		return nil, fault.New(fault.InvalidPayload, "The %s is not valid base64. Send its bytes encoded in base64.", what)
	}
	return content, nil
}

// images are the magic numbers of binary image formats.
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

// isSVG says whether the first element of an XML text is svg.
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
