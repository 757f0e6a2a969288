package project

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A Relation is what ref, source and this give.
type Relation struct {
	Database, Schema, Identifier string
	text                         string
	shown                        string // in place of the text; "" for the same
}

// ParseRelation reads a quoted name; one without three parts is an identifier
// alone.
func ParseRelation(text string) *Relation {
	parts := strings.Split(strings.Trim(text, "`"), "`.`")
	if len(parts) != 3 {
		return &Relation{Identifier: text, text: text}
	}
	return &Relation{Database: parts[0], Schema: parts[1], Identifier: parts[2], text: text}
}

func (r *Relation) String() string { return cmp.Or(r.shown, r.text) }

// Same compares two relations.
func (r *Relation) Same(other jinja.Value) bool {
	o, ok := other.(*Relation)
	return ok && *o == *r
}

// Key is that of a dict's entry.
func (r *Relation) Key() string { return r.text }

// Mapping says that the test mapping holds, as it does in dbt.
func (r *Relation) Mapping() {}

// isEphemeral reports whether it is a common table expression.
func (r *Relation) isEphemeral() bool { return r.Schema == "" }

// Attribute is a part of the name.
func (r *Relation) Attribute(name string) (jinja.Value, bool) {
	switch name {
	case "database", "project":
		return r.Database, true
	case "schema", "dataset":
		return r.Schema, true
	case "identifier", "name", "table":
		return r.Identifier, true
	case "is_cte":
		return r.isEphemeral(), true
	case "metadata":
		metadata := jinja.NewDict()
		must(metadata.Set("type", "BigQueryRelation"))
		return metadata, true
	case "render":
		return jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return r.text, a.Take(0, nil) }), true
	case "get":
		return jinja.Func(r.get), true
	}
	return nil, false
}

// get is the method of a dict.
func (r *Relation) get(a *jinja.Arguments) (jinja.Value, error) {
	var name, fallback jinja.Value
	if err := a.Take(1, []string{"key", "default"}, &name, &fallback); err != nil {
		return nil, err
	}
	text, ok := name.(string)
	if !ok || text == "get" || text == "render" {
		return fallback, nil
	}
	if v, ok := r.Attribute(text); ok {
		return v, nil
	}
	return nil, r.Refuse(text)
}

// Refuse says which attributes there are.
func (r *Relation) Refuse(name string) error {
	return fmt.Errorf("%s of a relation is not supported: it has database, schema, identifier, is_cte and render()", name)
}

// api is dbt's variable of that name.
var api = &refuser{"api", map[string]jinja.Value{
	"Relation": &refuser{"api.Relation", map[string]jinja.Value{
		"create": jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) {
			var database, schema, identifier, kind jinja.Value
			if err := a.Take(0, []string{"database", "schema", "identifier", "type"}, &database, &schema, &identifier, &kind); err != nil {
				return nil, err
			}
			var parts [3]string
			for i, part := range []jinja.Value{database, schema, identifier} {
				text, ok := part.(string)
				if !ok || text == "" {
					return nil, fmt.Errorf("a relation without database, schema and identifier is not supported")
				}
				parts[i] = text
			}
			return ParseRelation(relation(parts[0], parts[1], parts[2])), nil
		}),
		"add_ephemeral_prefix": jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) {
			names, err := words(a, 1, 1)
			if err != nil {
				return nil, err
			}
			return ephemeralPrefix + names[0], nil
		}),
	}},
	"Column": &refuser{"api.Column", map[string]jinja.Value{
		"translate_type": jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) {
			types, err := words(a, 1, 1)
			if err != nil {
				return nil, err
			}
			if known := translated[strings.ToUpper(types[0])]; known != "" {
				return known, nil
			}
			return types[0], nil
		}),
	}},
}}

// translated are dbt's words for types, and BigQuery's.
var translated = map[string]string{"TEXT": "STRING", "FLOAT": "FLOAT64", "INTEGER": "INT64"}

// A tableColumn is one of adapter.get_columns_in_relation.
type tableColumn struct{ name, kind string }

// columnOf takes a column as INFORMATION_SCHEMA tells it.
func columnOf(name, kind string) (*tableColumn, error) {
	if strings.Contains(kind, "STRUCT<") {
		return nil, fmt.Errorf("the column %s is of type %s, which is not supported here: write the columns", name, kind)
	}
	if kind == "BOOL" { // the API says so, and dbt leaves it
		kind = "BOOLEAN"
	}
	return &tableColumn{name, kind}, nil
}

// Same compares two columns.
func (c *tableColumn) Same(other jinja.Value) bool {
	o, ok := other.(*tableColumn)
	return ok && *o == *c
}

// Attribute is what dbt's Column has.
func (c *tableColumn) Attribute(name string) (jinja.Value, bool) {
	is := func(kinds string) (jinja.Value, bool) {
		return jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return strings.EqualFold(c.kind, kinds), a.Take(0, nil) }), true
	}
	switch name {
	case "name", "column":
		return c.name, true
	case "quoted":
		return "`" + c.name + "`", true
	case "data_type":
		return c.kind, true
	case "dtype":
		return strings.TrimSuffix(strings.TrimPrefix(c.kind, "ARRAY<"), ">"), true
	case "mode":
		if strings.HasPrefix(c.kind, "ARRAY<") {
			return "REPEATED", true
		}
		return "NULLABLE", true
	case "is_string":
		return is("STRING")
	case "is_integer":
		return is("INT64")
	case "is_numeric":
		return is("NUMERIC")
	case "is_float":
		return is("FLOAT64")
	case "string_size": // BigQuery's have none; dbt says 256
		return jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return int64(256), a.Take(0, nil) }), true
	}
	return nil, false
}

// Refuse says which attributes there are.
func (c *tableColumn) Refuse(name string) error {
	return fmt.Errorf("%s of a column is not supported: it has name, column, quoted, data_type, dtype and is_string(), is_integer(), is_numeric(), is_float()", name)
}
