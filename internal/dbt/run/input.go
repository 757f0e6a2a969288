package run

import (
	"context"
	"fmt"
	"strings"
)

// rowCounts returns how many rows each of the sources that a stored model
// reads has. Staging is only appended to, and loses rows only as whole days of
// UTC expire, so within such a day a table with the same number of rows has
// the same rows.
//
// It is one query of bare counts. They read no column, so BigQuery estimates
// and bills 0 bytes for them. tables.get is free, too, but gives a lower bound
// only of what is in the streaming buffer (streamingBuffer.estimatedRows),
// and a query counts every row that was acknowledged before it.
func (w *warehouse) rowCounts(ctx context.Context, p *plan) (map[string]int64, error) {
	counts := map[string]int64{}
	if len(p.sources) == 0 {
		return counts, nil
	}
	parts := make([]string, len(p.sources))
	for i, source := range p.sources {
		parts[i] = fmt.Sprintf("(select count(*) from %s) as n%d", source.Relation, i)
	}
	rows, err := w.query(ctx, "select\n    "+strings.Join(parts, ",\n    "))
	if err != nil {
		return nil, fmt.Errorf("counting the rows of the sources: %w", err)
	}
	for i, source := range p.sources {
		n, ok := rows[0][fmt.Sprintf("n%d", i)].(int64)
		if !ok {
			return nil, fmt.Errorf("counting the rows of the sources: %s has no count", source.Relation)
		}
		counts[source.ID] = n
	}
	return counts, nil
}
