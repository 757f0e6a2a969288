package tracing

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// isGoogles reports whether an endpoint is that of Google's Telemetry API, by
// which Cloud Trace takes spans.
func isGoogles(endpoint *url.URL) bool {
	return endpoint.Scheme == "https" && endpoint.Hostname() == "telemetry.googleapis.com"
}

// traceScope allows to write spans, and no more.
const traceScope = "https://www.googleapis.com/auth/trace.append"

// asServiceAccount sends requests with the token of the environment's
// credentials, which are looked for with the first request: no start waits for
// them.
func asServiceAccount() http.RoundTripper { return &oauth2.Transport{Source: &credentials{}} }

type credentials struct {
	mu     sync.Mutex
	source oauth2.TokenSource // nil until it was found
}

// Token returns one that is valid.
func (c *credentials) Token() (*oauth2.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.source == nil {
		source, err := google.DefaultTokenSource(context.Background(), traceScope)
		if err != nil {
			return nil, fmt.Errorf("looking for the credentials that spans are sent with: %w", err)
		}
		c.source = source
	}
	return c.source.Token()
}
