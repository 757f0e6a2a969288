package pubsub

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Limits of the service; see https://cloud.google.com/pubsub/quotas#resource_limits.
const (
	maxPublishBytes        = 10_000_000 // one request, and so one message
	maxPublishMessages     = 1000
	maxAttributes          = 100
	maxAttributeKeyBytes   = 256
	maxAttributeValueBytes = 1024
	maxOrderingKeyBytes    = 1024
	maxAckDeadline         = 600 * time.Second
	minAckDeadline         = 10 * time.Second
	maxBackoffLimit        = 600 * time.Second
	defaultMinBackoff      = 10 * time.Second
	minDeliveryAttempts    = 5
	maxDeliveryAttempts    = 100
)

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func unsupported(what string) error {
	return status.Errorf(codes.Unimplemented, "the local Pub/Sub server does not do %s; leave it out or use the real service", what)
}

// checkName refuses a resource name that is not projects/P/<collection>/ID with an id that the service would take.
func checkName(name, collection string) error {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != "projects" || parts[1] == "" || parts[2] != collection {
		return invalid("Invalid resource name given (name=%s): it must look like projects/PROJECT/%s/ID.", name, collection)
	}
	id := parts[3]
	if ok, _ := regexp.MatchString(`^[A-Za-z][A-Za-z0-9\-._~+%]{2,254}$`, id); !ok || strings.HasPrefix(strings.ToLower(id), "goog") {
		return invalid("Invalid resource id %q: it must have 3 to 255 letters, digits or -._~+%%, begin with a letter and not with goog.", id)
	}
	return nil
}

// checkPublish refuses a request that the service would not take.
func checkPublish(request *pubsubpb.PublishRequest) error {
	if n := len(request.Messages); n == 0 || n > maxPublishMessages {
		return invalid("a publish request must have 1 to %d messages; this one has %d", maxPublishMessages, n)
	}
	if size := proto.Size(request); size > maxPublishBytes {
		return invalid("a publish request must not be larger than %d bytes; this one has %d", maxPublishBytes, size)
	}
	for i, m := range request.Messages {
		if err := checkMessage(m); err != nil {
			return invalid("message %d of the request: %v", i, err)
		}
	}
	return nil
}

func checkMessage(m *pubsubpb.PubsubMessage) error {
	if len(m.Data) == 0 && len(m.Attributes) == 0 {
		return errors.New("it needs data or at least one attribute")
	}
	if len(m.Attributes) > maxAttributes {
		return fmt.Errorf("it has %d attributes; at most %d are allowed", len(m.Attributes), maxAttributes)
	}
	if len(m.OrderingKey) > maxOrderingKeyBytes {
		return fmt.Errorf("its ordering key has %d bytes; at most %d are allowed", len(m.OrderingKey), maxOrderingKeyBytes)
	}
	for key, value := range m.Attributes {
		if key == "" || len(key) > maxAttributeKeyBytes || strings.HasPrefix(key, "goog") {
			return fmt.Errorf("attribute key %.40q must have 1 to %d bytes and not begin with goog; it has %d", key, maxAttributeKeyBytes, len(key))
		}
		if len(value) > maxAttributeValueBytes {
			return fmt.Errorf("the value of attribute %q has %d bytes; at most %d are allowed", key, len(value), maxAttributeValueBytes)
		}
	}
	return nil
}

// checkTopic refuses what the service would not take and what this server does not do.
func checkTopic(t *pubsubpb.Topic) error {
	switch {
	case t.SchemaSettings != nil:
		return unsupported("schemas")
	case t.IngestionDataSourceSettings != nil:
		return unsupported("ingestion from other systems")
	case len(t.MessageTransforms) > 0:
		return unsupported("message transforms")
	}
	return checkName(t.Name, "topics")
}

// normalise refuses what the service would not take and what this server does not do, and fills in defaults.
func normalise(s *pubsubpb.Subscription) error {
	if err := checkName(s.Name, "subscriptions"); err != nil {
		return err
	}
	if s.Topic != deletedTopic {
		if err := checkName(s.Topic, "topics"); err != nil {
			return err
		}
	}
	if s.AckDeadlineSeconds == 0 {
		s.AckDeadlineSeconds = int32(minAckDeadline / time.Second)
	}
	if d := seconds(s.AckDeadlineSeconds); d < minAckDeadline || d > maxAckDeadline {
		return invalid("the acknowledgement deadline is %v; it must be %v to %v", d, minAckDeadline, maxAckDeadline)
	}
	if s.MessageRetentionDuration == nil {
		s.MessageRetentionDuration = durationpb.New(7 * 24 * time.Hour)
	}
	s.State = pubsubpb.Subscription_ACTIVE
	for _, check := range []func(*pubsubpb.Subscription) error{checkSupported, checkPush, checkDeadLetter, checkRetry} {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

func checkSupported(s *pubsubpb.Subscription) error {
	if _, err := parseFilter(s.Filter); err != nil {
		return invalid("%v", err)
	}
	switch {
	case s.EnableMessageOrdering:
		return unsupported("message ordering")
	case s.EnableExactlyOnceDelivery:
		return unsupported("exactly-once delivery")
	case s.RetainAckedMessages:
		return unsupported("retention of acknowledged messages")
	case s.BigqueryConfig != nil || s.CloudStorageConfig != nil || s.BigtableConfig != nil:
		return unsupported("exports to other systems")
	case len(s.MessageTransforms) > 0:
		return unsupported("message transforms")
	case s.Detached:
		return invalid("a subscription cannot be created detached")
	}
	return nil
}

func checkPush(s *pubsubpb.Subscription) error {
	endpoint := s.GetPushConfig().GetPushEndpoint()
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return invalid("Invalid push endpoint given (endpoint=%s): it must be an http or https URL.", endpoint)
	}
	return nil
}

func checkDeadLetter(s *pubsubpb.Subscription) error {
	p := s.DeadLetterPolicy
	if p == nil {
		return nil
	}
	if p.MaxDeliveryAttempts == 0 {
		p.MaxDeliveryAttempts = minDeliveryAttempts
	}
	if p.MaxDeliveryAttempts < minDeliveryAttempts || p.MaxDeliveryAttempts > maxDeliveryAttempts {
		return invalid("max_delivery_attempts is %d; it must be %d to %d", p.MaxDeliveryAttempts, minDeliveryAttempts, maxDeliveryAttempts)
	}
	return checkName(p.DeadLetterTopic, "topics")
}

func checkRetry(s *pubsubpb.Subscription) error {
	p := s.RetryPolicy
	if p == nil {
		return nil
	}
	if p.MinimumBackoff == nil {
		p.MinimumBackoff = durationpb.New(defaultMinBackoff)
	}
	if p.MaximumBackoff == nil {
		p.MaximumBackoff = durationpb.New(maxBackoffLimit)
	}
	low, high := p.MinimumBackoff.AsDuration(), p.MaximumBackoff.AsDuration()
	if low < 0 || high > maxBackoffLimit || low > high {
		return invalid("the retry policy's backoff is %v to %v; it must lie within 0 to %v", low, high, maxBackoffLimit)
	}
	return nil
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }
