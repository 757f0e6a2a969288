package bridge

import (
	"net/url"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/terraform"
)

// transportFromEnv reads what concerns the way from the bridge to the
// function. Names and the patience with a batch that is refused are those of
// the deployment.
func (c *Config) transportFromEnv(r *env.Reader) {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		r.Fault("BRIDGE_TRANSPORT", "has no defaults: %v", err)
	}
	c.Transport = r.OneOf("BRIDGE_TRANSPORT", "pubsub", "http")
	c.PubSubTopic = r.String("BRIDGE_PUBSUB_TOPIC", deployment.RecordsTopic)
	c.DeadLetterTopic = r.String("BRIDGE_DEAD_LETTER_TOPIC", deployment.DeadLetterTopic)

	c.AlertCopies, c.AlertTopics = r.String("BRIDGE_ALERT_COPIES_TOPIC", ""), deployment.AlertTopics

	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	timeout := 10 * time.Second // Pub/Sub answers at once or not at all
	if c.Transport == "http" {
		c.HTTP.URL = functionURL(r)
		// The function works while the bridge waits: to give up before it
		// does would only have it done again. Pub/Sub waits as long.
		timeout = deployment.AckDeadline()
	}
	c.PublishTimeout = r.Duration("BRIDGE_PUBLISH_TIMEOUT", timeout, 100*time.Millisecond, 10*time.Minute)

	c.HTTP.Audience = r.String("BRIDGE_HTTP_AUDIENCE", c.HTTP.URL)
	c.HTTP.MaxAttempts = int(r.Int("BRIDGE_HTTP_MAX_ATTEMPTS", int64(deployment.HTTPMaxRefusals), 1, 10_000))
	c.HTTP.RefusedMax = r.Duration("BRIDGE_HTTP_REFUSED_MAX", seconds(deployment.HTTPRefusedMaximumBackoff), time.Millisecond,
		10*time.Minute)
	c.HTTP.RefusedMin = min(seconds(deployment.PushMinimumBackoff), c.HTTP.RefusedMax)
}

func functionURL(r *env.Reader) string {
	const name = "BRIDGE_HTTP_URL"
	text := r.Required(name, "with BRIDGE_TRANSPORT=http set it to the ingest function's address, for example https://HOST/ingest")
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		r.Fault(name, "is no address: set it to the ingest function's, http:// or https:// with host and path")
	case u.User != nil:
		r.Fault(name, "has a user name or password: take it out, the bridge identifies itself by a token")
	}
	return text
}

// topicName is the full name of a Pub/Sub topic.
func (c Config) topicName(name string) string {
	return terraform.FullName(c.Project, "topics", name)
}
