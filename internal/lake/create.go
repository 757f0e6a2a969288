package lake

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// digestKey is the key of the metadata that holds an object's digest.
const digestKey = "stationflow-digest"

// castagnoli is the polynomial of Cloud Storage's checksums.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Conflict says that an object exists under the name but was made from
// other records. Trying again cannot help: two batches claim the same name,
// or the object was overwritten by hand.
type Conflict struct {
	Name       string
	Have, Want string // digests: the stored one ("" when it has none), and ours
}

func (c *Conflict) Error() string {
	return fmt.Sprintf("object %s exists with other contents: its digest is %q, ours is %q", c.Name, c.Have, c.Want)
}

// CreateOnce creates the object name with data, unless it exists already. It
// returns nil when the object is durable, and duplicate tells that an earlier
// delivery had created it: its stored digest equals digest. Where it differs
// the error is a *Conflict.
//
// After any other error the object may or may not exist (the answer may have
// been lost) but never with partial or damaged contents: call CreateOnce
// again. It makes one attempt; how often to try is the caller's business. It
// does not keep data. Concurrent calls for the same name are safe: one
// creates, the others find it.
func CreateOnce(ctx context.Context, bucket *storage.BucketHandle, name string, digest uint64, data []byte) (duplicate bool, err error) {
	want := fmt.Sprintf("%016x", digest)
	object := bucket.Object(name).Retryer(storage.WithPolicy(storage.RetryNever))
	err = create(ctx, object.If(storage.Conditions{DoesNotExist: true}), want, data)
	if err == nil {
		return false, nil
	}
	var refused *googleapi.Error
	if !errors.As(err, &refused) || refused.Code != http.StatusPreconditionFailed {
		return false, fmt.Errorf("creating object %s: %w", name, err)
	}
	attrs, err := object.Attrs(ctx)
	if err != nil {
		return false, fmt.Errorf("comparing object %s with the one that exists: %w", name, err)
	}
	if have := attrs.Metadata[digestKey]; have != want {
		return false, &Conflict{Name: name, Have: have, Want: want}
	}
	return true, nil
}

// create uploads in one request: the object appears whole or not at all. The
// checksum goes along so that the server refuses a damaged upload, rather
// than the client noticing it once the object exists.
func create(ctx context.Context, object *storage.ObjectHandle, digest string, data []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // abandons the upload when Write fails
	w := object.NewWriter(ctx)
	w.ChunkSize = 0 // the library's default buffers 16 MiB a writer
	w.ContentType = "application/octet-stream"
	w.CRC32C = crc32.Checksum(data, castagnoli)
	w.SendCRC32C = true
	w.Metadata = map[string]string{digestKey: digest}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Close()
}
