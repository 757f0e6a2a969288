package warehouse

import (
	"encoding/json"
	"net/http"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
)

// ChangesHeader is where the engine says which rows a query changed: Changes as JSON, by the emulator's name of the table.
const ChangesHeader = "X-Stationflow-Changes"

// Changes counts the rows of one table that a query changed.
type Changes struct {
	Inserted int64 `json:"inserted,omitempty"`
	Updated  int64 `json:"updated,omitempty"`
	Deleted  int64 `json:"deleted,omitempty"`
}

// changesOf reads the engine's header.
func changesOf(header http.Header) map[string]Changes {
	var counted map[string]Changes
	_ = json.Unmarshal([]byte(header.Get(ChangesHeader)), &counted) // an engine that failed has no such header
	return counted
}

// storedName is the emulator's name of a table in its database.
func storedName(ref bigquery.TableReference) string {
	return strings.Join([]string{ref.ProjectId, ref.DatasetId, ref.TableId}, "_")
}

// changesRows says whether the statement is one of those whose jobs say how many rows they changed.
func (s *statement) changesRows() bool {
	switch s.kind {
	case "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE_TABLE":
		return true
	}
	return false
}

// countChanges writes into a job's statistics how many rows of its table were changed.
func countChanges(stats *bigquery.JobStatistics2, n Changes) {
	stats.NumDmlAffectedRows = n.Inserted + n.Updated + n.Deleted
	stats.DmlStats = &bigquery.DmlStatistics{
		InsertedRowCount: n.Inserted, UpdatedRowCount: n.Updated, DeletedRowCount: n.Deleted,
		ForceSendFields: []string{"InsertedRowCount", "UpdatedRowCount", "DeletedRowCount"},
	}
	stats.ForceSendFields = append(stats.ForceSendFields, "NumDmlAffectedRows")
}
