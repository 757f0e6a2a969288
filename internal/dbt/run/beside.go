package run

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// Beside what is published lie relations that only the runner knows. Their
// names end with the mark of the run that took over last ("" while none had
// to), so a run that lost its lease and still writes reaches nothing that is
// read: what it has or will have written lies under names that no later run
// uses. A takeover makes them again; all other runs keep them.
const (
	nextSuffix  = "__next"  // the next contents, built and tested here; between runs the same rows as are published
	newSuffix   = "__new"   // the new rows of a model that merges
	widerSuffix = "__wider" // a copy, while columns or partitions change
)

// keptSuffix ends the name under which a table is kept whose model is a view
// from now on. No run reads or removes it.
const keptSuffix = "__table"

// beside is the name of one of a model's own relations.
func (r *run) beside(model *project.Model, suffix string) string {
	return model.Table() + suffix + r.mark
}

func (r *run) nextOf(model *project.Model) string { return r.beside(model, nextSuffix) }
func (r *run) newOf(model *project.Model) string  { return r.beside(model, newSuffix) }

// markPattern is what Lease.mark gives: the token, and digits of the holder.
var markPattern = regexp.MustCompile(`^_(\d+)_[a-z0-9]{8}$`)

// isOver reports whether no run can use a mark any more: it is not that of the
// state, and an earlier run's. A later run's mark means that this one has lost
// its lease, and does not know it yet.
func (r *run) isOver(mark string) bool {
	if mark == r.mark {
		return false
	}
	found := markPattern.FindStringSubmatch(mark)
	if found == nil {
		return mark == ""
	}
	token, err := strconv.ParseInt(found[1], 10, 64)
	return err == nil && token < r.lease.token
}

// isStray reports whether a relation lies beside a model under a mark that is
// over.
func (r *run) isStray(name string) bool {
	if slices.ContainsFunc(r.project.Models, func(m *project.Model) bool { return m.Table() == name }) {
		return false
	}
	return slices.ContainsFunc(r.project.Models, func(m *project.Model) bool {
		rest, ok := strings.CutPrefix(name, m.Table())
		return ok && slices.ContainsFunc([]string{nextSuffix, newSuffix, widerSuffix}, func(suffix string) bool {
			mark, ok := strings.CutPrefix(rest, suffix)
			return ok && r.isOver(mark)
		})
	})
}

// dropStrays removes what runs that lost their lease have left.
func (r *run) dropStrays(ctx context.Context) error {
	for name := range r.relations {
		if !r.isStray(name) {
			continue
		}
		if err := r.warehouse.remove(ctx, name); err != nil {
			return fmt.Errorf("removing %s, which an earlier run left: %w", name, err)
		}
		delete(r.relations, name)
	}
	return nil
}

// asPublished is SQL over the next contents as SQL over the published ones.
func (r *run) asPublished(sql string) string {
	return strings.ReplaceAll(sql, nextSuffix+r.mark+"`", "`")
}
