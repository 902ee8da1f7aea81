package meter

import (
	"math"
	"strconv"

	"github.com/botyard/botyard/internal/fault"
)

// spending is an amount of AI spend in whole cents.
type spending int64

// maxSpending bounds what members can allow themselves: what a workspace spends
// above is for its operator to allow.
const maxSpending spending = 1_000_000

const nanoInCent = 10_000_000

// spendingOf is an amount in dollars as the public API sends it, rounded to cents.
func spendingOf(dollars float64) spending {
	if math.IsNaN(dollars) || dollars < 0 || dollars > 1e12 {
		return -1
	}
	return spending(math.Round(dollars * 100))
}

func (c spending) nano() int64 { return int64(c) * nanoInCent }

// String is the amount in dollars.
func (c spending) String() string { return strconv.FormatFloat(float64(c)/100, 'f', -1, 64) }

func (c spending) check() error {
	if c < 0 || c > maxSpending {
		return fault.New(fault.InvalidPayload, "monthlySpendingLimit must be from 0 to %s dollars a month. The operator of this server can allow more, with botyard quota set.", maxSpending)
	}
	return nil
}
