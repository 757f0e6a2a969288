package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/internal/waterfall"
)

// A tracedRecord is where a record is, with the spans that tell of it.
type tracedRecord struct {
	*ledger.Trace
	Traces []waterfall.Trace `json:"traces,omitempty"` // none where nobody has recorded them
}

// spansOf returns the traces that tell of each of the records. A local system
// that was not started with --traces has none, and the cloud's are in Cloud
// Trace.
func (s *Streams) spansOf(ctx context.Context, records []*ledger.Trace) [][]waterfall.Trace {
	spans := make([][]waterfall.Trace, len(records))
	if s.system == nil || s.system.Variable("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		return spans
	}
	for i, one := range records {
		var err error
		if spans[i], err = spansOfRecord(ctx, s.system.Page, one); err != nil {
			fmt.Fprintf(s.Err, "the spans of %s/%d: %v\n", one.Place, one.Offset, err)
		}
	}
	return spans
}

// ownSpans leaves out the spans that write other objects than those with the
// record, rows of other tables, and models that the record is not in, and counts
// them.
func ownSpans(of *ledger.Trace, traces []waterfall.Trace) (own []waterfall.Trace, others int) {
	mine := map[string]bool{}
	for _, object := range of.Lake {
		mine[object.Name] = true
	}
	for _, row := range slices.Concat(of.Rows, of.Quarantine) {
		mine[row.Table] = true
	}
	for _, one := range traces {
		spans := slices.DeleteFunc(slices.Clone(one.Spans), func(s waterfall.Span) bool {
			object, table := s.Attributes["stationflow.object"], path.Base(s.Attributes["stationflow.table"])
			if model, is := strings.CutPrefix(s.Name, "model "); is && of.Marts != nil {
				return !slices.Contains(of.Marts.Models, model)
			}
			return len(of.Lake) > 0 && object != "" && !mine[object] || len(of.Rows)+len(of.Quarantine) > 0 && table != "." && !mine[table]
		})
		others += len(one.Spans) - len(spans)
		own = append(own, waterfall.Trace{ID: one.ID, Spans: spans})
	}
	return own, others
}

// spansTimeout is plenty for a system on this machine.
const spansTimeout = 10 * time.Second

func spansOfRecord(ctx context.Context, page string, of *ledger.Trace) (found []waterfall.Trace, err error) {
	ctx, cancel := context.WithTimeout(ctx, spansTimeout)
	defer cancel()
	address := fmt.Sprintf("%s/trace/%s/%d/%d?topic_id=%s", page, url.PathEscape(of.Topic), of.Partition, of.Offset, url.QueryEscape(of.TopicID))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", address, err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the local system: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", address, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
		return nil, fmt.Errorf("reading the spans that the local system keeps: %w", err)
	}
	return found, nil
}
