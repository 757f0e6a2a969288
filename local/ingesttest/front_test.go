package ingesttest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc"

	"github.com/stationflow/stationflow/functions/ingest"
)

// A front end before the warehouse, while it answers a page, says nothing of
// the batch: the delivery succeeds once it lets requests through.
func TestIngest_FrontEndOfTheWarehouseAnswersAPage(t *testing.T) {
	t.Parallel()
	for _, code := range []int{302, 400, 401, 403, 404, 405, 409, 413, 418, 500, 501, 505, 520} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			var down atomic.Bool
			w, address := startFrontedWarehouse(t, func(to http.ResponseWriter) bool {
				if down.Load() {
					to.Header().Set("Content-Type", "text/html")
					to.WriteHeader(code)
					_, _ = io.WriteString(to, "<html>no</html>")
				}
				return down.Load()
			})
			l := newLab(t, func(c *ingest.Config) { c.Warehouse.GRPCEndpoint = address })
			down.Store(true)
			e := eventOf(t, batchOf(incidents(3)...))
			if got := l.answer(t, e); got != http.StatusServiceUnavailable {
				t.Errorf("answer %d, want 503", got)
			}
			down.Store(false)
			if got := l.answer(t, e); got != http.StatusOK || len(w.rows("incidents")) != 3 {
				t.Errorf("answer %d afterwards, and %d rows, want 200 and 3", got, len(w.rows("incidents")))
			}
		})
	}
}

// startFrontedWarehouse starts a warehouse that may answer as a web server.
func startFrontedWarehouse(t *testing.T, answers func(http.ResponseWriter) bool) (*fakeWarehouse, string) {
	t.Helper()
	w := &fakeWarehouse{tables: make(map[string][]row)}
	server := grpc.NewServer()
	t.Cleanup(server.Stop)
	storagepb.RegisterBigQueryWriteServer(server, w)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		if !answers(to) {
			server.ServeHTTP(to, r)
		}
	}))
	front.Config.Protocols = new(http.Protocols)
	front.Config.Protocols.SetUnencryptedHTTP2(true)
	front.Start()
	t.Cleanup(front.Close)
	return w, strings.TrimPrefix(front.URL, "http://")
}

// Neither does the lake, nor what stands before it, unless it says that the
// request is bad or too large.
func TestIngest_StatusOfTheLakeIsNoVerdict(t *testing.T) {
	t.Parallel()
	for want, outcomes := range map[int][]outcome{
		http.StatusServiceUnavailable: {
			{status: 500}, {status: 501}, {status: 505}, {status: 507}, {status: 520}, {status: 599},
			{status: 401}, {status: 402}, {status: 405}, {status: 409}, {status: 410}, {status: 411}, {status: 412}, {status: 418},
			{status: 421}, {status: 425}, {status: 428}, {status: 431}, {status: 451}, {status: 499},
			{status: 400, page: true}, {status: 413, page: true}, {status: 200, page: true}, {status: 302, page: true},
			{status: 200, json: "{}"}, {status: 201, json: `{"status":"ok"}`}, {status: 200, json: `{"name":"raw","crc32c":"AAAAAQ=="}`}, {status: 204},
		},
		http.StatusInternalServerError: {{status: 400}, {status: 413}},
	} {
		for _, o := range outcomes {
			t.Run(fmt.Sprintf("%d page %t %s", o.status, o.page, o.json), func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.lake.decide(func(*http.Request) outcome { return o })
				e := eventOf(t, batchOf(incidents(3)...))
				if got := l.answer(t, e); got != want {
					t.Errorf("answer %d, want %d", got, want)
				}
				l.lake.decide(nil)
				if got := l.answer(t, e); got != http.StatusOK || len(l.lake.objects(t, "raw/")) != 1 {
					t.Errorf("answer %d afterwards, objects %q", got, l.lake.objects(t, "raw/"))
				}
			})
		}
	}
}
