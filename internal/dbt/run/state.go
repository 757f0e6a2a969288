package run

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// state is what prod_data holds, as the last run published it: from what each
// model was made. It is stored beside the lease, in the same transaction as
// the rows it speaks of.
type state struct {
	Run  string `json:"run"`            // id of the run that wrote it
	Mark string `json:"mark,omitempty"` // in the names of what lies beside the published relations
	// Tested is the digest of the tests that all of it has passed; "" when a
	// run without tests published some of it.
	Tested string                `json:"tested,omitempty"`
	Models map[string]modelState `json:"models"`
}

type modelState struct {
	SQL     string           `json:"sql"`               // digest of the SQL, as on a first run
	Sources map[string]int64 `json:"sources,omitempty"` // rows of each source that it reads
	Counted string           `json:"counted,omitempty"` // UTC hour of these counts
	Parents map[string]int64 `json:"parents,omitempty"` // version of each model that it reads
	Version int64            `json:"version"`           // fencing token of the run that last changed it
	// Relation is the identity of the published table or view; another one
	// under its name is not what this state speaks of.
	Relation string `json:"relation,omitempty"`
	// Options is the digest of the options that it was given; "" for none.
	Options string `json:"options,omitempty"`
	// Pending: what was built is not published, because something failed.
	Pending bool `json:"pending,omitempty"`
	// Memory is the answer to the model's own question; see overwrite.go.
	Memory []map[string]any `json:"memory,omitempty"`
}

func parseState(text string) (*state, error) {
	s := &state{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), s); err != nil {
			return nil, fmt.Errorf("reading the state of the last run: %w: drop the table %s, and the next run makes everything again", err, leaseTable)
		}
	}
	if s.Models == nil {
		s.Models = map[string]modelState{}
	}
	return s, nil
}

func (s *state) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic("transform: " + err.Error()) // maps of texts and numbers
	}
	return string(text)
}

// inputs are what a model's rows are made from: sources, and models with rows
// of their own or views, also through views and ephemeral models.
type inputs struct {
	sources, models []string // ids of sources, names of models
}

func inputsOf(p *project.Project, model *project.Model) inputs {
	var in inputs
	seen := map[string]bool{}
	var visit func(reads []string)
	visit = func(reads []string) {
		for _, id := range reads {
			if seen[id] {
				continue
			}
			seen[id] = true
			if strings.HasPrefix(id, project.TypeSource+".") {
				in.sources = append(in.sources, id)
				continue
			}
			parent := p.Model(project.NameOf(id))
			if parent.Config.Materialized != project.Ephemeral {
				in.models = append(in.models, parent.Name)
			}
			if !parent.Stored() {
				visit(parent.Reads)
			}
		}
	}
	visit(model.Reads)
	slices.Sort(in.sources)
	return in
}

// A plan says, for one moment, from what each model would be made.
type plan struct {
	project *project.Project
	hour    string            // of UTC
	digests map[string]string // of the SQL, by model
	inputs  map[string]inputs // by model
	tests   map[string]string // digests, by id
	sources []*project.Source // that some stored model reads
	// partitions are those that a model names without being executed.
	partitions map[string]string
}

// newPlan renders every model and test, which costs a millisecond each.
func newPlan(p *project.Project, vars map[string]any, hour string) (*plan, error) {
	out := &plan{project: p, hour: hour, digests: map[string]string{}, inputs: map[string]inputs{}, tests: map[string]string{}, partitions: map[string]string{}}
	needed := map[string]bool{}
	for _, model := range p.Models {
		compiled, err := p.Compile(model, project.Compilation{Vars: vars})
		if err != nil {
			return nil, err
		}
		parts := []any{compiled.SQL, definitionOf(model), p.Target().Vars}
		if more := optionsDigest(model); more != "" {
			parts = append(parts, more)
		}
		for _, hook := range model.Config.Hooks() {
			parts = append(parts, hook.Of, hook.SQL)
		}
		out.digests[model.Name] = project.Digest(parts...)
		out.partitions[model.Name] = compiled.Config.Partitions
		out.inputs[model.Name] = inputsOf(p, model)
		if model.Stored() {
			for _, id := range out.inputs[model.Name].sources {
				needed[id] = true
			}
		}
	}
	for _, test := range p.Tests {
		var text project.Text
		err := guarded(func() (err error) { text, err = p.CompileTest(test, project.Compilation{Vars: vars}); return err })
		if err != nil {
			text.SQL = err.Error() // the test will fail and say so
		}
		out.tests[test.ID] = project.Digest(text.SQL, test.Warn, test.WarnIf, test.ErrorIf, test.FailCalc, test.Limit)
	}
	for _, source := range p.Sources {
		if needed[source.ID] {
			out.sources = append(out.sources, source)
		}
	}
	return out, nil
}

// testsDigest tells these tests from others; "" for none.
func (p *plan) testsDigest(wanted func(*project.Test) bool) string {
	var all []any
	for _, test := range p.project.Tests {
		if wanted(test) {
			all = append(all, test.ID, p.tests[test.ID])
		}
	}
	if len(all) == 0 {
		return ""
	}
	return project.Digest(all...)
}

// isDue reports whether building a model would change its rows, as far as the
// sources and its parents' last versions tell. A view shows new rows by
// itself: it is due when its SQL changed.
func (p *plan) isDue(model *project.Model, known *state, rows map[string]int64) bool {
	last, ok := known.Models[model.Name]
	if !ok || last.Pending || last.SQL != p.digests[model.Name] {
		return true
	}
	if !model.Stored() {
		return false
	}
	in := p.inputs[model.Name]
	if len(in.sources) > 0 && last.Counted != p.hour {
		return true // rows may have expired and others arrived, as many
	}
	for _, id := range in.sources {
		if n, ok := last.Sources[id]; !ok || n != rows[id] {
			return true
		}
	}
	for _, name := range in.models {
		if version, ok := last.Parents[name]; !ok || version != known.Models[name].Version {
			return true
		}
	}
	return false
}

// newRows is how many rows the sources have more than a model of the state
// was made from; -1 when that is not known.
func (p *plan) newRows(known *state, rows map[string]int64) int64 {
	last := map[string]int64{}
	for _, model := range known.Models {
		for id, n := range model.Sources {
			last[id] = max(last[id], n)
		}
	}
	var sum int64
	for id, n := range rows {
		before, ok := last[id]
		if !ok {
			return -1
		}
		sum += n - before
	}
	return max(sum, 0) // rows expire, too
}
