package system

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/local/endpoints"
)

// Commands are demo and up. engine is the command that runs the warehouse's
// engine.Main, with what it is to open as further arguments.
func Commands(engine ...string) []cli.Command {
	command := func(name, summary string) cli.Command {
		return cli.Command{Name: name, Summary: summary, Group: cli.ToStart, Run: func(ctx context.Context, args []string, streams cli.Streams) error {
			options, err := ParseOptions(name, args, streams.Out)
			if err != nil {
				return err
			}
			options.Engine = engine
			return run(ctx, options, streams)
		}}
	}
	return []cli.Command{
		command("demo", "the whole system on this machine, with simulated stations and a page to look at"),
		command("up", "the same without the stations, for your own events"),
	}
}

// run starts the system, says where everything is, shows how it does, and
// closes it when ctx ends or time is up.
func run(ctx context.Context, o Options, streams cli.Streams) (err error) {
	if err := endpoints.CanWrite(o.Endpoints); err != nil {
		return err
	}
	folder, remove, err := dataFolder(o.DataDir)
	if err != nil {
		return err
	}
	var s *System
	defer func() {
		if s != nil && s.missing > 0 { // the log tells why
			fmt.Fprintf(streams.Out, "the log is kept: %s\n", filepath.Join(folder, "stationflow.log"))
			err = errors.Join(err, removeAllBut(folder, o.DataDir, "stationflow.log"))
			return
		}
		err = errors.Join(err, remove())
	}()
	unlock, err := lockFolder(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	file, err := os.OpenFile(filepath.Join(folder, "stationflow.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer file.Close()
	log := slog.New(slog.NewJSONHandler(file, nil))
	restore, err := logOutput(log)
	if err != nil {
		return err
	}
	defer restore()

	began := time.Now()
	fmt.Fprintln(streams.Out, "starting")
	starting := context.AfterFunc(ctx, func() { fmt.Fprintln(streams.Out, "stopping while starting") })
	s, err = Start(ctx, o, folder, streams.Getenv, streams.Out, log)
	starting()
	if err != nil && ctx.Err() != nil { // whatever step it was, and however that words it
		log.Info("stopped while starting", "error", err.Error())
		fmt.Fprintln(streams.Out, "stopped while starting")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(streams.Out, "stopping: what is under way still arrives")
		err = errors.Join(err, s.Close())
	}()
	if o.Endpoints != "" {
		if err := s.Endpoints.Write(o.Endpoints); err != nil {
			return err
		}
	}
	if err := s.writeEnvironment(); err != nil {
		return err
	}
	forget, err := s.announce(streams.Running, file.Name(), began)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, forget()) }()
	s.introduce(streams.Out, file.Name(), time.Since(began))
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	return s.report(ctx, streams.Out)
}

// logOutput makes what libraries write to the standard output and error lines
// of the log, instead of something between the lines of the start or in the
// status line: the functions framework writes what it serves, and each failure.
func logOutput(log *slog.Logger) (restore func(), err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("redirecting the output of libraries: %w", err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = writer, writer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewReader(reader)
		for {
			line, err := lines.ReadString('\n')
			if text := strings.TrimSpace(line); text != "" {
				log.Info("a library wrote", "text", text)
			}
			if err != nil {
				return
			}
		}
	}()
	return func() {
		os.Stdout, os.Stderr = stdout, stderr
		_ = writer.Close()
		<-ended
		_ = reader.Close()
	}, nil
}

// dataFolder returns the folder that everything is kept in, and how to remove
// it when nothing is to be kept.
func dataFolder(chosen string) (folder string, remove func() error, err error) {
	if chosen == "" {
		folder, err := os.MkdirTemp("", "stationflow-")
		if err != nil {
			return "", nil, fmt.Errorf("making a folder for this run: %w", err)
		}
		return folder, func() error { return os.RemoveAll(folder) }, nil
	}
	if err := os.MkdirAll(chosen, 0o755); err != nil {
		return "", nil, fmt.Errorf("making the folder of --data: %w", err)
	}
	return chosen, func() error { return nil }, nil
}

// removeAllBut empties a folder that is not kept, except for one file.
func removeAllBut(folder, kept, name string) error {
	if kept != "" {
		return nil
	}
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		if entry.Name() != name {
			err = errors.Join(err, os.RemoveAll(filepath.Join(folder, entry.Name())))
		}
	}
	return err
}
