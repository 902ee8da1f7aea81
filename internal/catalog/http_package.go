package catalog

// appendMembers writes the members of an object that is never empty behind those of
// another one, and its brace.
func appendMembers(out []byte, object JSON) []byte {
	return append(append(out, ','), object[1:]...)
}
