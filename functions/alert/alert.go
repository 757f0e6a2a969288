// Package alert is the Cloud Function that tells people at once. It takes the
// same CloudEvents as ingest, those of the lane rows, and for each event that
// one of the rules names (rules.json) sends a notification to a webhook and to a
// topic of Pub/Sub.
//
// Each event is told once, however often and by however many instances it is
// delivered: see Mark. After a crash between claiming and sending, the claim
// runs out and a later delivery sends; after one between sending and saying so,
// the same notification is sent again with the same Key. So it is at least once,
// and once for receivers that drop a Key they know.
//
// A call returns nil only when everything of its batch is told. Otherwise the
// batch is delivered again. Records that ingest puts in quarantine tell nobody
// anything.
package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/registry"
	"github.com/stationflow/stationflow/internal/values"
)

const (
	callTimeout = 2 * time.Minute
	// A claim outlasts the call that has it.
	claimTime = callTimeout + 30*time.Second
	// sending is how many alerts of a batch are sent at once.
	sending = 8
)

// A Watch tells people what the rules name. It is safe for concurrent use.
type Watch struct {
	config   Config
	rules    []rule
	registry *registry.Client // nil without one
	bucket   *storage.BucketHandle
	channels []channel
	closers  []func() error
}

// New returns a Watch. It contacts nobody before the first alert. life bounds
// its connections, which Close ends as well. Without a channel alerts are only
// marked.
func New(life context.Context, config Config) (*Watch, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	rules, err := readRules(embedded)
	if err != nil {
		return nil, err
	}
	w := &Watch{config: config, rules: rules}
	if err := w.connect(life); err != nil {
		return nil, errors.Join(fmt.Errorf("setting up alert: %w", err), w.Close())
	}
	return w, nil
}

func (w *Watch) connect(life context.Context) (err error) {
	if w.config.Registry != nil {
		if w.registry, err = registry.New(*w.config.Registry); err != nil {
			return err
		}
	}
	client, err := storage.NewClient(life, append([]option.ClientOption{storage.WithJSONReads()}, w.config.StorageOptions...)...)
	if err != nil {
		return fmt.Errorf("connecting to Cloud Storage: %w", err)
	}
	w.bucket = client.Bucket(w.config.Bucket)
	w.closers = append(w.closers, client.Close)
	if w.config.Webhook != "" {
		hook := newWebhook(&w.config)
		w.channels = append(w.channels, hook)
		w.closers = append(w.closers, func() error { hook.client.CloseIdleConnections(); return nil })
	}
	if w.config.Topic != "" {
		to, err := newTopic(life, &w.config)
		if err != nil {
			return err
		}
		w.channels = append(w.channels, to)
		w.closers = append(w.closers, to.client.Close)
	}
	return nil
}

// Close ends the connections. Calls that run then fail.
func (w *Watch) Close() error {
	var faults []error
	for _, end := range w.closers {
		faults = append(faults, end())
	}
	return errors.Join(faults...)
}

// Tell tells everything of the batch that the rules name. It returns nil only
// when all of it is told; those that are told before an error are not told again
// by the next call.
func (w *Watch) Tell(ctx context.Context, b *batch.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	alerts, err := w.find(ctx, b)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var faults []error
	var under sync.WaitGroup
	turns := make(chan struct{}, sending)
	for i := range alerts {
		turns <- struct{}{}
		under.Go(func() {
			defer func() { <-turns }()
			if err := w.tellOne(ctx, &alerts[i]); err != nil {
				mu.Lock()
				faults = append(faults, err)
				mu.Unlock()
			}
		})
	}
	under.Wait()
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d alerts are not told yet: %w", len(faults), len(alerts), faults[0])
}

// find returns what of the batch the rules name, judged as ingest judges it.
func (w *Watch) find(ctx context.Context, b *batch.Batch) ([]Notification, error) {
	schema, known := event.SchemaOf(b.Topic)
	if !known || !b.Lane.Serves(batch.RowsLane) {
		return nil, nil // the records come in the other lane
	}
	reader := values.NewReader(schema, w.config.Reading, w.registry)
	if err := reader.Open(ctx, b.Records); err != nil {
		return nil, err
	}
	var found []Notification
	now := w.config.Now()
	received := event.ReceivedAt(now)
	row := make(event.Row, len(schema.Columns)+1)
	for i := range b.Records {
		record := &b.Records[i]
		reader.Forget() // no notification keeps memory of a row
		if record.ValueURI != "" || reader.Decode(row, i, received.Reference(record.Timestamp)) != nil {
			continue // it goes to quarantine
		}
		for _, r := range w.rules {
			if r.Topic != b.Topic || !r.keeps(schema, row) {
				continue
			}
			n := r.notify(b, record, schema, row)
			if n.state(now) == Closed && now.Sub(n.BeganAt) > w.config.Late {
				w.config.Logger.Info("alert left out", "key", n.Key, "rule", n.Rule, "ended", n.EndsAt)
			} else {
				found = append(found, n)
			}
			break
		}
	}
	return found, nil
}

// tellOne sends the notification to each channel that has not taken it.
func (w *Watch) tellOne(ctx context.Context, n *Notification) error {
	now := w.config.Now()
	n.State = n.state(now)
	m, err := claim(ctx, w.bucket, n, now, now.Add(claimTime))
	if err != nil {
		return fmt.Errorf("alert %s: %w", n.Key, err)
	}
	if m.Done {
		return nil
	}
	var faults []error
	m.Failed = map[string]string{}
	for _, c := range w.channels {
		if _, sent := m.Sent[c.name()]; sent {
			continue
		}
		if err := c.send(ctx, n); err != nil {
			faults = append(faults, err)
			m.Failed[c.name()] = cut(err.Error(), longestCause)
			continue
		}
		m.Sent[c.name()] = w.config.Now().UTC()
	}
	m.Notification, m.ClaimedUntil, m.Done = *n, time.Time{}, len(faults) == 0
	// Also when the call has run out of time: what was sent is sent.
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.config.Timeout)
	defer cancel()
	if err := m.save(saving, w.bucket); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return fmt.Errorf("alert %s: %w", n.Key, errors.Join(faults...))
	}
	w.config.Logger.Info("alert told", "key", n.Key, "rule", n.Rule, "state", n.State, "station", n.Station, "channels", len(w.channels),
		"seconds", w.config.Now().Sub(n.BeganAt).Seconds())
	return nil
}

// longestCause bounds why a channel did not take an alert, in bytes.
const longestCause = 300

// cut shortens a text to so many bytes, between characters.
func cut(text string, most int) string {
	for len(text) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
