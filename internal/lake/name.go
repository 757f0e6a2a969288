// Package lake writes objects into the data lake, a Cloud Storage bucket,
// each exactly once.
//
// An object's name is derived from the Kafka records it holds, so that every
// delivery of the same records aims at the same object. A later one finds it
// there and compares digests instead of writing: that of the batch, and that
// of the records which the object holds.
package lake

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stationflow/stationflow/batch"
)

// RawObject names the Parquet object that holds the batch's events of one
// hour: hour is any moment within it, taken in UTC. The batch has at least
// one record.
func RawObject(b *batch.Batch, hour time.Time) string {
	return fmt.Sprintf("raw/%s/dt=%s/%s.parquet", b.Topic, hour.UTC().Format("2006-01-02/hour=15"), batchName(b))
}

// RawFolder is where the objects of a topic's events are.
func RawFolder(topic string) string { return "raw/" + topic + "/" }

// DayFolder is the folder, within that of a topic, of an event day in UTC.
func DayFolder(at time.Time) string { return at.UTC().Format("dt=2006-01-02") }

// rawName begins with the topic, and its last part with the topic again.
var rawName = regexp.MustCompile(`^raw/([^/]+)/dt=\d{4}-\d\d-\d\d/hour=\d\d/([^/]+)\.parquet$`)

// batchSuffix follows the topic: the first digits of the topic's id, and what
// tells the objects apart.
var batchSuffix = regexp.MustCompile(`^-([0-9a-f]{8})-.`)

// ParseRaw returns the topic and the first digits of the topic's id from the
// name of an object with events. ok is false for other names.
func ParseRaw(name string) (topic, topicID string, ok bool) {
	parts := rawName.FindStringSubmatch(name)
	if parts == nil {
		return "", "", false
	}
	suffix, _ := strings.CutPrefix(parts[2], parts[1])
	digits := batchSuffix.FindStringSubmatch(suffix)
	if digits == nil {
		return "", "", false
	}
	return parts[1], digits[1], true
}

// FolderHour returns the hour, UTC, whose events the object of the name holds.
// ok is false for names that are not those of objects with events.
func FolderHour(name string) (hour time.Time, ok bool) {
	if !rawName.MatchString(name) {
		return hour, false
	}
	hour, err := time.Parse("dt=2006-01-02/hour=15", strings.Join(strings.Split(name, "/")[2:4], "/"))
	return hour, err == nil
}

// MergedObject names an object that holds the records of others of its folder,
// of which topic and topicID say whose they are, as ParseRaw does. generation
// stands for what was merged. Where several objects hold the records, number is
// that of one of them, from 1 on; the last one, which completes them, has 0.
func MergedObject(folder, topic, topicID, generation string, number int) string {
	name := folder + topic + "-" + topicIDPrefix(topicID) + "-compact-" + generation
	if number > 0 {
		name += fmt.Sprintf("-%05d", number)
	}
	return name + ".parquet"
}

// mergedName ends as MergedObject has it.
var mergedName = regexp.MustCompile(`-[0-9a-f]{8}-compact-([0-9a-f]{16})(?:-(\d{5}))?\.parquet$`)

// ParseMerged returns what MergedObject made a name from. ok is false for other
// names.
func ParseMerged(name string) (generation string, number int, ok bool) {
	parts := mergedName.FindStringSubmatch(name)
	if parts == nil || !rawName.MatchString(name) {
		return "", 0, false
	}
	number, _ = strconv.Atoi(parts[2]) // "" is 0
	return parts[1], number, true
}

// batchName is the last part of the names of a batch's objects. It does not
// depend on the lane.
func batchName(b *batch.Batch) string {
	topic := b.Topic + "-" + topicIDPrefix(b.TopicID)
	if b.V1 {
		r := b.Ranges()[0]
		return fmt.Sprintf("%s-%05d-%020d-%020d", topic, r.Partition, r.First, r.Last)
	}
	return topic + "-" + b.RangesHash()
}

// QuarantineFolder is where a topic's quarantined records are, as bytes or, where
// only the lake keeps them, as Parquet.
func QuarantineFolder(topic string) string { return "quarantine/" + topic + "/" }

// QuarantineObject names the object that holds the bytes of one record's
// value, for a value that is too large to travel in a batch or a row. topicID
// is Kafka's UUID of the topic in its canonical form.
func QuarantineObject(topic, topicID string, partition int32, offset int64) string {
	return fmt.Sprintf("%s%020d.bin", AsidePrefix(topic, topicID, partition), offset)
}

// AsidePrefix is what the names of the objects of a partition's values begin with.
func AsidePrefix(topic, topicID string, partition int32) string {
	return fmt.Sprintf("%s%s-%s-%05d-", QuarantineFolder(topic), topic, topicIDPrefix(topicID), partition)
}

var asideName = regexp.MustCompile(`-(\d{20})\.bin$`)

// ParseAside returns the offset of the record from the name of the object that
// holds its value. ok is false for other names.
func ParseAside(name string) (offset int64, ok bool) {
	digits := asideName.FindStringSubmatch(name)
	if digits == nil {
		return 0, false
	}
	offset, err := strconv.ParseInt(digits[1], 10, 64)
	return offset, err == nil
}

// QuarantineKeyObject names the object for the record's key, next to that of
// its value.
func QuarantineKeyObject(topic, topicID string, partition int32, offset int64) string {
	return strings.TrimSuffix(QuarantineObject(topic, topicID, partition, offset), ".bin") + ".key.bin"
}

// QuarantineHeadersObject names the object for the record's headers, next to
// that of its value.
func QuarantineHeadersObject(topic, topicID string, partition int32, offset int64) string {
	return strings.TrimSuffix(QuarantineObject(topic, topicID, partition, offset), ".bin") + ".headers.json"
}

// QuarantineBatch names the Parquet object that holds the quarantined records
// of a batch where only the lake keeps them. The batch has at least one record.
func QuarantineBatch(b *batch.Batch) string {
	return fmt.Sprintf("%s%s.parquet", QuarantineFolder(b.Topic), batchName(b))
}

// URI returns the gs:// address of an object.
func URI(bucket, name string) string { return "gs://" + bucket + "/" + name }

// topicIDPrefix distinguishes a topic from a deleted one of the same name.
func topicIDPrefix(topicID string) string { return topicID[:min(len(topicID), 8)] }
