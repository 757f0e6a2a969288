package warehouse

import (
	"encoding/json"
	"sync"

	bigquery "google.golang.org/api/bigquery/v2"
)

// What is remembered of finished jobs: their number, and the size of their results. The oldest are forgotten first.
const (
	maxJobs        = 1000
	maxResultBytes = 128 << 20
)

// job is a finished job. It is never changed.
type job struct {
	resource *bigquery.Job
	schema   *bigquery.TableSchema
	rows     []json.RawMessage // {"f":[{"v":…},…]}, timestamps in microseconds
	bytes    int
	fault    *apiError // why the statement failed, or nil
	stored   string    // a query that reads the result, which is in a table that the client named, or ""
}

func (j *job) id() string { return j.resource.JobReference.JobId }

// jobs remembers finished jobs. The emulator's own memory of jobs makes every later request slower, and its results are
// lost with it, so jobs are deleted there at once and kept here, in this process only.
type jobs struct {
	mu    sync.Mutex
	byID  map[string]*job
	order []*job // oldest first
	bytes int
}

func newJobs() *jobs { return &jobs{byID: map[string]*job{}} }

// add remembers a job, unless its id is taken.
func (s *jobs) add(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[j.id()] != nil {
		return
	}
	s.byID[j.id()] = j
	s.order = append(s.order, j)
	s.bytes += j.bytes
	for len(s.order) > 1 && (len(s.order) > maxJobs || s.bytes > maxResultBytes) {
		s.remove(s.order[0])
	}
}

// remove forgets a job. The caller holds mu.
func (s *jobs) remove(j *job) {
	delete(s.byID, j.id())
	s.bytes -= j.bytes
	for i, other := range s.order {
		if other == j {
			s.order = append(s.order[:i], s.order[i+1:]...)
			return
		}
	}
}

func (s *jobs) find(id string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

func (s *jobs) delete(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.byID[id]
	if j != nil {
		s.remove(j)
	}
	return j != nil
}

// newest returns the remembered jobs, newest first.
func (s *jobs) newest() []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*job, 0, len(s.order))
	for i := len(s.order) - 1; i >= 0; i-- {
		out = append(out, s.order[i])
	}
	return out
}
