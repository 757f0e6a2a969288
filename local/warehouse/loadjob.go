package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// loading is a load job under way.
type loading struct {
	ref      *bigquery.JobReference
	config   *bigquery.JobConfigurationLoad
	contents [][]byte
	started  time.Time
}

// loadFormats are those that the local warehouse loads.
var loadFormats = map[string]bool{"": true, "CSV": true, "NEWLINE_DELIMITED_JSON": true, "PARQUET": true}

// refused says why a load job is not run, or nil.
func (l *loading) refused() *apiError {
	switch {
	case l.config.DestinationTable == nil:
		return &apiError{http.StatusBadRequest, "required", "Required parameter is missing: destinationTable"}
	case !loadFormats[l.config.SourceFormat]:
		return &apiError{http.StatusBadRequest, "invalid",
			"the local warehouse loads CSV, NEWLINE_DELIMITED_JSON and PARQUET, not " + l.config.SourceFormat}
	case len(l.config.SchemaUpdateOptions) > 0:
		return &apiError{http.StatusBadRequest, "invalid", "the local warehouse adds no columns by a load job: create the table with them"}
	case l.config.HivePartitioningOptions != nil:
		return &apiError{http.StatusBadRequest, "invalid", "the local warehouse reads no columns from the names of objects (hive partitioning)"}
	}
	return nil
}

// insertLoad answers a load job: one that failed is a job with an error, and leaves nothing behind.
func (s *rest) insertLoad(w http.ResponseWriter, r *http.Request, job map[string]any, ref *bigquery.JobReference, contents [][]byte) {
	l := &loading{ref: ref, config: &bigquery.JobConfigurationLoad{}, contents: contents, started: time.Now()}
	asSent(job)
	config, _ := job["configuration"].(map[string]any)
	if err := convert(config["load"], l.config); err != nil {
		(&apiError{http.StatusBadRequest, "parseError", "reading the job: " + err.Error()}).write(w)
		return
	}
	fault := l.refused()
	if fault == nil && contents == nil {
		l.contents, fault = s.objects.read(r.Context(), l.config.SourceUris)
	}
	var rows int64
	if fault == nil {
		if !s.enter(w, r) {
			return
		}
		rows, fault = s.loadNow(detached(r), job, l)
		s.tables.forget(tablePath(l.target()))
		s.gate.leave()
	}
	j := l.job(rows, fault)
	s.jobs.add(j)
	writeJSON(w, http.StatusOK, j.resource)
}

func (l *loading) target() (project, dataset, table string) {
	to := l.config.DestinationTable
	if to.ProjectId == "" {
		to.ProjectId = l.ref.ProjectId
	}
	return to.ProjectId, to.DatasetId, to.TableId
}

// loadNow loads, and removes a table that a failed load has made. Hold the gate.
func (s *rest) loadNow(ctx context.Context, job map[string]any, l *loading) (rows int64, fault *apiError) {
	if project, dataset, _ := l.target(); dataset == resultDataset {
		if fault := s.makeResultDataset(ctx, project); fault != nil {
			return 0, fault
		}
	}
	existing, fault := s.existing(ctx, l)
	if fault != nil {
		return 0, fault
	}
	before := s.countRows(ctx, l)
	if l.config.SourceFormat == "PARQUET" {
		fault = s.loadParquet(ctx, l, existing)
	} else {
		if existing == nil && l.config.Schema != nil {
			nameTypes(l.config.Schema.Fields)
			fault = s.createFor(ctx, l, &bigquery.Table{TableReference: l.config.DestinationTable, Schema: l.config.Schema})
		}
		if fault == nil {
			fault = s.loadText(ctx, job, l)
		}
	}
	if fault != nil {
		if existing == nil {
			_, _ = s.emulator.call(ctx, http.MethodDelete, "/"+tablePath(l.target()), nil) // it may not be there
		}
		return 0, fault
	}
	if existing == nil || l.config.WriteDisposition == "WRITE_TRUNCATE" {
		before = 0
	}
	return s.countRows(ctx, l) - before, nil
}

// existing reads the target, or nil when there is none.
func (s *rest) existing(ctx context.Context, l *loading) (*bigquery.Table, *apiError) {
	answer, fault := s.emulator.call(ctx, http.MethodGet, "/"+tablePath(l.target()), nil)
	var table bigquery.Table
	switch {
	case fault != nil:
		return nil, fault
	case answer.code != http.StatusOK && l.config.CreateDisposition == "CREATE_NEVER":
		return nil, faultOf(answer.code, answer.body, "invalid")
	case answer.code != http.StatusOK || json.Unmarshal(answer.body, &table) != nil || table.Schema == nil:
		return nil, nil //nolint:nilerr // a table that cannot be read has no schema to take over
	}
	nameTypes(table.Schema.Fields)
	if l.config.WriteDisposition == "WRITE_EMPTY" && s.countRows(ctx, l) > 0 {
		project, dataset, id := l.target()
		return nil, &apiError{http.StatusConflict, "duplicate", "Already Exists: Table " + project + ":" + dataset + "." + id}
	}
	return &table, nil
}

func (s *rest) countRows(ctx context.Context, l *loading) int64 {
	project, dataset, table := l.target()
	counted, fault := s.runner.send(ctx, project, query{SQL: fmt.Sprintf("SELECT COUNT(*) FROM `%s.%s.%s`", project, dataset, table)}, true)
	var count struct {
		F []struct {
			V string `json:"v"`
		} `json:"f"`
	}
	if fault != nil || len(counted.Rows) == 0 || json.Unmarshal(counted.Rows[0], &count) != nil || len(count.F) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(count.F[0].V, 10, 64)
	return n
}

// loadText lets the emulator load CSV or JSON.
func (s *rest) loadText(ctx context.Context, job map[string]any, l *loading) *apiError {
	config, _ := job["configuration"].(map[string]any)
	load, _ := config["load"].(map[string]any)
	delete(load, "sourceUris")
	content := joined(l.contents, 0)
	if l.config.SourceFormat == "" || l.config.SourceFormat == "CSV" {
		skip := int(l.config.SkipLeadingRows)
		if l.config.Autodetect {
			skip = max(skip, 1)
		}
		content = mendCSV(joined(l.contents, skip), skip)
	}
	job["jobReference"] = l.ref
	mendLoad(job)
	body, boundary, err := writeMultipart(job, content)
	if err != nil {
		return &apiError{http.StatusBadRequest, "invalid", err.Error()}
	}
	path := "/upload/bigquery/v2/projects/" + l.ref.ProjectId + "/jobs?uploadType=multipart"
	header := http.Header{"Content-Type": {"multipart/related; boundary=" + boundary}}
	answer, fault := s.emulator.send(ctx, http.MethodPost, path, header, strings.NewReader(string(body)))
	if fault == nil && answer.code >= http.StatusBadRequest {
		fault = faultOf(answer.code, answer.body, "invalid")
	}
	s.runner.forgetJobs(ctx)
	return fault
}

// loadParquet inserts the rows of Parquet files in one transaction.
func (s *rest) loadParquet(ctx context.Context, l *loading, existing *bigquery.Table) *apiError {
	invalid := func(err error) *apiError { return &apiError{http.StatusBadRequest, "invalid", err.Error()} }
	lists := l.config.ParquetOptions != nil && l.config.ParquetOptions.EnableListInference
	var target []*bigquery.TableFieldSchema
	if l.config.Schema != nil {
		nameTypes(l.config.Schema.Fields)
		target = l.config.Schema.Fields
	}
	if existing != nil && l.config.WriteDisposition != "WRITE_TRUNCATE" {
		target = existing.Schema.Fields
	}
	var rows []string
	for _, content := range l.contents {
		file, err := openParquet(content, lists)
		if err != nil {
			return invalid(err)
		}
		if target == nil {
			target = file.fields
		}
		if err := fitColumns(file.fields, target, ""); err != nil {
			return invalid(err)
		}
		err = file.rows(target, func(row map[string]any) error {
			literal, err := structLiteral(target, row, false, "(", ")", false)
			rows = append(rows, literal)
			return err
		})
		if err != nil {
			return invalid(err)
		}
	}
	project, dataset, id := l.target()
	name := "`" + project + "." + dataset + "." + id + "`"
	replaced := existing != nil && l.config.WriteDisposition == "WRITE_TRUNCATE"
	if replaced && fitColumns(target, existing.Schema.Fields, "") == nil && len(target) == len(existing.Schema.Fields) {
		return s.insertAtOnce(ctx, project, name, "DELETE FROM "+name+" WHERE TRUE;", target, rows)
	}
	if replaced {
		if _, fault := s.runner.sql(ctx, project, query{}, "DROP TABLE "+name); fault != nil {
			return fault
		}
	}
	if existing == nil || replaced {
		table := &bigquery.Table{TableReference: l.config.DestinationTable, Schema: &bigquery.TableSchema{Fields: target}}
		if fault := s.createFor(ctx, l, table); fault != nil {
			return fault
		}
	}
	return s.insertAtOnce(ctx, project, name, "", target, rows)
}

// createFor makes the table of a load job.
func (s *rest) createFor(ctx context.Context, l *loading, table *bigquery.Table) *apiError {
	table.TimePartitioning, table.RangePartitioning = l.config.TimePartitioning, l.config.RangePartitioning
	table.Clustering = l.config.Clustering
	ddl, fault := ddlOf(table)
	if fault == nil {
		_, fault = s.runner.send(ctx, l.ref.ProjectId, query{SQL: ddl, made: &Made{Table: *table}}, false)
	}
	return fault
}

// insertAtOnce inserts rows, all or none.
func (s *rest) insertAtOnce(
	ctx context.Context, project, name, before string, fields []*bigquery.TableFieldSchema, rows []string,
) *apiError {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = "`" + f.Name + "`"
	}
	var script strings.Builder
	script.WriteString("BEGIN TRANSACTION;" + before)
	for start := 0; start < len(rows); start += rowsPerInsert {
		part := rows[start:min(start+rowsPerInsert, len(rows))]
		script.WriteString("INSERT INTO " + name + " (" + strings.Join(names, ",") + ") VALUES " + strings.Join(part, ",") + ";")
	}
	script.WriteString("COMMIT TRANSACTION")
	_, fault := s.runner.sql(ctx, project, query{}, script.String())
	return fault
}

// fitColumns says why a file's columns do not fit a table's, or nil.
func fitColumns(fields, target []*bigquery.TableFieldSchema, prefix string) error {
	for _, f := range fields {
		to := fieldNamed(target, f.Name)
		switch {
		case to == nil:
			return fmt.Errorf("Provided Schema does not match Table. Cannot add fields (field: %s%s)", prefix, f.Name)
		case (to.Mode == "REPEATED") != (f.Mode == "REPEATED"):
			return fmt.Errorf("Provided Schema does not match Table. Field %s%s has changed mode", prefix, f.Name)
		case to.Type != f.Type && !widens[f.Type+" "+to.Type]:
			return fmt.Errorf("Provided Schema does not match Table. Field %s%s has changed type from %s to %s", prefix, f.Name, to.Type, f.Type)
		}
		if err := fitColumns(f.Fields, to.Fields, prefix+f.Name+"."); err != nil {
			return err
		}
	}
	return nil
}

// widens are the types of Parquet that a table may hold as others.
var widens = map[string]bool{
	"TIMESTAMP DATETIME": true, "STRING JSON": true, "NUMERIC BIGNUMERIC": true, "INTEGER NUMERIC": true,
	"INTEGER BIGNUMERIC": true, "INTEGER FLOAT": true, "BYTES STRING": false,
}

func fieldNamed(fields []*bigquery.TableFieldSchema, name string) *bigquery.TableFieldSchema {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

// job is the job of a load that has ended.
func (l *loading) job(rows int64, fault *apiError) *job {
	ended, bytes := time.Now(), int64(0)
	for _, content := range l.contents {
		bytes += int64(len(content))
	}
	j := &job{resource: &bigquery.Job{
		Kind: "bigquery#job", Id: l.ref.ProjectId + ":" + l.ref.Location + "." + l.ref.JobId, JobReference: l.ref,
		Configuration: &bigquery.JobConfiguration{JobType: "LOAD", Load: l.config},
		Status:        &bigquery.JobStatus{State: "DONE"},
		Statistics: &bigquery.JobStatistics{
			CreationTime: l.started.UnixMilli(), StartTime: l.started.UnixMilli(), EndTime: ended.UnixMilli(),
			Load: &bigquery.JobStatistics3{
				InputFiles: int64(len(l.contents)), InputFileBytes: bytes, OutputRows: rows, OutputBytes: bytes,
				ForceSendFields: []string{"InputFiles", "InputFileBytes", "OutputRows", "OutputBytes"},
			},
		},
	}}
	if fault != nil {
		j.fault = fault
		j.resource.Status.ErrorResult = fault.proto()
		j.resource.Status.Errors = []*bigquery.ErrorProto{fault.proto()}
	}
	return j
}
