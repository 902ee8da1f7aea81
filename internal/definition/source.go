package definition

// Source is the request that creates a bot with this definition. It has everything that the
// definition declares, and nothing that happened since, such as failures of recurring
// events.
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

// source is the set as a request has it; without tags it is absent.
func (s TagSet) source() NewTagSet {
	if len(s.Tags) == 0 {
		return NewTagSet{}
	}
	return NewTagSet(s)
}

// Become is the definition of source, to replace b. Recurring events that do not change keep
// their record of failures. The patch of source must have passed Check. LimitExceeded when a
// part is beyond its limit.
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
