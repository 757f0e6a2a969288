package pubsub

import (
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// subscriber is the google.pubsub.v1.Subscriber service: here the administration, in pull.go the delivery.
type subscriber struct {
	pubsubpb.UnimplementedSubscriberServer
	*broker
}

func (s subscriber) CreateSubscription(_ context.Context, config *pubsubpb.Subscription) (*pubsubpb.Subscription, error) {
	if err := normalise(config); err != nil {
		return nil, err
	}
	if err := s.create(config); err != nil {
		return nil, err
	}
	return config, nil
}

func (s subscriber) GetSubscription(_ context.Context, request *pubsubpb.GetSubscriptionRequest) (*pubsubpb.Subscription, error) {
	sub, err := s.subscription(request.Subscription)
	if err != nil {
		return nil, err
	}
	return sub.config.Load(), nil
}

// UpdateSubscription puts the fields of the mask into effect at once; attempts in flight end as they began.
func (s subscriber) UpdateSubscription(_ context.Context, request *pubsubpb.UpdateSubscriptionRequest) (*pubsubpb.Subscription, error) {
	return s.update(request.GetSubscription().GetName(), func(old *pubsubpb.Subscription) (*pubsubpb.Subscription, error) {
		config := proto.Clone(old).(*pubsubpb.Subscription)
		if err := applyMask(config, request.Subscription, request.UpdateMask, "ack_deadline_seconds", "dead_letter_policy",
			"expiration_policy", "labels", "message_retention_duration", "push_config", "retry_policy"); err != nil {
			return nil, err
		}
		return config, normalise(config)
	})
}

func (s subscriber) ModifyPushConfig(_ context.Context, request *pubsubpb.ModifyPushConfigRequest) (*emptypb.Empty, error) {
	_, err := s.update(request.Subscription, func(old *pubsubpb.Subscription) (*pubsubpb.Subscription, error) {
		config := proto.Clone(old).(*pubsubpb.Subscription)
		config.PushConfig = request.PushConfig
		return config, normalise(config)
	})
	return new(emptypb.Empty), err
}

func (s subscriber) ListSubscriptions(_ context.Context, request *pubsubpb.ListSubscriptionsRequest) (*pubsubpb.ListSubscriptionsResponse, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var configs []*pubsubpb.Subscription
	for name, sub := range s.subscriptions {
		if strings.HasPrefix(name, request.Project+"/") {
			configs = append(configs, sub.config.Load())
		}
	}
	configs, next := page(configs, (*pubsubpb.Subscription).GetName, request)
	return &pubsubpb.ListSubscriptionsResponse{Subscriptions: configs, NextPageToken: next}, nil
}

func (s subscriber) DeleteSubscription(_ context.Context, request *pubsubpb.DeleteSubscriptionRequest) (*emptypb.Empty, error) {
	if err := s.drop(request.Subscription); err != nil {
		return nil, err
	}
	return new(emptypb.Empty), nil
}

// applyMask copies the fields that a mask names; only top-level fields that may change can be named.
func applyMask(into, from proto.Message, mask *fieldmaskpb.FieldMask, changeable ...string) error {
	if len(mask.GetPaths()) == 0 {
		return invalid("the update mask names no field")
	}
	fields := into.ProtoReflect().Descriptor().Fields()
	for _, path := range mask.Paths {
		field := fields.ByName(protoreflect.Name(path))
		if field == nil || !slices.Contains(changeable, path) {
			return invalid("the update mask names %q; fields that can be changed here: %s", path, strings.Join(changeable, ", "))
		}
		if from.ProtoReflect().Has(field) {
			into.ProtoReflect().Set(field, from.ProtoReflect().Get(field))
		} else {
			into.ProtoReflect().Clear(field)
		}
	}
	return nil
}
