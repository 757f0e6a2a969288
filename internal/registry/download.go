package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/stationflow/stationflow/event/payload"
)

// A notThere is an answer of the registry that it does not have a schema.
type notThere struct{ what string }

func (n *notThere) Error() string { return "the schema registry does not have " + n.what }

// Bounds of an answer and of what a schema refers to.
const (
	maxAnswerBytes = 4 << 20
	maxReferences  = 200
	maxNesting     = 32
)

// download gets a schema with all that it refers to. size is what it takes in
// memory, roughly.
func (c *Client) download(ctx context.Context, id string) (*Schema, int, error) {
	schema, err := c.byID(ctx, id)
	if errors.Is(err, errTooMuch) {
		return &Schema{ID: id, Fault: errTooMuch}, 1000, nil
	}
	if err != nil {
		return nil, 0, c.api.Explain(ctx, err, "schema "+id)
	}
	source := payload.Source{Format: payload.Format(schema.Type.String()), Text: schema.Schema}
	got := &Schema{ID: id}
	err = c.references(ctx, &source, schema.References, 0)
	switch {
	case errors.Is(err, errTooMuch):
		got.Fault = err
	case err != nil:
		return nil, 0, err
	default:
		got.Parsed, got.Fault = payload.Parse(source)
	}
	return got, 1000 + 8*source.Size(), nil
}

func (c *Client) byID(ctx context.Context, id string) (sr.Schema, error) {
	if n, err := strconv.Atoi(id); err == nil {
		return c.api.SchemaByID(ctx, n)
	}
	schema, err := c.api.SchemaByGUID(ctx, id)
	return schema.Schema, err
}

// errTooMuch is that of a schema that no program needs.
var errTooMuch = errors.New("the schema is too large, or refers to too many others")

// references adds to the source what the references name, what these refer to
// themselves first.
func (c *Client) references(ctx context.Context, source *payload.Source, all []sr.SchemaReference, depth int) error {
	if depth > maxNesting {
		return errTooMuch
	}
	for _, r := range all {
		if source.Has(r.Name) {
			continue
		}
		schema, err := c.api.SchemaByVersion(ctx, r.Subject, r.Version)
		if errors.Is(err, errTooMuch) {
			return err
		}
		if err != nil {
			return c.api.Explain(ctx, err, fmt.Sprintf("version %d of subject %s, to which a schema refers", r.Version, r.Subject))
		}
		if err := c.references(ctx, source, schema.References, depth+1); err != nil {
			return err
		}
		source.Imports = append(source.Imports, payload.Import{Name: r.Name, Text: schema.Schema.Schema})
		if len(source.Imports) > maxReferences {
			return errTooMuch
		}
	}
	return nil
}

// An Outage is a registry that gives no answer about schemas. Trying again
// helps, once the registry or, where Refused, a person has done something.
type Outage struct {
	Refused bool // the registry answers, but not this program
	text    string
	err     error
}

// Error says what is wrong and what helps.
func (o *Outage) Error() string { return o.text }

// Unwrap returns the cause.
func (o *Outage) Unwrap() error { return o.err }

// Explain makes of a failed request what it means, in one sentence: that the
// registry does not have what was asked for, or an *Outage.
func (a *API) Explain(ctx context.Context, err error, what string) error {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		return &Outage{text: fmt.Sprintf("asking the schema registry at %s for %s: %s", a.url, what, cause(err)), err: err}
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		if answer.ErrorCode > 40400 && answer.ErrorCode < 40500 || a.isRegistry(ctx) {
			return &notThere{what}
		}
		return &Outage{Refused: true, err: err, text: fmt.Sprintf("there is no schema registry at %s: correct SCHEMA_REGISTRY_URL, its path included", a.url)}
	case http.StatusUnauthorized, http.StatusForbidden:
		return &Outage{Refused: true, err: err, text: fmt.Sprintf(
			"the schema registry at %s refuses the user (status %d): correct SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD", a.url, answer.StatusCode)}
	}
	text := fmt.Sprintf("asking the schema registry at %s for %s: it answers status %d", a.url, what, answer.StatusCode)
	if answer.StatusCode < 500 && answer.Message != "" {
		text += ": " + answer.Message
	}
	return &Outage{text: text, err: err}
}

// isRegistry reports whether there is a registry at the address at all: then a
// 404 without a registry's error code is one about the schema.
func (a *API) isRegistry(ctx context.Context) bool {
	var types json.RawMessage
	return a.Do(ctx, http.MethodGet, "/schemas/types", nil, &types) == nil && strings.HasPrefix(strings.TrimSpace(string(types)), "[")
}

// cause is the innermost error, which says most in the fewest words.
func cause(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// A bounded transport ends the reading of an answer that is too long.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = &boundedBody{answer.Body, maxAnswerBytes}
	}
	return answer, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooMuch
	}
	return n, err
}
