package system

import (
	"context"
	"fmt"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stationflow/stationflow/terraform"
)

// createMessaging makes the topics and subscriptions as Terraform does: the
// records topic pushes to the ingest function, unwrapped, and what may hold
// alerts to the function alert; what fails for good
// goes to the dead letter topic, which keeps it in a subscription of its own.
func createMessaging(ctx context.Context, address, project, functionsURL string, d terraform.Deployment) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connecting to Pub/Sub at %s: %w", address, err)
	}
	defer connection.Close()
	topics, err := pubsub.NewTopicAdminClient(ctx, option.WithGRPCConn(connection))
	if err != nil {
		return fmt.Errorf("connecting to Pub/Sub at %s: %w", address, err)
	}
	subscriptions, err := pubsub.NewSubscriptionAdminClient(ctx, option.WithGRPCConn(connection))
	if err != nil {
		return fmt.Errorf("connecting to Pub/Sub at %s: %w", address, err)
	}

	topic := func(name string) string { return terraform.FullName(project, "topics", name) }
	subscription := func(name string) string { return terraform.FullName(project, "subscriptions", name) }
	for _, name := range []string{d.RecordsTopic, d.AlertCopiesTopic, d.DeadLetterTopic} {
		if _, err := topics.CreateTopic(ctx, &pubsubpb.Topic{Name: topic(name)}); err != nil && status.Code(err) != codes.AlreadyExists {
			return fmt.Errorf("creating topic %s: %w", name, err)
		}
	}
	seconds := func(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }
	retry := func(longest int) *pubsubpb.RetryPolicy {
		return &pubsubpb.RetryPolicy{MinimumBackoff: seconds(d.PushMinimumBackoff), MaximumBackoff: seconds(longest)}
	}
	push := func(function string) *pubsubpb.PushConfig {
		return &pubsubpb.PushConfig{
			PushEndpoint: functionsURL + function,
			Wrapper:      &pubsubpb.PushConfig_NoWrapper_{NoWrapper: &pubsubpb.PushConfig_NoWrapper{WriteMetadata: true}},
		}
	}
	alerts := func(name, from string) *pubsubpb.Subscription {
		return &pubsubpb.Subscription{
			Name: subscription(name), Topic: topic(from), Filter: d.AlertFilter, AckDeadlineSeconds: int32(d.PushAckDeadline),
			PushConfig: push("/alert"), RetryPolicy: retry(d.AlertMaximumBackoff), MessageRetentionDuration: seconds(d.AlertRetention),
		}
	}
	for _, s := range []*pubsubpb.Subscription{alerts(d.AlertSubscription, d.RecordsTopic), alerts(d.AlertCopiesSubscription, d.AlertCopiesTopic), {
		Name:               subscription(d.IngestSubscription),
		Topic:              topic(d.RecordsTopic),
		AckDeadlineSeconds: int32(d.PushAckDeadline),
		PushConfig:         push("/ingest"),
		RetryPolicy:        retry(d.PushMaximumBackoff),
		DeadLetterPolicy: &pubsubpb.DeadLetterPolicy{
			DeadLetterTopic:     topic(d.DeadLetterTopic),
			MaxDeliveryAttempts: int32(d.PushMaxDeliveryAttempts),
		},
	}, {
		Name:               subscription(d.DeadLetterSubscription),
		Topic:              topic(d.DeadLetterTopic),
		AckDeadlineSeconds: int32(d.PushAckDeadline),
	}} {
		if _, err := subscriptions.CreateSubscription(ctx, s); err != nil && status.Code(err) != codes.AlreadyExists {
			return fmt.Errorf("creating subscription %s: %w", s.Name, err)
		}
	}
	return nil
}
