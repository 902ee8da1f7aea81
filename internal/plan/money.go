package plan

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Cents is an amount of money in hundredths of the catalogue's currency.
type Cents int64

// Nano is an amount in billionths of a dollar, in which AI spend is counted.
type Nano int64

// nanoInCent is how many nano-dollars a cent has.
const nanoInCent = 10_000_000

// Dollars is the amount as the public API writes it.
func (c Cents) Dollars() float64 { return float64(c) / 100 }

// String is the amount with two decimals, such as -0.05.
func (c Cents) String() string {
	sign, n := "", uint64(c)
	if c < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// Dollars is the amount as the public API writes it.
func (n Nano) Dollars() float64 { return float64(n) / (100 * nanoInCent) }

// Cents is the amount in cents, rounded half away from zero.
func (n Nano) Cents() Cents {
	if n < 0 {
		return -(-n).Cents()
	}
	return Cents(n/nanoInCent + n%nanoInCent*2/nanoInCent)
}

// CentsUp is the amount in cents, rounded up.
func (n Nano) CentsUp() Cents {
	c := Cents(n / nanoInCent)
	if n%nanoInCent > 0 {
		c++
	}
	return c
}

// Share is c × part / whole, rounded half away from zero. whole must be positive, and part
// from 0 to whole; intermediate results do not overflow.
func (c Cents) Share(part, whole int64) Cents {
	if c < 0 {
		return -(-c).Share(part, whole)
	}
	high, low := bits.Mul64(uint64(c), uint64(part))
	low, carry := bits.Add64(low, uint64(whole)/2, 0)
	quotient, _ := bits.Div64(high+carry, low, uint64(whole))
	return Cents(quotient)
}

// ParseCents reads an amount such as 89, 948.00 or 0.5, without any rounding.
func ParseCents(text string) (Cents, error) {
	whole, part, dotted := strings.Cut(text, ".")
	if dotted && (part == "" || len(part) > 2) {
		return 0, fmt.Errorf("%q is not an amount of money; write it like 89 or 89.50", text)
	}
	n, err := strconv.ParseUint(whole+(part + "00")[:2], 10, 63)
	if err != nil || whole == "" {
		return 0, fmt.Errorf("%q is not an amount of money; write it like 89 or 89.50", text)
	}
	return Cents(n), nil
}

// UnmarshalYAML reads an amount from the text of a number.
func (c *Cents) UnmarshalYAML(node *yaml.Node) (err error) {
	*c, err = ParseCents(node.Value)
	return err
}
