package transform

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Materializations.
const (
	view        = "view"
	table       = "table"
	incremental = "incremental"
)

// A ModelConfig says how a model is materialized.
type ModelConfig struct {
	Materialized string
	Strategy     string // incremental_strategy
	PartitionBy  *Partition
	ClusterBy    []string
	// Partitions are the partitions that an incremental run replaces, as SQL
	// literals joined by commas; "" when there is nothing to replace.
	Partitions string
	// Meta is the model's own; a table is made anew when it changes.
	Meta map[string]any
}

// A Partition is the column a table is partitioned by.
type Partition struct {
	Field       string
	DataType    string // date, datetime or timestamp
	Granularity string // hour, day, month or year; a date is partitioned by day unless it says otherwise
}

func parseConfig(settings map[string]any) (ModelConfig, error) {
	config := ModelConfig{Materialized: view, Strategy: "insert_overwrite"}
	for key, value := range settings {
		var ok bool
		switch key {
		case "materialized":
			config.Materialized, ok = value.(string)
		case "incremental_strategy":
			config.Strategy, ok = value.(string)
		case "cluster_by":
			config.ClusterBy, ok = stringList(value)
		case "partitions":
			var partitions []string
			partitions, ok = stringList(value)
			config.Partitions = strings.Join(partitions, ", ")
		case "meta":
			config.Meta, ok = value.(map[string]any)
		case "partition_by":
			var err error
			if config.PartitionBy, err = parsePartition(value); err != nil {
				return ModelConfig{}, err
			}
			ok = true
		default:
			return ModelConfig{}, fmt.Errorf("config %q is not supported", key)
		}
		if !ok {
			return ModelConfig{}, fmt.Errorf("config %s has a value of the wrong type: %v", key, value)
		}
	}
	return config, nil
}

func parsePartition(value any) (*Partition, error) {
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("config partition_by is not a dict: %v", value)
	}
	partition := &Partition{DataType: "date", Granularity: "day"}
	for key, value := range fields {
		text, _ := value.(string)
		switch key {
		case "field":
			partition.Field = text
		case "data_type":
			partition.DataType = text
		case "granularity":
			partition.Granularity = text
		default:
			return nil, fmt.Errorf("config partition_by: %q is not supported", key)
		}
	}
	if partition.Field == "" {
		return nil, fmt.Errorf("config partition_by names no field")
	}
	return partition, nil
}

// expression is what partitions are counted in: the column itself, or cut to
// the granularity.
func (p *Partition) expression() string {
	if p.DataType == "date" && p.Granularity == "day" {
		return p.Field
	}
	return fmt.Sprintf("%s_trunc(%s, %s)", p.DataType, p.Field, p.Granularity)
}

func stringList(value any) ([]string, bool) {
	switch value := value.(type) {
	case string:
		return []string{value}, true
	case []any:
		list := make([]string, len(value))
		for i, item := range value {
			text, ok := item.(string)
			if !ok {
				return nil, false
			}
			list[i] = text
		}
		return list, true
	}
	return nil, false
}

// shape describes what a stored table depends on besides its rows: a table of
// another shape is made anew.
func (m *Model) shape() string {
	var columns []string
	for _, column := range m.Columns {
		columns = append(columns, column.Name+" "+column.Type)
	}
	text, err := json.Marshal([]any{m.Config.Materialized, columns, m.Config.PartitionBy, m.Config.ClusterBy, m.Config.Meta})
	must(err) // strings and values out of yml and Jinja
	return digest(string(text))
}
