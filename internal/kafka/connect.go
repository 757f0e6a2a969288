package kafka

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/IBM/sarama"
)

// Connect returns a client that ends with ctx, which the library's own does
// not: some time after ctx is done, as long as grace says, its connections end
// and whatever it is asked fails at once. So a broker that does not answer
// keeps no program from ending. While it connects there is no grace, and the
// error is ctx's. It takes over the settings, which must be of c.Sarama.
func (c Config) Connect(ctx context.Context, settings *sarama.Config, grace time.Duration) (sarama.Client, error) {
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	c.endWith(living, settings)
	connecting := context.AfterFunc(ctx, end)
	library, err := sarama.NewClient(c.Brokers, settings)
	if ctx.Err() != nil {
		end()
		if err == nil {
			_ = library.Close()
		}
		return nil, ctx.Err()
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("connecting to Kafka at %v: %w", c.Brokers, err)
	}
	connecting()
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(grace, end) })
	return &client{Client: library, end: func() { forget(); end() }}, nil
}

// A client ends its connections before the library waits for what is asked
// over them.
type client struct {
	sarama.Client
	end func()
}

// Close closes the client. It is called once.
func (c *client) Close() error {
	c.end()
	return c.Client.Close()
}

// endWith makes the connections of the settings end when ctx is done, and lets
// nothing wait for another attempt from then on.
func (c Config) endWith(ctx context.Context, settings *sarama.Config) {
	settings.Net.Proxy.Enable, settings.Net.Proxy.Dialer = true, dialer{ctx, settings.Net.DialTimeout}
	if c.SASLMechanism == sarama.SASLTypeOAuth && settings.Net.SASL.Enable {
		settings.Net.SASL.TokenProvider = newTokens(ctx, c)
	}
	metadata, producer := &settings.Metadata.Retry, &settings.Producer.Retry
	metadata.BackoffFunc = impatient(ctx, metadata.BackoffFunc, metadata.Backoff)
	producer.BackoffFunc = impatient(ctx, producer.BackoffFunc, producer.Backoff)
}

// impatient is the pause before another attempt, none once ctx is done.
func impatient(ctx context.Context, pause func(retries, most int) time.Duration,
	fixed time.Duration) func(retries, most int) time.Duration {
	return func(retries, most int) time.Duration {
		switch {
		case ctx.Err() != nil:
			return 0
		case pause != nil:
			return pause(retries, most)
		}
		return fixed
	}
}

// A dialer makes connections that end with ctx.
type dialer struct {
	ctx     context.Context
	timeout time.Duration
}

func (d dialer) Dial(_, address string) (net.Conn, error) { return dial(d.ctx, address, d.timeout) }

func dial(ctx context.Context, address string, timeout time.Duration) (net.Conn, error) {
	opened, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return conn{opened, context.AfterFunc(ctx, func() { _ = opened.Close() })}, nil
}

// A conn is forgotten by its context once it is closed.
type conn struct {
	net.Conn
	forget func() bool
}

func (c conn) Close() error {
	c.forget()
	return c.Conn.Close()
}
