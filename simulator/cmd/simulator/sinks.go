package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// sinks writes each step to all of its sinks, in order. Kafka comes first:
// what is in the files, Kafka has acknowledged.
type sinks []openSink

type openSink interface {
	simulator.Sink
	io.Closer
}

func openSinks(ctx context.Context, o options) (sinks, error) {
	var all sinks
	if o.kafka != nil {
		var adjust []func(*sarama.Config)
		if o.tooLarge > 0 {
			adjust = append(adjust, sink.SendTooLarge)
		}
		events, err := sink.OpenKafka(ctx, *o.kafka, adjust...)
		if fault := new(kafka.Fault); errors.As(err, &fault) {
			return nil, fmt.Errorf("%w; or name another broker with --kafka, or write files only with --no-kafka --json FOLDER", err)
		}
		if err != nil {
			return nil, err
		}
		events.Tracer = o.tracer
		inFormat, err := serialized(ctx, events, o)
		if err != nil {
			return nil, errors.Join(err, events.Close())
		}
		all = append(all, inFormat)
	}
	if o.folder != "" {
		files, err := sink.OpenJSONLines(o.folder)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all = append(all, files)
	}
	return all, nil
}

// serialized returns the sink for events in JSON.
func serialized(ctx context.Context, events *sink.Kafka, o options) (openSink, error) {
	if o.format == sink.JSON {
		return events, nil
	}
	writer, err := sink.Serialize(ctx, events, o.format, *o.registry)
	return struct {
		simulator.Sink
		io.Closer
	}{writer, events}, err
}

func (all sinks) Write(events []simulator.Event) error {
	for _, s := range all {
		if err := s.Write(events); err != nil {
			return err
		}
	}
	return nil
}

func (all sinks) Close() error {
	var faults []error
	for _, s := range all {
		faults = append(faults, s.Close())
	}
	return errors.Join(faults...)
}
