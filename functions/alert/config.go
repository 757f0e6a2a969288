package alert

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"time"

	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/registry"
	"github.com/stationflow/stationflow/internal/values"
)

// Config is what a Watch needs to know. FromEnv fills in the defaults.
type Config struct {
	Bucket   string           // that marks are kept in
	Reading  payload.Reading  // of timestamps
	Registry *registry.Config // where schemas are; nil for none

	Webhook       string // address; "" for none
	WebhookSecret string // that its requests are signed with; "" for none
	Project       string // of Topic
	Topic         string // of Pub/Sub; "" for none

	// Late is how long after its beginning an event that has ended is still
	// told, as closed. Beyond it nobody is told: it is a replay.
	Late time.Duration
	// Timeout bounds one attempt of a channel.
	Timeout time.Duration

	Logger         *slog.Logger          // nil for slog.Default()
	Now            func() time.Time      // nil for time.Now
	StorageOptions []option.ClientOption // besides those of the environment
}

// FromEnv reads ALERT_WEBHOOK, ALERT_WEBHOOK_SECRET, ALERT_TOPIC, ALERT_LATE,
// ALERT_TIMEOUT, GOOGLE_CLOUD_PROJECT, LAKE_BUCKET, STATION_EPOCH_UNIT,
// STATION_TIMEZONE and the variables of registry.FromEnv. The error lists every
// fault. Google's clients themselves read STORAGE_EMULATOR_HOST and
// PUBSUB_EMULATOR_HOST.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	c := Config{
		Bucket:        r.Required("LAKE_BUCKET", "set it to the name of the lake's Cloud Storage bucket"),
		Reading:       payload.Reading{Location: r.Location("STATION_TIMEZONE", "UTC"), Epoch: values.EpochUnit(r)},
		Registry:      registry.FromEnv(r),
		Webhook:       webhookFromEnv(r),
		WebhookSecret: r.String("ALERT_WEBHOOK_SECRET", ""),
		Project:       r.Required("GOOGLE_CLOUD_PROJECT", "set it to the id of the Google Cloud project"),
		Topic:         r.String("ALERT_TOPIC", ""),
		Late:          r.Duration("ALERT_LATE", time.Hour, 0, 30*24*time.Hour),
		Timeout:       r.Duration("ALERT_TIMEOUT", 10*time.Second, 100*time.Millisecond, time.Minute),
	}
	return c, r.Err()
}

// webhookFromEnv reads ALERT_WEBHOOK, and repeats it in no error: it often is a
// secret.
func webhookFromEnv(r *env.Reader) string {
	const name = "ALERT_WEBHOOK"
	text := r.String(name, "")
	if text == "" {
		return ""
	}
	if err := CheckWebhook(text); err != nil {
		r.Fault(name, "%v", err)
	}
	return text
}

// CheckWebhook says what is wrong with the address of a webhook; the text
// completes the sentence that begins with the setting's name.
func CheckWebhook(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is no address: set it to https:// with host and path")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return errors.New("is not encrypted: use https:// for all but this machine")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
