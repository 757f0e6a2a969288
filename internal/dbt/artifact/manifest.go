package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// Manifest is manifest.json. compiled holds SQL by id, as far as it is known.
func Manifest(p *project.Project, compiled map[string]string, invocation string, at time.Time) []byte {
	head := Metadata("manifest/v12", invocation, at)
	maps.Copy(head, fields{"project_name": p.Name, "project_id": projectID(p.Name), "adapter_type": "bigquery"})
	nodes, sources := fields{}, fields{}
	parents, children := map[string][]string{}, map[string][]string{}
	related := p.Resources()
	for _, exposure := range p.Exposures {
		related = append(related, &exposure.Resource)
	}
	for _, resource := range related {
		parents[resource.ID], children[resource.ID] = []string{}, []string{}
	}
	for _, resource := range related {
		for _, parent := range resource.Reads {
			parents[resource.ID] = append(parents[resource.ID], parent)
			children[parent] = append(children[parent], resource.ID)
		}
	}
	for _, model := range p.Models {
		nodes[model.ID] = modelNode(p, model, compiled)
	}
	for _, test := range p.Tests {
		nodes[test.ID] = testNode(p, test, compiled)
	}
	for _, source := range p.Sources {
		sources[source.ID] = sourceNode(source)
	}
	manifest := fields{"metadata": head, "nodes": nodes, "sources": sources, "parent_map": parents, "child_map": children}
	manifest["macros"], manifest["exposures"], manifest["unit_tests"] = documents(p)
	for _, empty := range []string{"docs", "metrics", "groups", "selectors", "disabled", "group_map", "saved_queries", "semantic_models"} {
		manifest[empty] = fields{}
	}
	return Encode(manifest)
}

// node is what all nodes of a manifest have.
func node(p *project.Project, of *project.Resource, sql string, compiled bool) fields {
	tags := of.Tags
	if tags == nil {
		tags = []string{}
	}
	out := entryOf(of)
	maps.Copy(out, fields{"database": p.Target().Project, "schema": p.Target().Dataset, "alias": of.Name, "tags": tags, "language": "sql"})
	if of.Type != project.TypeSeed {
		refs, sources := reads(p, of)
		out["refs"], out["sources"], out["metrics"] = refs, sources, []any{}
		out["depends_on"] = fields{"macros": orEmpty(of.Macros), "nodes": orEmpty(of.Reads)}
		out["compiled"], out["compiled_code"] = compiled, orNull(sql)
		out["compiled_path"] = nil
	}
	return out
}

// below is a path within the folder of the project that it begins with.
func below(path string) string {
	if _, rest, ok := strings.Cut(path, "/"); ok {
		return rest
	}
	return path
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func reads(p *project.Project, of *project.Resource) (refs []fields, sources [][]string) {
	refs, sources = []fields{}, [][]string{}
	for _, id := range of.Reads {
		if source := p.Source(id); source != nil {
			sources = append(sources, []string{source.SourceName, source.Name})
		} else {
			refs = append(refs, fields{"name": project.NameOf(id), "package": nil, "version": nil})
		}
	}
	return refs, sources
}

func modelNode(p *project.Project, model *project.Model, compiled map[string]string) fields {
	sql, known := compiled[model.ID]
	out := node(p, &model.Resource, sql, known)
	config := fields{}
	maps.Copy(config, model.Config.All)
	config["materialized"], config["enabled"], config["tags"] = model.Config.Materialized, true, out["tags"]
	columns := fields{}
	for _, column := range model.Columns {
		columns[column.Name] = fields{"name": column.Name, "description": column.Description, "data_type": orNull(column.Declared), "meta": fields{}, "tags": []any{}, "constraints": []any{}}
	}
	written := model.Written()
	maps.Copy(out, fields{
		"alias": model.Table(), "checksum": sumOf(model), "config": config,
		"unrendered_config": written, "access": model.Access(), "description": model.Description, "columns": columns, "raw_code": model.RawSQL, "relation_name": p.Relation(model),
	})
	if model.Config.Materialized == project.Ephemeral {
		out["relation_name"] = nil
	}
	if model.Type == project.TypeSeed {
		delete(out, "language")
		delete(out, "access")
		out["raw_code"] = "" // dbt keeps no rows there
	} else {
		out["contract"] = fields{"enforced": model.Config.Contract, "alias_types": true, "checksum": orNull(contractSum(model))}
	}
	return out
}

// checksum is dbt's of a file: white space counts as one space.
func checksum(of string) fields {
	return sum(strings.Join(strings.Fields(of), " "))
}

func sum(of string) fields {
	sum := sha256.Sum256([]byte(of))
	return fields{"name": "sha256", "checksum": hex.EncodeToString(sum[:])}
}

// sumOf is the checksum of a model's file, or of a seed's, whose white space
// counts as it is.
func sumOf(model *project.Model) fields {
	if model.Type == project.TypeSeed {
		return sum(strings.TrimSpace(model.File))
	}
	return checksum(model.File)
}

// contractSum is dbt's checksum of a contract: of the columns by name, and of
// the materialization where it enforces constraints.
func contractSum(model *project.Model) string {
	if !model.Config.Contract {
		return ""
	}
	columns := slices.Clone(model.Columns)
	slices.SortFunc(columns, func(a, b project.Column) int { return strings.Compare(a.Name, b.Name) })
	state := ""
	for _, column := range columns {
		constraints := "[]"
		if column.NotNull {
			constraints = "[ColumnLevelConstraint(type=<ConstraintType.not_null: 'not_null'>, name=None, expression=None, warn_unenforced=True, " +
				"warn_unsupported=True, to=None, to_columns=[])]"
		}
		state += "|" + column.Name + orDefault(column.Declared, "None") + constraints
	}
	if kind := model.Config.Materialized; kind == project.Table || kind == project.Incremental {
		state += kind + "[]"
	}
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:])
}

func testNode(p *project.Project, test *project.Test, compiled map[string]string) fields {
	sql, known := compiled[test.ID]
	out := node(p, &test.Resource, sql, known)
	severity := "error"
	if test.Warn {
		severity = "warn"
	}
	config := fields{"tags": []any{}}
	maps.Copy(config, test.Config)
	maps.Copy(config, fields{
		"enabled": true, "materialized": "test", "severity": severity,
		"warn_if": orDefault(test.WarnIf, "!= 0"), "error_if": orDefault(test.ErrorIf, "!= 0"), "fail_calc": orDefault(test.FailCalc, "count(*)"),
	})
	maps.Copy(out, fields{
		"alias": test.Alias, "checksum": checksum(test.File), "raw_code": test.Code, "unrendered_config": test.Written(), "schema": p.Target().Dataset + "_dbt_test__audit",
		"config": config,
	})
	if test.Kind != project.Singular {
		out["path"] = test.Short + ".sql"
		out["column_name"] = orNull(test.Column)
		out["checksum"] = fields{"name": "none", "checksum": ""}
		out["test_metadata"] = fields{"name": test.Kind, "kwargs": test.Kwargs, "namespace": orNull(test.Namespace)}
	}
	return out
}

func orDefault(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

func sourceNode(source *project.Source) fields {
	parts := strings.Split(strings.ReplaceAll(source.Relation, "`", ""), ".")
	var freshness any
	if source.Warn != nil || source.Error != nil || source.Filter != "" {
		freshness = fields{"warn_after": limit(source.Warn), "error_after": limit(source.Error), "filter": orNull(source.Filter)}
	}
	return fields{
		"database": parts[0], "schema": parts[1], "identifier": parts[2], "name": source.Name, "resource_type": source.Type, "package_name": source.Package,
		"path": source.Within(), "original_file_path": source.Within(), "unique_id": source.ID, "fqn": source.FQN,
		"source_name": source.SourceName, "source_description": "", "loader": "", "description": source.Description, "columns": fields{}, "tags": orEmpty(source.Tags),
		"relation_name": source.Relation, "unrendered_config": source.Written(freshness),
		"unrendered_database": orNull(source.WrittenDatabase), "unrendered_schema": orNull(source.WrittenSchema), "loaded_at_field": orNull(source.LoadedAt), "freshness": freshness,
	}
}

func limit(age *project.Age) fields {
	if age == nil {
		return fields{"count": nil, "period": nil}
	}
	return fields{"count": age.Count, "period": age.Period}
}

// An Age is a source's freshness.
type Age struct {
	Source          *project.Source
	Status          string // pass, warn, error or runtime error
	Newest, AskedAt time.Time
	Started         time.Time
	Took            time.Duration
	Message         string
}

// Sources is sources.json.
func Sources(invocation string, at time.Time, took time.Duration, ages []Age) []byte {
	list := make([]fields, len(ages))
	for i, age := range ages {
		if age.Status == "runtime error" {
			list[i] = fields{"unique_id": age.Source.ID, "status": age.Status, "error": age.Message}
			continue
		}
		list[i] = fields{
			"unique_id": age.Source.ID, "status": age.Status, "thread_id": "main", "execution_time": age.Took.Seconds(), "adapter_response": fields{},
			"max_loaded_at": age.Newest.UTC().Format(stamp), "snapshotted_at": age.AskedAt.UTC().Format(stamp),
			"max_loaded_at_time_ago_in_s": age.AskedAt.Sub(age.Newest).Seconds(),
			"criteria":                    fields{"warn_after": limit(age.Source.Warn), "error_after": limit(age.Source.Error), "filter": orNull(age.Source.Filter)},
			"timing":                      []fields{{"name": "execute", "started_at": age.Started.UTC().Format(stamp), "completed_at": age.Started.Add(age.Took).UTC().Format(stamp)}},
		}
	}
	return Encode(fields{"metadata": Metadata("sources/v3", invocation, at), "results": list, "elapsed_time": took.Seconds()})
}
