package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/stationflow/stationflow/local/objects"
)

// startObjects serves Cloud Storage on the address, with the objects as files
// below folder, and makes the bucket. metered sees every request.
func startObjects(address, folder, bucket string, metered func(http.Handler) http.Handler) (*http.Server, error) {
	storage, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener:  true,
		Scheme:      "http",
		StorageRoot: folder,
		ExternalURL: "http://" + address,
		PublicHost:  address,
		Writer:      io.Discard,
	})
	if err != nil {
		return nil, fmt.Errorf("starting Cloud Storage in %s: %w", folder, err)
	}
	storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	return serveHTTP(address, metered(objects.Mend(storage.HTTPHandler())))
}

// serveHTTP answers HTTP on a loopback address until the server is shut down.
func serveHTTP(address string, handler http.Handler) (*http.Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	server := &http.Server{Handler: handler}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("serving %s: %v", address, err)) // the listener broke: nothing here can go on
		}
	}()
	return server, nil
}

// closeServer ends a server's connections and waits for calls under way, as
// long as ctx lets it.
func closeServer(server *http.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(err, server.Close())
		}
		return nil
	}
}
