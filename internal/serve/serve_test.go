package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
)

func TestStart(t *testing.T) {
	functions.HTTP("probe", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	s, err := Start(t.Context(), "127.0.0.1", "0")
	if err != nil {
		t.Fatal(err)
	}
	if host, port, _ := net.SplitHostPort(s.Addr); host != "127.0.0.1" || port == "0" {
		t.Errorf("it listens on %s", s.Addr)
	}
	answer, err := http.Get("http://" + s.Addr + "/probe")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "hello" {
		t.Errorf("answer %q, %v", body, err)
	}

	_, port, _ := net.SplitHostPort(s.Addr)
	if _, err := Start(t.Context(), "127.0.0.1", port); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("starting on a port in use: error %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ended); err != nil {
		t.Errorf("waiting until the end: %v", err)
	}
}

func TestStart_OnAnIPv6Address(t *testing.T) {
	if listener, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("this machine has no IPv6")
	} else if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), "::1", "0")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Addr, "[::1]:") {
		t.Errorf("it listens on %s", s.Addr)
	}
}
