package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/stationflow/stationflow/internal/status"
)

// usualWidth is how many columns a terminal has that does not say.
const usualWidth = 80

// terminal reports whether results are read by a person at a terminal, and how
// wide that is.
func (s *Streams) terminal() (width int, is bool) {
	file, isFile := s.Out.(*os.File)
	if !isFile || !isTerminal(file) {
		return usualWidth, false
	}
	if columns, err := strconv.Atoi(s.Getenv("COLUMNS")); err == nil && columns > 0 {
		return columns, true
	}
	if columns := columnsOf(file); columns > 0 {
		return columns, true
	}
	return usualWidth, true
}

// broken breaks a text between words into lines of at most the width, the first
// behind head and the others below its text.
func broken(head, text string, width int) string {
	var out strings.Builder
	line, indent := head, strings.Repeat(" ", utf8.RuneCountInString(head))
	for _, word := range strings.Fields(oneLine(text)) {
		if line != head && line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			out.WriteString(line + "\n")
			line = indent
		}
		if line != head && line != indent {
			line += " "
		}
		line += word
	}
	return out.String() + line + "\n"
}

// advised is broken for what is said and what to do about it, with each command
// of the latter whole on a line of its own.
func advised(head, said, remedy string, width int) string {
	out, indent := "", strings.Repeat(" ", utf8.RuneCountInString(head))
	for line := range strings.SplitSeq(remedy, "\n") {
		words, command := status.Command(line)
		said = strings.TrimSpace(said + " " + words)
		if command != "" {
			out += broken(head, said, width) + indent + command + "\n"
			head, said = indent, ""
		}
	}
	if said != "" || out == "" {
		out += broken(head, said, width)
	}
	return out
}

// A shared writer is one that several goroutines may write to.
type shared struct {
	mu  sync.Mutex
	out io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

// during does something that may take long, and says what it is after two
// seconds and then more and more seldom. It is for work that cannot be counted;
// a progress is for work that can.
func (s *Streams) during(what string, do func() error) error {
	ended, told := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(told)
		for pause := progressEvery; ; pause *= 2 {
			select {
			case <-ended:
				return
			case <-time.After(pause):
				fmt.Fprintf(s.Err, "%s, for %.0f s\n", what, time.Since(began).Seconds())
			}
		}
	}()
	err := do()
	close(ended)
	<-told
	return err
}
