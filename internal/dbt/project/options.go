package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Options are what a model's table or view has besides its columns and rows. dbt
// gives them to a relation when it makes it.
type Options struct {
	Labels        map[string]string
	Hours         int64   // hours_to_expiration; 0 for no end
	PartitionDays float64 // partition_expiration_days; 0 for no end
	RequireFilter bool    // require_partition_filter, of a table with partitions
	KMSKey        string  // kms_key_name

	// The relation's description, and those of its columns: persist_docs.
	DescribesRelation, DescribesColumns bool

	Grants map[string][]string // grantees, by role
}

// set takes one setting and reports whether it is an option, and its value has
// the right type.
func (o *Options) set(key string, value any) (known, ok bool) {
	switch key {
	case "labels":
		o.Labels, ok = textDict(value)
	case "hours_to_expiration":
		var hours float64
		hours, ok = number(value)
		o.Hours, ok = int64(hours), ok && hours == float64(int64(hours))
	case "partition_expiration_days":
		o.PartitionDays, ok = number(value)
	case "require_partition_filter":
		o.RequireFilter, ok = value.(bool)
	case "kms_key_name":
		o.KMSKey, ok = value.(string)
	case "persist_docs":
		var fields map[string]any
		fields, ok = value.(map[string]any)
		o.DescribesRelation, o.DescribesColumns = fields["relation"] == true, fields["columns"] == true
	case "grants":
		o.Grants, ok = grantsOf(value)
	default:
		return false, false
	}
	return true, ok
}

func number(value any) (float64, bool) {
	switch n := value.(type) {
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func textDict(value any) (map[string]string, bool) {
	fields, ok := value.(map[string]any)
	out := map[string]string{}
	for key, value := range fields {
		text, isText := value.(string)
		ok = ok && isText
		out[key] = text
	}
	return out, ok
}

func grantsOf(value any) (map[string][]string, bool) {
	fields, ok := value.(map[string]any)
	out := map[string][]string{}
	for role, value := range fields {
		grantees, isList := stringList(value)
		ok = ok && isList
		out[strings.TrimLeft(role, "+")] = grantees
	}
	return out, ok
}

// mergeGrants adds grants to those known: a role takes the place of one of the
// same name, and with + before it adds to it.
func mergeGrants(known, more any) any {
	before, _ := known.(map[string]any)
	fields, ok := more.(map[string]any)
	if !ok {
		return more
	}
	merged := map[string]any{}
	maps.Copy(merged, before)
	for role, grantees := range fields {
		name := strings.TrimLeft(role, "+")
		if list, there := merged[name]; there && name != role {
			grantees = slices.Concat(asList(list), asList(grantees))
		}
		merged[name] = grantees
	}
	return merged
}

func asList(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

// check refuses what dbt or BigQuery would.
func (o *Options) check(m *Model) error {
	if m.Type == TypeSeed { // dbt gives a seed's table nothing else
		m.Config.Options = Options{Grants: o.Grants, Labels: o.Labels, DescribesRelation: o.DescribesRelation, DescribesColumns: o.DescribesColumns}
	}
	if m.Config.PartitionBy == nil {
		o.RequireFilter = false // as dbt does
	}
	if m.Config.PartitionBy == nil && o.PartitionDays > 0 && m.Config.Materialized != View {
		return fmt.Errorf("%s: partition_expiration_days needs partition_by", m.Path)
	}
	return nil
}
