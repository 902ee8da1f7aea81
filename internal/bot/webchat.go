package bot

import (
	_ "embed"
	"html/template"
	"strings"

	"github.com/botyard/botyard/internal/id"
)

// WebchatType is a way to put a bot into a web page.
type WebchatType string

// The ways of the public API; the last is spelled as there.
const (
	Preconfigured WebchatType = "preconfigured"
	Configurable  WebchatType = "configurable"
	Fullscreen    WebchatType = "fullscreen"
	ShareableURL  WebchatType = "sharableUrl"
)

// WebchatHosts are the addresses that snippets refer to, without a slash at their
// end: of the chat's program and page, of the service that carries its messages, and
// of the bots' settings and pages, one directory a bot. Integration is the name of
// the one that carries messages between them and bots.
type WebchatHosts struct {
	Host, Messaging, Files, Integration string
}

//go:embed webchat.tmpl
var webchatText string

// webchatTemplates escape what they hold for the place in the page where it stands.
var webchatTemplates = template.Must(template.New("").Parse(webchatText))

// webchatSettings are what the chat's program is started with; the names are its
// own.
type webchatSettings struct {
	Bot               id.Bot     `json:"botId"`
	Client            id.Webhook `json:"clientId"`
	Host              string     `json:"hostUrl"`
	Messaging         string     `json:"messagingUrl"`
	HideWidget        bool       `json:"hideWidget,omitempty"`
	ContainerWidth    string     `json:"containerWidth,omitempty"`
	LayoutWidth       string     `json:"layoutWidth,omitempty"`
	DisableAnimations bool       `json:"disableAnimations,omitempty"`
}

// code is the snippet, or the address, of a type.
func (h WebchatHosts) code(of WebchatType, bot id.Bot, client id.Webhook) (string, error) {
	settings := webchatSettings{Bot: bot, Client: client, Host: h.Host, Messaging: h.Messaging}
	if of == Fullscreen {
		// The program puts the widths into an address: % is written as there.
		settings.HideWidget, settings.DisableAnimations = true, true
		settings.ContainerWidth, settings.LayoutWidth = "100%25", "100%25"
	}
	files := h.Files + "/" + string(bot) + "/webchat"
	if of == ShareableURL {
		return files + "/bot.html", nil
	}
	var code strings.Builder
	err := webchatTemplates.ExecuteTemplate(&code, string(of), map[string]any{"Host": h.Host, "Files": files, "Settings": settings})
	return strings.TrimSpace(code.String()), err
}
