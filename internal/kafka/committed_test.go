package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

var at = Partition{Topic: "incidents", Number: 0}

// arrived returns the block as it arrives from a broker that sends it.
func arrived(t *testing.T, block *sarama.FetchResponseBlock) *sarama.FetchResponseBlock {
	t.Helper()
	mock := sarama.NewMockBroker(t, 1)
	t.Cleanup(mock.Close)
	mock.SetHandlerByMap(map[string]sarama.MockResponse{"FetchRequest": sarama.NewMockWrapper(&sarama.FetchResponse{Version: 11,
		Blocks: map[string]map[int32]*sarama.FetchResponseBlock{at.Topic: {at.Number: block}}})})
	settings := sarama.NewConfig()
	settings.ApiVersionsRequest = false
	broker := sarama.NewBroker(mock.Addr())
	if err := broker.Open(settings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	response, err := broker.Fetch(&sarama.FetchRequest{Version: 11})
	if err != nil {
		t.Fatal(err)
	}
	return response.GetBlock(at.Topic, at.Number)
}

var began = time.UnixMilli(1_795_000_000_000)

// a batch of records whose values are the words, from an offset on, a second
// after another.
func recordsFrom(offset int64, words string, change func(*sarama.RecordBatch)) *sarama.Records {
	b := &sarama.RecordBatch{Version: 2, FirstOffset: offset, FirstTimestamp: began, MaxTimestamp: began.Add(time.Hour), ProducerID: -1}
	for i, word := range strings.Fields(words) {
		b.LastOffsetDelta = int32(i)
		b.Records = append(b.Records, &sarama.Record{Value: []byte(word), OffsetDelta: int64(i), TimestampDelta: time.Duration(i) * time.Second})
	}
	if change != nil {
		change(b)
	}
	return &sarama.Records{RecordBatch: b}
}

// by makes the batch one of a producer's transaction.
func by(producer int64) func(*sarama.RecordBatch) {
	return func(b *sarama.RecordBatch) { b.ProducerID, b.IsTransactional = producer, true }
}

// marker is what ends a producer's transaction.
func marker(offset, producer int64) *sarama.Records {
	return recordsFrom(offset, "end", func(b *sarama.RecordBatch) {
		by(producer)(b)
		b.Control = true
		b.Records[0].Key = []byte{0, 0, 0, 0}
	})
}

// messages are records as brokers before Kafka 0.11 kept them.
func messages(all ...*sarama.MessageBlock) *sarama.Records {
	return &sarama.Records{MsgSet: &sarama.MessageSet{Messages: all}}
}

func message(offset int64, version int8, word string) *sarama.MessageBlock {
	m := &sarama.Message{Version: version, Value: []byte(word)}
	if version > 0 {
		m.Timestamp = began.Add(time.Duration(offset) * time.Second)
	}
	return &sarama.MessageBlock{Offset: offset, Msg: m}
}

// What is read of a block that was fetched from an offset on: each record with
// its offset and the seconds since the first, and where the next fetch begins.
func TestCommitted(t *testing.T) {
	for name, test := range map[string]struct {
		from  int64
		sets  []*sarama.Records
		ended []*sarama.AbortedTransaction
		want  string
	}{
		"nothing": {5, nil, nil, "then 5"},
		"all of two batches": {0, []*sarama.Records{recordsFrom(0, "a b", nil), recordsFrom(2, "c", nil)}, nil,
			"0 a 0, 1 b 1, 2 c 0, then 3"},
		"from the middle of the first": {1, []*sarama.Records{recordsFrom(0, "a b", nil), recordsFrom(2, "c", nil)}, nil,
			"1 b 1, 2 c 0, then 3"},
		"what compaction left": {0, []*sarama.Records{recordsFrom(0, "a b c", func(b *sarama.RecordBatch) {
			b.Records, b.LastOffsetDelta = b.Records[1:2], 9
		})}, nil, "1 b 1, then 10"},
		"batches that compaction has emptied": {3, []*sarama.Records{recordsFrom(0, "", func(b *sarama.RecordBatch) { b.LastOffsetDelta = 6 }),
			recordsFrom(7, "", func(b *sarama.RecordBatch) { b.LastOffsetDelta = 4 })}, nil, "then 12"},
		"without a timestamp": {0, []*sarama.Records{recordsFrom(0, "a", func(b *sarama.RecordBatch) { b.FirstTimestamp = time.Time{} })}, nil,
			"0 a none, then 1"},
		"with the broker's timestamps": {0, []*sarama.Records{recordsFrom(0, "a b", func(b *sarama.RecordBatch) { b.LogAppendTime = true })}, nil,
			"0 a 3600, 1 b 3600, then 2"},
		"a transaction that was committed": {0, []*sarama.Records{recordsFrom(0, "a b", by(7)), marker(2, 7), recordsFrom(3, "c", nil)}, nil,
			"0 a 0, 1 b 1, 3 c 0, then 4"},
		"one that was aborted, and the producer's next": {0,
			[]*sarama.Records{recordsFrom(0, "a", by(7)), recordsFrom(1, "b", by(8)), marker(2, 7), recordsFrom(3, "c", by(7)), marker(4, 7), marker(5, 8)},
			[]*sarama.AbortedTransaction{{ProducerID: 8, FirstOffset: 1}, {ProducerID: 7, FirstOffset: 0}}, "3 c 0, then 6"},
		"only a marker":              {2, []*sarama.Records{marker(2, 7)}, nil, "then 3"},
		"messages of version 0":      {1, []*sarama.Records{messages(message(0, 0, "a"), message(1, 0, "b"))}, nil, "1 b none, then 2"},
		"messages of version 1":      {0, []*sarama.Records{messages(message(4, 1, "a"), message(6, 1, "b"))}, nil, "4 a 4, 6 b 6, then 7"},
		"compressed ones":            {11, []*sarama.Records{messages(compressed(12, false, message(0, 1, "a"), message(1, 1, "b"), message(2, 1, "c")))}, nil, "11 b 1, 12 c 2, then 13"},
		"with the broker's, as well": {10, []*sarama.Records{messages(compressed(11, true, message(0, 1, "a"), message(1, 1, "b")))}, nil, "10 a 60, 11 b 60, then 12"},
	} {
		t.Run(name, func(t *testing.T) {
			block := arrived(t, &sarama.FetchResponseBlock{RecordsSet: test.sets, AbortedTransactions: test.ended, PreferredReadReplica: -1})
			var got []string
			next := EachReadable(block, test.from, func(offset int64, stamp time.Time, r *sarama.Record) {
				seconds := "none"
				if !stamp.IsZero() {
					seconds = fmt.Sprint(int(stamp.Sub(began).Seconds()))
				}
				got = append(got, fmt.Sprintf("%d %s %s", offset, r.Value, seconds))
			})
			if text := strings.Join(append(got, fmt.Sprintf("then %d", next)), ", "); text != test.want {
				t.Errorf("%s\nwant %s", text, test.want)
			}
		})
	}
}

// compressed puts messages into one that stands at the offset of the last.
func compressed(offset int64, brokers bool, inner ...*sarama.MessageBlock) *sarama.MessageBlock {
	var set []byte
	for _, m := range inner {
		body := []byte{1, 0} // the version, and no attributes
		body = binary.BigEndian.AppendUint64(body, uint64(m.Msg.Timestamp.UnixMilli()))
		body = binary.BigEndian.AppendUint32(body, math.MaxUint32) // no key
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(m.Msg.Value))), m.Msg.Value...)
		set = binary.BigEndian.AppendUint64(set, uint64(m.Offset))
		set = binary.BigEndian.AppendUint32(set, uint32(4+len(body)))
		set = append(binary.BigEndian.AppendUint32(set, crc32.ChecksumIEEE(body)), body...)
	}
	return &sarama.MessageBlock{Offset: offset, Msg: &sarama.Message{Version: 1, Value: set, Codec: sarama.CompressionGZIP,
		CompressionLevel: sarama.CompressionLevelDefault, Timestamp: began.Add(time.Minute), LogAppendTime: brokers}}
}
