package warehouse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
)

// emulator is the BigQuery emulator behind the gateway, in a process of its own. It fails under concurrency ("database
// is locked"), so every use of it must hold the gate.
type emulator struct {
	engine  []string // the command that runs it
	project string
	folder  string // of the database
	temp    bool   // remove the folder when closed

	process  atomic.Pointer[process]
	requests atomic.Int64 // that were sent to it
	client   http.Client
	catalog  *catalog
	write    storagepb.BigQueryWriteClient
}

// startEmulator opens (or creates) the database in dir, or a temporary one when dir is empty.
func startEmulator(engine []string, project, dir string) (_ *emulator, err error) {
	e := &emulator{engine: engine, project: project, temp: dir == "", catalog: newCatalog(), client: http.Client{Transport: &http.Transport{DisableCompression: true}}}
	if e.temp {
		if dir, err = os.MkdirTemp("", "stationflow-warehouse-"); err != nil {
			return nil, fmt.Errorf("creating the warehouse's temporary folder: %w", err)
		}
	} else if err = os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the warehouse's folder: %w", err)
	}
	if e.folder, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("finding the warehouse's folder: %w", err)
	}
	if err := e.start(); err != nil {
		return nil, errors.Join(err, e.removeTemp())
	}
	return e, nil
}

func (e *emulator) start() error {
	p, err := startProcess(e.engine, e.project, e.folder)
	if err != nil {
		return err
	}
	e.process.Store(p)
	e.write = storagepb.NewBigQueryWriteClient(p.conn)
	return nil
}

// replace ends the process and starts another on the same database. Only what it alone remembered is lost.
func (e *emulator) replace() error {
	_ = e.process.Load().stop() // however it ended: what it had acknowledged is in the database
	e.client.CloseIdleConnections()
	e.catalog.clear()
	return e.start()
}

// stop ends the emulator and removes what was temporary. Callers have drained their requests before.
func (e *emulator) stop() error {
	e.client.CloseIdleConnections()
	return errors.Join(e.process.Load().stop(), e.removeTemp())
}

func (e *emulator) removeTemp() error {
	if !e.temp {
		return nil
	}
	return os.RemoveAll(e.folder)
}

// answer is what the emulator answered a REST request.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// call sends one REST request of the gateway's own. The fault is that there was no answer.
func (e *emulator) call(ctx context.Context, method, path string, body any) (answer, *apiError) {
	var encoded bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&encoded).Encode(body); err != nil {
			return answer{}, &apiError{http.StatusBadRequest, "invalid", fmt.Sprintf("encoding a request: %v", err)}
		}
	}
	return e.send(ctx, method, path, nil, &encoded)
}

// forward sends a client's request as it is. A failure that the emulator answers is a fault too.
func (e *emulator) forward(r *http.Request) (answer, *apiError) {
	r.Header.Del("Accept-Encoding")
	a, fault := e.send(r.Context(), r.Method, r.URL.RequestURI(), r.Header, r.Body)
	if fault == nil && a.code >= http.StatusBadRequest {
		fault = faultOf(a.code, a.body, "invalid")
	}
	return a, fault
}

// send sends a request, unless the catalog has the answer to it.
func (e *emulator) send(ctx context.Context, method, path string, header http.Header, body io.Reader) (answer, *apiError) {
	if known, ok := e.catalog.find(path); ok && method == http.MethodGet {
		return known, nil
	}
	a, fault := e.ask(ctx, method, path, header, body)
	if method == http.MethodGet {
		e.catalog.keep(path, a)
	} else {
		e.catalog.requested(path, a.code)
	}
	return a, fault
}

func (e *emulator) ask(ctx context.Context, method, path string, header http.Header, body io.Reader) (answer, *apiError) {
	unreachable := func(err error) (answer, *apiError) {
		return answer{}, &apiError{http.StatusServiceUnavailable, "backendError", fmt.Sprintf("the local warehouse does not answer: %v", err)}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+e.process.Load().first.REST+path, body)
	if err != nil {
		return answer{}, &apiError{http.StatusBadRequest, "invalid", err.Error()}
	}
	if header != nil {
		r.Header = header
	}
	e.requests.Add(1)
	response, err := e.client.Do(r)
	if err != nil {
		return unreachable(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return unreachable(err)
	}
	return answer{response.StatusCode, response.Header, content}, nil
}
