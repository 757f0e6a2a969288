package event

// ExtraNames calls tell with the name of each field that the column extra of a
// row holds.
func ExtraNames(extra []byte, tell func(name []byte)) {
	for _, m := range members(extra) {
		tell(m.name)
	}
}
