// Package validate holds the answers of the server against the document that
// the server publishes.
//
// It owns the check that every suite applies to every answer: the route is
// declared, the status and the content type are declared, the body matches its
// schema, an error has the envelope that the official clients recognise, and the
// headers that belong on every answer are there. It does not own the document,
// and it says nothing about requests.
//
// It is stricter than the document in three ways, because a looser check has let
// real defects through. An object with declared properties takes no others,
// unless its schema says that it does. A date-time is in UTC, with milliseconds
// and a Z. An error is held to the envelope even where the document declares
// nothing for its status.
package validate
