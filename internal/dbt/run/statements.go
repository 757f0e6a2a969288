package run

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// The statements around a model's SQL. The columns of a table are those its
// yml entry declares, in that order.

// creation makes a table with its rows.
func creation(relation string, model *project.Model, sql string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "create or replace table %s\n", relation)
	if model.Config.PartitionBy != nil {
		fmt.Fprintf(&out, "partition by %s\n", model.Config.PartitionBy.Clause())
	}
	if len(model.Config.ClusterBy) > 0 {
		fmt.Fprintf(&out, "cluster by %s\n", strings.Join(model.Config.ClusterBy, ", "))
	}
	if key := model.Config.Options.KMSKey; key != "" {
		fmt.Fprintf(&out, "options (kms_key_name = '%s')\n", key)
	}
	fmt.Fprintf(&out, "as\nselect %s\nfrom (\n%s\n)", columnList(model.Columns), strings.TrimSpace(sql))
	return out.String()
}

func dropping(isView bool, relation string) string {
	if isView {
		return "drop view if exists " + relation
	}
	return "drop table if exists " + relation
}

func viewCreation(relation, sql string) string {
	return fmt.Sprintf("create or replace view %s as\n%s", relation, strings.TrimSpace(sql))
}

// exchange replaces the rows of a table that meet the condition. All rows go
// by TRUNCATE, for which BigQuery reads, and bills, nothing; DELETE reads the
// columns of the table.
func exchange(relation, condition, columns, source string) string {
	removal := "delete from " + relation + " where " + condition
	if condition == always {
		removal = "truncate table " + relation
	}
	return fmt.Sprintf("%[1]s;\n\ninsert into %[2]s (%[3]s)\nselect %[3]s\nfrom %[4]s;", removal, relation, columns, source)
}

// always is the condition that all rows meet.
const always = "true"

// transaction makes one of statements: readers, and a crash, see all of them
// or none.
func transaction(statements ...string) string {
	return "begin transaction;\n\n" + strings.Join(statements, "\n\n") + "\n\ncommit transaction;"
}

// replacement replaces all rows of a table, or those of some partitions, by
// what a model's SQL gives.
func replacement(relation string, model *project.Model, sql, partitions string) string {
	return transaction(exchange(relation, within(model, partitions), columnList(model.Columns), "(\n"+strings.TrimSpace(sql)+"\n)"))
}

// everything stands for every partition.
const everything = "*"

// anywhere is a condition that all rows of a model's table meet; one that must be
// read with a filter takes it for one.
func anywhere(model *project.Model) string {
	if !model.Config.Options.RequireFilter {
		return always
	}
	return fmt.Sprintf("(%[1]s is null or %[1]s is not null)", model.Config.PartitionBy.Field)
}

// entire is a relation with such a condition, where one is needed.
func entire(model *project.Model, relation string) string {
	if condition := anywhere(model); condition != always {
		return relation + "\nwhere " + condition
	}
	return relation
}

// within is the condition for rows of these partitions.
func within(model *project.Model, partitions string) string {
	if partitions == everything || model.Config.PartitionBy == nil {
		return always
	}
	return fmt.Sprintf("%s in (%s)", model.Config.PartitionBy.Expression(), partitions)
}

// touches is the condition for rows that differ once these partitions were
// replaced. Rows without a partition are only ever added, as dbt does, so they
// belong to it unless the model names its partitions: then there are none.
func touches(model *project.Model, partitions string) string {
	condition := within(model, partitions)
	if condition == always || model.Config.KnowsPartitions {
		return condition
	}
	return fmt.Sprintf("(%s or %s is null)", condition, model.Config.PartitionBy.Expression())
}

// inside is a model's SQL, which fails when it gives a row outside of the
// partitions that the model names: no run would replace it.
func inside(model *project.Model, sql, partitions string) string {
	if by := model.Config.PartitionBy; by.Copies {
		return fmt.Sprintf("select *\nfrom (\n%s\n)\nwhere if(%s is not null, true, error('copy_partitions copies no rows without a partition, and the model gives some'))",
			strings.TrimSpace(sql), by.Expression())
	}
	if !model.Config.KnowsPartitions || partitions == everything {
		return sql
	}
	return fmt.Sprintf("select *\nfrom (\n%s\n)\nwhere if(coalesce(%s, false), true, error('the model gives rows outside of its config partitions'))",
		strings.TrimSpace(sql), within(model, partitions))
}

// merging updates the rows of a table that have the same key as one of the
// new rows, and inserts all others; without a key it inserts all. It takes
// the new rows from a table: the local warehouse merges from nothing else. The
// names of both are dbt's, which incremental_predicates use.
func merging(relation, newRows string, model *project.Model, written []project.Column) string {
	columns := columnList(written)
	config := model.Config
	if len(config.UniqueKey) == 0 {
		return fmt.Sprintf("insert into %s (%s)\nselect %s\nfrom %s;", relation, columns, columns, newRows)
	}
	same := slices.Clone(config.Predicates)
	if config.Options.RequireFilter {
		same = append(same, fmt.Sprintf("DBT_INTERNAL_DEST.%[1]s is null or DBT_INTERNAL_DEST.%[1]s is not null", config.PartitionBy.Field))
	}
	for _, key := range config.UniqueKey {
		same = append(same, fmt.Sprintf("DBT_INTERNAL_SOURCE.%[1]s = DBT_INTERNAL_DEST.%[1]s", key))
	}
	var set, values []string
	for _, name := range updated(model, written) {
		set = append(set, fmt.Sprintf("%[1]s = DBT_INTERNAL_SOURCE.%[1]s", name))
	}
	for _, column := range written {
		values = append(values, "DBT_INTERNAL_SOURCE."+quoted(column.Name))
	}
	return fmt.Sprintf("merge into %s as DBT_INTERNAL_DEST\nusing %s as DBT_INTERNAL_SOURCE\non (%s)\n"+
		"when matched then update set %s\nwhen not matched then insert (%s) values (%s);",
		relation, newRows, strings.Join(same, ") and ("), strings.Join(set, ", "), columns, strings.Join(values, ", "))
}

// updated are the columns of a row that a merge changes, as a statement names
// them.
func updated(model *project.Model, written []project.Column) []string {
	if names := model.Config.UpdateColumns; len(names) > 0 {
		return names
	}
	var names []string
	for _, column := range written {
		if !slices.ContainsFunc(model.Config.ExcludeColumns, func(name string) bool { return strings.EqualFold(name, column.Name) }) {
			names = append(names, quoted(column.Name))
		}
	}
	return names
}

// partitionsOf asks for the partitions that a model's SQL has rows of, as
// literals.
func partitionsOf(model *project.Model, sql string) string {
	partition := model.Config.PartitionBy
	literal := fmt.Sprintf("concat(\"%s '\", cast(partition_value as string), \"'\")", partition.DataType)
	switch partition.DataType {
	case "timestamp":
		literal = "concat('timestamp_micros(', cast(unix_micros(partition_value) as string), ')')"
	case "int64":
		literal = "cast(partition_value as string)"
	}
	return fmt.Sprintf("select coalesce(string_agg(%[1]s, ', '), if(count(*) > 0, 'null', '')) as partitions\nfrom (\nselect distinct %[2]s as partition_value\nfrom (\n%[3]s\n)\n)",
		literal, partition.Expression(), strings.TrimSpace(sql))
}

// findings are what a test finds, as far as it looks.
func findings(test *project.Test, sql string) string {
	sql = strings.TrimSpace(sql)
	if test.Limit != nil {
		sql += fmt.Sprintf("\nlimit %d", *test.Limit)
	}
	return sql
}

// failCalc is what counts what a test found.
func failCalc(test *project.Test) string { return cmp.Or(test.FailCalc, "count(*)") }

// failuresOf counts what a test found.
func failuresOf(test *project.Test, found string) string {
	return fmt.Sprintf("select %s as failures\nfrom (\n%s\n)", failCalc(test), found)
}
