package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// tokenEndpoint answers the client credentials grant as an identity provider
// does, and counts the tokens.
func tokenEndpoint(t *testing.T, issued *int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		if !ok || user != "u" || password != "hunter2" || r.FormValue("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_client", "error_description": "no, " + password})
			return
		}
		*issued++
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "token for " + r.FormValue("scope"), "token_type": "Bearer", "expires_in": 3600})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestTokens(t *testing.T) {
	issued := 0
	c, err := read(t, with(sasl("OAUTHBEARER"), "KAFKA_OAUTH_TOKEN_URL", tokenEndpoint(t, &issued), "KAFKA_OAUTH_SCOPE", "kafka",
		"KAFKA_OAUTH_EXTENSIONS", "logicalCluster=lkc-1, identityPoolId=pool-1"))
	if err != nil {
		t.Fatal(err)
	}
	provider := c.Sarama("test").Net.SASL.TokenProvider
	for range 2 { // connections share the token
		token, err := provider.Token()
		if err != nil {
			t.Fatal(err)
		}
		if token.Token != "token for kafka" || token.Extensions["logicalCluster"] != "lkc-1" || token.Extensions["identityPoolId"] != "pool-1" {
			t.Errorf("got %+v", token)
		}
	}
	if issued != 1 {
		t.Errorf("%d tokens were fetched, want 1", issued)
	}
}

func TestTokens_Refused(t *testing.T) {
	c, err := read(t, with(sasl("OAUTHBEARER"), "KAFKA_OAUTH_TOKEN_URL", tokenEndpoint(t, new(int)), "KAFKA_SASL_PASSWORD", "hunter3"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = newTokens(context.Background(), c).Token()
	fault := c.unauthenticated("broker:9092", err)
	if fault == nil || !errors.Is(err, errToken) || !strings.Contains(fault.Error(), "401") || !strings.Contains(fault.Error(), "invalid_client") ||
		!strings.Contains(fault.Error(), "KAFKA_OAUTH_TOKEN_URL") || strings.Contains(fault.Error(), "hunter3") || strings.Contains(fault.Error(), "\n") {
		t.Errorf("got %v from %v", fault, err)
	}
}
