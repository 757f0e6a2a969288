package cli

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/running"
)

// dialTimeout is plenty to connect to an emulator, which is near.
const dialTimeout = 2 * time.Second

// reach returns an error when the variable names an emulator and nothing
// listens there: Google's clients would try again for minutes.
func reach(ctx context.Context, getenv func(string) string, name string) error {
	address := strings.TrimSpace(getenv(name))
	if address == "" {
		return nil
	}
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	address, _, _ = strings.Cut(address, "/")
	dialer := net.Dialer{Timeout: dialTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("nothing listens at %s (%s): start the system with `stationflow up`, or unset it", address, name)
	}
	return connection.Close()
}

// advise adds to faults of the environment what a person may have forgotten who
// uses the local system, or not have seen.
func (s *Streams) advise(err error) error {
	if err == nil || strings.TrimSpace(s.Getenv("GOOGLE_CLOUD_PROJECT")) != "" {
		return err
	}
	if gone := running.Crashed(s.Running); gone != nil {
		return fmt.Errorf("%w; the local system that was started at %s has ended without a word: its log is %s, `stationflow up` starts another",
			err, gone.Started.Local().Format("15:04:05 on 2006-01-02"), gone.Log)
	}
	return fmt.Errorf("%w, or start a local system with `stationflow up`", err)
}
