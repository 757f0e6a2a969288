// Package registry asks a schema registry that speaks Confluent's API for the
// schemas that records name.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/pause"
)

// A Config says where the registry is and how long to wait for it.
type Config struct {
	URLs     []string // of one registry
	Username string   // "" for none
	Password env.Secret

	// Patience is how long a schema that the registry does not have is asked
	// for again: a replica may lag behind the one that registered it. After
	// that it counts as unknown, and is asked for again every Again.
	Patience, Again time.Duration
	Timeout         time.Duration // of one request
}

// FromEnv reads SCHEMA_REGISTRY_URL (several by comma), SCHEMA_REGISTRY_USERNAME
// and SCHEMA_REGISTRY_PASSWORD. It returns nil where no URL is set.
func FromEnv(r *env.Reader) *Config {
	config := &Config{
		URLs:     r.List("SCHEMA_REGISTRY_URL"),
		Username: r.String("SCHEMA_REGISTRY_USERNAME", ""),
		Password: env.Secret(r.String("SCHEMA_REGISTRY_PASSWORD", "")),
	}
	for _, url := range config.URLs {
		if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") || strings.Contains(url, "@") {
			r.Fault("SCHEMA_REGISTRY_URL", "has %q: write http://host:port or https://host, and a user in SCHEMA_REGISTRY_USERNAME", withoutUser(url))
		}
	}
	if (config.Username == "") != (config.Password == "") {
		r.Fault("SCHEMA_REGISTRY_PASSWORD", "and SCHEMA_REGISTRY_USERNAME go together: set both, or neither")
	}
	if len(config.URLs) == 0 {
		return nil
	}
	return config
}

// withoutUser hides a password that somebody has put into a URL.
func withoutUser(url string) string {
	if at := strings.LastIndexByte(url, '@'); at >= 0 {
		return "…" + url[at:]
	}
	return url
}

// A Schema is one that the registry has.
type Schema struct {
	ID     string // as records name it: a number or a GUID
	Parsed *payload.Schema
	Fault  error // why it cannot be used; Parsed is nil then
}

// A Client remembers what the registry answered: schemas for good, since an id
// never changes what it means, within a bounded memory; those that it does not
// have for a while. It is safe for concurrent use.
type Client struct {
	config   Config
	api      *API
	inFlight singleflight.Group

	mu      sync.Mutex
	known   *recent[*Schema]
	unknown *recent[absence]
}

// An absence is a schema that the registry did not have.
type absence struct{ since, asked time.Time }

// Bounds of what is remembered: bytes of schemas, and how many ids of no schema.
const (
	maxKnownBytes = 32 << 20
	maxUnknown    = 1 << 16
)

// New returns a client. It contacts the registry when the first schema is asked
// for.
func New(config Config) (*Client, error) {
	if config.Patience == 0 {
		config.Patience = 10 * time.Second
	}
	if config.Again == 0 {
		config.Again = time.Minute
	}
	if config.Timeout == 0 {
		config.Timeout = 10 * time.Second
	}
	api, err := NewAPI(config)
	if err != nil {
		return nil, err
	}
	return &Client{config: config, api: api,
		known: newRecent[*Schema](maxKnownBytes), unknown: newRecent[absence](maxUnknown)}, nil
}

// An API is a client of the registry's whole API, which remembers nothing.
type API struct {
	*sr.Client
	url string
}

// NewAPI returns a client of the API. It contacts nobody.
func NewAPI(config Config) (*API, error) {
	if config.Timeout == 0 {
		config.Timeout = 10 * time.Second
	}
	options := []sr.ClientOpt{sr.URLs(slices.Clone(config.URLs)...), sr.UserAgent("stationflow"),
		sr.HTTPClient(&http.Client{Transport: bounded{http.DefaultTransport}, Timeout: config.Timeout})}
	if config.Username != "" {
		options = append(options, sr.BasicAuth(config.Username, config.Password.Reveal()))
	}
	api, err := sr.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("setting up the schema registry's client: %w", err)
	}
	return &API{api, config.URLs[0]}, nil
}

// parallel bounds how many requests of one batch are under way.
const parallel = 8

// Resolve returns the schemas of the ids. It leaves out those that the registry
// does not have, after having asked for each of them for as long as Patience;
// other callers wait for the same request. An error is an *Outage, or the
// context's: it says nothing about the ids.
func (c *Client) Resolve(ctx context.Context, ids []string) (map[string]*Schema, error) {
	found := make(map[string]*Schema, len(ids))
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		open, err := c.ask(ctx, ids, found)
		if err != nil || len(open) == 0 {
			return found, err
		}
		if err := pause.For(ctx, wait); err != nil {
			return nil, fmt.Errorf("waiting for schema %s to be in the registry: %w", open[0], err)
		}
		ids = open
	}
}

// ask looks once for each of the ids, and returns those that may yet be there.
func (c *Client) ask(ctx context.Context, ids []string, found map[string]*Schema) (open []string, err error) {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, id := range ids {
		if schema := c.remembered(id); schema != nil {
			mu.Lock()
			found[id] = schema
			mu.Unlock()
			continue
		}
		group.Go(func() error {
			schema, mayCome, err := c.look(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			if schema != nil {
				found[id] = schema
			} else if mayCome {
				open = append(open, id)
			}
			return err
		})
	}
	return open, group.Wait()
}

func (c *Client) remembered(id string) *Schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	schema, _ := c.known.get(id)
	return schema
}

// look returns the schema, or nil and whether it may yet come.
func (c *Client) look(ctx context.Context, id string) (schema *Schema, mayCome bool, err error) {
	c.mu.Lock()
	was, absent := c.unknown.get(id)
	c.mu.Unlock()
	now := time.Now()
	if absent && now.Sub(was.since) >= c.config.Patience && now.Sub(was.asked) < c.config.Again {
		return nil, false, nil
	}
	if !absent {
		was.since = now
	}
	answer := c.inFlight.DoChan(id, func() (any, error) {
		if schema := c.remembered(id); schema != nil { // since the caller looked
			return schema, nil
		}
		// It outlives the caller that began it: others may wait for it too.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.Timeout)
		defer cancel()
		return c.fetch(limited, id, was.since)
	})
	select {
	case <-ctx.Done():
		return nil, false, ctx.Err()
	case got := <-answer:
		schema, _ = got.Val.(*Schema)
		return schema, schema == nil && time.Since(was.since) < c.config.Patience, got.Err
	}
}

// fetch asks the registry and remembers the answer; nil is that it does not have
// the schema.
func (c *Client) fetch(ctx context.Context, id string, since time.Time) (*Schema, error) {
	schema, size, err := c.download(ctx, id)
	var missing *notThere
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.known.put(id, schema, size)
		c.unknown.drop(id)
		return schema, nil
	case errors.As(err, &missing):
		c.unknown.put(id, absence{since: since, asked: time.Now()}, 1)
		return nil, nil
	}
	return nil, err
}
