// Package catalog writes dbt's catalog.json (schema v1): what the warehouse
// holds of a project's models, seeds, snapshots and sources. The runner asks for
// the metadata of each table, which is free of charge, where dbt-core queries
// INFORMATION_SCHEMA.
package catalog

import (
	"cmp"
	"slices"
	"strings"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// Name of the artifact.
const Name = "catalog.json"

// fields is a JSON object.
type fields = map[string]any

// Relations are those that the catalog is about, by id: a quoted name for each
// selected model that has one, and for each selected source.
func Relations(p *project.Project, selected map[string]bool) map[string]string {
	all := map[string]string{}
	for _, model := range p.Models {
		if selected[model.ID] && model.Config.Materialized != project.Ephemeral {
			all[model.ID] = p.Relation(model)
		}
	}
	for _, source := range p.Sources {
		if selected[source.ID] {
			all[source.ID] = source.Relation
		}
	}
	return all
}

// Of is catalog.json. found holds what there is, by the id of who it belongs to.
func Of(p *project.Project, found map[string]*bigquery.TableMetadata, relations map[string]string, head fields) []byte {
	nodes, sources := fields{}, fields{}
	for id, metadata := range found {
		into := nodes
		if p.Source(id) != nil {
			into = sources
		}
		into[id] = table(id, relations[id], metadata)
	}
	return artifact.Encode(fields{"metadata": head, "nodes": nodes, "sources": sources, "errors": nil})
}

// types are dbt's words for what a relation is.
var types = map[bigquery.TableType]string{bigquery.RegularTable: "table", bigquery.ViewTable: "view", bigquery.MaterializedView: "materialized view"}

func table(id, relation string, m *bigquery.TableMetadata) fields {
	at := project.ParseRelation(relation)
	var comment any
	if m.Description != "" {
		comment = m.Description
	}
	columns := fields{}
	addColumns(columns, "", m.Schema)
	return fields{
		"unique_id": id, "columns": columns, "stats": stats(m),
		"metadata": fields{
			"type": cmp.Or(types[m.Type], "external"), "database": at.Database, "schema": at.Schema, "name": at.Identifier, "comment": comment, "owner": nil,
		},
	}
}

// addColumns adds columns, and behind each the fields of its struct in the order
// of their names.
func addColumns(to fields, within string, schema bigquery.Schema) {
	if within != "" {
		schema = slices.SortedFunc(slices.Values(schema), func(a, b *bigquery.FieldSchema) int { return cmp.Compare(a.Name, b.Name) })
	}
	for _, field := range schema {
		name := within + field.Name
		to[name] = fields{"type": typeOf(field), "index": len(to) + 1, "name": name, "comment": field.Description}
		addColumns(to, name+".", field.Schema)
	}
}

var usualNames = map[bigquery.FieldType]string{
	bigquery.IntegerFieldType: "INT64", bigquery.FloatFieldType: "FLOAT64", bigquery.BooleanFieldType: "BOOL",
}

// typeOf is a column's type as INFORMATION_SCHEMA has it.
func typeOf(field *bigquery.FieldSchema) string {
	name := cmp.Or(usualNames[field.Type], string(field.Type))
	if field.Type == bigquery.RecordFieldType {
		inner := make([]string, len(field.Schema))
		for i, one := range field.Schema {
			inner[i] = one.Name + " " + typeOf(one)
		}
		name = "STRUCT<" + strings.Join(inner, ", ") + ">"
	}
	if field.Repeated {
		name = "ARRAY<" + name + ">"
	}
	return name
}

func stats(m *bigquery.TableMetadata) fields {
	all := fields{}
	add := func(id, label, description string, value any) {
		all[id] = fields{"id": id, "label": label, "value": value, "include": true, "description": description}
	}
	if m.Type == bigquery.RegularTable {
		add("num_rows", "# Rows", "Approximate count of rows in this table", m.NumRows)
		add("num_bytes", "Approximate Size", "Approximate size of table as reported by BigQuery", m.NumBytes)
	}
	by := ""
	if m.TimePartitioning != nil {
		by = m.TimePartitioning.Field
	} else if m.RangePartitioning != nil {
		by = m.RangePartitioning.Field
	}
	if by != "" {
		add("partitioning_type", "Partitioned By", "The partitioning column for this table", by)
	}
	if m.Clustering != nil && len(m.Clustering.Fields) > 0 {
		add("clustering_fields", "Clustered By", "The clustering columns for this table", strings.Join(m.Clustering.Fields, ", "))
	}
	all["has_stats"] = fields{
		"id": "has_stats", "label": "Has Stats?", "value": len(all) > 0, "include": false,
		"description": "Indicates whether there are statistics for this table",
	}
	return all
}
