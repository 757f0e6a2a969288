package dbtequal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/staged"
)

// Both tools build the projects of testdata/tables on one warehouse, each into
// a dataset of its own. The file "steps" of a case has a line for each time
// that they do so: variables, then flags. After each the relations must be the
// same, with their rows, columns and options.
func TestTables_AreThoseOfDbtCore(t *testing.T) {
	python(t)
	w := staged.Start(t)
	core := startCore(t, w)
	macros, err := os.ReadFile("testdata/tables/local.sql")
	check(t, err)
	for i, c := range readCorpus(t, "testdata/tables/build.corpus") {
		t.Run(c.name, func(t *testing.T) {
			b := &both{T: t, w: w, core: core, by: [2]string{fmt.Sprintf("core_%d", i), fmt.Sprintf("native_%d", i)}}
			b.makeDatasets()
			steps := c.files["steps"]
			delete(c.files, "steps")
			c.files["profiles.yml"], c.files["macros/local.sql"] = onWarehouse, string(macros)
			for name, content := range c.files {
				c.files[name] = withDates(content)
			}
			b.folder = c.write(t)
			for n, step := range strings.Split(strings.TrimSpace(steps), "\n") {
				b.step(fmt.Sprintf("step %d", n+1), step, c.refused)
			}
		})
	}
}

// daysAgo stands in a case for a date.
var daysAgo = regexp.MustCompile(`DAYS_AGO_(\d+)`)

func withDates(content string) string {
	return daysAgo.ReplaceAllStringFunc(content, func(text string) string {
		days, _ := strconv.Atoi(daysAgo.FindStringSubmatch(text)[1])
		return time.Now().UTC().AddDate(0, 0, -days).Format(time.DateOnly)
	})
}

const onWarehouse = `
p:
  target: prod
  outputs:
    prod:
      {type: bigquery, method: oauth-secrets, token: t, project: stationflow-local, dataset: "{{ env_var('DATASET') }}", threads: 1, job_retries: 0, api_endpoint: "{{ env_var('ENDPOINT') }}"}
config: {send_anonymous_usage_stats: false}
`

// both are the tools on one project.
type both struct {
	*testing.T
	w      *staged.Warehouse
	core   *coreProcess
	by     [2]string // datasets of dbt-core and of the runner
	folder string
}

// makeDatasets makes a dataset for each tool. They go with the test: the local
// warehouse takes longer the more tables it has.
func (b *both) makeDatasets() {
	b.Helper()
	for _, name := range b.by {
		dataset := b.w.Client.Dataset(name)
		check(b, dataset.Create(b.Context(), &bigquery.DatasetMetadata{Location: "US"}))
		b.Cleanup(func() { check(b, dataset.DeleteWithContents(context.Background())) })
	}
}

// step has both build, with a line of the file "steps".
func (b *both) step(when, line, refused string) {
	b.Helper()
	vars, flags, _ := strings.Cut(line, "}")
	vars += "}"
	asked := append([]string{"build", "--vars", vars}, strings.Fields(flags)...)
	built := b.core.call(b.T, b.folder, b.by[0], asked)
	report, _, err := b.nativeOf(vars, optionsOf(strings.Fields(flags)))
	if refused != "" {
		said := fmt.Sprint(err)
		if err == nil {
			said = fmt.Sprintf("%+v %s", report.Models, report.Message)
		}
		if !strings.Contains(said, refused) {
			b.Errorf("%s: the runner says %s, want %q in it", when, said, refused)
		}
		return
	}
	if err != nil {
		b.Fatalf("%s: %v", when, err)
	}
	if report.OK() != built.Success {
		b.Errorf("%s: dbt-core succeeded: %v, the runner: %v\n%s\n%+v %s", when, built.Success, report.OK(), built.Said, report.Models, report.Message)
	}
	native := b.relations(b.by[1])
	for name, want := range b.relations(b.by[0]) {
		if strings.Contains(name, "__dbt_tmp") { // see local.sql
			continue
		}
		if got := native[name]; got != want {
			b.Errorf("%s: %s is by dbt-core\n%s\nand by the runner\n%s", when, name, want, got)
		}
		delete(native, name)
	}
	for name := range native {
		if !strings.Contains(name, "__") && name != "transform_lease" {
			b.Errorf("%s: only the runner has %s", when, name)
		}
	}
}

// optionsOf are dbt's flags as the runner takes them.
func optionsOf(flags []string) run.Options {
	options, into := run.Options{Always: true}, (*[]string)(nil)
	for _, flag := range flags {
		switch flag {
		case "--full-refresh":
			options.FullRefresh = true
		case "--select":
			into = &options.Select
		case "--exclude":
			into = &options.Exclude
		default:
			*into = append(*into, flag)
		}
	}
	return options
}

// nativeOf has the runner build.
func (b *both) nativeOf(vars string, options run.Options) (*run.Report, *project.Project, error) {
	config := run.Config{
		Files: os.DirFS(b.folder), Warehouse: b.w.Config, Location: time.UTC, Statement: time.Minute, Log: slog.New(slog.DiscardHandler),
	}
	config.Warehouse.ProdDataset = b.by[1]
	var err error
	if config.Vars, err = project.ParseVars(vars); err != nil {
		return nil, nil, err
	}
	runner, err := run.New(b.Context(), config)
	if err != nil {
		return nil, nil, err
	}
	defer runner.Close()
	report, err := runner.Run(b.Context(), options)
	return report, runner.Project(), err
}

// relations are all tables and views of a dataset, each as a text.
func (b *both) relations(dataset string) map[string]string {
	found := map[string]string{}
	tables := b.w.Client.Dataset(dataset).Tables(b.Context())
	for {
		table, err := tables.Next()
		if errors.Is(err, iterator.Done) {
			return found
		}
		check(b, err)
		if !besidePublished.MatchString(table.TableID) {
			found[table.TableID] = b.relation(dataset, table)
		}
	}
}

// besidePublished are the names of what only the runner reads.
var besidePublished = regexp.MustCompile(`__(next|new|wider)`)

func (b *both) relation(dataset string, table *bigquery.Table) string {
	m, err := table.Metadata(b.Context())
	check(b, err)
	if m.Type == bigquery.ViewTable { // what it reads may have failed
		if _, err := b.w.Client.Query("select * from " + dataset + "." + table.TableID + " limit 0").Read(b.Context()); err != nil {
			return "a view that cannot be read"
		}
	}
	delete(m.Labels, "stationflow-definition")
	granted := b.w.Query("select privilege_type, grantee from `region-us`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where object_schema = '" +
		dataset + "' and object_name = '" + table.TableID + "' order by 1, 2")
	var out strings.Builder
	fmt.Fprintf(&out, "%s %q %v", m.Type, m.Description, m.Labels)
	if len(granted) > 0 {
		fmt.Fprintf(&out, " granted %v", granted)
	}
	if !m.ExpirationTime.IsZero() {
		fmt.Fprintf(&out, " expires after %v", time.Until(m.ExpirationTime).Round(time.Hour))
	}
	if by := m.TimePartitioning; by != nil {
		fmt.Fprintf(&out, " by %s %s, kept %v, filtered %v", by.Type, by.Field, by.Expiration, m.RequirePartitionFilter)
	}
	if by := m.RangePartitioning; by != nil {
		fmt.Fprintf(&out, " by range %s %v, filtered %v", by.Field, *by.Range, m.RequirePartitionFilter)
	}
	if m.Clustering != nil {
		fmt.Fprintf(&out, " clustered %v", m.Clustering.Fields)
	}
	writeSchema(&out, m.Schema, "\n  ")
	var rows []string
	for _, row := range rowsOf(b.w, "*", dataset, table.TableID) {
		text := justNow(row.exact)
		rows = append(rows, fmt.Sprintf("\n    %s %v", strings.ReplaceAll(text, dataset, "DATASET"), row.floats))
	}
	slices.Sort(rows)
	return out.String() + strings.Join(rows, "")
}

var (
	aTime = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000 UTC`)
	aHash = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
)

// justNow is a row without the time of the run, which both tools have of their
// own, and without the hash of it.
func justNow(row string) string {
	isNow := false
	row = aTime.ReplaceAllStringFunc(row, func(text string) string {
		at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", text)
		if err != nil || time.Since(at) > time.Hour {
			return text
		}
		isNow = true
		return "NOW"
	})
	if isNow || strings.Contains(row, "|True|") { // which a deletion's record is, whose hash is of the time, too
		row = aHash.ReplaceAllString(row, "HASH")
	}
	return row
}

func writeSchema(out *strings.Builder, schema bigquery.Schema, indent string) {
	for _, field := range schema {
		fmt.Fprintf(out, "%s%s %s %v %q", indent, field.Name, field.Type, field.Repeated, field.Description)
		writeSchema(out, field.Schema, indent+"  ")
	}
}

// A coreProcess is a Python that runs dbt-core, on a warehouse.
type coreProcess struct {
	*conversation
	endpoint string
}

func startCore(t *testing.T, w *staged.Warehouse) *coreProcess {
	return &coreProcess{converse(t, "build.py"), w.Config.RESTEndpoint}
}

// A builtByCore is what dbt-core made of a project.
type builtByCore struct {
	Success bool
	Results map[string]nodeResult // by id
	Said    string
}

// A nodeResult is what became of a model or a test.
type nodeResult struct {
	Status, Message string
	Failures        *int64
}

func (r nodeResult) failures() string {
	if r.Failures == nil {
		return "no failures counted"
	}
	return fmt.Sprint(*r.Failures)
}

func (c *coreProcess) call(t *testing.T, folder, dataset string, command []string) (built builtByCore) {
	t.Helper()
	c.ask(t, map[string]any{
		"folder": folder, "command": command, "env": map[string]string{"DATASET": dataset, "ENDPOINT": c.endpoint},
	}, &built)
	return built
}
