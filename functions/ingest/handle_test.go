package ingest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// An impatient response has a deadline for the body of its request.
type impatient struct {
	http.ResponseWriter
	deadline time.Time
}

func (i *impatient) SetReadDeadline(at time.Time) error {
	i.deadline = at
	return nil
}

// A reader that is called for each read.
type reader func([]byte) (int, error)

func (r reader) Read(to []byte) (int, error) { return r(to) }

// A body has a time to arrive in, and the call after it has its own.
func TestReadInTime(t *testing.T) {
	w := &impatient{ResponseWriter: httptest.NewRecorder()}
	limited := false
	r := httptest.NewRequest(http.MethodPost, "/", reader(func(to []byte) (int, error) {
		limited = !w.deadline.IsZero()
		return copy(to, "v"), io.EOF
	}))
	body, err := readInTime(w, r, nil)
	if err != nil || string(body) != "v" {
		t.Fatalf("read %q, %v", body, err)
	}
	if !limited || !w.deadline.IsZero() {
		t.Errorf("limited while it reads: %v; afterwards the deadline is %v", limited, w.deadline)
	}
}

// A body that stops on its way is not the batch's fault.
func TestReadInTime_GivesUp(t *testing.T) {
	begun := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := readInTime(shortly{w}, r, nil)
		begun <- statusOf(err)
	}))
	defer server.Close()
	body, send := io.Pipe()
	defer send.Close()
	go func() { // ends with the server's answer
		if response, err := http.Post(server.URL, "", body); err == nil {
			_ = response.Body.Close()
		}
	}()
	if code := <-begun; code != http.StatusServiceUnavailable {
		t.Errorf("the answer is %d", code)
	}
}

// A shortly sets every deadline to now.
type shortly struct{ http.ResponseWriter }

func (s shortly) SetReadDeadline(time.Time) error {
	return http.NewResponseController(s.ResponseWriter).SetReadDeadline(time.Now())
}
