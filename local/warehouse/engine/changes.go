package engine

import (
	"encoding/json"
	"maps"
	"net/http"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/stationflow/stationflow/local/warehouse"
)

// changes counts the rows that statements insert, update and delete. The emulator runs one statement at a time, and does
// not say how many rows it changed.
type changes struct {
	mu     sync.Mutex
	tables map[string]warehouse.Changes // by the emulator's name of the table
}

// watch counts what is changed over a connection. Temporary tables are no one's business.
func (c *changes) watch(conn *sqlite3.Conn) error {
	conn.UpdateHook(func(action sqlite3.AuthorizerActionCode, schema, table string, _ int64) {
		if schema != "main" {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		n := c.tables[table]
		switch action {
		case sqlite3.AUTH_INSERT:
			n.Inserted++
		case sqlite3.AUTH_UPDATE:
			n.Updated++
		case sqlite3.AUTH_DELETE:
			n.Deleted++
		}
		c.tables[table] = n
	})
	return nil
}

// reset forgets the counts and returns what they were.
func (c *changes) reset() map[string]warehouse.Changes {
	c.mu.Lock()
	defer c.mu.Unlock()
	counted := maps.Clone(c.tables)
	clear(c.tables)
	return counted
}

// report serves a query with the rows that it changed in a header of the answer.
func (c *changes) report(query http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.reset()
		query.ServeHTTP(&reporting{ResponseWriter: w, changes: c}, r)
	})
}

// reporting writes the header before the answer begins, when the statement has ended.
type reporting struct {
	http.ResponseWriter
	changes *changes
	begun   bool
}

func (w *reporting) WriteHeader(code int) {
	if !w.begun {
		w.begun = true
		if counted, err := json.Marshal(w.changes.reset()); err == nil {
			w.Header().Set(warehouse.ChangesHeader, string(counted))
		}
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *reporting) Write(content []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(content)
}
