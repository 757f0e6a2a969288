package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is one of the programs under measurement.
type process struct {
	name    string
	command *exec.Cmd
	started time.Time
	ended   chan struct{} // closed when it has

	mu   sync.Mutex
	tail []string // the last lines of its log
}

const tailLines = 20

// startProcess runs a program; each line that it logs is given to line.
func startProcess(folder, name string, environment []string, line func([]byte), args ...string) (*process, error) {
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%s is not there: build it with make build", path)
	}
	p := &process{name: name, command: exec.Command(path, args...), ended: make(chan struct{})}
	p.command.Env = environment
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p.command.Stderr, p.command.Stdout = writer, writer
	p.started = time.Now()
	err = p.command.Start()
	writer.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), reader.Close())
	}
	go p.follow(reader, line)
	return p, nil
}

// follow reads the log until the process ends.
func (p *process) follow(log io.ReadCloser, line func([]byte)) {
	defer close(p.ended)
	defer log.Close()
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.keep(lines.Text())
		line(lines.Bytes())
	}
	_ = p.command.Wait() // how it ended is asked where it matters
}

func (p *process) keep(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tail = append(p.tail, line); len(p.tail) > tailLines {
		p.tail = p.tail[1:]
	}
}

// log returns the last lines.
func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "\n")
}

// stop ends the process as Cloud Run does, by SIGTERM, and by force when that
// does not do.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// lifetimeCPU returns the processor time, user and system, of the whole life
// of a process that has ended.
func (p *process) lifetimeCPU() time.Duration {
	state := p.command.ProcessState
	return state.UserTime() + state.SystemTime()
}

// A usage is what a running process has used so far.
type usage struct {
	cpu     time.Duration // user and system
	peakRSS int64         // bytes
	fileRSS int64         // bytes of files that are mapped now: the program's own code and constants
}

// clockTicks is the unit of times in /proc, USER_HZ, on every architecture
// that Go runs on.
const clockTicks = 100

// usage reads /proc, where there is one. The peak comes from there and not
// from the process's resource usage, which on Linux begins with the memory of
// the program that started it.
func (p *process) usage() (usage, error) {
	u, err := usageOf(p.command.Process.Pid)
	if err != nil {
		return usage{}, fmt.Errorf("measuring %s: %w", p.name, err)
	}
	return u, nil
}

func usageOf(pid int) (u usage, err error) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(folder + "stat")
	if err != nil {
		return u, fmt.Errorf("%w (this needs Linux)", err)
	}
	// The second field, the name, is in parentheses and may hold blanks; user
	// and system time are fields 14 and 15 (proc_pid_stat(5)).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return u, errors.New("it has ended")
	}
	for _, ticks := range fields[11:13] {
		n, err := strconv.ParseInt(ticks, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * time.Second / clockTicks
	}
	status, err := os.ReadFile(folder + "status")
	if err != nil {
		return u, err
	}
	if u.peakRSS, err = memory(status, "VmHWM:"); err != nil {
		return u, err
	}
	u.fileRSS, err = memory(status, "RssFile:")
	return u, err
}

// memory is a size of proc_pid_status(5), in bytes.
func memory(status []byte, name string) (n int64, err error) {
	_, rest, _ := strings.Cut(string(status), name)
	if _, err := fmt.Sscanf(rest, "%d kB", &n); err != nil {
		return 0, fmt.Errorf("no %s of its memory: %w", strings.TrimSuffix(name, ":"), err)
	}
	return n * 1024, nil
}
