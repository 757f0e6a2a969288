package event

// ExtraNames calls tell with the name of each field that the column extra of a
// row holds, as far as it can be read as strictly as an event is.
func ExtraNames(extra []byte, tell func(name []byte)) {
	for _, m := range members(extra) {
		tell(m.name)
	}
}
