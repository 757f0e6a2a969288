package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
	"github.com/stationflow/stationflow/internal/lake"
)

// discard takes the chosen dead letters away. Of each a line of JSON is left,
// and before it is gone an object in the lake with all that it had.
func (c *deadLettersCall) discard(ctx context.Context, box *mailbox.Mailbox) (err error) {
	chosen, trace := c.choice(), slog.New(slog.NewJSONHandler(c.streams.Err, nil))
	bucket := strings.TrimSpace(c.streams.Getenv("LAKE_BUCKET"))
	if bucket == "" {
		fmt.Fprintln(c.streams.Err, "LAKE_BUCKET is not set: the lines of this command will be the only trace of what is discarded")
	}
	gone := []letterJSON{}
	err = box.Each(ctx, 10, func(l *mailbox.Letter) (bool, error) {
		if !chosen.has(l) {
			return false, nil
		}
		object, err := c.keep(ctx, bucket, l)
		if err != nil {
			return false, err
		}
		chosen.done(l)
		gone = append(gone, jsonOf(l))
		trace.Info("dead letter discarded", "reason", c.reason, "message", l.ID, "event", l.Event(), "from", l.From(),
			"records", l.Records(), "cause", l.Why(), "kept", object)
		return true, nil
	})
	c.sayf("%s discarded\n", counted(len(gone), "dead letter"))
	if err := errors.Join(err, c.printJSON("discarded", gone)); err != nil {
		return err
	}
	return chosen.unmet()
}

// keep writes a dead letter into the lake, once, and returns the address; "" where
// there is no bucket. To repeat it does no harm.
func (c *deadLettersCall) keep(ctx context.Context, bucket string, l *mailbox.Letter) (address string, err error) {
	if bucket == "" {
		return "", nil
	}
	now := time.Now().UTC()
	text, err := json.Marshal(struct {
		DiscardedAt time.Time  `json:"discarded_at"`
		Reason      string     `json:"reason"`
		Letter      letterJSON `json:"dead_letter"`
		Attributes  any        `json:"attributes"`
		Data        []byte     `json:"data"`
	}{now, c.reason, jsonOf(l), l.Attributes, l.Data})
	if err != nil {
		return "", fmt.Errorf("keeping dead letter %s: %w", l.ID, err)
	}
	client, err := storage.NewClient(ctx)
	if err != nil {
		return "", fmt.Errorf("connecting to Cloud Storage: %w", err)
	}
	digest := fnv.New64a()
	_, _ = digest.Write(l.Data) // it never fails
	name := "discarded/" + lake.DayFolder(now) + "/" + l.ID + ".json"
	_, err = lake.CreateOnce(ctx, client.Bucket(bucket), lake.Object{Name: name, Digest: digest.Sum64(), Data: text})
	if err = errors.Join(err, client.Close()); err != nil {
		return "", fmt.Errorf("keeping dead letter %s before it is discarded; it stays where it is: %w", l.ID, err)
	}
	return lake.URI(bucket, name), nil
}
