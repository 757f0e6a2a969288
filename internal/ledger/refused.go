package ledger

import (
	"context"
	"path"
	"slices"

	"cloud.google.com/go/storage"

	"github.com/stationflow/stationflow/internal/lake"
)

// Where ingest has no warehouse, what it refuses is in Parquet objects of the lake,
// beside the bytes that were set aside: their rows are those that the table of the
// quarantine would have.

// listRefused returns these objects of all topics that arrived within the bounds.
func (l *Lake) listRefused(ctx context.Context, in arrived) (all []Object, err error) {
	for _, topic := range l.Topics {
		found, err := l.listed(ctx, topic, &storage.Query{Prefix: lake.QuarantineFolder(topic)}, in)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return slices.DeleteFunc(all, func(o Object) bool { return path.Ext(o.Name) != ".parquet" }), nil
}

// readRefused returns which records the objects hold, as runs of the quarantine,
// and those that cannot be read.
func (l *Lake) readRefused(ctx context.Context, objects []Object) (runs []Run, broken []find, err error) {
	finds, err := each(ctx, objects, l.coordinates)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range finds {
		if f.broken != "" {
			broken = append(broken, f)
		}
		for place, spans := range f.spans {
			for _, span := range spans {
				runs = append(runs, Run{Table: QuarantineTable, Place: place, Span: span, Rows: span.Next - span.First})
			}
		}
	}
	return runs, broken, nil
}
