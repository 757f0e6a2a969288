package engine

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stationflow/stationflow/local/warehouse"
)

// storedTypes are the emulator's names of types whose values have one size, in bytes
// (https://cloud.google.com/bigquery/pricing#data).
var storedTypes = map[string]int64{
	"date": 8, "datetime": 8, "time": 8, "timestamp": 8, "interval": 16, "range": 16, "numeric": 16, "bignumeric": 32,
}

// sizes answers how many bytes a table's columns have, by partition. It reads the database itself: a query in GoogleSQL
// would cost ten times as much.
// It also clears what the emulator keeps of jobs, for the same reason.
type sizes struct{ database *database }

// noJobs is the emulator's empty list of ids.
var noJobs = base64.StdEncoding.EncodeToString([]byte(`{"header":"array","body":"[]"}`))

// forgetJobs makes the emulator forget all of its jobs, which it reads from the database with each request.
func (s *sizes) forgetJobs(w http.ResponseWriter, r *http.Request) {
	conn, err := s.database.connect(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer conn.Close()
	for _, statement := range []string{"UPDATE projects SET jobIDs = '" + noJobs + "'", "DELETE FROM jobs"} {
		if _, err := conn.sqlite.ExecContext(r.Context(), statement); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
}

func (s *sizes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request warehouse.SizesRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	conn, err := s.database.connect(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer conn.Close()
	answer, err := measure(r.Context(), conn.sqlite, request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the gateway may be gone
}

// measure measures the rows of a table that were added after a row.
func measure(ctx context.Context, conn *sql.Conn, request warehouse.SizesRequest) (*warehouse.Sizes, error) {
	name := "`" + strings.ReplaceAll(request.Table, "`", "``") + "`"
	answer := &warehouse.Sizes{Last: request.After, Partitions: map[string]warehouse.PartitionSize{}}
	rows, err := conn.QueryContext(ctx, "SELECT rowid, * FROM "+name+" WHERE rowid > ? ORDER BY rowid", request.After)
	if err != nil {
		return nil, fmt.Errorf("reading the rows of %s: %w", request.Table, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", request.Table, err)
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("reading a row of %s: %w", request.Table, err)
		}
		answer.Last, _ = values[0].(int64)
		id := ""
		for i, column := range columns {
			if strings.EqualFold(column, request.Partition) && i > 0 {
				id = partitionOf(values[i], request)
			}
		}
		part, known := answer.Partitions[id]
		if !known {
			part = warehouse.PartitionSize{Columns: make(map[string]int64, len(columns))}
		}
		part.Rows++
		for i := 1; i < len(columns); i++ {
			name := strings.ToLower(columns[i])
			if slices.Contains(request.Bool, name) && values[i] != nil {
				part.Columns[name]++
				continue
			}
			part.Columns[name] += sizeOf(values[i])
		}
		answer.Partitions[id] = part
	}
	return answer, rows.Err()
}

// stored is a value as the emulator keeps it, unless it is a number or a boolean: base64 of JSON.
type stored struct {
	Header string `json:"header"`
	Body   string `json:"body"`
}

func decode(text string) (value stored, ok bool) {
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(content, &value) != nil {
		return stored{Body: text}, false
	}
	return value, true
}

// sizeOf is the size of one value by BigQuery's rules; NULL has none.
func sizeOf(value any) int64 {
	switch v := value.(type) {
	case int64, float64, time.Time:
		return 8
	case bool:
		return 1
	case []byte:
		return sizeOf(string(v))
	case string:
		of, known := decode(v)
		if size := storedTypes[of.Header]; size > 0 {
			return size
		}
		switch of.Header {
		case "array":
			var list []any
			_ = json.Unmarshal([]byte(of.Body), &list)
			return sum(list)
		case "struct":
			var content struct {
				Values []any `json:"values"`
			}
			_ = json.Unmarshal([]byte(of.Body), &content)
			return sum(content.Values)
		case "bytes":
			return 2 + int64(base64.StdEncoding.DecodedLen(len(of.Body))) - int64(strings.Count(of.Body, "="))
		case "geography":
			return 16 + 24*int64(strings.Count(of.Body, ",")+1)
		}
		if !known && len(v) == 0 {
			return 2
		}
		return 2 + int64(len(of.Body))
	}
	return 0
}

func sum(values []any) (total int64) {
	for _, value := range values {
		total += sizeOf(value)
	}
	return total
}

// partitionOf is the id of the partition that a value belongs to.
func partitionOf(value any, request warehouse.SizesRequest) string {
	if value == nil {
		return warehouse.NullPartition
	}
	if n, ok := value.(int64); ok {
		if request.Interval <= 0 || n < request.Start || n >= request.End {
			return warehouse.OtherPartition
		}
		return strconv.FormatInt(n-(n-request.Start)%request.Interval, 10)
	}
	text, ok := value.(string)
	if content, isBytes := value.([]byte); isBytes {
		text, ok = string(content), true
	}
	if !ok {
		return warehouse.OtherPartition
	}
	of, _ := decode(text)
	var at time.Time
	if micros, err := strconv.ParseInt(of.Body, 10, 64); err == nil {
		at = time.UnixMicro(micros).UTC()
	} else if day, err := time.Parse(time.DateOnly, of.Body[:min(10, len(of.Body))]); err == nil {
		at = day
		if clock, err := time.Parse("2006-01-02T15", strings.Replace(of.Body[:min(13, len(of.Body))], " ", "T", 1)); err == nil {
			at = clock
		}
	}
	return at.Format(warehouse.PartitionLayout(request.Unit))
}
