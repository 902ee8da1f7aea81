package naive

// Usage is what a record is charged: incoming messages and events by their number,
// and calls of language models by their cost in nano-dollars.
func Usage(r Record) (calls, spend float64) {
	switch {
	case r.Fields["kind"] == "event", r.Fields["kind"] == "message" && r.Fields["direction"] == "incoming":
		return 1, 0
	case r.Fields["kind"] == "llm_call":
		return 0, r.number("costNanoUsd")
	}
	return 0, 0
}
