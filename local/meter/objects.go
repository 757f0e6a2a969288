package meter

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/stationflow/stationflow/functions/alert"
)

// Objects counts the objects that are written through a handler of Cloud
// Storage: every upload that was taken, with the bytes of its request, which
// the description of the object makes a little larger than the object. Marks of
// the function alert are counted apart: the lake does not cause them.
func (m *Meter) Objects(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/upload/") {
			next.ServeHTTP(w, r)
			return
		}
		answer, body := &answered{ResponseWriter: w, status: http.StatusOK}, &counted{ReadCloser: r.Body}
		r.Body = body
		next.ServeHTTP(answer, r)
		switch {
		case answer.status != http.StatusOK || !answer.isComplete():
		case strings.HasPrefix(answer.name(), alert.Marks):
			m.alertWrites.Add(1)
		default:
			m.Object(body.bytes)
		}
	})
}

// maxAnswer is how much of an answer is kept: the description of an object has
// some 1,000 bytes.
const maxAnswer = 16 << 10

// answered keeps the status of an answer and its begin.
type answered struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answered) Write(p []byte) (int, error) {
	a.body.Write(p[:min(len(p), maxAnswer-a.body.Len())])
	return a.ResponseWriter.Write(p)
}

// name is the name of the object that the answer describes; "" if it describes
// none.
func (a *answered) name() string {
	var object struct{ Name string }
	if err := json.Unmarshal(a.body.Bytes(), &object); err != nil {
		return ""
	}
	return object.Name
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
