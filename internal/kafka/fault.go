package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/IBM/sarama"
)

// A Fault is what keeps a client from working with Kafka until a person does
// something. Its text is one sentence that says what, and names the variable.
type Fault struct {
	Sentence string

	// Lasting faults lie in this process's configuration, so that trying
	// again cannot help: wrong credentials, an unknown authority, the wrong
	// protocol. Others may heal: a broker that is away, a topic or a right
	// that is missing.
	Lasting bool

	cause error
}

func (f *Fault) Error() string { return f.Sentence }
func (f *Fault) Unwrap() error { return f.cause }

func lasting(cause error, format string, args ...any) *Fault {
	return &Fault{Sentence: fmt.Sprintf(format, args...), Lasting: true, cause: cause}
}

func passing(cause error, format string, args ...any) *Fault {
	return &Fault{Sentence: fmt.Sprintf(format, args...), cause: cause}
}

// Explain turns an error of Kafka's library into a Fault where a person can
// do something about it; other errors it returns as they are. doing is what
// was tried, an infinitive such as "read topic incidents".
func Explain(err error, doing string) error {
	var known *Fault
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, sarama.ErrTopicAuthorizationFailed), errors.Is(err, sarama.ErrGroupAuthorizationFailed),
		errors.Is(err, sarama.ErrClusterAuthorizationFailed),
		errors.Is(err, sarama.ErrTransactionalIDAuthorizationFailed):
		return passing(err, "the Kafka user has no right to %s (authorization failed): grant it the right, or set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD to a user who has it", doing)
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed):
		return refused(err)
	}
	return err
}

func refused(err error) *Fault {
	return lasting(err, "Kafka refuses the user (authentication failed): correct KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, or KAFKA_SASL_MECHANISM if the user is registered for another one")
}

// unreachable explains why no connection came about.
func unreachable(address string, err error) *Fault {
	var name *net.DNSError
	if errors.As(err, &name) && name.IsNotFound {
		return passing(err, "no Kafka broker can be reached at %s: there is no host of that name; correct KAFKA_BOOTSTRAP_SERVERS", address)
	}
	return passing(err, "no Kafka broker can be reached at %s (%v): start one, or correct KAFKA_BOOTSTRAP_SERVERS",
		address, innermost(err))
}

// untrusted explains a certificate that did not pass, or returns nil.
func (c Config) untrusted(address string, err error) *Fault {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority) && c.RootCAs != nil:
		return lasting(err, "the certificate of Kafka at %s is not signed by an authority in KAFKA_CA_FILE: set it to the PEM file of the authority that signed it", address)
	case errors.As(err, &authority):
		return lasting(err, "the certificate of Kafka at %s is signed by an authority that this machine does not know: set KAFKA_CA_FILE to the authority's PEM file", address)
	case errors.As(err, &name):
		return lasting(err, "the certificate of Kafka at %s is for another host (%v): set KAFKA_BOOTSTRAP_SERVERS to the name in the certificate", address, name)
	case errors.As(err, &invalid):
		return passing(err, "the certificate of Kafka at %s is not valid (%v): have the broker's certificate renewed, or set this machine's clock", address, invalid)
	}
	return nil
}

// alerted explains a connection that the broker's TLS ended, or returns nil.
func (c Config) alerted(address string, err error) *Fault {
	var alert *net.OpError
	if !errors.As(err, &alert) || alert.Op != "remote error" {
		return nil
	}
	if c.Certificate == nil {
		return lasting(err, "Kafka at %s ends the TLS connection (%v): it may ask for a certificate, then set KAFKA_CERT_FILE and KAFKA_KEY_FILE", address, alert.Err)
	}
	return lasting(err, "Kafka at %s ends the TLS connection (%v): it may not accept the certificate in KAFKA_CERT_FILE", address, alert.Err)
}

// unauthenticated explains what went wrong between the connection and the
// first answer, or returns nil.
func (c Config) unauthenticated(address string, err error) *Fault {
	switch {
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed):
		return refused(err)
	case errors.Is(err, sarama.ErrUnsupportedSASLMechanism):
		return lasting(err, "Kafka at %s does not offer %s: set KAFKA_SASL_MECHANISM to another of %s", address,
			c.SASLMechanism, strings.Join(mechanisms, ", "))
	case errors.Is(err, sarama.ErrIllegalSASLState):
		return lasting(err, "Kafka at %s asks for no user: set KAFKA_SECURITY_PROTOCOL to %s, or KAFKA_BOOTSTRAP_SERVERS to the port that asks for one", address, c.without("SASL_"))
	case errors.Is(err, errToken):
		return passing(err, "no access token for Kafka (%v): correct KAFKA_OAUTH_TOKEN_URL, KAFKA_OAUTH_SCOPE, KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD", err)
	}
	return nil
}

// without is the protocol without SASL_, or for "TLS" without TLS.
func (c Config) without(part string) string {
	switch {
	case part == "TLS" && c.sasl():
		return "SASL_PLAINTEXT"
	case part == "TLS":
		return "PLAINTEXT"
	case c.tls():
		return "SSL"
	default:
		return "PLAINTEXT"
	}
}

// innermost leaves out the addresses that the net package puts around an
// error, which the sentence names already.
func innermost(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		return operation.Err
	}
	var handshake *tls.CertificateVerificationError
	if errors.As(err, &handshake) {
		return handshake.Err
	}
	return err
}
