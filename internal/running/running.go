// Package running says which local systems run on this machine: each leaves a
// file that tells where it is, and takes it away when it ends. Tools find it
// there without being told.
package running

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A System is a local system that runs.
type System struct {
	PID         int       `json:"pid"`
	Page        string    `json:"page"`      // http://host:port
	Log         string    `json:"log"`       // its file
	Variables   string    `json:"variables"` // the file of its environment, for a shell to read
	Started     time.Time `json:"started"`
	Environment []string  `json:"environment"` // NAME=value: what programs need to work with it
}

// Variable returns a variable of the system's environment, "" where it has none.
func (s *System) Variable(name string) string {
	for _, variable := range s.Environment {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}

// Folder is where the systems of this user say where they are; "" where there
// is no such place. It is the user's alone: who writes there says what the
// tools work with.
func Folder(getenv func(string) string) string {
	if own := getenv("XDG_RUNTIME_DIR"); own != "" {
		return filepath.Join(own, "stationflow")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "stationflow", "running")
}

// Announce leaves the system's file in the folder. remove takes it away again;
// after a crash it stays, and Find puts it aside, see Crashed.
func Announce(folder string, s System) (remove func() error, err error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("telling where the system is: %w", err)
	}
	_ = os.Remove(filepath.Join(folder, crashed)) // of an earlier one
	file := filepath.Join(folder, strconv.Itoa(s.PID)+".json")
	temporary := file + ".new" // so that nobody reads half of it
	if err = os.WriteFile(temporary, text, 0o600); err == nil {
		err = os.Rename(temporary, file)
	}
	if err != nil {
		return nil, fmt.Errorf("telling where the system is: %w", err)
	}
	return func() error {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no longer telling where the system is: %w", err)
		}
		return nil
	}, nil
}

// dialTimeout is plenty on this machine.
const dialTimeout = time.Second

// Find returns the systems whose page takes connections, the oldest first. The
// file of one that has crashed is put aside.
func Find(ctx context.Context, folder string) ([]System, error) {
	if folder == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("looking for local systems: %w", err)
	}
	var all []System
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just ended
		}
		if err != nil {
			return nil, fmt.Errorf("looking for local systems: %w", err)
		}
		var s System
		if json.Unmarshal(text, &s) != nil {
			continue // no file of ours
		}
		switch listens, err := answers(ctx, s.Page); {
		case err != nil:
			return nil, err
		case listens:
			all = append(all, s)
		default:
			_ = os.Rename(file, filepath.Join(folder, crashed)) // the next one looks again
		}
	}
	slices.SortFunc(all, func(a, b System) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.PID, b.PID)) })
	return all, nil
}

// crashed is the file of the last system that ended without taking its own away.
const crashed = "crashed"

// Crashed is the system that Find has last found ended without taking its file
// away; nil where there is none, or another has started since.
func Crashed(folder string) *System {
	text, err := os.ReadFile(filepath.Join(folder, crashed))
	var s System
	if folder == "" || err != nil || json.Unmarshal(text, &s) != nil {
		return nil
	}
	return &s
}

// answers reports whether something listens at the page's address: a process
// that is gone has let go of it.
func answers(ctx context.Context, page string) (bool, error) {
	at, err := url.Parse(page)
	if err != nil || at.Host == "" {
		return false, nil //nolint:nilerr // what names no page has none that answers
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return false, ctx.Err()
	}
	return true, connection.Close()
}
