package ingest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stationflow/stationflow/batch"
)

// noon is when the records of these tests were written to Kafka.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// sampleBatch returns a batch of n good records of the topic, the same for
// the same seed. Event times are spread over a few minutes.
func sampleBatch(topic string, n int, seed uint64) *batch.Batch {
	random := rand.New(rand.NewPCG(seed, 1))
	b := &batch.Batch{
		ClusterID: "test-cluster", Topic: topic, TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Lane: batch.BothLanes,
	}
	for i := range n {
		id := fmt.Sprintf("%s-%d", topic[:3], i)
		at := noon.Add(-time.Duration(random.IntN(120)) * time.Second)
		b.Records = append(b.Records, batch.Record{
			Partition: 3, Offset: int64(1000 + i), Timestamp: noon.UnixMilli() + int64(i),
			Key: []byte(id), Value: []byte(sampleEvent(topic, id, at, random)),
		})
	}
	return b
}

func sampleEvent(topic, id string, at time.Time, random *rand.Rand) string {
	stations := []string{"Gare du Nord", "Châtelet", "Saint-Lazare", "La Défense", "Nation", "Bercy", "Auber"}
	station, stamp := stations[random.IntN(len(stations))], at.Format("2006-01-02T15:04:05")
	switch topic {
	case "incidents":
		return fmt.Sprintf(`{"id":%q,"type":"suspect package","station":%q,"location":"Dock %d","timestamp":%q,"severity":"Minor","duration":%d}`,
			id, station, random.IntN(9), stamp, random.IntN(60))
	case "equipment_failures":
		return fmt.Sprintf(`{"id":%q,"equipment":"escalator","station":%q,"location":"Corridor","timestamp":%q,"duration":%d}`,
			id, station, stamp, random.IntN(60))
	case "train_arrivals", "train_departures":
		return fmt.Sprintf(`{"id":%q,"station":%q,"timestamp":%q,"passengers":%d,"dock_number":%d,"wagon_count":8,"direction":"North","train_number":"RER-%d","scheduled_timestamp":%q}`,
			id, station, stamp, random.IntN(900), random.IntN(9), random.IntN(500), stamp)
	case "ticket_validations":
		return fmt.Sprintf(`{"id":%q,"train_id":"tr-%d","station":%q,"timestamp":%q,"validations":%d,"rejected":%d}`,
			id, random.IntN(9000), station, stamp, random.IntN(500), random.IntN(9))
	}
	return fmt.Sprintf(`{"id":%q,"train_id":"tr-%d","station":%q,"timestamp":%q,"waiting_time":%.2f,"ticket_check_time":%.2f,"reduced_flow_factor":0.9,"entered":%d,"exited":%d,"zone":"Hall A"}`,
		id, random.IntN(9000), station, stamp, random.Float64()*20, random.Float64(), random.IntN(500), random.IntN(500))
}
