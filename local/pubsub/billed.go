package pubsub

import (
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
)

// minimumBytes is the least that a request to publish or to deliver is billed
// for (https://cloud.google.com/pubsub/pricing).
const minimumBytes = 1000

// bill counts a request that carries messages: to publish them, to push one, or
// the answer of a pull.
func (b *broker) bill(pbs ...*pubsubpb.PubsubMessage) {
	size := 0
	for _, pb := range pbs {
		size += proto.Size(pb)
	}
	b.billed.Add(int64(max(size, minimumBytes)))
}

func messagesOf(batch []attempt) []*pubsubpb.PubsubMessage {
	pbs := make([]*pubsubpb.PubsubMessage, len(batch))
	for i, a := range batch {
		pbs[i] = a.msg.pb
	}
	return pbs
}
