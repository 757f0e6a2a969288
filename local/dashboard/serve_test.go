package dashboard_test

import (
	"context"
	"flag"
	"net/http"
	"os"
	"os/signal"
	"testing"
	"time"
)

var (
	serve     = flag.String("serve", "", "serve a scene at this address until interrupted, e.g. 127.0.0.1:8090")
	sceneName = flag.String("scene", "busy", "which scene: busy, idle, behind, failing, http, empty, early or small")
)

// TestServe is for working on the page without the system behind it:
//
//	go test ./dashboard -run TestServe -timeout 0 -serve 127.0.0.1:8090 -scene busy
func TestServe(t *testing.T) {
	if *serve == "" {
		t.Skip("give -serve ADDRESS to serve the page with made-up data")
	}
	scene, ok := scenes(time.Now())[*sceneName]
	if !ok {
		t.Fatalf("there is no scene %q", *sceneName)
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	shown := scene.dashboard(time.Now)
	_ = shown.Refresh(ctx)
	_ = shown.Refresh(ctx) // fails in the scene failing
	server := &http.Server{Addr: *serve, Handler: shown.Handler()}
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		t.Fatal(err)
	}
}
