package lake

import (
	"encoding/json"

	"github.com/stationflow/stationflow/batch"
)

// PutAside has the value of a record that is too large for any batch written to
// the bucket, and leaves a record that says where. Its headers go to an object
// of their own, and so does its key when it is too large as well; headers of
// the record that is left say where. of says where the record comes from; put
// makes an object durable.
func PutAside(bucket string, of *batch.Batch, r *batch.Record, put func(name string, digest uint64, data []byte) error) error {
	alone := *of
	alone.Records = []batch.Record{*r}
	digest := Digest(&alone)
	aside := func(name string, data []byte) (uri string, err error) {
		return URI(bucket, name), put(name, digest, data)
	}
	uri, err := aside(QuarantineObject(of.Topic, of.TopicID, r.Partition, r.Offset), r.Value)
	if err != nil {
		return err
	}
	own := r.Headers
	r.ValueURI, r.ValueSize, r.Value, r.Headers = uri, int64(len(r.Value)), nil, nil
	if len(own) > 0 {
		uri, err := aside(QuarantineHeadersObject(of.Topic, of.TopicID, r.Partition, r.Offset), headersJSON(own))
		if err != nil {
			return err
		}
		r.Headers = append(r.Headers, batch.Header{Key: batch.HeaderHeadersURI, Value: []byte(uri)})
	}
	if new(batch.Encoder).Fits(r) {
		return nil
	}
	if uri, err = aside(QuarantineKeyObject(of.Topic, of.TopicID, r.Partition, r.Offset), r.Key); err != nil {
		return err
	}
	r.Key, r.Headers = nil, append(r.Headers, batch.Header{Key: batch.HeaderKeyURI, Value: []byte(uri)})
	return nil
}

// headersJSON is a record's headers as an object holds them.
func headersJSON(headers []batch.Header) []byte {
	type header struct {
		Key   string `json:"key"`
		Value []byte `json:"value"`
	}
	all := make([]header, len(headers))
	for i, h := range headers {
		all[i] = header(h)
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings and bytes always have a JSON form
	}
	return text
}
