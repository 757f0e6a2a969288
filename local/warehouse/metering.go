package warehouse

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// Metered is what a query is billed by, as BigQuery counts it on demand: the bytes of the columns that it reads, of the
// partitions that conditions on constants leave (https://cloud.google.com/bigquery/pricing#on_demand_pricing).
type Metered struct {
	Kind      string            // BigQuery's statementType
	Labels    map[string]string // of the job: they tell whose it is
	Tables    []TableRead
	Processed int64 // bytes
	Billed    int64 // bytes: at least 10 MiB for each table that anything is read of, in whole MiB
}

// TableRead is what is read of one table.
type TableRead struct {
	Table   string // project.dataset.table
	Columns int
	Bytes   int64
}

const (
	mebibyte    = 1 << 20
	leastBilled = 10 * mebibyte

	// A table that changed is measured again at once if it has few rows, else after some times as long as that took.
	rescanRows   = 20_000
	rescanFactor = 20
)

// meter counts what statements read. It knows tables until they change. The gate guards it: hold it for every call.
type meter struct {
	emulator *emulator
	known    map[string]*measured // by path, see tablePath
}

// measured is a table or a view, and how large it was.
type measured struct {
	table   bigquery.Table
	columns []string // lower case
	view    []token  // the query of a view
	request SizesRequest
	sizes   Sizes
	grown   bool // it may have more rows
	changed bool // by DML: the sizes are not to be trusted
	took    time.Duration
	at      time.Time
}

func newMeter(e *emulator) *meter { return &meter{emulator: e, known: map[string]*measured{}} }

// forget drops what is known of the table at path, or of everything below path.
func (m *meter) forget(path string) {
	for known := range m.known {
		if known == path || strings.HasPrefix(known, path+"/") {
			delete(m.known, known)
		}
	}
}

// reading is what statements read of a table: columns by partition.
type reading struct {
	ref   *bigquery.TableReference
	known *measured
	parts map[string]map[string]bool
}

// metered counts a query of one or more statements, before it runs.
func (m *meter) metered(ctx context.Context, project string, q query, outlined statement) Metered {
	result := Metered{Kind: outlined.kind}
	for _, tokens := range splitStatements(lex(q.SQL)) {
		m.statement(ctx, project, q, outline(q.SQL, tokens), tokens, &result)
	}
	for _, t := range result.Tables {
		result.Processed += t.Bytes
		result.Billed += max(t.Bytes, leastBilled)
	}
	result.Billed = (result.Billed + mebibyte - 1) / mebibyte * mebibyte
	return result
}

// statement adds what one statement reads.
func (m *meter) statement(ctx context.Context, project string, q query, s statement, tokens []token, into *Metered) {
	readings := map[string]*reading{}
	add := func(path []string, n needs, where []condition) {
		if slices.ContainsFunc(path, func(part string) bool { return strings.EqualFold(part, "INFORMATION_SCHEMA") }) {
			into.Tables = append(into.Tables, TableRead{Table: strings.Join(path, "."), Bytes: leastBilled})
			return
		}
		if ref, ok := locate(project, q, path); ok {
			m.add(ctx, readings, ref, n, where)
		}
	}
	whole := func(path []string, where []condition) bool {
		ref, ok := locate(project, q, path)
		known := m.find(ctx, ref)
		if !ok || known == nil || known.request.Partition == "" {
			return false
		}
		m.measure(ctx, known)
		return known.whole(where)
	}
	r := &reads{each: add, whole: whole, view: func(path []string) ([]token, bool) {
		ref, ok := locate(project, q, path)
		if !ok {
			return nil, false
		}
		known := m.find(ctx, ref)
		if known == nil || known.table.View == nil {
			return nil, false
		}
		return known.view, true
	}}
	r.statement(s, tokens)
	for _, path := range slices.Sorted(maps.Keys(readings)) {
		if read := readings[path].total(); read.Bytes > 0 {
			into.Tables = append(into.Tables, read)
		}
	}
}

// add adds the columns of the partitions that the conditions leave.
func (m *meter) add(ctx context.Context, readings map[string]*reading, ref bigquery.TableReference, n needs, where []condition) {
	known := m.find(ctx, ref)
	if known == nil {
		return
	}
	m.measure(ctx, known)
	path := tablePath(ref.ProjectId, ref.DatasetId, ref.TableId)
	if readings[path] == nil {
		readings[path] = &reading{ref: &ref, known: known, parts: map[string]map[string]bool{}}
	}
	columns := n.columnsOf(known.columns)
	for id := range known.sizes.Partitions {
		if !known.keeps(id, where) {
			continue
		}
		if readings[path].parts[id] == nil {
			readings[path].parts[id] = map[string]bool{}
		}
		for _, column := range columns {
			readings[path].parts[id][column] = true
		}
	}
}

func (r *reading) total() TableRead {
	read := TableRead{Table: r.ref.ProjectId + "." + r.ref.DatasetId + "." + r.ref.TableId}
	for id, columns := range r.parts {
		read.Columns = max(read.Columns, len(columns))
		for column := range columns {
			read.Bytes += r.known.sizes.Partitions[id].Columns[column]
		}
	}
	return read
}

// find reads what a table is, or nil when there is none.
func (m *meter) find(ctx context.Context, ref bigquery.TableReference) *measured {
	path := tablePath(ref.ProjectId, ref.DatasetId, ref.TableId)
	if known := m.known[path]; known != nil {
		return known
	}
	answer, fault := m.emulator.call(ctx, http.MethodGet, "/"+path, nil)
	found := &measured{grown: true}
	if fault != nil || answer.code != http.StatusOK || json.Unmarshal(answer.body, &found.table) != nil {
		return nil
	}
	if found.table.Schema == nil {
		if found.table.View == nil {
			return nil
		}
		found.table.Schema = &bigquery.TableSchema{}
	}
	if found.table.View != nil {
		found.view = lex(found.table.View.Query)
	}
	found.request = SizesRequest{Table: storedName(ref)}
	for _, f := range found.table.Schema.Fields {
		name := strings.ToLower(f.Name)
		found.columns = append(found.columns, name)
		if strings.HasPrefix(f.Type, "BOOL") {
			found.request.Bool = append(found.request.Bool, name)
		}
	}
	if by := found.table.TimePartitioning; by != nil {
		found.request.Partition, found.request.Unit = by.Field, cmp.Or(by.Type, "DAY")
	}
	if by := found.table.RangePartitioning; by != nil && by.Range != nil {
		found.request.Partition = by.Field
		found.request.Start, found.request.End, found.request.Interval = by.Range.Start, by.Range.End, by.Range.Interval
	}
	m.known[path] = found
	return found
}

// measure brings a table's sizes up to date: rows that were added cost little, a table that changed is measured whole.
func (m *meter) measure(ctx context.Context, t *measured) {
	if t.table.View != nil || !t.grown && !t.changed || t.changed && t.rows() > rescanRows && time.Since(t.at) < rescanFactor*t.took {
		return
	}
	if t.changed {
		t.sizes, t.changed = Sizes{}, false
	}
	t.request.After = t.sizes.Last
	started := time.Now()
	answer, fault := m.emulator.call(ctx, http.MethodPost, SizesPath, t.request)
	var more Sizes
	if fault != nil || answer.code != http.StatusOK || json.Unmarshal(answer.body, &more) != nil {
		return
	}
	if t.request.After == 0 {
		t.took = time.Since(started)
	}
	t.at, t.grown = time.Now(), false
	t.sizes.Last = max(t.sizes.Last, more.Last)
	if t.sizes.Partitions == nil {
		t.sizes.Partitions = map[string]PartitionSize{}
	}
	for id, part := range more.Partitions {
		sum, known := t.sizes.Partitions[id]
		if !known {
			sum.Columns = map[string]int64{}
		}
		sum.Rows += part.Rows
		for column, bytes := range part.Columns {
			sum.Columns[column] += bytes
		}
		t.sizes.Partitions[id] = sum
	}
}

func (t *measured) rows() (total int64) {
	for _, part := range t.sizes.Partitions {
		total += part.Rows
	}
	return total
}

// grew says that rows were added to the table at path, or below it.
func (m *meter) grew(path string) {
	m.emulator.catalog.rows(path)
	for known, t := range m.known {
		t.grown = t.grown || known == path || strings.HasPrefix(known, path+"/")
	}
}

// changed says that a query of these statements has run: what it changed is measured again.
func (m *meter) changed(project string, q query, outlined statement) {
	statements := outlined.children
	if len(statements) == 0 {
		statements = []statement{outlined}
	}
	for _, s := range statements {
		switch s.kind {
		case "INSERT":
			if ref, ok := locate(project, q, s.path); ok {
				m.grew(tablePath(ref.ProjectId, ref.DatasetId, ref.TableId))
			}
		case "SELECT", "BEGIN_TRANSACTION", "COMMIT_TRANSACTION", "CREATE_VIEW":
		case "DELETE", "UPDATE", "MERGE", "TRUNCATE_TABLE":
			if ref, ok := locate(project, q, s.path); ok {
				if known := m.known[tablePath(ref.ProjectId, ref.DatasetId, ref.TableId)]; known != nil {
					known.changed = true
				}
			}
		default:
			for _, known := range m.known {
				known.changed = true
			}
		}
	}
}

// keeps says whether the conditions leave a partition.
func (t *measured) keeps(id string, where []condition) bool {
	for _, c := range where {
		if !strings.EqualFold(c.column, t.request.Partition) || t.request.Partition == "" {
			continue
		}
		from, to := t.bounds(id)
		if id == NullPartition || !c.keeps(from, to) {
			return false
		}
	}
	return true
}

// whole says whether the conditions leave whole partitions.
func (t *measured) whole(where []condition) bool {
	for id := range t.sizes.Partitions {
		for _, c := range where {
			from, to := t.bounds(id)
			if !strings.EqualFold(c.column, t.request.Partition) ||
				t.keeps(id, where) && !c.covers(from, to) {
				return false
			}
		}
	}
	return true
}

// bounds are where a partition begins and ends.
func (t *measured) bounds(id string) (from, to int64) {
	if id == OtherPartition {
		return math.MinInt64, math.MaxInt64
	}
	if t.request.Interval > 0 {
		n, _ := strconv.ParseInt(id, 10, 64)
		return n, n + t.request.Interval
	}
	begin, err := time.Parse(PartitionLayout(t.request.Unit), id)
	if err != nil {
		return math.MinInt64, math.MaxInt64
	}
	end := begin.AddDate(0, 0, 1)
	switch t.request.Unit {
	case "HOUR":
		end = begin.Add(time.Hour)
	case "MONTH":
		end = begin.AddDate(0, 1, 0)
	case "YEAR":
		end = begin.AddDate(1, 0, 0)
	}
	return begin.UnixMicro(), end.UnixMicro()
}

// limit refuses a query that would bill more than its client allows.
func (m Metered) limit(text string) *apiError {
	most, err := strconv.ParseInt(text, 10, 64)
	if err != nil || most <= 0 || m.Billed <= most {
		return nil //nolint:nilerr // no number is no limit
	}
	return &apiError{http.StatusBadRequest, "bytesBilledLimitExceeded",
		fmt.Sprintf("Query exceeded limit for bytes billed: %d. %d or higher required.", most, m.Billed)}
}
