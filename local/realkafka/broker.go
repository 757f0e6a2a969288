// Package realkafka runs a real Apache Kafka for tests, which start, kill and
// restart it. It needs a command that runs a broker, named by the variable
// STATIONFLOW_KAFKA, such as the full path of scripts/kafka.sh; without it the
// tests are skipped.
//
// The command is given a folder as its last argument and PORT in the
// environment. It runs one broker in the foreground, without leaving children
// behind, on 127.0.0.1: plaintext on PORT, a controller on PORT+1 if it needs
// one, SASL_PLAINTEXT on PORT+2 and SASL_SSL on PORT+3, both with PLAIN and
// SCRAM-SHA-512 for the user alice with the password alice-secret. It writes the PEM file of the authority that
// signed its certificate to ca.pem in the folder, and goes on with the topics
// of a folder that was used before.
package realkafka

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/local/freeport"
)

const (
	// Variable names the command.
	Variable = "STATIONFLOW_KAFKA"

	// User and Password are known to the listeners with SASL.
	User     = "alice"
	Password = "alice-secret"

	// patience is how long a broker may take to start.
	patience = 2 * time.Minute
)

// A Broker is one process, or none after Kill. It is not safe for concurrent
// use.
type Broker struct {
	command string
	folder  string
	port    int
	process *exec.Cmd
	exited  chan struct{}
}

// shortLived has Java compile quickly instead of well, and collect garbage with
// one thread. A broker of a test ends before more of either pays: it takes two
// thirds of the processor time so.
const shortLived = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

// Start starts a broker with an empty folder, and ends it with the test. It
// skips the test where no command is named, and fails it, with the end of what
// the broker wrote, when the broker ends by itself.
func Start(t testing.TB) *Broker {
	t.Helper()
	command := os.Getenv(Variable)
	if command == "" {
		t.Skipf("set %s to a command that runs Apache Kafka, see the package's comment", Variable)
	}
	port, err := freeport.Find(4)
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{command: command, folder: t.TempDir(), port: port}
	t.Cleanup(func() {
		if b.process != nil && b.hasExited() {
			t.Errorf("the broker ended by itself, %v:\n%s", b.process.ProcessState, b.log())
		}
		b.Kill()
	})
	b.Restart(t)
	return b
}

// Restart starts the broker again after Kill, with what it has kept, and
// returns when it answers.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(b.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	b.process = exec.Command("sh", "-c", `exec `+b.command+` "$1"`, "sh", b.folder)
	b.process.Env = append(os.Environ(), "PORT="+strconv.Itoa(b.port), "JAVA_TOOL_OPTIONS="+shortLived)
	b.process.Stdout, b.process.Stderr = log, log
	b.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.process.Start(); err != nil {
		t.Fatal(err)
	}
	b.exited = make(chan struct{})
	go func() {
		_ = b.process.Wait() // it is killed
		close(b.exited)
	}()
	for deadline := time.Now().Add(patience); ; {
		err := b.reach()
		if err == nil {
			return
		}
		select {
		case <-b.exited:
			t.Fatalf("the broker exited:\n%s", b.log())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the broker does not answer (%v):\n%s", err, b.log())
		}
	}
}

// reach asks every listener: the broker opens one after another.
func (b *Broker) reach() error {
	for _, protocol := range []string{"PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"} {
		if err := kafka.Reach(context.Background(), b.Config(protocol)); err != nil {
			return fmt.Errorf("over %s: %w", protocol, err)
		}
	}
	return nil
}

// Kill ends the broker as kill -9 does, and returns when it is gone.
func (b *Broker) Kill() {
	if b.process == nil {
		return
	}
	_ = syscall.Kill(-b.process.Process.Pid, syscall.SIGKILL) // it may have ended by itself
	<-b.exited
	b.process = nil
}

func (b *Broker) hasExited() bool {
	select {
	case <-b.exited:
		return true
	default:
		return false
	}
}

func (b *Broker) log() string {
	text, err := os.ReadFile(filepath.Join(b.folder, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// Address is the bootstrap server of a protocol.
func (b *Broker) Address(protocol string) string {
	offset := map[string]int{"PLAINTEXT": 0, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}[protocol]
	return fmt.Sprintf("127.0.0.1:%d", b.port+offset)
}

// Environment holds the KAFKA_ variables for a protocol.
func (b *Broker) Environment(protocol string) map[string]string {
	variables := map[string]string{"KAFKA_BOOTSTRAP_SERVERS": b.Address(protocol), "KAFKA_SECURITY_PROTOCOL": protocol}
	if protocol != "PLAINTEXT" {
		variables["KAFKA_SASL_USERNAME"], variables["KAFKA_SASL_PASSWORD"] = User, Password
	}
	if protocol == "SASL_SSL" {
		variables["KAFKA_CA_FILE"] = filepath.Join(b.folder, "ca.pem")
	}
	return variables
}

// Config is the configuration of a client for a protocol.
func (b *Broker) Config(protocol string) kafka.Config {
	variables := b.Environment(protocol)
	return kafka.FromEnv(env.NewReader(func(name string) string { return variables[name] }))
}
