package event

import "time"

// CanaryTopic is the topic of the pipeline's own records, and the name of their
// table. It is none of Topics: no station sends them and no dashboard counts
// them. It has one partition.
const CanaryTopic = "stationflow_canary"

// A Canary is a record that the bridge sends while it runs, to be found again
// behind each hop. What ingest does with it is what it does with any event.
type Canary struct {
	ID        string    `json:"id" rule:"nonempty" desc:"Identifier given by the bridge that sent it." example:"canary-1795678200"`
	Timestamp time.Time `json:"timestamp" desc:"When it was sent." example:"2026-11-22T07:30:00Z"`
}

// canary is the kind of a Canary.
var canary = Kind{Topic: CanaryTopic, Description: "A record of the pipeline's own, to be found again behind each hop.", Event: Canary{}, Cluster: "id",
	Singular: "canary", Plural: "Canaries", Moment: "sent_at"}
