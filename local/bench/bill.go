package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/internal/cost"
	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/local/endpoints"
	"github.com/stationflow/stationflow/local/meter"
)

// warmUp is how long events are sent before anything is counted: until the
// first transform has seen them.
const warmUp = time.Minute

// agreement is how far meter and model may be apart.
const agreement = 0.10

// A Comparison is what a month costs by meter and by model.
type Comparison struct {
	RecordsPerSecond float64       `json:"records_per_second"` // that passed
	RecordBytes      float64       `json:"record_bytes"`       // on average, in a batch
	OverSeconds      float64       `json:"over_seconds"`
	Components       []Compared    `json:"components"`
	Total            Compared      `json:"total"`
	Counted          meter.Reading `json:"counted"`
}

// A Compared is one component in US dollars a month.
type Compared struct {
	Name   string  `json:"name"`
	Meter  float64 `json:"meter_usd_month"`
	Model  float64 `json:"model_usd_month"`
	Agrees bool    `json:"agrees"` // within a tenth, or half a dollar
}

// compare runs the local system as a process of its own, sends it events, and
// holds what it used against the model.
func compare(ctx context.Context, self string, o Options, streams cli.Streams) (err error) {
	folder, err := os.MkdirTemp("", "stationflow-bill-")
	if err != nil {
		return fmt.Errorf("making a folder for this run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	at, stop, err := startSystem(ctx, self, folder, streams.Err)
	if err != nil {
		return err
	}
	defer stop()
	counted, took, err := measureUse(ctx, at, o, streams.Err)
	if err != nil {
		return err
	}
	result, err := compared(counted, took)
	if err != nil {
		return err
	}
	result.print(streams.Out)
	if o.JSON != "" {
		return result.save(o.JSON)
	}
	return nil
}

// startSystem returns where it listens once it is ready.
func startSystem(ctx context.Context, self, folder string, progress io.Writer) (at endpoints.Endpoints, stop func(), err error) {
	file := filepath.Join(folder, "endpoints.json")
	fmt.Fprintln(progress, "starting the local system")
	system, err := startProcess(filepath.Dir(self), filepath.Base(self), os.Environ(), func([]byte) {}, "up", "--port", "0", "--endpoints", file)
	if err != nil {
		return at, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if text, err := os.ReadFile(file); err == nil {
			return at, system.stop, json.Unmarshal(text, &at)
		}
		select {
		case <-system.ended:
			return at, nil, fmt.Errorf("the local system ended:\n%s", system.log())
		case <-ctx.Done():
			system.stop()
			return at, nil, fmt.Errorf("waiting for the local system: %w\n%s", ctx.Err(), system.log())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// measureUse sends events and returns what was used in the time after warming
// up.
func measureUse(ctx context.Context, at endpoints.Endpoints, o Options, progress io.Writer) (used meter.Reading, took time.Duration, err error) {
	sending, stop := context.WithCancel(ctx)
	defer stop()
	var sent atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- sendPresent(sending, at.Kafka, o.Rate, &sent) }()
	wait := func(d time.Duration) error {
		for left := d; left > 0; left -= 10 * time.Second {
			select {
			case err := <-ended:
				return err
			default:
			}
			if err := pause.For(ctx, min(left, 10*time.Second)); err != nil {
				return err
			}
			fmt.Fprintf(progress, "%d events sent\n", sent.Load())
		}
		return nil
	}
	if err := wait(warmUp); err != nil {
		return used, 0, err
	}
	before, err := readMeter(ctx, at.Dashboard)
	if err != nil {
		return used, 0, err
	}
	if err := wait(o.For); err != nil {
		return used, 0, err
	}
	after, err := readMeter(ctx, at.Dashboard)
	return after.Since(before), after.At.Sub(before.At), err
}

func readMeter(ctx context.Context, dashboard string) (r meter.Reading, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, dashboard+"/api/meter", nil)
	if err != nil {
		return r, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return r, fmt.Errorf("reading the meter: %w", err)
	}
	defer response.Body.Close()
	return r, json.NewDecoder(response.Body).Decode(&r)
}

// sendPresent sends events of the present hour at a rate until ctx ends.
func sendPresent(ctx context.Context, kafka string, rate int, sent *atomic.Int64) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return fmt.Errorf("connecting to Kafka at %s: %w", kafka, err)
	}
	defer client.Close()
	if rate == 0 {
		<-ctx.Done()
		return nil
	}
	began, hour := time.Now(), time.Time{}
	var events *load
	for ctx.Err() == nil {
		if now := time.Now().UTC().Truncate(time.Hour); now != hour {
			hour, events = now, newLoadAt(now, rate*3600)
		}
		due := int64(time.Since(began).Seconds() * float64(rate))
		if n := int(due - sent.Load()); n > 0 {
			messages, err := events.take(n)
			if err != nil {
				return err
			}
			for _, m := range messages {
				client.Produce(ctx, &kgo.Record{Topic: m.topic, Key: m.key, Value: m.value}, nil)
			}
			sent.Store(due)
		}
		_ = pause.For(ctx, 10*time.Millisecond)
	}
	return nil
}

// compared compares meter and model at the rate and size of record that passed.
func compared(counted meter.Reading, took time.Duration) (Comparison, error) {
	c := Comparison{RecordsPerSecond: float64(counted.Records) / took.Seconds(), OverSeconds: took.Seconds(), Counted: counted}
	w := cost.DefaultWorkload(c.RecordsPerSecond)
	w.Alerts = true // the local system always has the function
	if counted.Records > 0 {
		c.RecordBytes = float64(counted.KafkaBytes) / float64(counted.Records)
		w.RecordBytes = c.RecordBytes
	}
	prices := cost.ListPrices()
	used, err := counted.Month(took, w, prices)
	if err != nil {
		return c, err
	}
	modelled, err := prices.Model(w)
	if err != nil {
		return c, err
	}
	metered, model := prices.Bill(used, false), prices.Bill(modelled, false)
	for _, name := range cost.Components {
		c.Components = append(c.Components, beside(name, metered.Components[name], model.Components[name]))
	}
	c.Total = beside("all", metered.TotalUSDMonth, model.TotalUSDMonth)
	return c, nil
}

func beside(name string, meter, model float64) Compared {
	apart := math.Abs(meter - model)
	return Compared{Name: name, Meter: meter, Model: model, Agrees: apart <= agreement*model || apart <= 0.5}
}

func (c Comparison) print(out io.Writer) {
	n := c.Counted
	fmt.Fprintf(out, "%.1f records a second of %.0f bytes, over %.0f s: US dollars a month at list prices\n\n", c.RecordsPerSecond, c.RecordBytes, c.OverSeconds)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "meter\tmodel\t\t")
	for _, one := range append(c.Components, c.Total) {
		note := ""
		if !one.Agrees {
			note = fmt.Sprintf(" (%+.0f %%)", 100*(one.Meter/one.Model-1))
		}
		fmt.Fprintf(table, "%.2f\t%.2f\t\t%s%s\n", one.Meter, one.Model, one.Name, note)
	}
	_ = table.Flush()
	fmt.Fprintf(out, "\n%d calls of ingest, %d objects, %d runs of the transform with %d statements that refer to %d tables\n",
		n.IngestCalls, n.Objects, n.TransformCalls, n.Statements, n.TableReferences)
}

func (c Comparison) save(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the result to %s: %w", path, err)
	}
	return nil
}
