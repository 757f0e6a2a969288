package warehouse

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// EngineCommand is the first argument of a program that is to run engine.Main, instead of its own business.
const EngineCommand = "warehouse-engine"

// Report is a line of JSON that the engine writes: the first when it serves or cannot, with its addresses or the fault,
// and one after each collection of garbage, which it makes for each line on its standard input.
type Report struct {
	REST  string `json:"rest,omitempty"`  // host:port
	GRPC  string `json:"grpc,omitempty"`  // host:port
	Fault string `json:"fault,omitempty"` // why it does not serve
	Bytes uint64 `json:"bytes,omitempty"` // of memory in use
}

// engineBytes is the memory at which an engine is replaced. GoogleSQL's own starts with some 75 MB and doubles what it
// reserves when that is full: an engine above this has used more than 140 MB and holds twice as much.
const engineBytes = 256 << 20

// process is a running engine.
type process struct {
	command *exec.Cmd
	input   io.WriteCloser
	first   Report
	conn    *grpc.ClientConn
	grown   chan struct{} // has room for one: it has become too large
	ended   chan struct{} // closed when it is gone
	err     error         // why, once it is gone
	stderr  tail
}

// startProcess runs the engine on the database in folder and waits until it serves.
func startProcess(engine []string, project, folder string) (*process, error) {
	p := &process{
		command: exec.Command(engine[0], append(engine[1:len(engine):len(engine)], project, folder)...),
		grown:   make(chan struct{}, 1), ended: make(chan struct{}),
	}
	p.command.Stderr = &p.stderr
	input, err := p.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the warehouse's engine: %w", err)
	}
	output, err := p.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the warehouse's engine: %w", err)
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the warehouse's engine: %w", err)
	}
	p.input = input
	reports := bufio.NewReader(output)
	line, err := reports.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.first)
	}
	go p.follow(reports)
	switch {
	case p.first.Fault != "":
		return nil, errors.Join(errors.New(p.first.Fault), p.stop())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("starting the warehouse's engine %s: %w", engine[0], err), p.stop())
	}
	p.conn, err = grpc.NewClient(p.first.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to the warehouse's engine: %w", err), p.stop())
	}
	return p, nil
}

// follow reads the reports until the process is gone.
func (p *process) follow(reports *bufio.Reader) {
	defer close(p.ended)
	for decoder := json.NewDecoder(reports); ; {
		var r Report
		if decoder.Decode(&r) != nil {
			break
		}
		if r.Bytes >= engineBytes {
			select {
			case p.grown <- struct{}{}:
			default: // told already
			}
		}
	}
	if p.err = p.command.Wait(); p.err != nil {
		p.err = fmt.Errorf("%w: %s", p.err, &p.stderr)
	}
}

// collect asks for a collection of garbage and a report. A process that is gone has none.
func (p *process) collect() { _, _ = io.WriteString(p.input, "\n") }

// stopGrace is how long an engine may take to close its database. What was acknowledged is safe without that.
const stopGrace = 10 * time.Second

// stop ends the process and returns why it did not end well.
func (p *process) stop() error {
	if p.conn != nil {
		_ = p.conn.Close()
	}
	_ = p.input.Close()
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	select {
	case <-p.ended:
	case <-ctx.Done():
		_ = p.command.Process.Kill()
		<-p.ended
	}
	return p.err
}

// tail keeps the end of what is written to it. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 4 << 10
	t.text = append(t.text, text...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(text), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
