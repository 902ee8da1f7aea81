package definition

// Source is the request that makes the definition out of an empty one: all that was
// said of it, and nothing of how it has gone since.
func (b Bot) Source() NewBot {
	n := NewBot{
		States: b.States, Events: b.Events, Subscriptions: b.Subscriptions, Actions: b.Actions,
		Configuration: ConfigurationPatch(b.Configuration),
		User:          b.User.source(), Conversation: b.Conversation.source(), Message: b.Message.source(),
		Medias: b.Medias,
	}
	if b.RecurringEvents != nil {
		n.RecurringEvents = make(map[string]RecurringEventSettings, len(b.RecurringEvents))
		for name, e := range b.RecurringEvents {
			n.RecurringEvents[name] = e.RecurringEventSettings
		}
	}
	return n
}

// source is the set as a request has it; one without tags is not mentioned.
func (s TagSet) source() NewTagSet {
	if len(s.Tags) == 0 {
		return NewTagSet{}
	}
	return NewTagSet(s)
}

// Become is the definition that a source makes, in place of b. A recurring event
// that stays what it was keeps how it has gone. LimitExceeded when a part is beyond
// its limit. The source must have passed Check, as a patch.
func (b Bot) Become(source NewBot) (Bot, error) {
	next, err := EmptyBot().Apply(source.Patch())
	if err != nil {
		return Bot{}, err
	}
	for name, e := range next.RecurringEvents {
		next.RecurringEvents[name] = e.RecurringEventSettings.apply(b.RecurringEvents[name])
	}
	return next, nil
}
