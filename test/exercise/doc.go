// Package exercise is the one suite of botyard's behaviour: every operation, on
// both engines, over HTTP, used rightly and wrongly, by one and by many at once.
//
// It owns what an operation must do. It does not own who may call it (package
// matrix), what the document must look like (package contract) nor how the
// official clients fare (package clients).
package exercise
