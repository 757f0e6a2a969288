package batch

import (
	"fmt"
	"mime"
	"regexp"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
)

// Names of the CloudEvent's extensions. Offsets are strings, because a
// CloudEvents integer has 32 bits; after a trip through HTTP headers every
// extension is a string.
const (
	extensionTopicID     = "topicid"
	extensionFirstOffset = "firstoffset"
	extensionLastOffset  = "lastoffset"
	extensionRecordCount = "recordcount"
	extensionTraceParent = "traceparent"
)

// A Malformed error says which part of an event is not as a batch's must be.
// It is permanent: the same event never becomes a batch.
type Malformed struct {
	Attribute string // the CloudEvents attribute, or "data"
	Detail    string
}

func (m *Malformed) Error() string {
	return fmt.Sprintf("reading a batch from a CloudEvent: %s %s", m.Attribute, m.Detail)
}

func malformed(attribute, format string, args ...any) error {
	return &Malformed{Attribute: attribute, Detail: fmt.Sprintf(format, args...)}
}

// Event builds the CloudEvent of the batch, stamped with at. traceparent is
// the W3C trace context, or "" for none. A batch that is empty, out of order
// or over a limit is an error.
func (b *Batch) Event(at time.Time, traceparent string) (cloudevents.Event, error) {
	var e Encoder
	if len(b.Records) == 0 {
		return cloudevents.Event{}, fmt.Errorf("building the event of %s: no records", b.source())
	}
	size := overhead
	for i := range b.Records {
		size += EncodedSize(&b.Records[i])
	}
	e.buf = make([]byte, 0, min(size, MaxEncodedBytes))
	for i := range b.Records {
		r := &b.Records[i]
		if i > 0 && r.Offset <= e.last {
			return cloudevents.Event{}, fmt.Errorf("building the event of %s: offset %d after %d", b.source(), r.Offset, e.last)
		}
		if !e.Fits(r) {
			return cloudevents.Event{}, fmt.Errorf("building the event of %s: the record at offset %d is beyond the limits of a batch", b.source(), r.Offset)
		}
		e.Add(r)
	}
	return e.Event(b, at, traceparent), nil
}

// Event builds the CloudEvent of the records added, at least one. of names
// where they come from; its Records are not looked at. The event's data
// shares the encoder's buffer: it is valid until the encoder is Reset, and no
// record can be added before that.
func (e *Encoder) Event(of *Batch, at time.Time, traceparent string) cloudevents.Event {
	event := cloudevents.NewEvent()
	event.SetID(of.id(e.first, e.last))
	event.SetSource(of.source())
	event.SetType(EventType)
	event.SetSubject(of.Topic)
	event.SetTime(at)
	event.SetExtension(extensionTopicID, of.TopicID)
	event.SetExtension(extensionFirstOffset, strconv.FormatInt(e.first, 10))
	event.SetExtension(extensionLastOffset, strconv.FormatInt(e.last, 10))
	event.SetExtension(extensionRecordCount, int32(e.records))
	if traceparent != "" {
		event.SetExtension(extensionTraceParent, traceparent)
	}
	// Bytes are taken as they are: this cannot fail.
	_ = event.SetData(ContentType, e.data())
	return event
}

// Attributes returns the event's attributes as the headers of its binary mode
// over HTTP, which are also the attributes of its Pub/Sub message: a push
// subscription without wrapper turns them into headers
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode).
func Attributes(e cloudevents.Event) map[string]string {
	attributes := map[string]string{
		"Content-Type":   e.DataContentType(),
		"ce-specversion": e.SpecVersion(),
		"ce-id":          e.ID(),
		"ce-source":      e.Source(),
		"ce-type":        e.Type(),
		"ce-subject":     e.Subject(),
		"ce-time":        types.FormatTime(e.Time()),
	}
	for name := range e.Extensions() {
		attributes["ce-"+name] = extension(e, name)
	}
	return attributes
}

// FromEvent reads the batch that an event carries. Keys, values and header
// values share the event's data. An event that is not a batch, or contradicts
// its data, is a *Malformed error.
func FromEvent(e cloudevents.Event) (*Batch, error) { return FromEventIn(nil, e) }

// FromEventIn is FromEvent with the records in the given memory, or in new
// memory where that is too small.
func FromEventIn(memory []Record, e cloudevents.Event) (*Batch, error) {
	b, err := originOf(e)
	if err != nil {
		return nil, err
	}
	count, err := recordCount(e)
	if err != nil {
		return nil, err
	}
	if b.Records, err = decode(memory, e.Data(), count); err != nil {
		return nil, err
	}
	if err := compare(b, e); err != nil {
		return nil, err
	}
	return b, nil
}

// Names as Kafka allows them: a topic's name
// (org.apache.kafka.common.internals.Topic) and a partition.
var (
	sourcePattern  = regexp.MustCompile(`^//kafka/([^/]+)/([a-zA-Z0-9._-]{1,249})/(0|[1-9][0-9]{0,9})$`)
	topicIDPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// originOf reads where the event's records come from.
func originOf(e cloudevents.Event) (*Batch, error) {
	if e.SpecVersion() != cloudevents.VersionV1 {
		return nil, malformed("specversion", "is %q, not %s", e.SpecVersion(), cloudevents.VersionV1)
	}
	if e.Type() != EventType {
		return nil, malformed("type", "is %q, not %s", e.Type(), EventType)
	}
	if media, _, err := mime.ParseMediaType(e.DataContentType()); err != nil || media != ContentType {
		return nil, malformed("datacontenttype", "is %q, not %s", e.DataContentType(), ContentType)
	}
	b, err := Origin(e.Source())
	if err != nil {
		return nil, err
	}
	b.TopicID = extension(e, extensionTopicID)
	if e.Subject() != b.Topic {
		return nil, malformed("subject", "is %q, but source names the topic %s", e.Subject(), b.Topic)
	}
	if !topicIDPattern.MatchString(b.TopicID) {
		return nil, malformed(extensionTopicID, "is %q, not a lower-case UUID", b.TopicID)
	}
	return b, nil
}

// Origin reads an event's source: the batch that it returns has the cluster's
// id, topic and partition. A source that names none is a *Malformed error.
func Origin(source string) (*Batch, error) {
	part := sourcePattern.FindStringSubmatch(source)
	if part == nil {
		return nil, malformed("source", "is %q, not //kafka/<cluster id>/<topic>/<partition>", source)
	}
	partition, err := strconv.ParseInt(part[3], 10, 32)
	if err != nil {
		return nil, malformed("source", "is %q: no partition has that number", source)
	}
	return &Batch{ClusterID: part[1], Topic: part[2], Partition: int32(partition)}, nil
}

func recordCount(e cloudevents.Event) (int, error) {
	text := extension(e, extensionRecordCount)
	count, err := strconv.Atoi(text)
	if err != nil || count < 1 || count > MaxRecords {
		return 0, malformed(extensionRecordCount, "is %q, not a number from 1 to %d", text, MaxRecords)
	}
	return count, nil
}

// compare checks that the event's offsets and id are those of the records.
func compare(b *Batch, e cloudevents.Event) error {
	for _, offset := range []struct {
		extension string
		want      int64
	}{{extensionFirstOffset, b.FirstOffset()}, {extensionLastOffset, b.LastOffset()}} {
		if is, want := extension(e, offset.extension), strconv.FormatInt(offset.want, 10); is != want {
			return malformed(offset.extension, "is %q, but the data says %s", is, want)
		}
	}
	if e.ID() != b.ID() {
		return malformed("id", "is %q, but source, topicid and data make it %s", e.ID(), b.ID())
	}
	return nil
}

// extension returns the extension in its text form, whatever its type, or ""
// when it is absent.
func extension(e cloudevents.Event, name string) string {
	value, ok := e.Extensions()[name]
	if !ok {
		return ""
	}
	text, err := types.Format(value)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(text)
}
