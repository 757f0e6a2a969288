package project

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
	"github.com/stationflow/stationflow/internal/dbt/sqltext"
)

// A Hook is SQL that runs before or after a model, or a run.
type Hook struct {
	Of  string // the config that it is of, such as post_hook
	SQL string // a template

	in      *pkg // nil for that of the model
	file    string
	line    int
	outside bool // transaction: false
}

// hookKeys are the configs with hooks of a model.
var hookKeys = []string{"pre_hook", "post_hook"}

// hooksOf reads a config of hooks: texts, or dicts with sql, one or a list.
func hooksOf(of string, value any) ([]Hook, error) {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	var hooks []Hook
	for _, item := range list {
		if text, ok := item.(string); ok {
			var dict map[string]any
			if json.Unmarshal([]byte(text), &dict) != nil {
				dict = map[string]any{"sql": text}
			}
			item = dict
		}
		dict, ok := item.(map[string]any)
		hook := Hook{Of: of}
		for key, value := range dict {
			switch key {
			case "sql":
				hook.SQL, ok = value.(string)
			case "transaction":
				var inside bool
				inside, ok = value.(bool)
				hook.outside = !inside
			case "index": // dbt's own note
			default:
				ok = false
			}
			if !ok {
				break
			}
		}
		if _, there := dict["sql"]; ok && there && strings.TrimSpace(hook.SQL) == "" {
			continue // dbt runs no empty one
		}
		if !ok || hook.SQL == "" {
			return nil, fmt.Errorf("config %s is %v: it is SQL, or a dict with sql and transaction, or a list of these", of, item)
		}
		hooks = append(hooks, hook)
	}
	return hooks, nil
}

// Hooks are those of a model.
func (c *Config) Hooks() []Hook { return slices.Concat(c.PreHooks, c.PostHooks) }

// RenderHook renders a hook as dbt does when it runs; model is nil for one of a
// run.
func (p *Project) RenderHook(model *Model, hook Hook, c Compilation) (string, error) {
	text, _, err := p.renderHook(model, hook, c)
	return text, err
}

func (p *Project) renderHook(model *Model, hook Hook, c Compilation) (text string, r *rendering, err error) {
	r = &rendering{project: p, in: hook.in, compilation: c, model: model, config: map[string]any{}, file: hook.file}
	if model != nil {
		r.in = model.in
	}
	if hook.Of == onRunEnd {
		r.extra = map[string]jinja.Value{
			"results":          p.resultList(c.Results),
			"schemas":          jinja.NewList(p.target.Dataset),
			"database_schemas": jinja.NewList(&jinja.Tuple{Items: []jinja.Value{p.target.Project, p.target.Dataset}}),
		}
	}
	parsed, err := jinja.Parse(hook.file, hook.SQL, max(hook.line, 1))
	if err == nil {
		var rendered Text
		rendered, err = r.render(parsed)
		text = rendered.SQL
	}
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", hook.Of, placed(hook.file, err))
	}
	if len(r.ephemeral) > 0 {
		return "", nil, fmt.Errorf("%s: %s reads the ephemeral model %s, and a hook has no place for it: make it a view", hook.file, hook.Of, r.ephemeral[0].Name)
	}
	return strings.TrimSpace(text), r, nil
}

// discoverHooks adds what a model's hooks read to what the model reads, and
// leaves those out that dbt never runs.
func (l *loader) discoverHooks(model *Model) error {
	for _, hooks := range []*[]Hook{&model.Config.PreHooks, &model.Config.PostHooks} {
		var kept []Hook
		for _, hook := range *hooks {
			hook.file = model.Path
			if hook.outside && model.Type == TypeSeed {
				return fmt.Errorf("%s: %s of a seed with transaction: false is not supported: leave transaction out", model.Path, hook.Of)
			}
			if hook.outside {
				l.Warnings = append(l.Warnings, fmt.Sprintf("%s: %s has transaction: false, and dbt never runs such hooks on BigQuery: leave transaction out", model.Path, hook.Of))
				continue
			}
			_, r, err := l.renderHook(model, hook, Compilation{})
			if err != nil {
				return err
			}
			for _, id := range r.reads {
				if !slices.Contains(model.Reads, id) { // its own id is a circle, to dbt too
					model.Reads = append(model.Reads, id)
				}
			}
			kept = append(kept, hook)
		}
		*hooks = kept
	}
	return nil
}

// checkHooks renders the hooks as when they run, as far as it goes without a
// warehouse.
func (l *loader) checkHooks() error {
	rendered := func(model *Model, hook Hook) error {
		text, err := l.RenderHook(model, hook, Compilation{Execute: true})
		if errors.Is(err, ErrNeedsWarehouse) {
			return nil
		}
		if err == nil && model != nil {
			_, _, err = l.Moments(model, hook, text)
		}
		return err
	}
	for _, model := range l.Models {
		for _, hook := range model.Config.Hooks() {
			if err := rendered(model, hook); err != nil {
				return err
			}
		}
	}
	for _, hook := range slices.Concat(l.OnRunStart, l.OnRunEnd) {
		if err := rendered(nil, hook); err != nil {
			return err
		}
	}
	return nil
}

// Moments splits a rendered hook of a model into what runs when the model is
// built, beside the published table, and what runs when it is published, because
// it is about the published table itself and not about its rows: grants, options,
// and views that read it.
func (p *Project) Moments(model *Model, hook Hook, text string) (built, published []string, err error) {
	statements := sqltext.Split(text)
	isScript := slices.ContainsFunc(statements, func(s sqltext.Statement) bool {
		first := s.Words(1)
		return len(first) == 1 && slices.Contains([]string{"BEGIN", "DECLARE", "SET", "IF", "LOOP", "WHILE", "FOR", "REPEAT", "CASE", "COMMIT", "ROLLBACK", "END"}, first[0])
	})
	for _, s := range statements {
		isLater, err := p.isOfPublished(s)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %s: %w", hook.file, hook.Of, err)
		}
		if isLater && isScript {
			return nil, nil, fmt.Errorf("%s: %s: %s inside of a script is not supported: write it as a hook of its own", hook.file, hook.Of, strings.Join(s.Words(2), " "))
		}
		if isLater {
			published = append(published, s.Text)
		} else {
			built = append(built, s.Text)
		}
	}
	if isScript {
		built = []string{text}
	}
	return built, published, nil
}

// isOfPublished reports whether a statement is about published relations, and
// refuses one that would change such a relation's form: the runner makes them.
func (p *Project) isOfPublished(s sqltext.Statement) (bool, error) {
	words := append(s.Words(4), "", "", "", "")
	verb := words[0]
	isOwn := func(path string) bool { return p.ModelAt(path) != nil }
	switch {
	case verb == "GRANT" || verb == "REVOKE":
		return true, nil
	case verb == "CREATE":
		object := words[1]
		if object == "OR" { // REPLACE
			object = words[3]
		}
		isTable := slices.Contains([]string{"TABLE", "TEMP", "TEMPORARY"}, object)
		if path := s.After("TABLE", "VIEW"); (isTable || s.Has("VIEW")) && isOwn(path) {
			return false, fmt.Errorf("CREATE of %s is not supported: it is a model's, and the runner makes it", path)
		}
		return !isTable, nil
	case verb == "DROP" || verb == "UNDROP":
		if path := s.After("TABLE", "VIEW"); isOwn(path) {
			return false, fmt.Errorf("DROP of %s is not supported: it is a model's, and readers see it until the new rows are there: run with --full-refresh to make it again", path)
		}
	case verb == "ALTER":
		path := s.After("TABLE", "VIEW")
		if !isOwn(path) {
			return false, nil
		}
		if !s.Has("OPTIONS") || s.Has("ADD") || s.Has("DROP") || s.Has("RENAME") || s.Has("COLUMN") {
			return false, fmt.Errorf("ALTER of %s is supported with SET OPTIONS only: it is a model's, and the runner makes it: select the columns in the model", path)
		}
		return true, nil
	case verb == "EXECUTE":
		return false, errors.New("EXECUTE IMMEDIATE is not supported: write the statement itself")
	}
	return false, nil
}

// ModelAt is the model whose relation has a path, without quotes and with or
// without the project; nil for none.
func (p *Project) ModelAt(path string) *Model {
	for _, model := range p.Models {
		table := p.target.Dataset + "." + model.Table()
		if model.Config.Materialized != Ephemeral && (path == table || path == p.target.Project+"."+table) {
			return model
		}
	}
	return nil
}

// Names of the hooks of a run, as dbt_project.yml has them.
const (
	onRunStart = "on-run-start"
	onRunEnd   = "on-run-end"
)

// readRunHooks reads the hooks of a run; dbt renders them when they run.
func (l *loader) readRunHooks(doc *document) error {
	for _, hooks := range []struct {
		into  *[]Hook
		names []string
	}{{&l.OnRunStart, []string{onRunStart, "on_run_start"}}, {&l.OnRunEnd, []string{onRunEnd}}} {
		for _, name := range hooks.names {
			at := doc.field(doc.root, name)
			if at == nil {
				continue
			}
			items := []ast.Node{at}
			if list, isList := at.(*ast.SequenceNode); isList {
				items = list.Values
			}
			for _, item := range items {
				var text string
				if err := doc.decode(item, &text); err != nil {
					return doc.fail(item, "%s is SQL, or a list of it", name)
				}
				*hooks.into = append(*hooks.into, Hook{Of: hooks.names[0], SQL: text, in: doc.in, file: doc.file, line: lineOfNode(item)})
			}
		}
	}
	return nil
}

// orderRunHooks puts those of packages behind the project's, by their names, as
// dbt runs them.
func (l *loader) orderRunHooks() {
	for _, hooks := range [][]Hook{l.OnRunStart, l.OnRunEnd} {
		slices.SortStableFunc(hooks, func(a, b Hook) int {
			switch {
			case a.in.isRoot() == b.in.isRoot():
				return strings.Compare(a.in.name, b.in.name)
			case a.in.isRoot():
				return -1
			}
			return 1
		})
	}
}

// hookText is what before_begin and its like give: a hook as JSON.
func hookText(inside bool) func(*rendering, *jinja.Arguments) (jinja.Value, error) {
	return func(_ *rendering, a *jinja.Arguments) (jinja.Value, error) {
		texts, err := words(a, 1, 1)
		if err != nil {
			return nil, err
		}
		hook := jinja.NewDict()
		must(errors.Join(hook.Set("sql", texts[0]), hook.Set("transaction", inside)))
		text, err := jinja.JSON(hook, false)
		return text, err
	}
}
