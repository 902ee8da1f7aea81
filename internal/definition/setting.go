package definition

import (
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/fault"
)

// Limits of what stands beside the definition of a bot and of an integration alike.
// Those of secrets are published; the others are our own.
const (
	// MaxSecrets is how many secrets one has.
	MaxSecrets = 25
	// MaxSecretValue is how many characters the value of a secret has.
	MaxSecretValue = 20_000

	maxSecretName = 200 // characters
	maxLayers     = 100
	maxLayerName  = 200 // characters
	// Callers wait for the answer of a call, so it ends.
	maxExecutionTime = 900 // seconds
)

// CheckSecrets checks the secrets that a request sets, by name; nil removes one and
// needs no check. InvalidPayload names the first that is out of bounds.
func CheckSecrets(secrets map[string]*string) error {
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		value := secrets[name]
		if value == nil {
			continue
		}
		if n := utf8.RuneCountInString(name); n < 1 || n > maxSecretName {
			return fault.New(fault.InvalidPayload, "The name %q of a secret has %d characters; it must have 1 to %d.", fault.Bounded(name), n, maxSecretName)
		}
		if n := utf8.RuneCountInString(*value); n > MaxSecretValue {
			return fault.New(fault.InvalidPayload, "The value of the secret %q has %d characters; it can have %d.", fault.Bounded(name), n, MaxSecretValue)
		}
	}
	return nil
}

// CheckLayers checks the layers of owner, as "A bot": LimitExceeded when there are too
// many, InvalidPayload when the name of one is too long.
func CheckLayers(owner string, layers []string) error {
	if len(layers) > maxLayers {
		return tooMany(owner, maxLayers, "layers", len(layers))
	}
	for i, layer := range layers {
		if n := utf8.RuneCountInString(layer); n > maxLayerName {
			return fault.New(fault.InvalidPayload, "layers[%d] has %d characters; it can have %d.", i, n, maxLayerName)
		}
	}
	return nil
}

// CheckExecutionTime checks how many seconds a call may take; nil was not said.
// InvalidPayload when that is out of bounds.
func CheckExecutionTime(seconds *int64) error {
	if seconds != nil && (*seconds < 1 || *seconds > maxExecutionTime) {
		return fault.New(fault.InvalidPayload, "maxExecutionTime is %d; it must be 1 to %d seconds.", *seconds, maxExecutionTime)
	}
	return nil
}
