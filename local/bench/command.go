package bench

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/stationflow/stationflow/cmd/cli"
)

// Command is bench. self is the path of this program: the programs under
// measurement are looked for next to it.
func Command(self string) cli.Command {
	return cli.Command{
		Name:    "bench",
		Group:   cli.ToWork,
		Summary: "measure the bridge and the functions, and check every record they wrote",
		Run: func(ctx context.Context, args []string, streams cli.Streams) error {
			o, err := parseOptions(args, streams.Out)
			if err != nil {
				return err
			}
			o.Programs = filepath.Dir(self)
			if o.Bill {
				return compare(ctx, self, o, streams)
			}
			if o.Peers != "" {
				return measurePeers(ctx, o, streams)
			}
			if o.Against != "" {
				return measureAgainst(ctx, self, o, streams)
			}
			if o.Rest > 0 {
				return measureRest(ctx, o, streams)
			}
			return measure(ctx, o, streams)
		},
	}
}

func measure(ctx context.Context, o Options, streams cli.Streams) error {
	result, err := Run(ctx, o, streams.Getenv, streams.Err)
	if err != nil {
		return err
	}
	fmt.Fprintln(streams.Out)
	result.print(streams.Out)
	if o.JSON != "" {
		return result.save(o.JSON)
	}
	return nil
}
