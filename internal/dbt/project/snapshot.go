package project

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A Snapshot says how a snapshot keeps the history of rows.
type Snapshot struct {
	Strategy    string // timestamp or check
	UpdatedAt   string // column; "" for the moment of the run
	Check       []string
	ChecksAll   bool   // check_cols is all
	HardDeletes string // ignore, invalidate or new_record
	ValidTo     string // dbt_valid_to_current; "" is NULL
	// Names of dbt's columns.
	ValidFromColumn, ValidToColumn, IDColumn, UpdatedAtColumn, DeletedColumn string

	invalidates *bool // invalidate_hard_deletes
	targets     map[string]string
}

// Values of hard_deletes.
const (
	IgnoreDeletes     = "ignore"
	InvalidateDeletes = "invalidate"
	RecordDeletes     = "new_record"
)

func newSnapshot() Snapshot {
	return Snapshot{
		ValidFromColumn: "dbt_valid_from", ValidToColumn: "dbt_valid_to", IDColumn: "dbt_scd_id",
		UpdatedAtColumn: "dbt_updated_at", DeletedColumn: "dbt_is_deleted", targets: map[string]string{},
	}
}

// set takes one setting and reports whether it is a snapshot's, and its value has
// the right type.
func (s *Snapshot) set(key string, value any) (known, ok bool) {
	switch key {
	case "strategy":
		s.Strategy, ok = value.(string)
	case "updated_at":
		s.UpdatedAt, ok = value.(string)
	case "check_cols":
		if s.ChecksAll = value == "all"; s.ChecksAll {
			return true, true
		}
		s.Check, ok = onlyList(value)
	case "hard_deletes":
		s.HardDeletes, ok = value.(string)
	case "invalidate_hard_deletes":
		var invalidates bool
		invalidates, ok = value.(bool)
		s.invalidates = &invalidates
	case "dbt_valid_to_current":
		s.ValidTo, ok = value.(string)
	case "target_schema", "target_database":
		s.targets[key], ok = value.(string)
	case "snapshot_meta_column_names":
		ok = s.setNames(value)
	default:
		return false, false
	}
	return true, ok
}

func (s *Snapshot) setNames(value any) bool {
	fields, ok := value.(map[string]any)
	names := map[string]*string{
		"dbt_valid_from": &s.ValidFromColumn, "dbt_valid_to": &s.ValidToColumn, "dbt_scd_id": &s.IDColumn,
		"dbt_updated_at": &s.UpdatedAtColumn, "dbt_is_deleted": &s.DeletedColumn,
	}
	for key, value := range fields {
		text, isText := value.(string)
		if names[key] == nil || !isText && value != nil {
			return false
		}
		if text != "" {
			*names[key] = text
		}
	}
	return ok
}

// checkSnapshot refuses what dbt refuses, and tables of another dataset.
func (m *Model) checkSnapshot(target Target) error {
	c, s := &m.Config, &m.Config.Snapshot
	fault := ""
	switch {
	case c.Materialized != SnapshotTable:
		fault = "a snapshot is not materialized in another way"
	case s.Strategy == "" || len(c.UniqueKey) == 0:
		fault = "a snapshot has a strategy and a unique_key"
	case s.Strategy != "timestamp" && s.Strategy != "check":
		fault = fmt.Sprintf("strategy is %q: it is timestamp or check: a strategy of one's own is not supported", s.Strategy)
	case s.Strategy == "check" && !s.ChecksAll && len(s.Check) == 0:
		fault = "the strategy check needs check_cols: all, or a list of columns"
	case s.Strategy == "timestamp" && s.UpdatedAt == "":
		fault = "the strategy timestamp needs updated_at"
	case s.Strategy == "timestamp" && (s.ChecksAll || len(s.Check) > 0):
		fault = "the strategy timestamp has no check_cols"
	case s.invalidates != nil && s.HardDeletes != "":
		fault = "invalidate_hard_deletes is dbt's old name for hard_deletes: keep the latter"
	case !slices.Contains([]string{"", IgnoreDeletes, InvalidateDeletes, RecordDeletes}, s.HardDeletes):
		fault = fmt.Sprintf("hard_deletes is %q: it is ignore, invalidate or new_record", s.HardDeletes)
	case s.targets["target_schema"] != "" && s.targets["target_schema"] != target.Dataset:
		fault = fmt.Sprintf("target_schema %q is not supported: all tables land in the dataset of PROD_DATASET: leave it out", s.targets["target_schema"])
	case s.targets["target_database"] != "" && s.targets["target_database"] != target.Project:
		fault = fmt.Sprintf("target_database %q is not supported: all tables land in one project: leave it out", s.targets["target_database"])
	}
	if fault != "" {
		return fmt.Errorf("%s: the snapshot %s: %s", m.Path, m.Name, fault)
	}
	if s.invalidates != nil && *s.invalidates {
		s.HardDeletes = InvalidateDeletes
	}
	c.OnSchemaChange = AppendNew // as dbt does
	return nil
}

var (
	snapshotBegin = regexp.MustCompile(`^\s*\{%-?\s*snapshot\s+\w+\s*-?%\}`)
	snapshotEnd   = regexp.MustCompile(`\{%-?\s*endsnapshot\s*-?%\}\s*$`)
)

func snapshotTree(s *settings) *configTree { return s.snapshots }

// readSnapshots reads the blocks of the files in snapshots/.
func (l *loader) readSnapshots(of *pkg) error {
	for _, folder := range of.settings.snapshotPaths {
		for _, file := range filesUnder(l.files, folder, ".sql") {
			source, err := fs.ReadFile(l.files, file)
			if err != nil {
				return err
			}
			parsed, err := jinja.Parse(file, string(source), 1)
			if err != nil {
				return err
			}
			for _, d := range parsed.Definitions() {
				if d.Kind != TypeSnapshot {
					return &jinja.Error{File: file, Line: d.Line, Err: fmt.Errorf("a %s among snapshots is not supported: put it into a file of macros", d.Kind)}
				}
				base := strings.TrimSuffix(path.Base(file), ".sql")
				fqn := append(of.fqn(folder, file, base), d.Name)
				inner := insideOf(d.Source)
				body, err := jinja.Parse(file, inner, d.Line)
				if err == nil {
					err = l.addSnapshot(of, file, d.Name, fqn, inner, body)
				}
				if err != nil {
					return err
				}
				l.models[d.Name].File = asText(source)
			}
		}
	}
	return nil
}

// insideOf is what stands in a block of a snapshot; a dash at its tags takes the
// white space away.
func insideOf(block string) string {
	begin, end := snapshotBegin.FindString(block), snapshotEnd.FindString(block)
	inner := strings.TrimSuffix(strings.TrimPrefix(block, begin), end)
	if strings.HasSuffix(begin, "-%}") {
		inner = strings.TrimLeft(inner, " \t\r\n")
	}
	if strings.HasPrefix(end, "{%-") {
		inner = strings.TrimRight(inner, " \t\r\n")
	}
	return inner
}

func (l *loader) addSnapshot(of *pkg, file, name string, fqn []string, source string, body *template) error {
	model := &Model{in: of, Resource: of.resource(TypeSnapshot, name, file, fqn), RawSQL: source, File: source, template: body}
	if !of.isRoot() {
		model.template = body.Lenient()
	}
	model.folder, model.over = l.settingsOf(of, fqn, snapshotTree)
	model.asWritten = l.writtenOf(of, fqn, snapshotTree)
	return l.addModel(model)
}

// addSnapshotEntry reads what a yml file says of a snapshot: one with a relation
// is all that there is of it.
func (l *loader) addSnapshotEntry(folder string, doc *document, node ast.Node) error {
	if at := doc.field(node, "relation"); at != nil {
		name, err := doc.named(node)
		if err != nil {
			return err
		}
		source := "select * from {{ " + doc.text(node, "relation") + " }}"
		body, err := jinja.Parse(doc.file, source, max(1, lineOfNode(at)))
		if err == nil {
			err = l.addSnapshot(doc.in, doc.file, name, doc.in.fqn(folder, doc.file, name), source, body)
		}
		if err != nil {
			return err
		}
	}
	return l.addPatch(doc, TypeSnapshot, node)
}
