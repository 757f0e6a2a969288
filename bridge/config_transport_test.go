package bridge

import (
	"strings"
	"testing"
	"time"
)

func TestFromEnv_Transport(t *testing.T) {
	c, err := FromEnv(environment(map[string]string{"BRIDGE_TRANSPORT": "http", "BRIDGE_HTTP_URL": "https://f.example/ingest", "BRIDGE_DEAD_LETTER_TOPIC": "projects/q/topics/d"}))
	if err != nil {
		t.Fatal(err)
	}
	want := HTTPConfig{URL: "https://f.example/ingest", Audience: "https://f.example/ingest", MaxAttempts: 20, RefusedMin: time.Second, RefusedMax: time.Minute}
	if c.HTTP != want || c.PublishTimeout != 3*time.Minute || c.topicName(c.DeadLetterTopic) != "projects/q/topics/d" {
		t.Errorf("got %+v, timeout %v, dead letters in %s", c.HTTP, c.PublishTimeout, c.DeadLetterTopic)
	}
	if err := c.validate(); err != nil {
		t.Error(err)
	}
	if c, err = FromEnv(environment(nil)); err != nil || c.PublishTimeout != 10*time.Second || c.topicName(c.DeadLetterTopic) != "projects/p/topics/stationflow-dead-letter" {
		t.Errorf("over Pub/Sub: timeout %v, dead letters in %s, %v", c.PublishTimeout, c.DeadLetterTopic, err)
	}
}

func TestFromEnv_TransportMistakes(t *testing.T) {
	for _, test := range []struct{ name, value, says string }{
		{"BRIDGE_HTTP_URL", "", "BRIDGE_HTTP_URL is not set: with BRIDGE_TRANSPORT=http set it to"},
		{"BRIDGE_HTTP_URL", "f.example/ingest", "BRIDGE_HTTP_URL is no address"},
		{"BRIDGE_HTTP_URL", "ftp://f.example", "BRIDGE_HTTP_URL is no address"},
		{"BRIDGE_HTTP_URL", "http://\x7f", "BRIDGE_HTTP_URL is no address"},
		{"BRIDGE_HTTP_URL", "https://me:hush@f.example", "BRIDGE_HTTP_URL has a user name"},
		{"BRIDGE_HTTP_MAX_ATTEMPTS", "0", "BRIDGE_HTTP_MAX_ATTEMPTS is"},
		{"BRIDGE_HTTP_REFUSED_MAX", "an hour", "BRIDGE_HTTP_REFUSED_MAX is"},
	} {
		_, err := FromEnv(environment(map[string]string{"BRIDGE_TRANSPORT": "http", test.name: test.value}))
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s=%q: got %v, want %q", test.name, test.value, err, test.says)
		}
	}
}
