package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// The queries of snapshots: dbt's, in the runner's words.

// moment is the time of a run, where no column tells when a row changed.
const moment = "current_timestamp()"

func updatedAt(s project.Snapshot) string { return cmp.Or(s.UpdatedAt, moment) }

// validTo is the end of a row that is not closed, of the type of its beginning.
func validTo(s project.Snapshot) string {
	return fmt.Sprintf("coalesce(nullif(%[1]s, %[1]s), %[2]s) as %[3]s", updatedAt(s), cmp.Or(s.ValidTo, "null"), s.ValidToColumn)
}

// hashOf is dbt's id of a row's state.
func hashOf(parts ...string) string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = "coalesce(cast(" + part + " as string), '')"
	}
	return "to_hex(md5(concat(" + strings.Join(texts, ", '|', ") + ")))"
}

func idOf(model *project.Model) string {
	return hashOf(append(slices.Clone(model.Config.UniqueKey), updatedAt(model.Config.Snapshot))...)
}

// firstSnapshot is the query of a table that is new.
func firstSnapshot(model *project.Model, sql string) string {
	s := model.Config.Snapshot
	columns := []string{
		"*", idOf(model) + " as " + s.IDColumn, updatedAt(s) + " as " + s.UpdatedAtColumn, updatedAt(s) + " as " + s.ValidFromColumn, validTo(s),
	}
	if s.HardDeletes == project.RecordDeletes {
		columns = append(columns, "'False' as "+s.DeletedColumn)
	}
	return "select " + strings.Join(columns, ",\n    ") + "\nfrom (\n" + sql + "\n) sbq"
}

// snapshotChanges makes the query of what changed in a snapshot.
type snapshotChanges struct {
	model          *project.Model
	sql, target    string
	stored, source []project.Column // of the table, and of the query
}

// statement is the query: of rows that are new or others now, of those that they
// close, and of those that are gone.
func (c snapshotChanges) statement(ctx context.Context, w *warehouse) (string, error) {
	s := c.model.Config.Snapshot
	changed, err := c.changed(ctx, w)
	if err != nil {
		return "", err
	}
	records := s.HardDeletes == project.RecordDeletes
	wasDeleted := "snapshotted_data." + s.DeletedColumn
	insertsDeleted, keepsDeleted := "", ""
	if records {
		changed += " or " + wasDeleted + " = 'True'"
		insertsDeleted, keepsDeleted = ", 'False' as "+s.DeletedColumn, ", "+wasDeleted
	}
	keys, times := c.keys(), fmt.Sprintf("%[1]s as %[2]s, %[1]s as %[3]s", updatedAt(s), s.UpdatedAtColumn, s.ValidFromColumn)
	parts := []string{
		"snapshot_query as (\n" + c.sql + "\n)",
		fmt.Sprintf("snapshotted_data as (\nselect *, %s\nfrom %s\nwhere %s\n)", keys, c.target, isCurrent(s, s.ValidToColumn)),
		fmt.Sprintf("insertions_source_data as (\nselect *, %s, %s, %s, %s as %s\nfrom snapshot_query\n)", keys, times, validTo(s), idOf(c.model), s.IDColumn),
		fmt.Sprintf("updates_source_data as (\nselect *, %s, %s, %s as %s\nfrom snapshot_query\n)", keys, times, updatedAt(s), s.ValidToColumn),
		fmt.Sprintf("insertions as (\nselect 'insert' as dbt_change_type, source_data.*%s\nfrom insertions_source_data as source_data\nleft outer join snapshotted_data\n    on %s\nwhere %s is null\n    or (%s is not null and (%s))\n)",
			insertsDeleted, c.joined(), c.firstKey("snapshotted_data"), c.firstKey("snapshotted_data"), changed),
		fmt.Sprintf("updates as (\nselect 'update' as dbt_change_type, source_data.*, snapshotted_data.%s%s\nfrom updates_source_data as source_data\njoin snapshotted_data\n    on %s\nwhere (%s)\n)",
			s.IDColumn, keepsDeleted, c.joined(), changed),
	}
	names := []string{"insertions", "updates"}
	if s.HardDeletes == project.InvalidateDeletes || records {
		parts, names = append(parts, c.deletes(keepsDeleted)...), append(names, "deletes")
	}
	if records {
		parts, names = append(parts, c.deletionRecords()), append(names, "deletion_records")
	}
	return "with " + strings.Join(parts, ",\n") + "\nselect * from " + strings.Join(names, "\nunion all\nselect * from "), nil
}

// deletes closes the rows of keys that are gone.
func (c snapshotChanges) deletes(keepsDeleted string) []string {
	s := c.model.Config.Snapshot
	return []string{
		fmt.Sprintf("deletes_source_data as (\nselect *, %s\nfrom snapshot_query\n)", c.keys()),
		fmt.Sprintf("deletes as (\nselect 'delete' as dbt_change_type, source_data.*, %[1]s as %[2]s, %[1]s as %[3]s, %[1]s as %[4]s, snapshotted_data.%[5]s%[6]s\n"+
			"from snapshotted_data\nleft join deletes_source_data as source_data\n    on %[7]s\nwhere %[8]s is null%[9]s\n)",
			moment, s.ValidFromColumn, s.UpdatedAtColumn, s.ValidToColumn, s.IDColumn, keepsDeleted, c.joined(), c.firstKey("source_data"), c.unlessDeleted()),
	}
}

// deletionRecords adds a row for each key that is gone.
func (c snapshotChanges) deletionRecords() string {
	s := c.model.Config.Snapshot
	columns := []string{"'insert' as dbt_change_type"}
	for _, column := range c.source {
		from := "source_data"
		if slices.ContainsFunc(c.stored, func(known project.Column) bool { return known.Name == column.Name }) {
			from = "snapshotted_data"
		}
		columns = append(columns, from+"."+quoted(column.Name))
	}
	for i, key := range c.model.Config.UniqueKey {
		if c.hasList() {
			columns = append(columns, fmt.Sprintf("snapshotted_data.%s as %s_%d", key, uniqueKey, i+1))
		} else {
			columns = append(columns, "snapshotted_data."+uniqueKey)
		}
	}
	columns = append(columns, moment+" as "+s.ValidFromColumn, moment+" as "+s.UpdatedAtColumn, "snapshotted_data."+s.ValidToColumn,
		hashOf(s.IDColumn, moment)+" as "+s.IDColumn, "'True' as "+s.DeletedColumn)
	return fmt.Sprintf("deletion_records as (\nselect %s\nfrom snapshotted_data\nleft join deletes_source_data as source_data\n    on %s\nwhere %s is null%s\n)",
		strings.Join(columns, ", "), c.joined(), c.firstKey("source_data"), c.unlessDeleted())
}

// unlessDeleted leaves out keys whose last row says that they are gone.
func (c snapshotChanges) unlessDeleted() string {
	s := c.model.Config.Snapshot
	if s.HardDeletes != project.RecordDeletes {
		return ""
	}
	ends := "is null"
	if s.ValidTo != "" {
		ends = "= " + s.ValidTo
	}
	return fmt.Sprintf("\n    and not (snapshotted_data.%s = 'True' and snapshotted_data.%s %s)", s.DeletedColumn, s.ValidToColumn, ends)
}

// changed is the condition for a row that differs from the snapshot's.
func (c snapshotChanges) changed(ctx context.Context, w *warehouse) (string, error) {
	s := c.model.Config.Snapshot
	if s.Strategy == "timestamp" {
		return fmt.Sprintf("(snapshotted_data.%s < source_data.%s)", s.ValidFromColumn, s.UpdatedAt), nil
	}
	columns := c.source
	if !s.ChecksAll {
		var err error
		if columns, err = w.columnsOf(ctx, "select "+strings.Join(s.Check, ", ")+" from (\n"+c.sql+"\n) subq"); err != nil {
			return "", err
		}
	}
	var conditions []string
	for _, column := range columns {
		if !slices.ContainsFunc(c.stored, func(known project.Column) bool { return known.Name == column.Name }) {
			return "(TRUE)", nil // a column is new
		}
		conditions = append(conditions, fmt.Sprintf(
			"snapshotted_data.%[1]s != source_data.%[1]s or (snapshotted_data.%[1]s is null) != (source_data.%[1]s is null)", quoted(column.Name)))
	}
	return "(" + strings.Join(conditions, "\n    or ") + ")", nil
}

// hasList reports whether the unique key is written as a list: its columns are
// numbered then.
func (c snapshotChanges) hasList() bool {
	_, isText := c.model.Config.All["unique_key"].(string)
	return !isText
}

func (c snapshotChanges) keys() string {
	var keys []string
	for i, key := range c.model.Config.UniqueKey {
		keys = append(keys, key+" as "+c.keyName(i))
	}
	return strings.Join(keys, ", ")
}

func (c snapshotChanges) keyName(i int) string {
	if c.hasList() {
		return fmt.Sprintf("%s_%d", uniqueKey, i+1)
	}
	return uniqueKey
}

func (c snapshotChanges) firstKey(of string) string { return of + "." + c.keyName(0) }

func (c snapshotChanges) joined() string {
	var same []string
	for i := range c.model.Config.UniqueKey {
		same = append(same, fmt.Sprintf("snapshotted_data.%[1]s = source_data.%[1]s", c.keyName(i)))
	}
	return strings.Join(same, " and ")
}
