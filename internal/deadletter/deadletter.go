// Package deadletter is what the bridge, which makes dead letters of batches,
// and the command-line tool, which shows and sends them again, agree on: the
// attributes that a dead letter's message has besides those of its
// CloudEvent.
package deadletter

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

// The attributes that Pub/Sub adds when it forwards a message itself
// (https://cloud.google.com/pubsub/docs/handling-failures#dead_letter_topic).
// The bridge sets the first and the last of them, with the same meaning.
const (
	deliveryCount    = "CloudPubSubDeadLetterSourceDeliveryCount"
	subscriptionName = "CloudPubSubDeadLetterSourceSubscription"
	publishTime      = "CloudPubSubDeadLetterSourceTopicPublishTime"

	pubSubPrefix      = "CloudPubSubDeadLetter"
	publishTimeLayout = "2006-01-02T15:04:05.000-07:00"
)

// The attributes of our own.
const (
	reason = "stationflow-dead-letter-reason"
	source = "stationflow-dead-letter-source"

	ownPrefix = "stationflow-dead-letter-"
)

// maxValueBytes bounds an attribute's value
// (https://cloud.google.com/pubsub/quotas#resource_limits).
const maxValueBytes = 1024

// A Cause says why a batch is a dead letter.
type Cause struct {
	Attempts int       // deliveries that failed; 0 when unknown
	Since    time.Time // of the first one, or when the message was first published; zero when unknown
	Source   string    // who gave it up: the bridge, or the subscription that forwarded it
	Reason   string    // the last failure; Pub/Sub tells none
}

// Attributes returns the cause as attributes of the message.
func (c Cause) Attributes() map[string]string {
	attributes := map[string]string{
		deliveryCount: strconv.Itoa(c.Attempts),
		reason:        clip(c.Reason),
		source:        clip(c.Source),
	}
	if !c.Since.IsZero() {
		attributes[publishTime] = c.Since.UTC().Format(publishTimeLayout)
	}
	return attributes
}

// clip makes one line of valid UTF-8 of the text, within the limit of a
// value.
func clip(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > maxValueBytes {
		text = strings.ToValidUTF8(text[:maxValueBytes], "")
	}
	return text
}

// CauseOf reads the cause from a message's attributes; what is not there
// stays zero.
func CauseOf(attributes map[string]string) Cause {
	c := Cause{Source: attributes[source], Reason: attributes[reason]}
	c.Attempts, _ = strconv.Atoi(attributes[deliveryCount])
	c.Since, _ = time.Parse(publishTimeLayout, attributes[publishTime])
	if c.Source == "" {
		c.Source = attributes[subscriptionName]
	}
	return c
}

// Original returns the attributes that the message had before it became a
// dead letter.
func Original(attributes map[string]string) map[string]string {
	original := maps.Clone(attributes)
	maps.DeleteFunc(original, func(name, _ string) bool {
		return strings.HasPrefix(name, pubSubPrefix) || strings.HasPrefix(name, ownPrefix)
	})
	return original
}
