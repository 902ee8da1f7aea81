// Package explain shows how the engines carry out the statements of a store.
//
// It owns the running of EXPLAIN on both engines and what is wrong with a plan. It
// does not own which statements matter: the tests of each package run those.
package explain
