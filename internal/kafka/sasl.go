package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/stationflow/stationflow/internal/env"
)

// mechanisms are what KAFKA_SASL_MECHANISM may be; the first is the default.
var mechanisms = []string{sarama.SASLTypePlaintext, sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512,
	sarama.SASLTypeOAuth}

// OAuth says where OAUTHBEARER's tokens come from: the client credentials
// grant of OAuth 2.0 (RFC 6749, section 4.4), and what is told to the broker
// with the token.
type OAuth struct {
	TokenURL   string
	Scope      string            // "" for the provider's default
	Extensions map[string]string // SASL extensions (RFC 7628), such as Confluent's logicalCluster
}

func (c *Config) readSASL(r *env.Reader) {
	if !c.sasl() {
		for _, name := range []string{"KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"} {
			if r.String(name, "") != "" {
				r.Fault(name, "is set, but KAFKA_SECURITY_PROTOCOL is %s: set that to SASL_SSL or SASL_PLAINTEXT, or leave the variable out", c.SecurityProtocol)
			}
		}
		return
	}
	c.SASLMechanism = mechanism(r)
	c.Username = r.Required("KAFKA_SASL_USERNAME", "set it to the user, API key or client id, which "+c.SecurityProtocol+" needs")
	c.Password = env.Secret(r.Required("KAFKA_SASL_PASSWORD",
		"set it to the password, API secret or client secret, which "+c.SecurityProtocol+" needs"))
	switch c.SASLMechanism {
	case sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		// The library's own error would quote the password.
		if _, err := scramHash(c.SASLMechanism).NewClient(c.Username, c.Password.Reveal(), ""); err != nil {
			r.Fault("KAFKA_SASL_USERNAME", "or KAFKA_SASL_PASSWORD holds characters that SCRAM does not allow (RFC 4013): choose others, or use PLAIN")
		}
	case sarama.SASLTypeOAuth:
		c.OAuth = readOAuth(r)
	}
}

func mechanism(r *env.Reader) string {
	const name = "KAFKA_SASL_MECHANISM"
	m := strings.ToUpper(r.String(name, mechanisms[0]))
	if !slices.Contains(mechanisms, m) {
		r.Fault(name, "is %q: set it to one of %s", m, strings.Join(mechanisms, ", "))
		return mechanisms[0]
	}
	return m
}

func readOAuth(r *env.Reader) OAuth {
	const name = "KAFKA_OAUTH_TOKEN_URL"
	o := OAuth{
		TokenURL: r.Required(name, "set it to the token endpoint of the identity provider, which OAUTHBEARER needs"),
		Scope:    r.String("KAFKA_OAUTH_SCOPE", ""),
	}
	// The secret travels to this address. The text is not quoted: it may
	// hold one.
	if u, err := url.Parse(o.TokenURL); o.TokenURL != "" &&
		(err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" &&
			!(u.Scheme == "http" && loopback(u.Hostname()))) {
		r.Fault(name, "is not the address of a token endpoint: set it to https://host/path, without a user")
	}
	for _, pair := range r.List("KAFKA_OAUTH_EXTENSIONS") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || !letters(key) || key == sarama.SASLExtKeyAuth || strings.ContainsFunc(value, unprintable) {
			r.Fault("KAFKA_OAUTH_EXTENSIONS", "cannot be read: set it to name=value, separated by commas, such as logicalCluster=lkc-1,identityPoolId=pool-1")
			break
		}
		if o.Extensions == nil {
			o.Extensions = make(map[string]string)
		}
		o.Extensions[key] = value
	}
	return o
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// letters reports whether s can be the name of an extension (RFC 7628, 3.1).
func letters(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') })
}

func unprintable(c rune) bool { return c < ' ' || c > '~' }

// useSASL makes the connections authenticate.
func (c Config) useSASL(s *sarama.Config) {
	s.Net.SASL.Enable = true
	s.Net.SASL.Mechanism = sarama.SASLMechanism(c.SASLMechanism)
	s.Net.SASL.Version = sarama.SASLHandshakeV1 // the broker then says why it refuses
	switch c.SASLMechanism {
	case sarama.SASLTypeOAuth:
		s.Net.SASL.TokenProvider = newTokens(context.Background(), c) // Connect has them end with its context
		return
	case sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		s.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient {
			return &scramClient{hash: scramHash(c.SASLMechanism)}
		}
	}
	s.Net.SASL.User = c.Username
	s.Net.SASL.Password = c.Password.Reveal()
}

func scramHash(mechanism string) scram.HashGeneratorFcn {
	if mechanism == sarama.SASLTypeSCRAMSHA256 {
		return scram.SHA256
	}
	return scram.SHA512
}

// A scramClient is one authentication by SCRAM (RFC 5802).
type scramClient struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := c.hash.NewClient(user, password, authzID)
	if err != nil {
		return errors.New("the user or the password holds characters that SCRAM does not allow")
	}
	c.conversation = client.NewConversation()
	return nil
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }
func (c *scramClient) Done() bool                            { return c.conversation.Done() }

// tokens gives OAUTHBEARER's access tokens, each until shortly before it
// expires. It is safe for concurrent use.
type tokens struct {
	source     oauth2.TokenSource
	extensions map[string]string
}

func newTokens(ctx context.Context, c Config) *tokens {
	config := clientcredentials.Config{ClientID: c.Username, ClientSecret: c.Password.Reveal(),
		TokenURL: c.OAuth.TokenURL}
	if c.OAuth.Scope != "" {
		config.Scopes = strings.Fields(c.OAuth.Scope)
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Timeout: 10 * time.Second})
	return &tokens{source: config.TokenSource(ctx), extensions: c.OAuth.Extensions}
}

// errToken marks what the token endpoint said. Its answer is not repeated
// beyond the status and the error's code: it could hold anything.
var errToken = errors.New("getting an access token")

// Token implements sarama.AccessTokenProvider.
func (t *tokens) Token() (*sarama.AccessToken, error) {
	token, err := t.source.Token()
	var refused *oauth2.RetrieveError
	var failed *url.Error
	switch {
	case err == nil:
		return &sarama.AccessToken{Token: token.AccessToken, Extensions: t.extensions}, nil
	case errors.As(err, &refused):
		return nil, fmt.Errorf("%w: the endpoint answers %s %s", errToken, refused.Response.Status, refused.ErrorCode)
	case errors.As(err, &failed): // leaves out the address
		return nil, fmt.Errorf("%w: %w", errToken, failed.Err)
	default:
		return nil, fmt.Errorf("%w: %w", errToken, err)
	}
}
