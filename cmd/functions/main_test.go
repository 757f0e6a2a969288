package main

import (
	"net"
	"strings"
	"testing"
)

func TestRun_NamesTheRemedyOfAPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	err = run(t.Context(), func(name string) string {
		return map[string]string{"FUNCTION_HOST": "127.0.0.1", "PORT": port}[name]
	})
	if err == nil || !strings.Contains(err.Error(), "port "+port+" is in use: end what listens there, or set PORT to a free one") {
		t.Errorf("the error is %v", err)
	}
}
