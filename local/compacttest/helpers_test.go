package compacttest

import (
	"fmt"
	"net/url"
	"slices"
	"syscall"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

type objectAttrs = fakestorage.ObjectAttrs

// errReset is what a client sees of a connection that breaks.
var errReset = &url.Error{Op: "Get", URL: "nowhere", Err: fmt.Errorf("reading: %w", syscall.ECONNRESET)}

// columnOf is the place of a column of the table.
func columnOf(name string) int {
	return slices.IndexFunc(format.Schema.Columns(), func(path []string) bool { return path[0] == name })
}
