//go:build !unix

package cli

import "os"

// isTerminal reports whether a file is a terminal.
func isTerminal(file *os.File) bool {
	about, err := file.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}

// columnsOf is how wide a terminal is; 0 where it does not say.
func columnsOf(*os.File) int { return 0 }
