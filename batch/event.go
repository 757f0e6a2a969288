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
	extensionLane        = "lane"
	extensionRanges      = "ranges"
	extensionFirstOffset = "firstoffset" // of EventTypeV1, as is the next
	extensionLastOffset  = "lastoffset"
	extensionRecordCount = "recordcount"
	extensionTraceParent = "traceparent"
	extensionRetry       = "retry" // "true" where the batch is one; else absent
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
// the W3C trace context, or "" for none. A batch that is empty, out of order,
// over a limit or without a lane is an error.
func (b *Batch) Event(at time.Time, traceparent string) (cloudevents.Event, error) {
	var e Encoder
	if len(b.Records) == 0 || !b.Lane.valid() || b.V1 || b.Retry && b.Lane != BothLanes {
		return cloudevents.Event{}, fmt.Errorf("building the event of %s: no records, no lane, a retry of one lane, or a batch of an earlier form", b.source())
	}
	size := overhead
	for i := range b.Records {
		size += EncodedSize(&b.Records[i])
	}
	e.buf = make([]byte, 0, min(size, MaxEncodedBytes))
	var ranges rangesBuilder
	for i := range b.Records {
		r := &b.Records[i]
		if !ranges.add(r.Partition, r.Offset) {
			return cloudevents.Event{}, fmt.Errorf("building the event of %s: offset %d of partition %d is out of order",
				b.source(), r.Offset, r.Partition)
		}
		if !e.Fits(r) {
			return cloudevents.Event{}, fmt.Errorf("building the event of %s: the record at offset %d of partition %d is beyond the limits of a batch",
				b.source(), r.Offset, r.Partition)
		}
		e.Add(r)
	}
	return e.Event(b, at, traceparent), nil
}

// Event builds the CloudEvent of the records added, at least one. of names
// where they come from and their lane; its Records are not looked at. The
// event's data shares the encoder's buffer: it is valid until the encoder is Reset, and no
// record can be added before that.
func (e *Encoder) Event(of *Batch, at time.Time, traceparent string) cloudevents.Event {
	event := cloudevents.NewEvent()
	event.SetID(of.id(e.ranges.ranges))
	event.SetSource(of.source())
	event.SetType(EventType)
	event.SetSubject(of.Topic)
	event.SetTime(at)
	event.SetExtension(extensionTopicID, of.TopicID)
	event.SetExtension(extensionLane, string(of.Lane))
	event.SetExtension(extensionRanges, e.ranges.ranges.String())
	event.SetExtension(extensionRecordCount, int32(e.records))
	if of.Retry {
		event.SetExtension(extensionRetry, "true")
	}
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

// TraceParent returns the event's W3C trace context, "" for none. Nothing says
// that it is one.
func TraceParent(e cloudevents.Event) string { return extension(e, extensionTraceParent) }

// FromEvent reads the batch that an event carries, of EventType or of
// EventTypeV1. Keys, values and header values share the event's data where that
// is not compressed. An event that is not a batch, or contradicts its data, is
// a *Malformed error.
func FromEvent(e cloudevents.Event) (*Batch, error) { return FromEventIn(&Memory{}, e) }

// FromEventIn is FromEvent with the batch in the given memory, which grows
// where it is too small. The batch is valid until the memory is used again.
func FromEventIn(memory *Memory, e cloudevents.Event) (*Batch, error) {
	b, partition, err := originOf(e)
	if err != nil {
		return nil, err
	}
	count, err := recordCount(e)
	if err != nil {
		return nil, err
	}
	schema := schemaJSON
	if b.V1 {
		schema = schemaV1
	}
	var ranges Ranges
	if b.Records, ranges, err = memory.decode(schema, e.Data(), count); err != nil {
		return nil, err
	}
	if b.V1 {
		ranges[0].Partition = partition
		for i := range b.Records {
			b.Records[i].Partition = partition
		}
	}
	if err := compare(b, ranges, e); err != nil {
		return nil, err
	}
	return b, nil
}

// Names as Kafka allows them: a topic's name
// (org.apache.kafka.common.internals.Topic) and a partition.
var (
	sourcePattern  = regexp.MustCompile(`^//kafka/([^/]+)/([a-zA-Z0-9._-]{1,249})(?:/(0|[1-9][0-9]{0,9}))?$`)
	topicIDPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// originOf reads where the event's records come from, and for which lane; the
// partition is that of an event of EventTypeV1.
func originOf(e cloudevents.Event) (*Batch, int32, error) {
	if e.SpecVersion() != cloudevents.VersionV1 {
		return nil, 0, malformed("specversion", "is %q, not %s", e.SpecVersion(), cloudevents.VersionV1)
	}
	if e.Type() != EventType && e.Type() != EventTypeV1 {
		return nil, 0, malformed("type", "is %q, not %s", e.Type(), EventType)
	}
	if media, _, err := mime.ParseMediaType(e.DataContentType()); err != nil || media != ContentType {
		return nil, 0, malformed("datacontenttype", "is %q, not %s", e.DataContentType(), ContentType)
	}
	b, partition, err := Origin(e.Source())
	if err != nil {
		return nil, 0, err
	}
	if b.V1 != (e.Type() == EventTypeV1) {
		return nil, 0, malformed("source", "is %q, which is not that of an event of type %s", e.Source(), e.Type())
	}
	b.TopicID = extension(e, extensionTopicID)
	if e.Subject() != b.Topic {
		return nil, 0, malformed("subject", "is %q, but source names the topic %s", e.Subject(), b.Topic)
	}
	if !topicIDPattern.MatchString(b.TopicID) {
		return nil, 0, malformed(extensionTopicID, "is %q, not a lower-case UUID", b.TopicID)
	}
	if !b.V1 {
		b.Lane = Lane(extension(e, extensionLane))
	}
	if !b.Lane.valid() {
		return nil, 0, malformed(extensionLane, "is %q, not %s, %s or %s", string(b.Lane), RowsLane, LakeLane, BothLanes)
	}
	switch retry := extension(e, extensionRetry); {
	case retry == "true" && b.Lane == BothLanes && !b.V1:
		b.Retry = true
	case retry != "":
		return nil, 0, malformed(extensionRetry, "is %q with lane %s: a retry says true, and serves both lanes", retry, b.Lane)
	}
	return b, partition, nil
}

// Origin reads an event's source: the batch that it returns has the cluster's
// id and the topic. A source that names a partition is that of EventTypeV1,
// whose batches serve both lanes. Any other is a *Malformed error.
func Origin(source string) (of *Batch, partition int32, err error) {
	part := sourcePattern.FindStringSubmatch(source)
	if part == nil {
		return nil, 0, malformed("source", "is %q, not //kafka/<cluster id>/<topic>", source)
	}
	of = &Batch{ClusterID: part[1], Topic: part[2]}
	if part[3] == "" {
		return of, 0, nil
	}
	number, err := strconv.ParseInt(part[3], 10, 32)
	if err != nil {
		return nil, 0, malformed("source", "is %q: no partition has that number", source)
	}
	of.V1, of.Lane = true, BothLanes
	return of, int32(number), nil
}

func recordCount(e cloudevents.Event) (int, error) {
	text := extension(e, extensionRecordCount)
	count, err := strconv.Atoi(text)
	if err != nil || count < 1 || count > MaxRecords {
		return 0, malformed(extensionRecordCount, "is %q, not a number from 1 to %d", text, MaxRecords)
	}
	return count, nil
}

// compare checks that the event's ranges, or offsets, and id are those of the
// records.
func compare(b *Batch, ranges Ranges, e cloudevents.Event) error {
	type claim struct{ extension, want string }
	claims := []claim{{extensionRanges, ranges.String()}}
	if b.V1 {
		claims = []claim{{extensionFirstOffset, strconv.FormatInt(ranges[0].First, 10)}, {extensionLastOffset, strconv.FormatInt(ranges[0].Last, 10)}}
	}
	if size := len(claims[0].want); size > MaxRangesBytes {
		return malformed(extensionRanges, "would have %d bytes, the limit is %d", size, MaxRangesBytes)
	}
	for _, c := range claims {
		if is := extension(e, c.extension); is != c.want {
			return malformed(c.extension, "is %.80q, but the data says %.80s", is, c.want)
		}
	}
	if id := b.id(ranges); e.ID() != id {
		return malformed("id", "is %q, but source, topicid, lane and data make it %s", e.ID(), id)
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
