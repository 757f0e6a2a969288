package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/internal/pause"
)

// Rest is what the programs take while nothing comes, as --json writes it:
// after their start, one event that the functions have answered, and the
// bridge's joining its group.
type Rest struct {
	Seconds        float64 `json:"seconds"`           // how long they were watched
	BridgeShare    float64 `json:"bridge_core_share"` // processor time of a core's, 0 to 1
	FunctionsShare float64 `json:"functions_core_share"`
	BridgeRSSMB    float64 `json:"bridge_peak_rss_mb"` // since their start, in 10^6 bytes
	FunctionsRSSMB float64 `json:"functions_peak_rss_mb"`
	// Pages of the programs' files, which the machine has once for all processes, at the end.
	BridgeFileMB    float64 `json:"bridge_file_rss_mb"`
	FunctionsFileMB float64 `json:"functions_file_rss_mb"`
	ColdStartMS     float64 `json:"cold_start_ms"` // from the start of the functions' process to its first 2xx
	Sinks           string  `json:"sinks"`
	Machine         Machine `json:"machine"`
}

// settle is how long the programs have after the bridge's joining, before they
// are watched.
const settle = 5 * time.Second

// measureRest watches both programs while nothing comes.
func measureRest(ctx context.Context, o Options, streams cli.Streams) error {
	rest, err := runRest(ctx, o, streams.Getenv, streams.Err)
	if err != nil {
		return err
	}
	fmt.Fprintln(streams.Out)
	rest.print(streams.Out)
	if o.JSON != "" {
		return saveJSON(o.JSON, rest)
	}
	return nil
}

func runRest(ctx context.Context, o Options, getenv func(string) string, progress io.Writer) (rest Rest, err error) {
	r := &run{options: o, getenv: getenv, out: progress}
	if r.folder, err = os.MkdirTemp("", "stationflow-bench-"); err != nil {
		return rest, fmt.Errorf("making a folder for this run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.folder)) }()
	if r.broker, err = startBroker(ctx, o.Kafka); err != nil {
		return rest, err
	}
	defer r.broker.Close()
	r.ledger = newLedger(r.broker.topicIDs, r.broker.first, 0)
	err = r.running(ctx, func() error {
		if err := r.joined(ctx); err != nil {
			return err
		}
		rest, err = r.rest(ctx)
		return err
	})
	return rest, err
}

// rest takes what both programs use in the time that is asked for.
func (r *run) rest(ctx context.Context) (rest Rest, err error) {
	if err := pause.For(ctx, settle); err != nil {
		return rest, err
	}
	began := time.Now()
	bridge, err := r.usage(theBridge)
	if err != nil {
		return rest, err
	}
	functions, err := r.usage(theFunctions)
	if err != nil {
		return rest, err
	}
	fmt.Fprintf(r.out, "watching both programs rest for %v\n", r.options.Rest)
	if err := pause.For(ctx, r.options.Rest); err != nil {
		return rest, err
	}
	bridgeAfter, err := r.usage(theBridge)
	if err != nil {
		return rest, err
	}
	functionsAfter, err := r.usage(theFunctions)
	took := time.Since(began)
	return Rest{
		Seconds:         took.Seconds(),
		BridgeShare:     (bridgeAfter.cpu - bridge.cpu).Seconds() / took.Seconds(),
		FunctionsShare:  (functionsAfter.cpu - functions.cpu).Seconds() / took.Seconds(),
		BridgeRSSMB:     float64(bridgeAfter.peakRSS) / megabyte,
		FunctionsRSSMB:  float64(functionsAfter.peakRSS) / megabyte,
		BridgeFileMB:    float64(bridgeAfter.fileRSS) / megabyte,
		FunctionsFileMB: float64(functionsAfter.fileRSS) / megabyte,
		ColdStartMS:     r.result.ColdStartMS,
		Sinks:           r.options.Sinks,
		Machine:         thisMachine(),
	}, err
}

// print writes the result for people.
func (r *Rest) print(out io.Writer) {
	row, flush := rows(out)
	defer flush()
	row("machine", "%d cores, %s, %s", r.Machine.Cores, r.Machine.Model, r.Machine.Go)
	row("sinks", "%s", r.Sinks)
	row("watched", "%.0f s while nothing came", r.Seconds)
	row("bridge", "%.2f %% of a core, %.0f MB at most since its start, %.0f of them its program", 100*r.BridgeShare, r.BridgeRSSMB, r.BridgeFileMB)
	row("functions", "%.2f %% of a core, %.0f MB at most since their start, %.0f of them their program", 100*r.FunctionsShare, r.FunctionsRSSMB, r.FunctionsFileMB)
	row("cold start", "%.0f ms to the functions' first answer", r.ColdStartMS)
}
