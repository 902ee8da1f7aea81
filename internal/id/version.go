package id

import "time"

// BotVersion names a saved version of a bot: botver_ and a ULID. They ascend with
// time.
type BotVersion string

// NewBotVersion makes the id of a saved version.
func NewBotVersion(now time.Time) BotVersion { return BotVersion(prefixed("botver", now)) }
