package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// A Mark is the object that stands for one alert in the lake's bucket, at
// MarkName. It is what keeps two deliveries, and two instances, from telling
// the same twice: whoever writes it first has the alert until ClaimedUntil. It
// also is the record of who was told what, and when.
type Mark struct {
	Notification Notification         `json:"notification"`
	ClaimedUntil time.Time            `json:"claimed_until"`    // by the delivery that sends it; zero when none does
	Sent         map[string]time.Time `json:"sent"`             // when each channel took it
	Failed       map[string]string    `json:"failed,omitempty"` // why the others did not, at the last attempt
	Done         bool                 `json:"done"`             // all channels have

	generation int64 // of the object
}

// Marks is where all marks are.
const Marks = "alerts/"

// MarksPrefix is where the marks of events that began on a day are.
func MarksPrefix(day time.Time) string {
	return Marks + "dt=" + day.UTC().Format(time.DateOnly) + "/"
}

// MarkName is where the notification's mark is.
func MarkName(n *Notification) string { return MarksPrefix(n.BeganAt) + n.Key + ".json" }

// doneKey is the object's metadata that says what Done does, for a listing; older
// marks have none.
const doneKey = "done"

// errBusy says that another delivery is telling the same.
var errBusy = errors.New("another delivery is sending this alert")

// claim takes the alert for this delivery until the time. It returns the mark as
// it then is, one that is Done where all was told before, or errBusy.
func claim(ctx context.Context, bucket *storage.BucketHandle, n *Notification, now, until time.Time) (*Mark, error) {
	m := &Mark{Notification: *n, ClaimedUntil: until, Sent: map[string]time.Time{}}
	err := m.write(ctx, bucket, storage.Conditions{DoesNotExist: true})
	if !isRefused(err) {
		return m, err
	}
	if m, err = readMark(ctx, bucket, MarkName(n)); err != nil {
		return nil, err
	}
	switch {
	case m.Done:
		return m, nil
	case now.Before(m.ClaimedUntil):
		return nil, errBusy
	}
	m.ClaimedUntil = until
	if err := m.save(ctx, bucket); isRefused(err) {
		return nil, errBusy
	} else if err != nil {
		return nil, err
	}
	return m, nil
}

// save writes the mark over the one that was read. It is refused where another
// delivery has written meanwhile.
func (m *Mark) save(ctx context.Context, bucket *storage.BucketHandle) error {
	return m.write(ctx, bucket, storage.Conditions{GenerationMatch: m.generation})
}

func (m *Mark) write(ctx context.Context, bucket *storage.BucketHandle, when storage.Conditions) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing the mark of alert %s: %w", m.Notification.Key, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // abandons the upload when Write fails
	// What is repeated by the library could be refused because the first
	// attempt has succeeded: the delivery is repeated instead.
	w := bucket.Object(MarkName(&m.Notification)).If(when).Retryer(storage.WithPolicy(storage.RetryNever)).NewWriter(ctx)
	w.ChunkSize = 0
	w.ContentType = "application/json"
	w.Metadata = map[string]string{doneKey: strconv.FormatBool(m.Done)}
	if _, err = w.Write(text); err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("writing the mark of alert %s: %w", m.Notification.Key, err)
	}
	m.generation = w.Attrs().Generation
	return nil
}

func readMark(ctx context.Context, bucket *storage.BucketHandle, name string) (*Mark, error) {
	r, err := bucket.Object(name).NewReader(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the mark %s: %w", name, err)
	}
	text, err := io.ReadAll(r)
	m := &Mark{generation: r.Attrs.Generation}
	if err = errors.Join(err, r.Close()); err == nil {
		err = json.Unmarshal(text, m)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the mark %s: %w", name, err)
	}
	if m.Sent == nil {
		m.Sent = map[string]time.Time{}
	}
	return m, nil
}

// isRefused reports whether a write's condition did not hold.
func isRefused(err error) bool {
	var refused *googleapi.Error
	return errors.As(err, &refused) && refused.Code == http.StatusPreconditionFailed
}
