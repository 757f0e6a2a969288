package warehouse

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
)

// query is what jobs.query and jobs.insert have in common.
type query struct {
	SQL            string                     `json:"query"`
	DefaultDataset *bigquery.DatasetReference `json:"defaultDataset,omitempty"`
	Parameters     json.RawMessage            `json:"queryParameters,omitempty"`
	ParameterMode  string                     `json:"parameterMode,omitempty"`
	DryRun         bool                       `json:"dryRun,omitempty"`
	Labels         map[string]string          `json:"labels,omitempty"`
	MaximumBytes   json.Number                `json:"maximumBytesBilled,omitempty"` // that the query may be billed by

	made *Made // what it says of the table that it makes, or nil
}

// outcome is the result of one statement.
type outcome struct {
	Schema *bigquery.TableSchema `json:"schema"`
	Rows   []json.RawMessage     `json:"rows"`
	Made   []json.RawMessage     `json:"made"` // resources of the tables and views that it has made

	changes map[string]Changes // of rows, by the emulator's name of the table
}

// runner runs statements in the emulator. Hold the gate for every call.
type runner struct {
	emulator *emulator
	tables   *tables
	grants   grants
}

// run runs a query of one or more statements for project.
func (r *runner) run(ctx context.Context, project string, q query, s statement) (*outcome, *apiError) {
	if q.DryRun {
		return r.dryRun(ctx, project, q, s)
	}
	if fault, done := r.dcl(ctx, project, q, s); done {
		return &outcome{Schema: &bigquery.TableSchema{}}, fault
	}
	if s.ddl() {
		// Cut off in the middle, the emulator would forget half of what it did; anything else rolls back.
		ctx = context.WithoutCancel(ctx)
		for _, path := range changed(project, q, s) {
			defer r.tables.forget(path)
		}
	}
	if s.names() && len(s.path) == 1 && q.DefaultDataset == nil {
		return nil, unqualified(s.path[0])
	}
	if len(s.children) > 0 {
		return r.script(ctx, project, q, s.children)
	}
	if s.lenient && (s.creates() || s.kind == "CREATE_VIEW") && r.exists(ctx, project, q, s) {
		return &outcome{Schema: &bigquery.TableSchema{}}, nil // the emulator fails
	}
	if s.creates() || s.kind == "CREATE_VIEW" {
		q.made = madeBy(s)
		if ref, ok := locate(project, q, s.path); ok {
			q.made.Table.TableReference = &ref
		}
	}
	return r.dispatch(ctx, project, q, s)
}

func (r *runner) dispatch(ctx context.Context, project string, q query, s statement) (*outcome, *apiError) {
	switch {
	case s.kind == "CREATE_SCHEMA":
		return r.createSchema(ctx, project, s)
	case s.kind == "DROP_SCHEMA":
		return r.dropSchema(ctx, project, s)
	case s.kind == "TRUNCATE_TABLE": // which would not count its rows
		q.SQL = "DELETE FROM `" + strings.Join(s.path, ".") + "` WHERE TRUE"
	case s.replace && !s.temp && (s.kind == "CREATE_TABLE" || s.kind == "CREATE_TABLE_AS_SELECT" || s.kind == "CREATE_VIEW"):
		return r.replace(ctx, project, q, s)
	}
	if s.kind == "MERGE" {
		var fault *apiError
		if q.SQL, fault = r.prepareMerge(ctx, project, q); fault != nil {
			return nil, fault
		}
	}
	// A SELECT changes nothing, so it may as well be rolled back: then the emulator makes no job that must be deleted.
	return r.send(ctx, project, q, s.kind == "SELECT")
}

// dryRun checks a query. The emulator runs it for that and rolls it back, which leaves what it has made in its memory:
// of a statement that makes something, only the query is checked.
func (r *runner) dryRun(ctx context.Context, project string, q query, s statement) (*outcome, *apiError) {
	switch {
	case !s.ddl():
		return r.send(ctx, project, q, true)
	case len(s.children) == 0 && s.body != "" && (s.kind == "CREATE_TABLE_AS_SELECT" || s.kind == "CREATE_VIEW"):
		q.SQL = s.body
		return r.send(ctx, project, q, true)
	}
	return nil, refused("dry runs of scripts and of statements that change what tables there are")
}

// send runs a query in the emulator, unless that would take it for something else.
func (r *runner) send(ctx context.Context, project string, q query, dryRun bool) (*outcome, *apiError) {
	q.SQL = r.grants.shown(plain(q.SQL))
	if what := missing(lex(q.SQL)); what != "" {
		return nil, refused(what)
	}
	var fault *apiError
	if q.SQL, fault = strict(q); fault != nil {
		return nil, fault
	}
	if !dryRun && r.emulator.catalog.statements(project, q) {
		defer r.tables.gate.collect()
	}
	q.SQL = withNulls(withTypes(q.SQL))
	q.DryRun = dryRun
	answer, fault := r.ask(ctx, project, q)
	if fault != nil {
		return nil, fault
	}
	var result outcome
	if err := json.Unmarshal(answer.body, &result); err != nil {
		return nil, &apiError{code: http.StatusBadRequest, reason: "invalidQuery", message: fmt.Sprintf("reading the emulator's answer: %v", err)}
	}
	result.changes = changesOf(answer.header)
	r.emulator.catalog.made(result.Made)
	if result.Schema != nil {
		nameColumns(result.Schema.Fields)
		if name := duplicate(result.Schema.Fields); name != "" {
			return nil, &apiError{http.StatusBadRequest, "invalidQuery",
				"Duplicate column names in the result are not supported. Found duplicate(s): " + name}
		}
		result.Rows = mendTimestamps(result.Schema.Fields, result.Rows)
	}
	return &result, nil
}

// ask has the emulator run a query, and gives each NULL in it the type that the analyzer misses.
func (r *runner) ask(ctx context.Context, project string, q query) (answer, *apiError) {
	for {
		answer, fault := r.emulator.call(ctx, http.MethodPost, "/projects/"+project+"/queries",
			EngineQuery{SQL: q.SQL, DefaultDataset: q.DefaultDataset, DryRun: q.DryRun, Made: q.made})
		if fault != nil || answer.code == http.StatusOK {
			return answer, fault
		}
		fault = faultOf(answer.code, answer.body, "invalidQuery")
		sql, ok := typedNull(q.SQL, fault.message)
		if !ok {
			return answer, fault
		}
		q.SQL = sql
	}
}

// duplicate is a name that two columns have, or "".
func duplicate(fields []*bigquery.TableFieldSchema) string {
	seen := map[string]bool{}
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		if seen[name] {
			return f.Name
		}
		seen[name] = true
	}
	return ""
}

// nameColumns gives columns without a name the ones that BigQuery gives them: f0_, f1_, …
func nameColumns(fields []*bigquery.TableFieldSchema) {
	unnamed := 0
	for _, f := range fields {
		if strings.HasPrefix(f.Name, "$col") {
			f.Name = fmt.Sprintf("f%d_", unnamed)
			unnamed++
		}
	}
}

// forgetJobs makes the emulator forget its jobs. When that fails, all that is lost is some speed.
func (r *runner) forgetJobs(ctx context.Context) {
	_, _ = r.emulator.call(ctx, http.MethodPost, JobsPath, nil)
}

// sql runs a statement of the gateway's own.
func (r *runner) sql(ctx context.Context, project string, q query, sql string) (*outcome, *apiError) {
	q.SQL = sql
	return r.send(ctx, project, q, false)
}

// locate completes the path of a table with the query's project and default dataset.
func locate(project string, q query, path []string) (ref bigquery.TableReference, ok bool) {
	if n := len(path); n == 1 && q.DefaultDataset != nil {
		path = []string{q.DefaultDataset.DatasetId, path[0]}
	} else if n > 3 {
		path = []string{strings.Join(path[:n-2], "."), path[n-2], path[n-1]}
	}
	switch len(path) {
	case 2:
		return bigquery.TableReference{ProjectId: project, DatasetId: path[0], TableId: path[1]}, true
	case 3:
		return bigquery.TableReference{ProjectId: path[0], DatasetId: path[1], TableId: path[2]}, true
	}
	return bigquery.TableReference{}, false
}

// changed are the paths, in the Storage API's form, of all that a DDL statement, or a script with some, may change.
func changed(project string, q query, s statement) (paths []string) {
	for _, child := range s.children {
		if child.ddl() && !child.temp {
			paths = append(paths, changed(project, q, child)...)
		}
	}
	if len(s.children) > 0 {
		return paths
	}
	if strings.HasSuffix(s.kind, "_SCHEMA") && len(s.path) > 0 {
		return []string{"projects/" + project + "/datasets/" + s.path[len(s.path)-1]}
	}
	if ref, ok := locate(project, q, s.path); ok {
		return []string{tablePath(ref.ProjectId, ref.DatasetId, ref.TableId)}
	}
	return []string{"projects/" + project}
}

// createSchema makes a dataset: the emulator knows CREATE SCHEMA in no form.
func (r *runner) createSchema(ctx context.Context, project string, s statement) (*outcome, *apiError) {
	if len(s.path) == 0 {
		return nil, &apiError{http.StatusBadRequest, "invalidQuery", "Syntax error: CREATE SCHEMA without a name"}
	}
	if len(s.path) > 1 {
		project = s.path[0]
	}
	answer, fault := r.emulator.call(ctx, http.MethodPost, "/projects/"+project+"/datasets", bigquery.Dataset{
		DatasetReference: &bigquery.DatasetReference{ProjectId: project, DatasetId: s.path[len(s.path)-1]},
	})
	if fault != nil {
		return nil, fault
	}
	if answer.code == http.StatusOK {
		return &outcome{Schema: &bigquery.TableSchema{}}, nil
	}
	fault = faultOf(answer.code, answer.body, "invalidQuery")
	if s.lenient && fault.code == http.StatusConflict {
		return &outcome{Schema: &bigquery.TableSchema{}}, nil
	}
	return nil, fault
}

func (r *runner) dropSchema(ctx context.Context, project string, s statement) (*outcome, *apiError) {
	if len(s.path) == 0 {
		return nil, &apiError{http.StatusBadRequest, "invalidQuery", "Syntax error: DROP SCHEMA without a name"}
	}
	if len(s.path) > 1 {
		project = s.path[0]
	}
	defer r.tables.gate.collect()
	path := fmt.Sprintf("/projects/%s/datasets/%s?deleteContents=%t", project, s.path[len(s.path)-1], s.cascade)
	answer, fault := r.emulator.call(ctx, http.MethodDelete, path, nil)
	if fault != nil {
		return nil, fault
	}
	if answer.code < 300 || s.lenient && answer.code == http.StatusNotFound {
		return &outcome{Schema: &bigquery.TableSchema{}}, nil
	}
	return nil, faultOf(answer.code, answer.body, "invalidQuery")
}

// replace runs CREATE OR REPLACE, of which the emulator keeps the old columns: it drops what is there, then creates.
// A query that fails is found before anything is dropped.
func (r *runner) replace(ctx context.Context, project string, q query, s statement) (*outcome, *apiError) {
	ref, ok := locate(project, q, s.path)
	if !ok {
		return r.send(ctx, project, q, false)
	}
	target := "`" + ref.ProjectId + "." + ref.DatasetId + "." + ref.TableId + "`"
	object := "TABLE "
	if s.kind == "CREATE_VIEW" {
		object = "VIEW "
	}
	create := "CREATE " + object + target + s.options
	path := tablePath(ref.ProjectId, ref.DatasetId, ref.TableId)
	creation := q
	creation.SQL, q.made = create+s.body, nil
	if r.emulator.catalog.absent(path) {
		return r.send(ctx, project, creation, false)
	}
	old, fault := r.emulator.call(ctx, http.MethodGet, "/"+path, nil)
	if fault != nil {
		return nil, fault
	}
	if old.code != http.StatusOK {
		return r.send(ctx, project, creation, false)
	}
	if s.body != "" {
		if _, fault := r.sql(ctx, project, q, "SELECT * FROM ("+s.body+") LIMIT 0"); fault != nil {
			return nil, fault
		}
	}
	drop := "DROP TABLE " + target
	var was bigquery.Table
	if err := json.Unmarshal(old.body, &was); err == nil && was.View != nil {
		drop = "DROP VIEW " + target
	}
	if s.kind == "CREATE_TABLE_AS_SELECT" && mentions(s.body, ref.TableId) {
		copied := strings.TrimSuffix(target, "`") + "__replaced_" + strings.ToLower(rand.Text()[:8]) + "`"
		if _, fault := r.sql(ctx, project, q, "CREATE TABLE "+copied+" AS "+s.body); fault != nil { // s.body may read the old version
			return nil, fault
		}
		creation.SQL = create + "SELECT * FROM " + copied
		defer func() { _, _ = r.sql(ctx, project, query{}, "DROP TABLE "+copied) }() // it may stay behind where that fails
	}
	if _, fault := r.sql(ctx, project, q, drop); fault != nil {
		return nil, fault
	}
	return r.send(ctx, project, creation, false)
}

// mentions says whether a query names a table, or something of the same name.
func mentions(sql, tableID string) bool {
	for _, t := range lex(sql) {
		path := strings.Split(strings.Trim(t.text, "`"), ".")
		if (t.kind == word || t.kind == quoted) && strings.EqualFold(path[len(path)-1], tableID) {
			return true
		}
	}
	return false
}

// newJobID returns an id for a job that the client gave none.
func newJobID() string { return "job_" + rand.Text() }
