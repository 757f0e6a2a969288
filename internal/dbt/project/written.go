package project

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A writtenConfig is what dbt keeps to find out whether somebody has
// changed it: as it stands in the files, and not what it comes to. The later
// of its parts win.
type writtenConfig struct {
	fqn    []string
	tree   *configTree // of the package's dbt_project.yml
	doc    *document   // with the entry; nil for none
	entry  ast.Node
	source string         // whose first call of config counts
	called map[string]any // what the calls of config came to
	over   *configTree    // of the project's dbt_project.yml, for a package; nil for none
	// isModel says that dbt reads the file without Jinja if it can, and keeps
	// what the calls came to then.
	isModel bool
}

// all is the configuration.
func (w *writtenConfig) all() map[string]any {
	config := w.tree.written(w.fqn)
	if w.doc != nil {
		maps.Copy(config, entryOf(w.doc, w.entry))
	}
	calls := map[string]string{}
	if strings.Contains(w.source, "config") && len(w.called) > 0 {
		parsed, err := jinja.Parse("", strings.TrimSpace(w.source), 1)
		must(err) // it was parsed before
		if !w.isModel || !isSimple(parsed, w.source) {
			calls, _ = parsed.WrittenCall("config")
		}
	}
	for key, text := range calls {
		config[key] = text
	}
	if len(calls) == 0 {
		maps.Copy(config, w.called)
	}
	if w.over != nil {
		maps.Copy(config, w.over.written(w.fqn))
	}
	return config
}

// writtenOf is the configuration of a resource before its file is rendered.
func (l *loader) writtenOf(of *pkg, fqn []string, tree func(*settings) *configTree) writtenConfig {
	w := writtenConfig{fqn: fqn, tree: tree(of.settings)}
	if !of.isRoot() {
		w.over = tree(l.packages[0].settings)
	}
	return w
}

// Written is the configuration of a model or seed as it stands in the files.
func (m *Model) Written() map[string]any { return m.asWritten.all() }

// Written is the configuration of a test as it stands in the files.
func (t *Test) Written() map[string]any { return t.asWritten.all() }

// Written is the configuration of a source as it stands in the files, with the
// freshness that it comes to.
func (s *Source) Written(freshness any) map[string]any {
	w := &s.asWritten
	config := w.tree.written(s.FQN)
	for _, entry := range s.entries {
		maps.Copy(config, rawOf(w.doc, w.doc.field(entry, "config")))
	}
	delete(config, "freshness")
	if freshness != nil || s.freshness {
		config["freshness"] = freshness
	}
	config["loaded_at_field"], config["loaded_at_query"] = any(nil), any(nil)
	if s.LoadedAt != "" {
		config["loaded_at_field"] = s.LoadedAt
	}
	meta, tags := map[string]any{}, []any{}
	for _, entry := range s.entries {
		for _, node := range []ast.Node{entry, w.doc.field(entry, "config")} {
			maps.Copy(meta, rawOf(w.doc, w.doc.field(node, "meta")))
			if value, err := w.doc.value(w.doc.field(node, "tags")); err == nil && value != nil {
				plain, _ := jinja.Go(value)
				tags, _ = addTags(tags, plain).([]any)
			}
		}
	}
	config["meta"], config["tags"] = meta, append([]any{}, tags...)
	if w.over != nil {
		maps.Copy(config, w.over.written(s.FQN))
	}
	return config
}

// asText is a file as Python reads it, of which dbt makes a checksum.
func asText(content []byte) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(content))
}

// notSimple are signs of what dbt's reader of simple files does not know.
var (
	notSimple = regexp.MustCompile(`\{%|\{\{-|-\}\}|\{#-|-#\}`)
	lowercase = regexp.MustCompile(`\b(?:true|false|none|None)\b`)
	inQuotes  = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	anOutput  = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
)

// isSimple reports whether dbt reads a file without rendering it.
func isSimple(of *template, source string) bool {
	if notSimple.MatchString(source) || !of.Calls("ref", "source", "config") {
		return false
	}
	for _, output := range anOutput.FindAllString(source, -1) {
		if lowercase.MatchString(inQuotes.ReplaceAllString(output, "")) {
			return false
		}
	}
	return true
}

// rawOf is a yml value with its texts as they are; nil where it is none.
func rawOf(doc *document, node ast.Node) map[string]any {
	value, err := doc.value(node)
	if err != nil {
		return nil // who reads it says so
	}
	plain, err := jinja.Go(value)
	fields, ok := plain.(map[string]any)
	if err != nil || !ok {
		return nil
	}
	return fields
}

// entryOf is what an entry of a yml file configures, as it is written; dbt
// moves some of its names into the configuration.
func entryOf(doc *document, entry ast.Node) map[string]any {
	config := map[string]any{}
	for _, name := range []string{"meta", "docs", "group", "access", "contract"} {
		if node := doc.field(entry, name); node != nil {
			value, _ := doc.value(node) // who reads it says what is wrong
			config[name], _ = jinja.Go(value)
		}
	}
	maps.Copy(config, rawOf(doc, doc.field(entry, "config")))
	return config
}

// configArguments are what may stand beside the arguments of a generic test,
// in the order in which dbt writes them.
var configArguments = []string{
	"severity", "tags", "enabled", "where", "limit", "warn_if", "error_if", "fail_calc", "store_failures", "store_failures_as", "sql_header", "meta",
	"database", "schema", "alias",
}

// testCode is what dbt makes of a generic test's entry: the call of its macro
// and of config.
func testCode(macro string, config map[string]any, more []string) (code string, err error) {
	var parts []string
	for _, key := range append(append([]string{}, configArguments...), more...) {
		value, given := config[key]
		if !given || value == nil {
			continue
		}
		text, isText := value.(string)
		if isText {
			text = `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
		} else if text, err = jinja.Text(jinja.ValueOf(value)); err != nil {
			return "", err
		}
		parts = append(parts, key+"="+text)
	}
	code = fmt.Sprintf("{{ %s(**_dbt_generic_test_kwargs) }}", macro)
	if len(parts) > 0 {
		code += "{{ config(" + strings.Join(parts, ",") + ") }}"
	}
	return code, nil
}
