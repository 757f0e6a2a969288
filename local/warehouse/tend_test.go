package warehouse

import (
	"fmt"
	"testing"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"

	"github.com/stationflow/stationflow/local/built"
)

// grow makes the warehouse believe that its emulator has become too large.
func grow(w *Warehouse) {
	select {
	case w.emulator.process.Load().grown <- struct{}{}:
	default: // it believes that already
	}
}

// appendUntil appends rows, one a request, until done, and returns how many were acknowledged. A request that was not
// is sent again, as clients do.
func appendUntil(t *testing.T, c rawConnection, rows rowType, from int, done func() bool) (next int) {
	t.Helper()
	for next = from; next == from || !done(); {
		answer := c.append(tableName("s", "t")+"/streams/_default", &rows, rows.row(t, fmt.Sprint(next), next))
		switch code := codes.Code(answer.GetError().GetCode()); code {
		case codes.OK:
			next++
		case codes.Unavailable:
		default:
			t.Fatalf("appending row %d: %v %s", next, code, answer.GetError().GetMessage())
		}
	}
	return next
}

// Rows, tables, views and connections of before work after the emulator was replaced, and after it was killed.
func TestEmulator_IsReplacedBetweenRequests(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", twoColumns)
	run(t, client, "create view s.v as select count(distinct number) as n, count(*) as stored from s.t")
	rows, connection, sent := newRowType(t, twoColumns), connect(t, rawClient(t, w)), 0
	for round, end := range []func(){
		func() { grow(w) }, func() { grow(w) },
		func() {
			if err := w.emulator.process.Load().command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		},
		func() { grow(w) },
	} {
		end()
		sent = appendUntil(t, connection, rows, sent, func() bool { return w.Stats().Replaced > int64(round) })
		got := run(t, client, "select n, stored from s.v")[0]
		if got[0] != int64(sent) {
			t.Errorf("round %d: %v rows are there, %d were acknowledged", round, got[0], sent)
		}
		// Only a kill may have stored a row whose acknowledgement was lost.
		if round < 2 && got[1] != int64(sent) {
			t.Errorf("round %d: %v rows are stored for %d", round, got[1], sent)
		}
	}
}

// An engine that is ended when it has hardly begun, as after a replacement, has not failed.
func TestEmulator_EndsRightAfterItsStart(t *testing.T) {
	for range 6 { // it is a race: two of three were lost
		e, err := startEmulator([]string{built.Program(t, "stationflow"), EngineCommand}, testProject, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := e.stop(); err != nil {
			t.Error(err)
		}
	}
}

// The rows of a pending stream are in the emulator's memory: it is left alone until they are committed.
func TestEmulator_IsNotReplacedUnderPendingRows(t *testing.T) {
	w, _ := start(t, "")
	createTable(t, restClient(t, w), "t", twoColumns)
	raw, rows := rawClient(t, w), newRowType(t, twoColumns)
	stream, err := raw.CreateWriteStream(t.Context(), &storagepb.CreateWriteStreamRequest{
		Parent: tableName("s", "t"), WriteStream: &storagepb.WriteStream{Type: storagepb.WriteStream_PENDING},
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer := connect(t, raw).append(stream.GetName(), &rows, rows.row(t, "pending", -1)); answer.GetError() != nil {
		t.Fatal(answer)
	}
	if !w.replaceEmulator(t.Context(), false) || w.Stats().Replaced != 0 {
		t.Fatal("the emulator was replaced, and the rows with it")
	}
	if _, err := raw.FinalizeWriteStream(t.Context(), &storagepb.FinalizeWriteStreamRequest{Name: stream.GetName()}); err != nil {
		t.Fatal(err)
	}
	answer, err := raw.BatchCommitWriteStreams(t.Context(), &storagepb.BatchCommitWriteStreamsRequest{
		Parent: tableName("s", "t"), WriteStreams: []string{stream.GetName()},
	})
	if err != nil || len(answer.GetStreamErrors()) > 0 {
		t.Fatal(err, answer)
	}
	if !w.replaceEmulator(t.Context(), false) || w.Stats().Replaced != 1 {
		t.Error("the emulator was not replaced once nothing was pending")
	}
	if n := count(t, restClient(t, w), "select count(*) from s.t"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}
