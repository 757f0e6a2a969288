package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/stationflow/stationflow/internal/cost"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/running"
)

const costHelp = `usage: stationflow cost [--records-per-second N] [FLAGS]

Says what a deployed system costs in a month of 30 days, component by
component, at list prices, with the records a second that are given or that the
local system has lately had. It asks nobody else: the prices are in a file
of their own (--show-prices prints it, --prices FILE takes yours), and
docs/costs.md has the formulas.

Examples:
  stationflow cost --records-per-second 20
  stationflow cost --records-per-second 20 --schedule '*/15 * * * *'
  stationflow cost --records-per-second 20 --json | jq .total_usd_month

`

// runCost prices a workload.
func runCost(ctx context.Context, args []string, streams Streams) error {
	w := cost.DefaultWorkload(-1)
	flags := flag.NewFlagSet("stationflow cost", flag.ContinueOnError)
	flags.Float64Var(&w.RecordsPerSecond, "records-per-second", -1, "records of all topics together, `N` a second; 0 for an idle system")
	flags.Float64Var(&w.RecordBytes, "bytes", w.RecordBytes, "bytes of a record in Kafka, `N` with its key and framing")
	flags.StringVar(&w.Transport, "transport", w.Transport, "between bridge and ingest: pubsub or http")
	flags.StringVar(&w.Schedule, "schedule", w.Schedule, "when the transform runs, a `CRON` text")
	flags.IntVar(&w.Partitions, "partitions", w.Partitions, "Kafka partitions of all topics together, `N`")
	flags.DurationVar(&w.BatchAge, "batch-age", w.BatchAge, "BRIDGE_BATCH_AGE, a `DURATION`")
	flags.DurationVar(&w.LakeAge, "lake-age", w.LakeAge, "BRIDGE_LAKE_AGE, a `DURATION`")
	flags.StringVar(&w.BridgeIdle, "idle", w.BridgeIdle, "what becomes of the bridge while nothing comes: stop or stay")
	flags.BoolVar(&w.Alerts, "alerts", w.Alerts, "with the function alert, which tells people at once")
	flags.BoolVar(&w.Canaries, "canary", w.Canaries, "with canaries, which go through all hops once a minute")
	flags.Float64Var(&w.PageHours, "page-hours", w.PageHours, "with the deployed page, at which somebody looks for `N` hours a day")
	freeTiers := flags.Bool("free-tiers", false, "take off what an account gets for nothing each month")
	file := flags.String("prices", "", "take the prices from `FILE`")
	show := flags.Bool("show-prices", false, "print the file of prices, with the source of each, and end")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := program.Parse(flags, args, streams.Out, costHelp); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return program.Mistakef("unexpected argument %q: the command takes flags only, such as --records-per-second 20", flags.Arg(0))
	}
	if *show {
		_, err := streams.Out.Write(cost.ListPricesFile())
		return err
	}
	if w.RecordsPerSecond == -1 {
		var err error
		if w.RecordsPerSecond, err = streams.measuredRate(ctx); err != nil {
			return err
		}
	}
	if w.RecordsPerSecond == -1 {
		return program.Mistakef("say how many records come: --records-per-second N")
	}
	prices, err := readPrices(*file)
	if err != nil {
		return err
	}
	items, err := prices.Model(w)
	if err != nil {
		return program.AsMistake(err)
	}
	bill := prices.Bill(items, *freeTiers)
	if *asJSON {
		return printCostJSON(streams.Out, w, bill)
	}
	printCost(streams.Out, w, bill)
	return nil
}

// measuredRate is how many records a second the local system that runs, or of
// several the one whose variables the shell has read, has lately had, which it
// says; -1 where none runs that knows.
func (s *Streams) measuredRate(ctx context.Context) (float64, error) {
	found, err := running.Find(ctx, s.Running)
	if err != nil || len(found) == 0 {
		return -1, nil //nolint:nilerr // the rate can be given
	}
	at := 0
	if len(found) > 1 {
		at = slices.IndexFunc(found, func(one running.System) bool { return s.Getenv(emulators[0]) != "" && s.differs(&one) == "" })
	}
	if at < 0 {
		return -1, several(found, "or say how many records come with --records-per-second N")
	}
	s.system = &found[at]
	now, _, err := s.askPage(ctx)
	if err != nil || now.Bill == nil {
		return -1, nil //nolint:nilerr // the rate can be given
	}
	rate := math.Round(now.Bill.RecordsPerSecond*100) / 100
	fmt.Fprintf(s.Err, "%g records a second, as the local system at %s had over the last %s\n", rate, s.system.Page, ageText(now.Bill.Over))
	return rate, nil
}

func readPrices(file string) (cost.Prices, error) {
	if file == "" {
		return cost.ListPrices(), nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return cost.Prices{}, program.Mistakef("there is no file %s: stationflow cost --show-prices > %s makes one to edit", file, file)
	}
	if err != nil {
		return cost.Prices{}, fmt.Errorf("reading prices: %w", err)
	}
	defer f.Close()
	prices, err := cost.ReadPrices(f)
	if err != nil {
		return cost.Prices{}, program.Mistakef("%s: %v", file, err)
	}
	return prices, nil
}

func printCostJSON(out io.Writer, w cost.Workload, bill cost.Bill) error {
	return printJSON(out, struct {
		RecordsPerSecond float64 `json:"records_per_second"`
		cost.Bill
		USDPerMillionRecords *float64 `json:"usd_per_million_records"` // null for an idle system
	}{w.RecordsPerSecond, bill, perMillion(w, bill)})
}

func perMillion(w cost.Workload, bill cost.Bill) *float64 {
	if w.RecordsPerSecond == 0 {
		return nil
	}
	usd := bill.TotalUSDMonth / (w.RecordsPerSecond * cost.Month) * 1e6
	return &usd
}

func printCost(out io.Writer, w cost.Workload, bill cost.Bill) {
	fmt.Fprintf(out, "%g records a second of %g bytes, over %s, a transform at %q: US dollars a month\n\n", w.RecordsPerSecond, w.RecordBytes, w.Transport, w.Schedule)
	for _, component := range cost.Components {
		fmt.Fprintf(out, "%-26s %10.2f\n", component, bill.Components[component])
		for _, item := range bill.Items {
			if item.Component == component && item.USDMonth >= 0.005 {
				fmt.Fprintf(out, "    %10.2f  %s %s\n", item.USDMonth, amount(item.Amount), item.Unit)
			}
		}
	}
	fmt.Fprintf(out, "%-26s %10.2f\n", "all", bill.TotalUSDMonth)
	if usd := perMillion(w, bill); usd != nil {
		fmt.Fprintf(out, "%-26s %10.2f\n", "a million records", *usd)
	}
	unread := slices.IndexFunc(bill.Items, func(i cost.BilledItem) bool { return i.Read == "" })
	if unread >= 0 {
		fmt.Fprint(out, "\nSome prices were never read at their source. To see which: stationflow cost --show-prices\n")
	}
}

// amount writes a number with the unit prefix that keeps it short.
func amount(n float64) string {
	for _, step := range []struct {
		from float64
		sign string
	}{{1e12, " trillion"}, {1e9, " billion"}, {1e6, " million"}} {
		if n >= step.from {
			return fmt.Sprintf("%.4g%s", n/step.from, step.sign)
		}
	}
	return fmt.Sprintf("%.6g", n)
}
