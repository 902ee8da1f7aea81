package harness

import (
	"flag"
	"fmt"
	"slices"
	"sync"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/validate"
)

// ledger is which operations the tests of a package had a successful answer of, on
// which engine.
var ledger struct {
	sync.Mutex
	successful map[entry]bool
	validator  *validate.Validator
}

type entry struct {
	engine    db.Engine
	operation string
}

func (c *Client) note(operation string) {
	ledger.Lock()
	defer ledger.Unlock()
	if ledger.successful == nil {
		ledger.successful = map[entry]bool{}
	}
	ledger.successful[entry{c.engine, operation}] = true
	ledger.validator = c.validator
}

// unanswered lists the operations of the document that no test had a successful
// answer of, engine by engine. It is nil when only some of the tests were run.
func unanswered() (missing []string) {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return nil
		}
	}
	if ledger.validator == nil {
		return []string{"any operation, on any engine"}
	}
	for _, engine := range Engines {
		for _, prefix := range []string{"/v1/admin", "/v2/billing"} {
			for _, operation := range ledger.validator.Operations(prefix) {
				if !ledger.successful[entry{engine, operation}] {
					missing = append(missing, fmt.Sprintf("%s on %s", operation, engine))
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}
