package quarantine

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event/framing"
	"github.com/stationflow/stationflow/internal/lake"
)

// An Aside says which parts of a record are in the lake, as gs:// addresses;
// "" for those that are not.
type Aside struct{ Value, Key, Headers string }

// Aside reads from the row which of the record's bytes are in the lake because
// they were too large for a row or a batch.
func (r *Row) Aside() (a Aside) {
	for _, word := range strings.Fields(r.Detail.StringVal) {
		uri, ok := strings.CutPrefix(word, "gs://")
		_, name, _ := strings.Cut(uri, "/")
		switch {
		case !ok:
		case name == lake.QuarantineObject(r.Topic, r.TopicID, int32(r.Partition), r.Offset):
			a.Value = word
		case name == lake.QuarantineKeyObject(r.Topic, r.TopicID, int32(r.Partition), r.Offset):
			a.Key = word
		case name == lake.QuarantineHeadersObject(r.Topic, r.TopicID, int32(r.Partition), r.Offset):
			a.Headers = word
		}
	}
	return a
}

// Record is the row's record as a batch has it, but for what is in the lake.
// The headers of the original are not kept, except that which names its
// value's schema.
func (r *Row) Record() batch.Record {
	record := batch.Record{Partition: int32(r.Partition), Offset: r.Offset, Timestamp: -1, Key: r.Key, Value: r.Value}
	if r.Timestamp.Valid {
		record.Timestamp = r.Timestamp.Timestamp.UnixMilli()
	}
	record.Headers = r.schemaHeader(r.Value)
	return record
}

// schemaHeader is the header by which a serializer names the schema of a value;
// none where the value begins with the schema's id, or has no schema.
func (r *Row) schemaHeader(value []byte) []batch.Header {
	id := r.SchemaID.StringVal
	if prefixed := framing.Prefixed(value); id == "" || value == nil || prefixed.SchemaID() == id {
		return nil
	}
	if number, err := strconv.ParseUint(id, 10, 63); err == nil {
		if number > 1<<32-1 {
			return []batch.Header{{Key: "apicurio.value.contentId", Value: binary.BigEndian.AppendUint64(nil, number)}}
		}
		return []batch.Header{{Key: "__value_schema_id", Value: binary.BigEndian.AppendUint32([]byte{0}, uint32(number))}}
	}
	guid, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(guid) != 16 {
		return nil
	}
	return []batch.Header{{Key: "__value_schema_id", Value: append([]byte{1}, guid...)}}
}

// Whole returns the row's record with all that the lake keeps of it, or, where
// that fits no batch, with the addresses in its place. An error that is
// storage.ErrObjectNotExist says that the lake has lost it.
func (r *Row) Whole(ctx context.Context, client *storage.Client) (batch.Record, error) {
	whole, aside := r.Record(), r.Aside()
	if aside == (Aside{}) {
		return whole, nil
	}
	value, err := open(ctx, client, aside.Value)
	if err != nil {
		return batch.Record{}, err
	}
	key, err := open(ctx, client, aside.Key)
	if err != nil {
		return batch.Record{}, err
	}
	headers, err := open(ctx, client, aside.Headers)
	if err != nil {
		return batch.Record{}, err
	}
	if value.size+key.size > batch.MaxEncodedBytes || headers.size > maxHeadersBytes {
		return r.elsewhere(aside, value.size), nil
	}
	if err := errors.Join(value.read(ctx, &whole.Value), key.read(ctx, &whole.Key)); err != nil {
		return batch.Record{}, err
	}
	whole.Headers = r.schemaHeader(whole.Value)
	if err := headers.readHeaders(ctx, &whole.Headers); err != nil {
		return batch.Record{}, err
	}
	if !new(batch.Encoder).Fits(&whole) {
		return r.elsewhere(aside, value.size), nil
	}
	return whole, nil
}

// elsewhere is the record as the bridge sends one that fits no batch.
func (r *Row) elsewhere(aside Aside, size int64) batch.Record {
	record := r.Record()
	record.Value, record.Headers = nil, nil
	record.ValueURI, record.ValueSize = aside.Value, size
	if aside.Headers != "" {
		record.Headers = append(record.Headers, batch.Header{Key: batch.HeaderHeadersURI, Value: []byte(aside.Headers)})
	}
	if aside.Key != "" {
		record.Key = nil
		record.Headers = append(record.Headers, batch.Header{Key: batch.HeaderKeyURI, Value: []byte(aside.Key)})
	}
	return record
}

// An object is one in the lake, with its size in bytes; the zero value is none.
type object struct {
	bucket *storage.BucketHandle
	name   string
	size   int64
}

// open looks at the object of the address; none for "".
func open(ctx context.Context, client *storage.Client, uri string) (object, error) {
	if uri == "" {
		return object{}, nil
	}
	bucket, name, _ := strings.Cut(strings.TrimPrefix(uri, "gs://"), "/")
	o := object{bucket: client.Bucket(bucket), name: name}
	attributes, err := o.bucket.Object(name).Attrs(ctx)
	if err != nil {
		return o, fmt.Errorf("looking at %s: %w", uri, err)
	}
	o.size = attributes.Size
	return o, nil
}

// read replaces what is there by the object's bytes, if there is an object.
func (o *object) read(ctx context.Context, to *[]byte) (err error) {
	if o.bucket != nil {
		*to, err = lake.Read(ctx, o.bucket, o.name)
	}
	return err
}

// maxHeadersBytes bounds the JSON of headers that is read: those of a record
// that fits a batch take less.
const maxHeadersBytes = 2 * batch.MaxEncodedBytes

// readHeaders replaces what is there by the headers in the object, if there is
// an object.
func (o *object) readHeaders(ctx context.Context, to *[]batch.Header) error {
	var text []byte
	if err := o.read(ctx, &text); err != nil || text == nil {
		return err
	}
	var all []struct {
		Key   string
		Value []byte
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("reading headers in object %s: %w", o.name, err)
	}
	*to = make([]batch.Header, len(all))
	for i := range all {
		(*to)[i] = batch.Header(all[i])
	}
	return nil
}
