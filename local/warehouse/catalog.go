package warehouse

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// catalog remembers what the emulator answered of tables: its tables.get and tables.list take some 10 ms each, and counting
// rows more. What changes a table says so while it holds the gate. What is remembered may be read without the gate: all
// changes that were answered are in it. It is safe for concurrent use.
//
// Names are compared without regard to case, as the emulator does, which may forget too much.
type catalog struct {
	mu      sync.Mutex
	started time.Time
	answers map[string]answer    // by key
	changed map[string]time.Time // when a table or anything below a dataset or project was changed, by path
	listed  listings             // what tables there may be
}

func newCatalog() *catalog {
	return &catalog{started: time.Now(), answers: map[string]answer{}, changed: map[string]time.Time{}, listed: listings{}}
}

// key is what an answer to GET is remembered by, or "" for what is not: the table's path, or that of a list with its query.
func key(uri string) string {
	path, query, _ := strings.Cut(uri, "?")
	path = strings.ToLower(strings.TrimPrefix(path, "/"))
	parts := strings.Split(path, "/")
	switch {
	case len(parts) < 5 || parts[0] != "projects" || parts[2] != "datasets" || parts[4] != "tables":
		return ""
	case len(parts) == 6:
		return path
	case len(parts) == 5:
		return path + "?" + query
	}
	return ""
}

// find returns what is remembered of a GET request.
func (c *catalog) find(uri string) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.answers[key(uri)]
	return known, ok
}

// keep remembers the answer to a GET request. Hold the gate.
func (c *catalog) keep(uri string, a answer) {
	if k := key(uri); k != "" && a.code == http.StatusOK {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answers[k] = a
		c.listed.learn(k, a.body)
	}
}

// made remembers the tables and views that a statement has made. Hold the gate.
func (c *catalog) made(resources []json.RawMessage) {
	for _, resource := range resources {
		var table bigquery.Table
		if json.Unmarshal(resource, &table) == nil && table.TableReference != nil {
			ref := table.TableReference
			c.keep(tablePath(ref.ProjectId, ref.DatasetId, ref.TableId), answer{code: http.StatusOK, body: resource})
		}
	}
}

// absent says whether the table at path is known not to be there. Hold the gate.
func (c *catalog) absent(path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listed.lacks(strings.ToLower(path))
}

// rows says that the rows of the table at path change.
func (c *catalog) rows(path string) {
	path = strings.ToLower(path)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.answers, path)
	c.note(path)
}

// forget says that the table at path changes, or all that is below path, and what tables there are.
func (c *catalog) forget(path string) {
	path = strings.ToLower(path)
	c.mu.Lock()
	defer c.mu.Unlock()
	for known := range c.answers {
		if known == path || strings.HasPrefix(known, path+"/") || strings.Contains(known, "?") {
			delete(c.answers, known)
		}
	}
	c.listed.change(path)
	c.note(path)
}

// clear drops what is remembered, because the emulator's process was replaced.
func (c *catalog) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.answers)
	clear(c.listed)
}

// note keeps the time, in milliseconds of which no two changes of a path share one. The caller holds mu.
func (c *catalog) note(path string) {
	now := time.Now().Truncate(time.Millisecond)
	if last := c.changed[path]; !now.After(last) {
		now = last.Add(time.Millisecond)
	}
	c.changed[path] = now
}

// modified is when the table at path was changed last: after a start, what was there before counts as changed by it.
func (c *catalog) modified(path string, created time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := created
	if created.Before(c.started) {
		last = c.started
	}
	for at := strings.ToLower(path); at != ""; {
		if changed := c.changed[at]; changed.After(last) {
			last = changed
		}
		end := strings.LastIndexByte(at, '/')
		at = at[:max(end, 0)]
	}
	return last
}

// requested says that a request of a method other than GET was answered, or not at all. The sender of a
// statement says itself what that changes.
func (c *catalog) requested(uri string, code int) {
	path, _, _ := strings.Cut(strings.TrimPrefix(uri, "/"), "?")
	parts := strings.Split(path, "/")
	switch {
	case "/"+path == SizesPath || "/"+path == JobsPath || code == http.StatusNotFound:
	case len(parts) == 3 && (parts[2] == "queries" || parts[2] == "datasets"), len(parts) > 3 && parts[2] == "jobs":
	case parts[0] == "projects" && len(parts) > 5:
		c.forget(strings.Join(parts[:6], "/"))
	case parts[0] == "projects" && len(parts) > 3:
		c.forget(strings.Join(parts[:4], "/"))
	default:
		c.forget("projects")
	}
}

// statements says that statements run, for whom the table names are completed. drops is whether something is dropped.
func (c *catalog) statements(project string, q query) (drops bool) {
	for _, tokens := range splitStatements(lex(q.SQL)) {
		s := outline(q.SQL, tokens)
		drops = drops || s.temp || strings.HasPrefix(s.kind, "DROP_")
		ref, located := locate(project, q, s.path)
		path := tablePath(ref.ProjectId, ref.DatasetId, ref.TableId)
		switch {
		case s.kind == "SELECT" || strings.HasSuffix(s.kind, "_TRANSACTION") || s.temp:
		case !located || strings.HasSuffix(s.kind, "_SCHEMA"):
			c.forget("projects")
		case s.ddl():
			c.forget(path)
		default:
			c.rows(path)
		}
	}
	return drops
}
