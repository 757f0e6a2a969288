package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A snapshot keeps what its query gave at each run: a row that changes is closed,
// and follows again as it is from then on. What changes is found out beside the
// table, as dbt does it, and merged into a copy and then into the published table:
// so both have the same rows, with the same times.

// changeColumn says of a row of what changes what becomes of it.
const changeColumn = "dbt_change_type"

// buildSnapshot brings a snapshot's next contents up to date. They are always a
// copy of what is published: no run may lose rows that others have added.
func (r *run) buildSnapshot(ctx context.Context, model *project.Model) (done building) {
	done = building{status: failed, model: model}
	found := r.stored(model.Table())
	if found.isView {
		done.err = fmt.Errorf("%s is a view, and a snapshot is a table: drop it, or give the snapshot another alias", model.Table())
		return done
	}
	compiled, err := r.compileModel(model, r.compilation(ctx))
	if done.err = err; err != nil {
		return done
	}
	done.sql = compiled.SQL
	hasHistory := false
	if found.identity != "" {
		if hasHistory, done.err = r.copyPublished(ctx, model, found.definition); done.err != nil {
			return done
		}
	}
	before, err := r.runHooks(ctx, model, model.Config.PreHooks, false)
	if done.err = err; err != nil {
		return done
	}
	if hasHistory {
		done.err = r.addChanges(ctx, &done, compiled.SQL)
	} else {
		sql := firstSnapshot(model, compiled.SQL)
		columns, err := r.warehouse.columnsOf(ctx, sql)
		if done.err = err; err != nil {
			return done
		}
		done.status, done.touched, done.model = created, everything, withColumns(model, columns)
		done.err = r.create(ctx, making{
			model: done.model, table: r.nextOf(model), statement: creation(r.project.RelationOf(r.nextOf(model)), done.model, sql),
			definition: definitionOf(done.model), ends: r.endOf(model),
		})
	}
	var after []string
	if done.err == nil {
		after, done.err = r.runHooks(ctx, model, model.Config.PostHooks, false)
	}
	if done.withHooks(model, append(before, after...)); done.err != nil {
		done.status = failed
	}
	return done
}

// addChanges merges what changed into the copy.
func (r *run) addChanges(ctx context.Context, done *building, sql string) error {
	model := done.model
	next := r.project.RelationOf(r.nextOf(model))
	stored, err := r.warehouse.columns(ctx, r.nextOf(model))
	if err != nil {
		return err
	}
	source, err := r.warehouse.columnsOf(ctx, sql)
	if err != nil {
		return err
	}
	if err := checkSnapshotTable(model, stored); err != nil {
		return err
	}
	changes := snapshotChanges{model: model, sql: sql, target: next, stored: stored, source: source}
	statement, err := changes.statement(ctx, r.warehouse)
	if err != nil {
		return err
	}
	columns, err := r.warehouse.columnsOf(ctx, statement)
	if err != nil {
		return err
	}
	beside := unfiltered(withColumns(model, columns))
	beside.Config.PartitionBy, beside.Config.ClusterBy = nil, nil
	if err := r.create(ctx, making{
		model: beside, table: r.newOf(model), statement: creation(r.project.RelationOf(r.newOf(model)), beside, statement), definition: definitionOf(beside),
	}); err != nil {
		return err
	}
	columns = slices.DeleteFunc(columns, func(c project.Column) bool { return c.Name == changeColumn || strings.HasPrefix(c.Name, uniqueKey) })
	if done.model, done.written, err = r.fitColumns(ctx, withColumns(model, stored), r.nextOf(model), columns, r.recolumn); err != nil {
		return err
	}
	done.status, done.touched, done.merged = replaced, everything, true
	return r.send(ctx, snapshotMerging(next, r.project.RelationOf(r.newOf(model)), model, done.written))
}

// uniqueKey begins the names of the columns with the unique key beside a snapshot.
const uniqueKey = "dbt_unique_key"

// checkSnapshotTable refuses a table that is no snapshot's.
func checkSnapshotTable(model *project.Model, stored []project.Column) error {
	s := model.Config.Snapshot
	needed := []string{s.IDColumn, s.ValidFromColumn, s.ValidToColumn}
	if s.HardDeletes == project.RecordDeletes {
		needed = append(needed, s.DeletedColumn)
	}
	var faults []error
	for _, name := range needed {
		if indexOf(stored, name) < 0 {
			faults = append(faults, fmt.Errorf("the table %s has no column %s: it is another table than this snapshot's, or its columns had other names", model.Table(), name))
		}
	}
	return errors.Join(faults...)
}

// snapshotMerging closes rows of a snapshot and inserts others.
func snapshotMerging(relation, changes string, model *project.Model, written []project.Column) string {
	s, columns := model.Config.Snapshot, columnList(written)
	return fmt.Sprintf(`merge into %[1]s as DBT_INTERNAL_DEST
using %[2]s as DBT_INTERNAL_SOURCE
on DBT_INTERNAL_SOURCE.%[3]s = DBT_INTERNAL_DEST.%[3]s
when matched and %[4]s and DBT_INTERNAL_SOURCE.dbt_change_type in ('update', 'delete')
    then update set %[5]s = DBT_INTERNAL_SOURCE.%[5]s
when not matched and DBT_INTERNAL_SOURCE.dbt_change_type = 'insert'
    then insert (%[6]s) values (%[6]s);`,
		relation, changes, s.IDColumn, isCurrent(s, "DBT_INTERNAL_DEST."+s.ValidToColumn), s.ValidToColumn, columns)
}

// isCurrent is the condition for a row that is not closed.
func isCurrent(s project.Snapshot, validTo string) string {
	if s.ValidTo == "" {
		return validTo + " is null"
	}
	return fmt.Sprintf("(%[1]s = %[2]s or %[1]s is null)", validTo, s.ValidTo)
}
