package ingesttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/lake"
)

// A poison has the warehouse, or the lake, refuse every request that holds one
// of the records, as a whole.
type poison map[place]bool

// rows is the warehouse's verdict, which names no row.
func (p poison) rows(table string, all []row) verdict {
	for at := range places(all) {
		if table == "incidents" && p[at] {
			return verdict{status: codes.InvalidArgument}
		}
	}
	return verdict{}
}

var rangesOf = regexp.MustCompile(`"stationflow-ranges":"([^"]*)"`)

// upload is the lake's: of an object of rows, whose metadata says what it holds.
func (p poison) upload(r *http.Request) outcome {
	if !isUpload(r) {
		return outcome{}
	}
	body, _ := io.ReadAll(r.Body) // it is whole, see startLake
	r.Body = io.NopCloser(bytes.NewReader(body))
	if found := rangesOf.FindSubmatch(body); found != nil && bytes.Contains(body, []byte(`"name":"raw/`)) {
		ranges, _ := batch.ParseRanges(string(found[1]))
		for _, of := range ranges {
			for at := range p {
				if int64(of.Partition) == at.partition && of.First <= at.offset && at.offset <= of.Last {
					return outcome{status: http.StatusBadRequest}
				}
			}
		}
	}
	return outcome{}
}

// count has the decision count what it is asked about.
func count[A any, R any](n *int, decide func(A) R) func(A) R {
	var mu sync.Mutex
	return func(of A) R {
		mu.Lock()
		defer mu.Unlock()
		*n++
		return decide(of)
	}
}

// checkPoison fails unless the good records of spread are in staging, and the
// bad and the poisoned ones in quarantine with their bytes.
func (l *lab) checkPoison(t *testing.T, b *batch.Batch, refused poison) {
	t.Helper()
	staged, aside := places(l.warehouse.rows("incidents")), map[place]row{}
	for _, r := range l.warehouse.rows("quarantine") {
		aside[place{r["kafka_partition"].(int64), r["kafka_offset"].(int64)}] = r
	}
	for i := range b.Records {
		r := &b.Records[i]
		at := place{int64(r.Partition), r.Offset}
		want := ""
		switch {
		case i%10 == 9:
			want = "not_json"
		case refused[at]:
			want = "refused_by_warehouse"
		}
		if got := aside[at]; (got == nil) != (want == "") || got != nil && (got["reason"] != want || !bytes.Equal(got["value"].([]byte), r.Value)) {
			t.Errorf("%v is in quarantine as %v, want it for %q", at, got, want)
		}
		if (staged[at] > 0) != (want == "") {
			t.Errorf("%v is %d times in staging, and in quarantine for %q", at, staged[at], want)
		}
	}
}

// Records because of which the warehouse refuses whole requests without naming
// them are found, in few requests, and the rest lands.
func TestPoison_IsFoundInTheWarehouse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		records, partitions int
		poison              poison
		most                int // requests
	}{
		"one":                 {1000, 7, poison{{2, 130}: true}, 2 + 2*10 + 2},
		"the first":           {1000, 7, poison{{0, 100}: true}, 2 + 2*10 + 2},
		"neighbours":          {1000, 1, poison{{0, 500}: true, {0, 501}: true}, 2 + 4*10 + 3},
		"eight":               {1000, 2, poison{{0, 101}: true, {1, 101}: true, {0, 201}: true, {1, 203}: true, {0, 301}: true, {1, 303}: true, {0, 401}: true, {1, 500}: true}, 2 + 16*10 + 9},
		"one of two":          {2, 1, poison{{0, 101}: true}, 6},
		"among bad ones":      {20, 1, poison{{0, 100}: true, {0, 118}: true}, 2 + 4*5 + 3},
		"all that would land": {8, 8, poison{{0, 100}: true, {1, 100}: true, {2, 100}: true}, 2 + 6*3 + 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			requests := 0
			decide := count(&requests, func(of []any) verdict { return test.poison.rows(of[0].(string), of[1].([]row)) })
			l.warehouse.decide(func(table string, rows []row) verdict { return decide([]any{table, rows}) })
			b := spread(test.records, test.partitions)
			b.Lane = batch.RowsLane
			l.mustDeliver(t, b)
			l.checkPoison(t, b, test.poison)
			if requests > test.most {
				t.Errorf("it took %d requests, want at most %d", requests, test.most)
			}
			if c := l.function.Counts(); c.Batches != 1 || c.Failed != 0 || c.Records != int64(test.records) || c.Quarantined != int64(test.records/10+len(test.poison)) {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

// A connection that breaks because of a record is no different.
func TestPoison_BreaksTheConnection(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	p := poison{{3, 107}: true}
	l.warehouse.decide(func(table string, rows []row) verdict {
		if p.rows(table, rows).status != codes.OK {
			return verdict{broken: grpcstatus.Error(codes.InvalidArgument, "the bytes are not a row")}
		}
		return verdict{}
	})
	b := spread(60, 5)
	l.mustDeliver(t, b)
	l.checkPoison(t, b, p)
}

// A record that the lake cannot keep as a row has its bytes there, and its row
// in staging. The others' objects are made, once.
func TestPoison_IsFoundInTheLake(t *testing.T) {
	t.Parallel()
	for _, lane := range []batch.Lane{batch.LakeLane, batch.BothLanes} {
		t.Run(string(lane), func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			l := newLab(t, func(c *ingest.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			p := poison{{2, 107}: true, {4, 100}: true}
			uploads := 0
			l.lake.decide(count(&uploads, p.upload))
			b := spread(200, 5)
			b.Lane = lane
			for range 2 {
				l.mustDeliver(t, b)
				filed := l.filed(t, "raw/")
				for i := range b.Records {
					at := place{int64(b.Records[i].Partition), b.Records[i].Offset}
					want := 1
					if i%10 == 9 || p[at] {
						want = 0
					}
					if filed[at] != want {
						t.Fatalf("%v is %d times in the lake, want %d", at, filed[at], want)
					}
				}
				if lane == batch.BothLanes {
					l.checkPoison(t, b, nil)
				}
				for at := range p {
					name := lake.QuarantineObject("incidents", topicID, int32(at.partition), at.offset)
					i := slices.IndexFunc(b.Records, func(r batch.Record) bool {
						return int64(r.Partition) == at.partition && r.Offset == at.offset
					})
					if got := l.lake.read(t, name); !bytes.Equal(got, b.Records[i].Value) {
						t.Errorf("%s holds %q", name, got)
					}
				}
			}
			if uploads > 2*(1+4*8+2+2*2+30) {
				t.Errorf("it took %d requests", uploads)
			}
			if n := strings.Count(log.String(), "the lake cannot keep a record"); n != 4 || strings.Count(log.String(), "set_aside=2") != 2 {
				t.Errorf("the log says\n%s", log.String())
			}
		})
	}
}

// Where the lake is the only sink, what it cannot keep goes to its quarantine.
func TestPoison_OfTheLakeAlone(t *testing.T) {
	t.Parallel()
	l := newLab(t, withoutWarehouse)
	p := poison{{2, 107}: true}
	l.lake.decide(p.upload)
	b := spread(100, 5)
	for range 2 {
		l.mustDeliver(t, b)
		raw, aside := l.filed(t, "raw/"), l.filed(t, "quarantine/")
		if len(raw) != 89 || len(aside) != 11 || aside[place{2, 107}] != 1 || raw[place{2, 107}] != 0 {
			t.Errorf("%d records in the lake, %d in quarantine: %v", len(raw), len(aside), aside)
		}
	}
	if c := l.function.Counts(); c.Quarantined != 22 || c.Valid != 178 {
		t.Errorf("counts %+v", c)
	}
}

// With more poison than is looked for, the partition is to blame as a whole;
// the others land, and what is done about it is bounded.
func TestPoison_IsNotLookedForForEver(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	p := poison{}
	for offset := range int64(40) {
		p[place{1, 100 + 10*offset}] = true
	}
	p[place{0, 101}] = true
	requests := 0
	decide := count(&requests, func(of []any) verdict { return p.rows(of[0].(string), of[1].([]row)) })
	l.warehouse.decide(func(table string, rows []row) verdict { return decide([]any{table, rows}) })
	b := spread(2000, 4)
	for range 2 {
		if code := l.answer(t, eventOf(t, b)); code != http.StatusInternalServerError {
			t.Fatalf("answer %d, want 500", code)
		}
		if requests > 2*2*9*11+50 {
			t.Errorf("it took %d requests", requests)
		}
		requests = 0
	}
	landed := places(append(l.warehouse.rows("incidents"), l.warehouse.rows("quarantine")...))
	for i := range b.Records {
		if at := (place{int64(b.Records[i].Partition), b.Records[i].Offset}); at.partition != 1 && landed[at] == 0 {
			t.Fatalf("%v is nowhere", at)
		}
	}
}

// An outage, or what a person must mend, is never taken for poison, whenever it
// begins: nothing is in quarantine that is good.
func TestPoison_IsNoOutage(t *testing.T) {
	t.Parallel()
	p := poison{{2, 107}: true}
	for _, code := range []codes.Code{codes.Unavailable, codes.PermissionDenied, codes.Unknown, codes.InvalidArgument} {
		for _, healthy := range []int{0, 1, 2, 4, 7, 11} {
			t.Run(fmt.Sprint(code, " after ", healthy), func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				asked := 0
				decide := count(&asked, func(of []any) verdict {
					if asked > healthy {
						return verdict{status: code}
					}
					return p.rows(of[0].(string), of[1].([]row))
				})
				l.warehouse.decide(func(table string, rows []row) verdict { return decide([]any{table, rows}) })
				b := spread(50, 5)
				b.Lane = batch.RowsLane
				if answer := l.answer(t, eventOf(t, b)); answer == http.StatusOK ||
					code != codes.InvalidArgument && answer != http.StatusServiceUnavailable {
					t.Errorf("answer %d", answer)
				}
				l.warehouse.decide(p.rows)
				l.mustDeliver(t, b)
				l.checkPoison(t, b, p)
			})
		}
	}
}

// The function is killed at any step of a search, and the batch delivered
// again, twice at once: in the end all is where it belongs.
func TestPoison_KilledAtEveryStep(t *testing.T) {
	t.Parallel()
	p := poison{{2, 107}: true, {0, 100}: true}
	for step := range 30 {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			ctx, kill := context.WithCancel(t.Context())
			asked := 0
			var mu sync.Mutex
			next := func() (gone bool) {
				mu.Lock()
				defer mu.Unlock()
				if asked++; asked > step {
					kill()
				}
				return asked > step
			}
			l.warehouse.decide(func(table string, rows []row) verdict {
				if next() {
					return verdict{lose: step%2 == 0, broken: grpcstatus.Error(codes.Unavailable, "killed")}
				}
				return p.rows(table, rows)
			})
			l.lake.decide(func(r *http.Request) outcome {
				refused := p.upload(r)
				if isUpload(r) && next() {
					return outcome{status: http.StatusServiceUnavailable, serve: step%3 == 0 && refused.status == 0}
				}
				return refused
			})
			b := spread(50, 5)
			e := eventOf(t, b)
			err := l.function.Ingest(ctx, e)
			if killed := ctx.Err() != nil; (err == nil) == killed {
				t.Fatalf("killed: %t, error %v", killed, err)
			}
			kill()
			l.warehouse.decide(p.rows)
			l.lake.decide(p.upload)
			var again sync.WaitGroup
			for range 2 {
				f := l.another(t)
				again.Go(func() {
					if err := f.Ingest(t.Context(), e); err != nil {
						t.Error(err)
					}
				})
			}
			again.Wait()
			l.checkPoison(t, b, p)
			filed := l.filed(t, "raw/")
			for i := range b.Records {
				at := place{int64(b.Records[i].Partition), b.Records[i].Offset}
				if good := i%10 != 9 && !p[at]; good != (filed[at] > 0) {
					t.Errorf("%v is %d times in the lake", at, filed[at])
				}
			}
			for at := range p {
				l.lake.read(t, lake.QuarantineObject("incidents", topicID, int32(at.partition), at.offset))
			}
		})
	}
}
