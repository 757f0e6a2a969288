package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	bigquery "google.golang.org/api/bigquery/v2"
)

// tables answers tables.get, patch and update in place of the emulator: see queries.
type tables struct{ database *database }

func (t *tables) get(w http.ResponseWriter, r *http.Request) { t.answer(w, r, nil) }

// patch has the members of the request take the place of those that are known.
func (t *tables) patch(w http.ResponseWriter, r *http.Request) { t.answer(w, r, merge) }

// update has the request take the place of all that is known but what table it is.
func (t *tables) update(w http.ResponseWriter, r *http.Request) {
	t.answer(w, r, func(known, given map[string]any) map[string]any {
		for _, member := range []string{"id", "kind", "type", "tableReference", "creationTime"} {
			if _, ok := given[member]; !ok && known[member] != nil {
				given[member] = known[member]
			}
		}
		return given
	})
}

// answer answers with a table, after a change to what the request gives; nil is none.
func (t *tables) answer(w http.ResponseWriter, r *http.Request, change func(known, given map[string]any) map[string]any) {
	var given bigquery.Table
	if change != nil {
		if err := json.NewDecoder(r.Body).Decode(&given); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("reading the request: %w", err))
			return
		}
	}
	table, err := t.changed(r.Context(), tableID{r.PathValue("project"), r.PathValue("dataset"), r.PathValue("table")}, &given, change)
	switch {
	case errors.Is(err, errNotFound):
		fail(w, http.StatusNotFound, err)
	case err != nil:
		fail(w, http.StatusBadRequest, err)
	default:
		reply(w, table)
	}
}

func (t *tables) changed(
	ctx context.Context, id tableID, given *bigquery.Table, change func(known, given map[string]any) map[string]any,
) (*bigquery.Table, error) {
	conn, err := t.database.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	known := known{conn.sqlite}
	content, err := known.content(ctx, id)
	if err != nil {
		return nil, err
	}
	if change != nil {
		said, err := members(given)
		if err != nil {
			return nil, err
		}
		content = change(content, said)
		if err := known.store(ctx, id, content); err != nil {
			return nil, err
		}
	}
	return known.resource(ctx, id, content)
}
