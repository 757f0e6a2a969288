package bigquery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/internal/bigquery"
)

// A stream appends to one table's default stream and is shared by all calls.
// Its connection is opened when first used, and replaced when it broke or did
// not answer in time. It is safe for concurrent use.
type stream struct {
	table   string // projects/…/datasets/…/tables/…
	project string
	encoder *Encoder
	options []option.ClientOption
	timeout time.Duration   // of one attempt
	life    context.Context // ends with the sink

	turn     chan struct{} // holds a token; the caller that takes it may open a connection
	mu       sync.Mutex
	current  *connection // nil when none is open
	narrowed *Encoder    // of a table that lacks columns; nil for all of them
	until    time.Time   // when all are tried again
}

func newStream(life context.Context, at bigquery.Config, table string, encoder *Encoder, timeout time.Duration) *stream {
	s := &stream{
		table:   managedwriter.TableParentFromParts(at.Project, at.StagingDataset, table),
		project: at.Project,
		encoder: encoder,
		options: append(at.GRPCOptions(), option.WithGRPCConnectionPool(1)), // a stream needs no more
		timeout: timeout,
		life:    life,
		turn:    make(chan struct{}, 1),
	}
	s.turn <- struct{}{}
	return s
}

// send makes one attempt to append what fill encodes, within the stream's time
// limit. After success the rows are durable and visible. Where the warehouse
// refused them, its answer is returned with the error. After an error
// without answer the rows may or may not have arrived, and the library may
// still read their memory.
func (s *stream) send(ctx context.Context, fill func(*Encoder) [][]byte) (*storagepb.AppendRowsResponse, error) {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for again := false; ; again = true {
		c, err := s.connect(limited)
		if err != nil {
			return nil, fmt.Errorf("opening the stream of %s: %w", s.table, err)
		}
		rows := fill(c.encoder)
		answer, err := c.send(limited, rows)
		if err == nil {
			s.widen(c, answer)
			return answer, nil
		}
		if isLacking(err) && !again {
			if fault := s.narrow(limited, c); fault == nil && answer != nil { // else the library may still read the memory
				continue
			}
		}
		if answer == nil && ctx.Err() == nil { // it is not only the caller that gave up
			s.discard(c)
		}
		return answer, fmt.Errorf("appending %d rows to %s: %w", len(rows), s.table, err)
	}
}

// connect returns the current connection, or opens one; of several callers
// one opens and the others wait for it.
func (s *stream) connect(ctx context.Context) (*connection, error) {
	if c := s.connected(); c != nil {
		return c, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.turn:
	}
	defer func() { s.turn <- struct{}{} }()
	if c := s.connected(); c != nil {
		return c, nil
	}
	c, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = c
	return c, nil
}

// connected returns the connection that is open, unless it does without columns
// that the table may have by now.
func (s *stream) connected() *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.narrowed == nil || time.Now().Before(s.until) {
		return s.current
	}
	s.narrowed = nil
	if c := s.current; c != nil {
		s.current = nil
		go func() { _ = c.end() }() // other calls may still use it: they try again
	}
	return nil
}

// encoding returns the encoder of the next connection.
func (s *stream) encoding() *Encoder {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.narrowed != nil {
		return s.narrowed
	}
	return s.encoder
}

// discard closes the connection, so that the next caller opens another.
func (s *stream) discard(c *connection) {
	s.mu.Lock()
	if s.current == c {
		s.current = nil
	}
	s.mu.Unlock()
	_ = c.end() // it is broken: that closing fails says nothing new
}

// end ends the stream's connection, if there is one.
func (s *stream) end() error {
	if c := s.connected(); c != nil {
		return c.end()
	}
	return nil
}

// A connection is one managed stream with a client of its own. Cancelling the
// client's context ends everything that waits on the connection, without harm
// to other tables; closing a managed stream of a shared client would wait for
// a reconnect in progress, which has no limit.
type connection struct {
	encoder *Encoder // of the rows that it takes
	client  *managedwriter.Client
	managed *managedwriter.ManagedStream
	cancel  context.CancelFunc
	closing sync.Once
}

// open connects within ctx; the connection lives on after ctx ends.
func (s *stream) open(ctx context.Context) (*connection, error) {
	life, cancel := context.WithCancel(s.life)
	keep := context.AfterFunc(ctx, cancel)
	client, err := managedwriter.NewClient(life, s.project, s.options...)
	if err != nil {
		cancel()
		return nil, err
	}
	encoder := s.encoding()
	managed, err := client.NewManagedStream(life,
		managedwriter.WithType(managedwriter.DefaultStream),
		managedwriter.WithDestinationTable(s.table),
		managedwriter.WithSchemaDescriptor(encoder.Descriptor()),
		managedwriter.WithTraceID("stationflow"))
	if err != nil {
		cancel()
		return nil, errors.Join(err, client.Close())
	}
	c := &connection{encoder: encoder, client: client, managed: managed, cancel: cancel}
	if !keep() {
		_ = c.end()
		return nil, ctx.Err()
	}
	return c, nil
}

func (c *connection) send(ctx context.Context, rows [][]byte) (*storagepb.AppendRowsResponse, error) {
	result, err := c.managed.AppendRows(ctx, rows)
	if err != nil {
		return nil, err
	}
	return result.FullResponse(ctx)
}

// end may be called more than once and by several callers.
func (c *connection) end() (err error) {
	c.closing.Do(func() {
		c.cancel()
		if err = c.managed.Close(); errors.Is(err, io.EOF) {
			err = nil // how a managed stream says that it is closed
		}
		err = errors.Join(err, c.client.Close())
	})
	return err
}
