// Package naive counts telemetry the slow way, for suites to hold the roll-ups against.
//
// It owns what the analytics of a bot are when all its records are at hand and in
// order. It does not own how records are made up, sent or asked for: those are of the
// suites that use it.
package naive
