package warehouse

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTable_FromPython runs the table with Google's client for Python, which must get what Go's gets.
func TestTable_FromPython(t *testing.T) {
	wantClients(t)
	python := os.Getenv("STATIONFLOW_PYTHON")
	if python == "" {
		t.Skip("STATIONFLOW_PYTHON is not set: see .ci/run")
	}
	holdProgram(t, python, "table.py")
}

// TestTable_FromNode does so with the client for Node.
func TestTable_FromNode(t *testing.T) {
	wantClients(t)
	holdProgram(t, "node", "table.mjs")
}

// TestTable_FromJava does so with the client for Java.
func TestTable_FromJava(t *testing.T) {
	wantClients(t)
	holdProgram(t, "java", "-Duser.timezone=Asia/Tokyo", "-cp", filepath.Join("target", "jars", "*"), "Table.java")
}

func wantClients(t *testing.T) {
	t.Helper()
	if os.Getenv("STATIONFLOW_CLIENTS") == "" {
		t.Skip("STATIONFLOW_CLIENTS is not set: see make clients")
	}
}

// holdProgram runs the table with a program of the folder clients.
func holdProgram(t *testing.T, command ...string) {
	t.Helper()
	w, _ := start(t, "")
	y := tallied(t, restClient(t, w), askProgram(t, append(command, w.RESTURL(), testProject)), false)
	if y.right < 1000 {
		t.Errorf("%d right answers", y.right)
	}
}

// askProgram asks with a program that reads a line of JSON for each statement and writes one for each answer. It ends with
// the test.
func askProgram(t *testing.T, command []string) ask {
	t.Helper()
	program := exec.CommandContext(t.Context(), command[0], command[1:]...)
	program.Dir, program.Stderr = "clients", os.Stderr
	input, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatalf("%v: see make clients", err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = program.Wait() // it was killed with the test's context, or ends with its input
	})
	questions, answers := json.NewEncoder(input), bufio.NewReader(output)
	return func(_ context.Context, sql string) ([]string, error) {
		if err := questions.Encode(map[string]string{"sql": sql}); err != nil {
			t.Fatalf("asking %s: %v", command[0], err)
		}
		line, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%s ended at %.200s: %v", command[0], sql, err)
		}
		return readAnswer(t, line)
	}
}

func readAnswer(t *testing.T, line []byte) ([]string, error) {
	t.Helper()
	var answer struct {
		Row   []any
		Error string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatalf("reading %.200s: %v", line, err)
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	return showAll(answer.Row), nil
}
