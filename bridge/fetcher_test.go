package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
)

func testFetcher(partitions int) (*fetcher, []*want) {
	settings := sarama.NewConfig()
	settings.Consumer.MaxWaitTime = time.Second
	f := newFetcher(sarama.NewBroker("127.0.0.1:1"), settings)
	var wants []*want
	for number := range int32(partitions) {
		wants = append(wants, &want{at: kafka.Partition{Topic: "incidents", Number: number}, from: 5, most: 1000, answer: make(chan fetched, 1)})
	}
	return f, wants
}

// add puts a record at an offset into a response.
func add(response *sarama.FetchResponse, at kafka.Partition, offset int64) {
	response.AddError(at.Topic, at.Number, sarama.ErrNoError)
	response.GetBlock(at.Topic, at.Number).RecordsSet = []*sarama.Records{{RecordBatch: &sarama.RecordBatch{FirstOffset: offset, Records: []*sarama.Record{{}}}}}
}

// askAll has a fetch be on its way for all.
func (f *fetcher) askAll(wants []*want) {
	for _, w := range wants {
		f.ask(w)
	}
	f.take()
}

// taken is which partitions a fetch is for, and how long Kafka may take.
func (f *fetcher) taken() string {
	asking, patience := f.take()
	text := fmt.Sprint(patience)
	for _, w := range asking {
		text += fmt.Sprint(" ", w.at.Number)
	}
	return text
}

// A fetch waits for partitions that are adding records, so that it is for all
// of them together, but not for one that cannot add any.
func TestFetcher_FetchesForAllThatAreQuick(t *testing.T) {
	f, w := testFetcher(3)
	expect := func(want string) {
		t.Helper()
		if got := f.taken(); got != want {
			t.Errorf("it fetches %q, want %q", got, want)
		}
	}
	answer := func(of ...*want) {
		response := new(sarama.FetchResponse)
		for _, w := range of {
			add(response, w.at, w.from)
		}
		f.answer(of, response, time.Now())
		for _, w := range of {
			w.from = (<-w.answer).next
		}
	}
	expect("1s")
	for _, one := range w {
		f.ask(one)
	}
	expect("1s 0 1 2")
	answer(w...)
	f.ask(w[0])
	expect("0s") // the others are about to ask
	f.wait(w[1])
	expect("0s")
	f.ask(w[2])
	expect("10ms 0 2") // soon enough for the one that waits
	expect("20ms")
	expect("40ms")
	for range 100 {
		f.taken()
	}
	expect("1s")
	f.ask(w[1])
	expect("1s 1")
	answer(w[0])
	f.leave(w[0])
	answer(w[1])
	f.wait(w[1])
	f.leave(w[1])
	expect("1s") // nobody has to be waited for
}

// Partitions without records go on to wait; an error goes to everybody.
func TestFetcher_AnswersThoseThatHaveSomething(t *testing.T) {
	f, w := testFetcher(4)
	f.askAll(w)
	response := new(sarama.FetchResponse)
	add(response, w[0].at, 5)
	response.AddError("incidents", 1, sarama.ErrNotLeaderForPartition)
	response.AddError("incidents", 2, sarama.ErrNoError)
	f.answer(w, response, time.Now()) // which says nothing of the last
	if got := <-w[0].answer; got.err != nil || len(got.batches) != 1 || got.next != 6 {
		t.Errorf("the first got %+v", got)
	}
	if got := <-w[1].answer; !errors.Is(got.err, sarama.ErrNotLeaderForPartition) {
		t.Errorf("the second got %+v", got)
	}
	f.wait(w[0])
	if got := f.taken(); got != "10ms 2 3" {
		t.Errorf("it fetches %q", got)
	}
	f.ask(w[0])
	f.fail(w[2:], sarama.ErrNotConnected)
	f.ask(w[1])
	for _, w := range w {
		if got := <-w.answer; !errors.Is(got.err, sarama.ErrNotConnected) {
			t.Errorf("%v got %+v", w.at, got)
		}
	}
}

// A fetch that fails for one after the other tells each of them once, and once
// those who wait for the next.
func TestFetcher_TellsEachOnce(t *testing.T) {
	f, w := testFetcher(5)
	for _, one := range w {
		one.answer = make(chan fetched, len(w))
	}
	asking := slices.Clone(w)[:3]
	f.ask(w[3])
	f.ask(w[4])
	f.fail(asking[:1], sarama.ErrNotConnected)
	f.fail(asking[1:], sarama.ErrNotConnected)
	for _, one := range w {
		if n := len(one.answer); n != 1 {
			t.Errorf("%v is told %d times", one.at, n)
		}
	}
}

// Where Kafka sends a part of a batch only, it is asked for more.
func TestFetcher_AsksForMoreWhereABatchIsCutOff(t *testing.T) {
	f, w := testFetcher(2)
	f.askAll(w)
	response := new(sarama.FetchResponse)
	response.AddError("incidents", 0, sarama.ErrNoError)
	response.GetBlock("incidents", 0).RecordsSet = []*sarama.Records{{RecordBatch: &sarama.RecordBatch{FirstOffset: 5, LastOffsetDelta: 9, PartialTrailingRecord: true}}}
	response.AddError("incidents", 1, sarama.ErrNoError)
	response.GetBlock("incidents", 1).Partial = true
	f.answer(w, response, time.Now())
	if got := f.taken(); got != "1s 0 1" || w[0].most != 2000 || w[1].most != 2000 {
		t.Errorf("it fetches %q, at most %d and %d bytes", got, w[0].most, w[1].most)
	}
}

// A batch that is taken for a part of one, however much is asked for, is not asked
// for again and again: the partition is told.
func TestFetcher_GivesUpABatchThatStaysCutOff(t *testing.T) {
	f, w := testFetcher(1)
	f.config.Version, f.config.ApiVersionsRequest = sarama.V2_8_0_0, false
	alike := &sarama.RecordBatch{Version: 2, FirstOffset: 5, LastOffsetDelta: 9999, Codec: sarama.CompressionZSTD}
	for i := range int64(10_000) {
		alike.Records = append(alike.Records, &sarama.Record{OffsetDelta: i})
	}
	response := &sarama.FetchResponse{Version: 12}
	response.AddError("incidents", 0, sarama.ErrNoError)
	response.GetBlock("incidents", 0).RecordsSet = []*sarama.Records{{RecordBatch: alike}}
	server := sarama.NewMockBroker(t, 1)
	defer server.Close()
	server.SetHandlerByMap(map[string]sarama.MockResponse{"FetchRequest": sarama.NewMockWrapper(response)})
	f.broker = sarama.NewBroker(server.Addr())
	if err := f.broker.Open(f.config); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.broker.Close() }()
	done, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.run(done) })
	f.ask(w[0])
	if got := <-w[0].answer; !errors.Is(got.err, errCut) {
		t.Errorf("it is told %+v", got)
	}
	end()
	running.Wait()
}

// A partition that gets nothing for long looks for its leader again, and keeps
// nobody waiting meanwhile.
func TestFetcher_LetsLookForTheLeader(t *testing.T) {
	f, w := testFetcher(2)
	f.askAll(w)
	w[1].asked = w[1].asked.Add(sameLeader)
	f.answer(w, new(sarama.FetchResponse), w[0].asked.Add(sameLeader))
	if got := <-w[0].answer; got.err != nil || got.next != w[0].from {
		t.Errorf("the first got %+v", got)
	}
	if got := f.taken(); got != "1s 1" {
		t.Errorf("it fetches %q", got)
	}
}

// Once the session is done nothing more is fetched, whatever waits.
func TestFetcher_EndsWithTheSession(t *testing.T) {
	done, end := context.WithCancel(t.Context())
	end()
	for range 100 {
		f, w := testFetcher(1)
		f.ask(w[0])
		f.run(done)
		if len(f.waiting) != 1 {
			t.Fatal("it has fetched")
		}
	}
}

// The more partitions, the less is fetched ahead of each: of all together no more
// than the instance has memory for.
func TestFetchSize(t *testing.T) {
	const most = 256 << 10
	for partitions, want := range map[int]int32{0: most, 1: most, 42: most, 48: most, 96: most / 2, 384: leastFetch, 10_000: leastFetch} {
		if got := fetchSize(most, partitions); got != want {
			t.Errorf("of each of %d partitions %d bytes are fetched, want %d", partitions, got, want)
		}
	}
	if got := fetchSize(1000, 1); got != 1000 {
		t.Errorf("%d bytes are fetched where 1000 may be", got)
	}
}
