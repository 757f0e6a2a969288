package meter

import (
	"io"
	"net/http"
	"strings"
)

// Objects counts the objects that are written through a handler of Cloud
// Storage: every upload that was taken, with the bytes of its request, which
// the description of the object makes a little larger than the object.
func (m *Meter) Objects(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/upload/") {
			next.ServeHTTP(w, r)
			return
		}
		answer, body := &answered{ResponseWriter: w, status: http.StatusOK}, &counted{ReadCloser: r.Body}
		r.Body = body
		next.ServeHTTP(answer, r)
		if answer.status == http.StatusOK && answer.isComplete() {
			m.Object(body.bytes)
		}
	})
}

// answered keeps the status of an answer.
type answered struct {
	http.ResponseWriter
	status int
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// isComplete reports whether the object is there. What begins an upload in parts
// is answered with a place for them, and all parts but the last with 308, which
// Google's clients ask for as a header of a 200.
func (a *answered) isComplete() bool {
	h := a.Header()
	return h.Get("Location") == "" && h.Get("X-Http-Status-Code-Override") == ""
}

func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// counted counts the bytes of a body.
type counted struct {
	io.ReadCloser
	bytes int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.bytes += int64(n)
	return n, err
}
