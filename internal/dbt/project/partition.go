package project

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Partition is the column a table is partitioned by.
type Partition struct {
	Field       string
	DataType    string // date, datetime, timestamp or int64
	Granularity string // hour, day, month or year; a date is partitioned by day unless it says otherwise
	// Range is that of an int64: partitions are Interval wide.
	Range *Range `json:",omitempty"`
	// Copies (copy_partitions) says that dbt copies partitions, and so takes no
	// rows without one.
	Copies bool `json:",omitempty"`
}

// A Range is what the partitions of an int64 are cut from.
type Range struct{ Start, End, Interval int64 }

func parsePartition(value any) (*Partition, error) {
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("config partition_by is not a dict: %v", value)
	}
	partition := &Partition{DataType: "date", Granularity: "day"}
	for key, value := range fields {
		text, _ := value.(string)
		var err error
		switch key {
		case "field":
			partition.Field = text
		case "data_type":
			partition.DataType = strings.ToLower(text)
		case "granularity":
			partition.Granularity = strings.ToLower(text)
		case "range":
			partition.Range, err = parseRange(value)
		case "copy_partitions":
			partition.Copies = value == true
		case "time_ingestion_partitioning":
			if value == true {
				err = fmt.Errorf("config partition_by: time_ingestion_partitioning is not supported: select the time as a column, and partition by that")
			}
		default:
			err = fmt.Errorf("config partition_by: %q is not supported", key)
		}
		if err != nil {
			return nil, err
		}
	}
	return partition, partition.check()
}

func (p *Partition) check() error {
	switch {
	case p.Field == "":
		return fmt.Errorf("config partition_by names no field")
	case p.DataType == "int64":
		if p.Range == nil {
			return fmt.Errorf("config partition_by: data_type int64 needs a range with start, end and interval")
		}
	case !slices.Contains([]string{"date", "datetime", "timestamp"}, p.DataType):
		return fmt.Errorf("config partition_by: data_type %q is not supported: it is date, datetime, timestamp or int64", p.DataType)
	case !slices.Contains([]string{"hour", "day", "month", "year"}, p.Granularity) || p.DataType == "date" && p.Granularity == "hour":
		return fmt.Errorf("config partition_by: granularity %q is not supported with %s", p.Granularity, p.DataType)
	}
	return nil
}

func parseRange(value any) (*Range, error) {
	fields, _ := value.(map[string]any)
	var parts [3]int64
	for i, name := range []string{"start", "end", "interval"} {
		number, err := strconv.ParseInt(fmt.Sprint(fields[name]), 10, 64)
		if err != nil || name == "interval" && number <= 0 {
			return nil, fmt.Errorf("config partition_by: range is %v: it has whole numbers as start, end and interval", value)
		}
		parts[i] = number
	}
	return &Range{parts[0], parts[1], parts[2]}, nil
}

// Clause is what CREATE TABLE partitions by.
func (p *Partition) Clause() string {
	if p.DataType == "int64" {
		return fmt.Sprintf("range_bucket(%s, generate_array(%d, %d, %d))", p.Field, p.Range.Start, p.Range.End, p.Range.Interval)
	}
	return p.Expression()
}

// Expression is what partitions are counted in: the column itself, or cut to
// the granularity, or to the start of its range.
func (p *Partition) Expression() string {
	switch {
	case p.DataType == "int64" && p.Range.Interval != 1:
		return fmt.Sprintf("(%[1]s - mod(%[1]s - %[2]d, %[3]d))", p.Field, p.Range.Start, p.Range.Interval)
	case p.DataType == "int64", p.DataType == "date" && p.Granularity == "day":
		return p.Field
	}
	return fmt.Sprintf("%s_trunc(%s, %s)", p.DataType, p.Field, p.Granularity)
}

// String tells this partitioning from others: of a day it is the column's name.
func (p *Partition) String() string {
	switch {
	case p == nil:
		return ""
	case p.DataType == "int64":
		return fmt.Sprintf("%s %d/%d/%d", p.Field, p.Range.Start, p.Range.End, p.Range.Interval)
	case p.Granularity != "day":
		return p.Field + " " + p.Granularity
	}
	return p.Field
}
