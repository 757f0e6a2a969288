package dbtequal

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// A conversation is with a Python in which dbt-core works: it answers each line
// of JSON with one, one after the other. Any number of tests may share it.
type conversation struct {
	process *exec.Cmd
	mu      sync.Mutex
	in      io.WriteCloser
	out     *bufio.Reader
}

// conversations are those that tests have begun, by programs and their
// arguments. dbt-core takes seconds to start, and more to parse its own macros
// the first time.
var conversations = struct {
	sync.Mutex
	with map[string]*conversation
}{with: map[string]*conversation{}}

// TestMain ends the conversations.
func TestMain(m *testing.M) {
	code := m.Run()
	for program, c := range conversations.with {
		if err := c.end(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// converse returns the conversation with a program, which it begins if need be.
// An argument tells those apart that work side by side.
func converse(t testing.TB, program ...string) *conversation {
	t.Helper()
	interpreter := python(t)
	conversations.Lock()
	defer conversations.Unlock()
	if c := conversations.with[strings.Join(program, " ")]; c != nil {
		return c
	}
	process := exec.Command(interpreter, program...)
	process.Stderr = os.Stderr
	process.Env = append(os.Environ(), "DBT_SEND_ANONYMOUS_USAGE_STATS=false", "DBT_VERSION_CHECK=false", "DBT_USE_COLORS=false", "SET=value", "EMPTY=")
	in, err := process.StdinPipe()
	check(t, err)
	out, err := process.StdoutPipe()
	check(t, err)
	check(t, process.Start())
	c := &conversation{process: process, in: in, out: bufio.NewReader(out)}
	conversations.with[strings.Join(program, " ")] = c
	return c
}

// ask waits for the answer to a question.
func (c *conversation) ask(t testing.TB, question, answer any) {
	t.Helper()
	line, err := json.Marshal(question)
	check(t, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.in.Write(append(line, '\n'))
	check(t, err)
	read, err := c.out.ReadBytes('\n')
	check(t, err)
	check(t, json.Unmarshal(read, answer))
}

func (c *conversation) end() error {
	if err := c.in.Close(); err != nil {
		return err
	}
	return c.process.Wait()
}
