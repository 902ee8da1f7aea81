package validate

import (
	"fmt"
	"slices"
	"strings"
)

// route is a node of the tree of paths: one per segment. A literal segment wins
// over a parameter, so /bots/baks is not /bots/{id}.
type route struct {
	literal   map[string]*route
	parameter *route
	methods   map[string]*operation
}

func (r *route) add(path, method string, op *operation) error {
	at := r
	for segment := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
			if at.parameter == nil {
				at.parameter = &route{}
			}
			at = at.parameter
			continue
		}
		if at.literal == nil {
			at.literal = map[string]*route{}
		}
		if at.literal[segment] == nil {
			at.literal[segment] = &route{}
		}
		at = at.literal[segment]
	}
	if other := at.methods[method]; other != nil {
		return fmt.Errorf("%s %s is declared as %s and as %s", method, path, other.id, op.id)
	}
	if at.methods == nil {
		at.methods = map[string]*operation{}
	}
	at.methods[method] = op
	return nil
}

// find is the operation of an escaped path; a %2F stays inside its segment.
func (r *route) find(path, method string) *operation {
	if !strings.HasPrefix(path, "/") {
		return nil
	}
	return r.match(strings.Split(path[1:], "/"), method)
}

func (r *route) match(segments []string, method string) *operation {
	if len(segments) == 0 {
		return r.methods[method]
	}
	if next := r.literal[segments[0]]; next != nil {
		if op := next.match(segments[1:], method); op != nil {
			return op
		}
	}
	if r.parameter != nil && segments[0] != "" {
		return r.parameter.match(segments[1:], method)
	}
	return nil
}

// ids lists the operations below a prefix of whole, literal segments, sorted.
func (r *route) ids(prefix string) []string {
	at := r
	for segment := range strings.SplitSeq(strings.Trim(prefix, "/"), "/") {
		if at = at.literal[segment]; at == nil {
			return nil
		}
	}
	ids := at.collect(nil)
	slices.Sort(ids)
	return ids
}

func (r *route) collect(ids []string) []string {
	for _, op := range r.methods {
		ids = append(ids, op.id)
	}
	for _, next := range r.literal {
		ids = next.collect(ids)
	}
	if r.parameter != nil {
		ids = r.parameter.collect(ids)
	}
	return ids
}
