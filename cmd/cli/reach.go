package cli

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
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

// localAdvice adds to faults of the environment what a person may have
// forgotten who uses the local system.
func localAdvice(getenv func(string) string, err error) error {
	if err == nil || strings.TrimSpace(getenv("GOOGLE_CLOUD_PROJECT")) != "" {
		return err
	}
	return fmt.Errorf("%w, or start a local system with `stationflow up`", err)
}
