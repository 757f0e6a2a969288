package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
)

// excused is the function's own answer that the batch is not to blame.
func excused() error { return &PublishError{Err: errors.New("503: a sink is away"), Excused: true} }

// An hour without the function, or without what one lane needs, is waited out:
// no dead letter, nothing lost or sent twice once it is over, bounded memory,
// attempts that get rare, no restart, and a lag that is as long as it is.
func TestOutage_OfAnHour(t *testing.T) {
	for name, away := range map[string]func(batch.Lane) error{
		"the function": func(batch.Lane) error { return errors.New("connection refused") },
		"the warehouse": func(lane batch.Lane) error {
			if lane.Serves(batch.RowsLane) {
				return excused()
			}
			return nil
		},
		"the lake": func(lane batch.Lane) error {
			if lane.Serves(batch.LakeLane) {
				return excused()
			}
			return nil
		},
		"the function, which answers slowly": func(batch.Lane) error {
			time.Sleep(3 * time.Minute)
			return errors.New("no answer in time")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const partitions = 6
				began := time.Now()
				var attempts atomic.Int64
				l := newLedger(t, func(b *batch.Batch) error {
					if since := time.Since(began); since > 5*time.Minute && since < 65*time.Minute {
						attempts.Add(1)
						return away(b.Lane)
					}
					return nil
				})
				dead := &letters{}
				work, stop := context.WithCancel(t.Context())
				defer stop()
				claims := testClaims(t, work, partitions, func(c *Config) {
					c.BatchAge, c.LakeAge, c.MemoryBytes = 800*time.Millisecond, time.Minute, 16<<20
					c.Transport, c.HTTP.URL, c.PublishTimeout = "http", "http://f/ingest", 3*time.Minute
				}, l)
				g := claims[0].gatherer
				g.bridge.deadLetters, g.relieve = dead, g.giveUp
				next := make([]atomic.Int64, partitions)
				produced := make([]sync.Map, partitions) // when, by offset
				var adding sync.WaitGroup
				for i, c := range claims {
					adding.Go(func() {
						for time.Since(began) < 90*time.Minute {
							offset := next[i].Load()
							produced[i].Store(offset, time.Now())
							c.end.Store(offset + 1)
							c.stable.Store(offset + 1)
							if !c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now(), Value: make([]byte, 1000)}) {
								return
							}
							next[i].Add(1)
							time.Sleep(time.Second)
						}
					})
				}
				var longest time.Duration
				for time.Since(began) < 89*time.Minute {
					time.Sleep(9 * time.Second)
					synctest.Wait()
					g.memory.mu.Lock()
					taken := g.memory.taken
					g.memory.mu.Unlock()
					if taken > 16<<20 {
						t.Fatalf("after %v batches take %d bytes", time.Since(began), taken)
					}
					for i, c := range claims {
						s := c.status(time.Now())
						if s.Stuck && !s.trying {
							t.Fatalf("after %v a restart is asked for: %+v", time.Since(began), s)
						}
						longest = max(longest, s.Lag)
						if at, known := produced[i].Load(s.Published); known {
							if lag := time.Since(at.(time.Time)); s.Lag < lag-2*time.Second || s.Lag > lag+2*time.Second {
								t.Fatalf("after %v the lag is %v and said to be %v", time.Since(began), lag, s.Lag)
							}
						}
					}
				}
				if most := int64(partitions * 10 * 3600 / 3); attempts.Load() > most {
					t.Errorf("%d attempts within the hour", attempts.Load())
				}
				if longest < 50*time.Minute {
					t.Errorf("the longest lag is %v", longest)
				}
				adding.Wait()
				for i, c := range claims {
					c.drain()
					if c.committable() != next[i].Load() {
						t.Errorf("%d of %d are committable", c.committable(), next[i].Load())
					}
					l.check(c.number, next[i].Load(), batch.RowsLane, batch.LakeLane)
				}
				if dead.count() != 0 {
					t.Errorf("dead letters: %+v", dead.causes)
				}
			})
		})
	}
}

// A batch that never gets an answer, while others do, ends as a dead letter,
// slowly; not so one that the function excuses, or that nothing can be compared
// with.
func TestOutage_IsToldFromABatchThatEndsTheFunction(t *testing.T) {
	for name, test := range map[string]struct {
		err        func() error
		partitions int
		buried     bool
	}{
		"no answer":                {func() error { return errors.New("EOF") }, 2, true},
		"nobody knows":             {outage, 2, true},
		"it is excused":            {excused, 2, false},
		"it shall wait":            {func() error { return &PublishError{Err: errors.New("429"), After: time.Second} }, 2, false},
		"there is no other":        {func() error { return errors.New("EOF") }, 1, false},
		"all of the lane rows end": {nil, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var attempts atomic.Int64
				l := newLedger(t, func(b *batch.Batch) error {
					if test.err == nil {
						if b.Lane.Serves(batch.RowsLane) {
							return errors.New("EOF")
						}
						return nil
					}
					for i := range b.Records {
						if r := &b.Records[i]; r.Partition == 0 && r.Offset == 50 {
							if len(b.Ranges()) == 1 {
								attempts.Add(1)
							}
							return test.err()
						}
					}
					return nil
				})
				dead := &letters{}
				work, stop := context.WithCancel(t.Context())
				claims := testClaims(t, work, test.partitions, func(c *Config) {
					c.BatchAge, c.LakeAge, c.BatchRecords = time.Second, time.Minute, 20
				}, l)
				for _, c := range claims {
					c.bridge.deadLetters = dead
				}
				began := time.Now()
				var adding sync.WaitGroup
				for _, c := range claims {
					adding.Go(func() {
						for offset := int64(0); work.Err() == nil && c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now()}); offset++ {
							time.Sleep(time.Second)
						}
					})
				}
				time.Sleep(80 * time.Minute)
				if dead.count() != 0 {
					t.Fatalf("after %v dead-lettered %+v", time.Since(began), dead.causes)
				}
				time.Sleep(5 * time.Hour)
				if buried := dead.count() > 0; buried != test.buried {
					t.Errorf("dead letters: %+v", dead.causes)
				}
				for _, why := range dead.causes {
					if why.Attempts < maxSuspicions || why.Attempts > 3*maxSuspicions || !strings.Contains(why.Reason, test.err().Error()) {
						t.Errorf("dead-lettered %+v", why)
					}
				}
				if test.buried && (claims[0].committable() < 10_000 || attempts.Load() > 2*3*maxSuspicions) {
					t.Errorf("after %d attempts %s", attempts.Load(), fmt.Sprint(claims[0].status(time.Now())))
				}
				stop()
				adding.Wait()
				for _, c := range claims {
					c.drain()
				}
			})
		})
	}
}

// Only ingest's own answer excuses a batch; a front end's, or one of a class
// that blames nobody for sure, does not.
func TestJudge_WhoIsExcused(t *testing.T) {
	for class, want := range map[string]bool{"": false, "transient": true, "misconfigured": true, "suspect": false, "unknown": false, "permanent": false} {
		answer := &http.Response{StatusCode: http.StatusServiceUnavailable, Status: "503", Header: http.Header{}}
		if class != "" {
			answer.Header.Set(batch.HeaderClass, class)
		}
		if known := understand(judge("http://f", answer, "away", time.Now())); known.Excused != want || known.Refused {
			t.Errorf("class %q: %+v", class, known)
		}
	}
}

// What is refused in both lanes is two dead letters, and each of its records is
// counted once: published or dead-lettered, by what became of it in the lane
// that lag is measured at.
func TestDeadLetters_CountARecordOnce(t *testing.T) {
	for name, test := range map[string]struct {
		lanes                  map[batch.Lane]bool // that refuse
		letters, dead, records int64
	}{
		"both lanes": {map[batch.Lane]bool{batch.RowsLane: true, batch.LakeLane: true}, 2, 3, 0},
		"rows":       {map[batch.Lane]bool{batch.RowsLane: true}, 1, 3, 0},
		"lake":       {map[batch.Lane]bool{batch.LakeLane: true}, 1, 0, 3},
		"neither":    {nil, 0, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t, func(b *batch.Batch) error {
					if test.lanes[b.Lane] {
						return refusing("no")
					}
					return nil
				})
				c := testClaim(t, func(c *Config) { c.BatchAge, c.LakeAge = time.Second, time.Minute }, l)
				c.bridge.deadLetters = l
				for offset := range int64(3) {
					c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now()})
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				now := c.bridge.Snapshot()
				if now.DeadLetteredBatches != test.letters || now.DeadLetteredRecords != test.dead || now.Records != test.records || c.committable() != 3 {
					t.Errorf("%d dead letters of %d records, %d published, %d committable", now.DeadLetteredBatches, now.DeadLetteredRecords, now.Records, c.committable())
				}
			})
		})
	}
}
