package cli

// Commands are those that work against a real project.
func Commands() []Command { return nil }
