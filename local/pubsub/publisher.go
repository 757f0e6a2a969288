package pubsub

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// publisher is the google.pubsub.v1.Publisher service.
type publisher struct {
	pubsubpb.UnimplementedPublisherServer
	*broker
}

func (p publisher) CreateTopic(_ context.Context, config *pubsubpb.Topic) (*pubsubpb.Topic, error) {
	if err := checkTopic(config); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.topics[config.Name] != nil {
		return nil, alreadyExists(config.Name)
	}
	config.State = pubsubpb.Topic_ACTIVE
	p.topics[config.Name] = &topic{config: config, subscriptions: map[string]*subscription{}}
	return config, nil
}

// UpdateTopic changes labels, the only property of a topic that means something here.
func (p publisher) UpdateTopic(_ context.Context, request *pubsubpb.UpdateTopicRequest) (*pubsubpb.Topic, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.topics[request.GetTopic().GetName()]
	if t == nil {
		return nil, notFound(request.GetTopic().GetName())
	}
	config := proto.Clone(t.config).(*pubsubpb.Topic)
	if err := applyMask(config, request.Topic, request.UpdateMask, "labels"); err != nil {
		return nil, err
	}
	t.config = config
	return config, nil
}

func (p publisher) Publish(_ context.Context, request *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	if err := checkPublish(request); err != nil {
		return nil, err
	}
	ids, err := p.publish(request.Topic, request.Messages)
	if err != nil {
		return nil, err
	}
	return &pubsubpb.PublishResponse{MessageIds: ids}, nil
}

func (p publisher) GetTopic(_ context.Context, request *pubsubpb.GetTopicRequest) (*pubsubpb.Topic, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t := p.topics[request.Topic]
	if t == nil {
		return nil, notFound(request.Topic)
	}
	return t.config, nil
}

func (p publisher) ListTopics(_ context.Context, request *pubsubpb.ListTopicsRequest) (*pubsubpb.ListTopicsResponse, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var configs []*pubsubpb.Topic
	for name, t := range p.topics {
		if strings.HasPrefix(name, request.Project+"/") {
			configs = append(configs, t.config)
		}
	}
	configs, next := page(configs, (*pubsubpb.Topic).GetName, request)
	return &pubsubpb.ListTopicsResponse{Topics: configs, NextPageToken: next}, nil
}

func (p publisher) ListTopicSubscriptions(_ context.Context, request *pubsubpb.ListTopicSubscriptionsRequest) (*pubsubpb.ListTopicSubscriptionsResponse, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t := p.topics[request.Topic]
	if t == nil {
		return nil, notFound(request.Topic)
	}
	var names []string
	for name := range t.subscriptions {
		names = append(names, name)
	}
	names, next := page(names, func(name string) string { return name }, request)
	return &pubsubpb.ListTopicSubscriptionsResponse{Subscriptions: names, NextPageToken: next}, nil
}

func (p publisher) DeleteTopic(_ context.Context, request *pubsubpb.DeleteTopicRequest) (*emptypb.Empty, error) {
	if err := p.dropTopic(request.Topic); err != nil {
		return nil, err
	}
	return new(emptypb.Empty), nil
}

// pageRequest is what all list requests have in common.
type pageRequest interface {
	GetPageSize() int32
	GetPageToken() string
}

// page returns the part of items that a list request asks for, sorted by name; the token is the last name returned.
func page[T any](items []T, name func(T) string, request pageRequest) (part []T, next string) {
	slices.SortFunc(items, func(a, b T) int { return cmp.Compare(name(a), name(b)) })
	start, found := slices.BinarySearchFunc(items, request.GetPageToken(), func(item T, token string) int {
		return cmp.Compare(name(item), token)
	})
	if found {
		start++
	}
	items = items[start:]
	if size := int(request.GetPageSize()); size > 0 && size < len(items) {
		return items[:size], name(items[size-1])
	}
	return items, ""
}
