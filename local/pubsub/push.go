package pubsub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

const (
	publishTimeFormat = "2006-01-02T15:04:05.000Z"
	maxDrainedBytes   = 64 << 10 // of a response, so that its connection can be used again
	maxQuotedBytes    = 200      // of a refusal's body, in the error
)

// pusher delivers messages to push endpoints.
type pusher struct{ client *http.Client }

// deliver makes one attempt; nil means that the endpoint has acknowledged the message. It takes at most the
// subscription's acknowledgement deadline. A response that is lost after the endpoint worked is an error.
func (p *pusher) deliver(ctx context.Context, config *pubsubpb.Subscription, a attempt) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(config.AckDeadlineSeconds)*time.Second)
	defer cancel()
	processing := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			processing = processing || code == http.StatusProcessing
			return nil
		},
	})
	request, err := pushRequest(ctx, config, a)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		if processing { // 102 without a final status acknowledges too
			return nil
		}
		return err
	}
	defer func() { _ = response.Body.Close() }() // the status has decided
	return acknowledged(response)
}

// acknowledged tells by the status whether a push succeeded; see https://cloud.google.com/pubsub/docs/push.
func acknowledged(response *http.Response) error {
	switch response.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		_, _ = io.CopyN(io.Discard, response.Body, maxDrainedBytes)
		return nil
	}
	quote, _ := io.ReadAll(io.LimitReader(response.Body, maxQuotedBytes))
	_, _ = io.CopyN(io.Discard, response.Body, maxDrainedBytes)
	return fmt.Errorf("push endpoint answered %s: %s", response.Status, bytes.TrimSpace(quote))
}

func pushRequest(ctx context.Context, config *pubsubpb.Subscription, a attempt) (*http.Request, error) {
	bare := config.PushConfig.GetNoWrapper()
	body := a.msg.pb.Data
	if bare == nil {
		var err error
		if body, err = json.Marshal(wrap(config, a)); err != nil {
			return nil, fmt.Errorf("wrapping message %d: %w", a.msg.id, err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, config.PushConfig.PushEndpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("pushing message %d: %w", a.msg.id, err)
	}
	request.Header.Set("User-Agent", "stationflow-pubsub")
	if bare == nil {
		request.Header.Set("Content-Type", "application/json")
	} else if bare.WriteMetadata {
		writeMetadata(request.Header, config, a)
	}
	return request, nil
}

// writeMetadata writes attributes under their own names and then the metadata, which wins. The names are those of
// https://cloud.google.com/pubsub/docs/payload-unwrapping; that page does not list the delivery attempt. An attribute
// that cannot be an HTTP header makes the attempt fail.
func writeMetadata(header http.Header, config *pubsubpb.Subscription, a attempt) {
	pb := a.msg.pb
	for key, value := range pb.Attributes {
		header.Set(key, value)
	}
	header.Set("X-Goog-Pubsub-Subscription-Name", config.Name)
	header.Set("X-Goog-Pubsub-Message-Id", pb.MessageId)
	header.Set("X-Goog-Pubsub-Publish-Time", pb.PublishTime.AsTime().Format(publishTimeFormat))
	if pb.OrderingKey != "" {
		header.Set("X-Goog-Pubsub-Ordering-Key", pb.OrderingKey)
	}
	if config.DeadLetterPolicy != nil {
		header.Set("X-Goog-Pubsub-Delivery-Attempt", strconv.Itoa(a.number))
	}
}

// envelope is the body of a wrapped push. Ids and times come under two spellings, as from the service.
type envelope struct {
	DeliveryAttempt int             `json:"deliveryAttempt,omitempty"` // only with a dead letter policy
	Message         envelopeMessage `json:"message"`
	Subscription    string          `json:"subscription"`
}

type envelopeMessage struct {
	Attributes       map[string]string `json:"attributes,omitempty"`
	Data             []byte            `json:"data,omitempty"`
	MessageID        string            `json:"messageId"`
	MessageIDSnake   string            `json:"message_id"`
	OrderingKey      string            `json:"orderingKey,omitempty"`
	PublishTime      string            `json:"publishTime"`
	PublishTimeSnake string            `json:"publish_time"`
}

func wrap(config *pubsubpb.Subscription, a attempt) envelope {
	pb := a.msg.pb
	at := pb.PublishTime.AsTime().Format(publishTimeFormat)
	e := envelope{
		Message: envelopeMessage{
			Attributes: pb.Attributes, Data: pb.Data, OrderingKey: pb.OrderingKey,
			MessageID: pb.MessageId, MessageIDSnake: pb.MessageId,
			PublishTime: at, PublishTimeSnake: at,
		},
		Subscription: config.Name,
	}
	if config.DeadLetterPolicy != nil {
		e.DeliveryAttempt = a.number
	}
	return e
}
