package ingesttest

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/functions/ingest"
)

// patience is little only where a fault is that nothing happens.
func patience(hang <-chan struct{}) func(*ingest.Config) {
	if hang != nil {
		return impatient
	}
	return func(*ingest.Config) {}
}

// Whatever passes within a call is retried there, and no row is missing after.
func TestIngest_PassingFaultsOfTheWarehouse(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for name, test := range map[string]struct {
		fault       verdict
		rows        int // in staging afterwards
		connections int
	}{
		"unavailable":       {verdict{status: codes.Unavailable}, 30, 1},
		"internal":          {verdict{status: codes.Internal}, 30, 1},
		"lost answer":       {verdict{lose: true}, 60, 2},
		"broken connection": {verdict{broken: grpcstatus.Error(codes.Unavailable, "gone")}, 30, 2},
		"connection ends":   {verdict{broken: grpcstatus.Error(codes.Aborted, "idle")}, 30, 2},
		"no answer":         {verdict{hang: never}, 30, 2},
		"quota":             {verdict{status: codes.ResourceExhausted}, 30, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, patience(test.fault.hang))
			l.warehouse.decide(once("incidents", test.fault))
			b := batchOf(incidents(30)...)
			l.mustDeliver(t, b)
			rows := l.warehouse.rows("incidents")
			if len(rows) != test.rows || len(offsets(rows)) != 30 {
				t.Errorf("%d rows of %d records, want %d of 30", len(rows), len(offsets(rows)), test.rows)
			}
			if n := l.warehouse.opened(); n != test.connections {
				t.Errorf("%d connections, want %d", n, test.connections)
			}
			// The stream works on: the next batch needs no new connection.
			move(b, b.Records[0].Partition+1)
			l.mustDeliver(t, b)
			if n := l.warehouse.opened(); n != test.connections {
				t.Errorf("%d connections after another batch, want %d", n, test.connections)
			}
		})
	}
}

func TestIngest_EachAttemptStampsAnew(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.warehouse.decide(once("incidents", verdict{lose: true}))
	l.mustDeliver(t, batchOf(incidents(1)...))
	rows := l.warehouse.rows("incidents")
	if first, second := rows[0]["ingested_at"].(int64), rows[1]["ingested_at"].(int64); second <= first {
		t.Errorf("ingested_at is %d, then %d", first, second)
	}
}

func TestIngest_LastingFaultsAreNotAcknowledged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		warehouse verdict
		lake      outcome
	}{
		"warehouse is down":     {warehouse: verdict{status: codes.Unavailable}},
		"table is missing":      {warehouse: verdict{broken: grpcstatus.Error(codes.NotFound, "no table")}},
		"no right to append":    {warehouse: verdict{status: codes.PermissionDenied}},
		"columns do not match":  {warehouse: verdict{status: codes.InvalidArgument}},
		"lake is down":          {lake: outcome{status: 503}},
		"no right to write":     {lake: outcome{status: 403}},
		"bucket is missing":     {lake: outcome{status: 404}},
		"lake refuses contents": {lake: outcome{status: 400}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			if test.lake.status != 0 {
				l.lake.decide(func(*http.Request) outcome { return test.lake })
			} else {
				l.warehouse.decide(func(string, []row) verdict { return test.warehouse })
			}
			e := eventOf(t, batchOf(incidents(3)...))
			want := http.StatusServiceUnavailable // it is not the batch's fault
			if name == "lake refuses contents" {
				want = http.StatusInternalServerError
			}
			got, class := l.answers(t, e)
			if got != want || class == "" || (class == "permanent") != (want == http.StatusInternalServerError) {
				t.Errorf("answer %d of class %q, want %d", got, class, want)
			}
			if c := l.function.Counts(); c.Batches != 0 || c.Failed != 1 {
				t.Errorf("counts %+v", c)
			}
			l.lake.decide(nil)
			l.warehouse.decide(nil)
			if got := l.answer(t, e); got != http.StatusOK {
				t.Errorf("answer %d after the fault", got)
			}
			if n := len(offsets(l.warehouse.rows("incidents"))); n != 3 || len(l.lake.objects(t, "raw/")) != 1 {
				t.Errorf("after the fault %d records are in staging, want 3", n)
			}
		})
	}
}

func TestIngest_MissingDatasetIsNotRetriedWithinTheCall(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *ingest.Config) { c.Warehouse.StagingDataset = "missing_data" })
	if err := l.deliver(t, batchOf(incidents(1)...)); grpcstatus.Code(err) != codes.NotFound {
		t.Errorf("error %v, want NotFound", err)
	}
	if n := l.warehouse.lookups(); n != 1 {
		t.Errorf("the table was looked up %d times, want once", n)
	}
}

func TestIngest_PassingFaultsOfTheLake(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for name, fault := range map[string]outcome{
		"unavailable": {status: 503},
		"throttled":   {status: 429},
		"lost answer": {status: 502, serve: true},
		"no answer":   {hang: never},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, patience(fault.hang))
			l.lake.decide(firstUpload(fault))
			l.mustDeliver(t, batchOf(incidents(30)...))
			names := l.lake.objects(t, "raw/")
			if len(names) != 1 {
				t.Fatalf("objects %q, want one", names)
			}
			if _, rows := readParquet(t, l.lake.read(t, names[0])); len(rows) != 30 {
				t.Errorf("%d rows in the lake, want 30", len(rows))
			}
			if l.lake.uploads != 2 {
				t.Errorf("%d uploads, want 2", l.lake.uploads)
			}
		})
	}
}

// The warehouse refuses rows one request at a time; those concerned go to
// quarantine and the others to staging.
func TestIngest_RefusedRowsAreIsolated(t *testing.T) {
	t.Parallel()
	for _, mild := range []bool{false, true} {
		t.Run(fmt.Sprint("mild ", mild), func(t *testing.T) {
			t.Parallel()
			testRefusedRows(t, mild)
		})
	}
}

func testRefusedRows(t *testing.T, mild bool) {
	l := newLab(t)
	l.warehouse.decide(func(table string, rows []row) verdict {
		v := verdict{refuse: make(map[int]string), mild: mild}
		for i, r := range rows {
			if table == "incidents" && r["kafka_offset"].(int64)%7 == 0 {
				v.refuse[i] = "it does not like sevens"
			}
			if len(v.refuse) == 2 { // reports no more at a time
				break
			}
		}
		return v
	})
	b := batchOf(incidents(40)...) // offsets 100 to 139
	l.mustDeliver(t, b)
	staged, refused := l.warehouse.rows("incidents"), l.warehouse.rows("quarantine")
	if len(staged) != 35 || len(refused) != 5 {
		t.Fatalf("%d rows in staging and %d in quarantine, want 35 and 5", len(staged), len(refused))
	}
	for _, r := range refused {
		offset := r["kafka_offset"].(int64)
		if offset%7 != 0 || r["reason"] != "refused_by_warehouse" || r["detail"] != "FIELDS_ERROR: it does not like sevens" ||
			string(r["value"].([]byte)) != string(b.Records[offset-100].Value) {
			t.Errorf("row in quarantine: %v", r)
		}
	}
	if c := l.function.Counts(); c.Valid != 35 || c.Quarantined != 5 {
		t.Errorf("counts %+v", c)
	}
}

func TestIngest_WarehouseThatRefusesAllRows(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.warehouse.decide(func(table string, rows []row) verdict {
		v := verdict{refuse: make(map[int]string)}
		for i := range rows {
			v.refuse[i] = "no"
		}
		return v
	})
	e := eventOf(t, batchOf(incidents(5)...))
	if got := l.answer(t, e); got != http.StatusInternalServerError { // a verdict: rows are named
		t.Errorf("answer %d to a batch that is nowhere, want 500", got)
	}
	l.warehouse.decide(func(string, []row) verdict { return verdict{refuse: map[int]string{99: "no"}, mild: true} })
	if got := l.answer(t, e); got != http.StatusServiceUnavailable {
		t.Errorf("answer %d to a batch of which rows were refused that it has not, want 503", got)
	}
}

// One table's stream that hangs is replaced without harm to another's.
func TestIngest_HangingStreamLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	l := newLab(t, impatient)
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	var hung atomic.Int32
	l.warehouse.decide(func(table string, _ []row) verdict {
		if table == "incidents" {
			hung.Add(1)
			return verdict{hang: never}
		}
		return verdict{}
	})
	stuck := make(chan error, 1)
	e := eventOf(t, batchOf(incidents(3)...))
	go func() { stuck <- l.function.Ingest(t.Context(), e) }()
	b := batchOf(goodEvents["ticket_validations"]...)
	b.Topic = "ticket_validations"
	for range 20 {
		l.mustDeliver(t, b)
	}
	if err := <-stuck; err == nil {
		t.Error("a batch was acknowledged without an answer")
	}
	if hung.Load() < 2 {
		t.Error("the hanging append was not tried again")
	}
}
