package main

import (
	"fmt"
	"strings"
)

// An action, an event and a state of ordinary size, as a bot's bundle sends them.
const (
	action = `"createTicket%[1]d":{"title":"Create a ticket (%[1]d)","description":"Opens a ticket in the help desk and answers its number.",` +
		`"input":{"schema":{"type":"object","properties":{"subject":{"type":"string","maxLength":200},"body":{"type":"string"},` +
		`"priority":{"type":"string","enum":["low","normal","high"]},"watchers":{"type":"array","items":{"type":"string","format":"email"}}},` +
		`"required":["subject","body"],"additionalProperties":false}},` +
		`"output":{"schema":{"type":"object","properties":{"ticketId":{"type":"string"},"url":{"type":"string"}},"required":["ticketId"]}}}`
	event = `"ticketClosed%[1]d":{"title":"Ticket closed (%[1]d)","description":"An agent closed the ticket.",` +
		`"schema":{"type":"object","properties":{"ticketId":{"type":"string"},"closedBy":{"type":"string"},"minutes":{"type":"number"}},"required":["ticketId"]}}`
	state = `"progress%[1]d":{"type":"conversation","schema":{"type":"object","properties":` +
		`{"step":{"type":"string"},"answers":{"type":"object","additionalProperties":{"type":"string"}}}}}`
	// fields make an action larger.
	fields = `"requester":{"type":"object","properties":{"name":{"type":"string","maxLength":200},"email":{"type":"string","format":"email"},` +
		`"phone":{"type":"string","pattern":"^[+0-9 ]+$"},"locale":{"type":"string","enum":["en","fr","es","de","pt","it"]},` +
		`"organization":{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},"plan":{"type":"string"}},"required":["id"]}},` +
		`"required":["name"],"additionalProperties":false},"labels":{"type":"array","items":{"type":"string","maxLength":40},"maxItems":20},`
)

// definition is the members of a bot's definition, without braces, the first
// size at or above the wanted number of bytes.
func definition(size int) string {
	var actions, events, states []string
	length := len(`"actions":{},"events":{},"states":{}`)
	add := func(list *[]string, template string) {
		text := fmt.Sprintf(template, len(*list)+1)
		*list = append(*list, text)
		length += len(text) + 1
	}
	for length < size {
		add(&actions, action)
		if length < size {
			add(&events, event)
		}
		if length < size {
			add(&states, state)
		}
	}
	return fmt.Sprintf(`"actions":{%s},"events":{%s},"states":{%s}`,
		strings.Join(actions, ","), strings.Join(events, ","), strings.Join(states, ","))
}

// manyActions is the member actions of a definition of about size bytes, which are
// more actions than definition would have events and states beside.
func manyActions(size int) string {
	var b strings.Builder
	b.WriteString(`"actions":{`)
	for n := 1; b.Len() < size; n++ {
		if n > 1 {
			b.WriteString(",")
		}
		one := fmt.Sprintf(action, n)
		b.WriteString(strings.Replace(one, `"properties":{`, `"properties":{`+fields, 1))
	}
	b.WriteString("}")
	return b.String()
}
