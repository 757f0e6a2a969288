package lake

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// Keys of an object's metadata.
const (
	digestKey    = "stationflow-digest"
	rangesKey    = "stationflow-ranges"
	selectionKey = "stationflow-selection"
	arrivedKey   = "stationflow-arrived"
)

// castagnoli is the polynomial of Cloud Storage's checksums.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Conflict says that an object exists under the name but was made from
// other records. Trying again cannot help: two batches claim the same name,
// the object was overwritten by hand, or Kafka has compacted the partition, so
// that the batch has lost records. The last does no harm: it is known by
// comparing the records.
type Conflict struct {
	Name       string
	Partitions []int32 // those with other records; none where that is not known
	Have, Want string  // digests: the stored one ("" when it has none), and ours; both "" where the digests are not what differs
}

func (c *Conflict) Error() string {
	if c.Have == "" && c.Want == "" {
		return fmt.Sprintf("object %s exists with other contents", c.Name)
	}
	return fmt.Sprintf("object %s exists with other contents: its digest is %q, ours is %q", c.Name, c.Have, c.Want)
}

// OtherSelection says that an object exists under the name and was made from
// the same batch, but may hold other records of it: an earlier delivery
// decided otherwise about some.
type OtherSelection struct{ Name string }

func (o *OtherSelection) Error() string {
	return fmt.Sprintf("object %s exists with other records of the same batch", o.Name)
}

// An Object is what CreateOnce creates.
type Object struct {
	Name      string
	Digest    uint64 // of the batch that the name is derived from, see Digest
	Selection uint64 // of the batch's records that the object holds, see Selection; 0 for all there are
	Ranges    string // of the batch, as text; "" for an object of one record
	Data      []byte
	Pieces    [][]byte // follow Data, for an object that is too large for one slice
	Arrived   Period   // of the objects that were merged into this one; zero for others
}

// A Period is from the first of several moments to the last.
type Period struct{ First, Last time.Time }

// ArrivedIn returns when the records of an object arrived in the lake: when it
// was created, or those that were merged into it.
func ArrivedIn(attrs *storage.ObjectAttrs) Period {
	first, last, _ := strings.Cut(attrs.Metadata[arrivedKey], " ")
	from, err1 := time.Parse(time.RFC3339Nano, first)
	to, err2 := time.Parse(time.RFC3339Nano, last)
	if err1 != nil || err2 != nil {
		return Period{attrs.Created, attrs.Created}
	}
	return Period{from, to}
}

// CreateOnce creates the object, unless one of its name exists already. It
// returns nil when the object is durable; duplicate is true when an earlier
// delivery had created it: its stored digest and selection equal ours. Where
// the digest differs the error is a *Conflict, where only the selection does,
// or is not known, an *OtherSelection.
//
// After any other error the object may or may not exist (the answer may have
// been lost) but never with partial or damaged contents: call CreateOnce
// again. It makes one attempt; the caller decides how often to try. It does not
// keep the data. Concurrent calls for the same name are safe: one
// creates, the others find it.
func CreateOnce(ctx context.Context, bucket *storage.BucketHandle, o Object) (duplicate bool, err error) {
	metadata := map[string]string{digestKey: hexadecimal(o.Digest)}
	if o.Selection != 0 {
		metadata[selectionKey] = hexadecimal(o.Selection)
	}
	if o.Ranges != "" {
		metadata[rangesKey] = o.Ranges
	}
	if !o.Arrived.First.IsZero() {
		metadata[arrivedKey] = o.Arrived.First.UTC().Format(time.RFC3339Nano) + " " + o.Arrived.Last.UTC().Format(time.RFC3339Nano)
	}
	object := bucket.Object(o.Name).Retryer(storage.WithPolicy(storage.RetryNever))
	err = create(ctx, object.If(storage.Conditions{DoesNotExist: true}), metadata, append([][]byte{o.Data}, o.Pieces...))
	if err == nil {
		return false, nil
	}
	var refused *googleapi.Error
	if !errors.As(err, &refused) || refused.Code != http.StatusPreconditionFailed {
		return false, fmt.Errorf("creating object %s: %w", o.Name, err)
	}
	attrs, err := object.Attrs(ctx)
	if err != nil {
		return false, fmt.Errorf("comparing object %s with the one that exists: %w", o.Name, err)
	}
	if have, want := attrs.Metadata[digestKey], metadata[digestKey]; have != want {
		return false, &Conflict{Name: o.Name, Have: have, Want: want}
	}
	if attrs.Metadata[selectionKey] != metadata[selectionKey] {
		return false, &OtherSelection{Name: o.Name}
	}
	return true, nil
}

// RangesOf returns the ranges of the batch that an object was made from, as
// text; "" when it does not say.
func RangesOf(attrs *storage.ObjectAttrs) string { return attrs.Metadata[rangesKey] }

// HasDigest reports whether the object says that it was made from what has the
// digest.
func HasDigest(attrs *storage.ObjectAttrs, digest uint64) bool {
	return attrs.Metadata[digestKey] == hexadecimal(digest)
}

func hexadecimal(digest uint64) string { return fmt.Sprintf("%016x", digest) }

// Read returns the contents of an object. It makes one attempt.
func Read(ctx context.Context, bucket *storage.BucketHandle, name string) (data []byte, err error) {
	r, err := bucket.Object(name).Retryer(storage.WithPolicy(storage.RetryNever)).NewReader(ctx)
	if err == nil {
		data, err = io.ReadAll(r)
		err = errors.Join(err, r.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("reading object %s: %w", name, err)
	}
	return data, nil
}

// create uploads in one request: the object appears whole or not at all. The
// checksum goes along so that the server refuses a damaged upload, rather
// than the client noticing it once the object exists.
func create(ctx context.Context, object *storage.ObjectHandle, metadata map[string]string, pieces [][]byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // abandons the upload when Write fails
	w := object.NewWriter(ctx)
	w.ChunkSize = 0 // the library's default buffers 16 MiB a writer
	w.ContentType = "application/octet-stream"
	for _, piece := range pieces {
		w.CRC32C = crc32.Update(w.CRC32C, castagnoli, piece)
	}
	w.SendCRC32C = true
	w.Metadata = metadata
	for _, piece := range pieces {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return confirm(w.Attrs(), w)
}

// confirm checks that the answer describes an object, and the one that was
// sent: the library takes any answer of 200 with JSON for success.
func confirm(made *storage.ObjectAttrs, w *storage.Writer) error {
	switch {
	case made.Name == "":
		return errors.New("the answer to the upload describes no object: it is not Cloud Storage's")
	case made.CRC32C != 0 && made.CRC32C != w.CRC32C:
		return fmt.Errorf("the answer to the upload has the checksum %08x, not %08x", made.CRC32C, w.CRC32C)
	}
	return nil
}
