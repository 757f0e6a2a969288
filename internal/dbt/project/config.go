package project

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Materializations.
const (
	View        = "view"
	Table       = "table"
	Incremental = "incremental"
	Ephemeral   = "ephemeral"
	Seed        = "seed"

	SnapshotTable = "snapshot"
)

// Strategies of incremental models.
const (
	Merge           = "merge"
	InsertOverwrite = "insert_overwrite"
	Microbatch      = "microbatch"
)

// What becomes of an incremental model whose columns changed.
const (
	IgnoreChange = "ignore"
	FailOnChange = "fail"
	AppendNew    = "append_new_columns"
	SyncAll      = "sync_all_columns"
)

// A Config says how a model is materialized.
type Config struct {
	Materialized string
	Enabled      bool
	Alias        string
	Tags         []string
	Strategy     string   // incremental_strategy
	UniqueKey    []string // of strategy merge
	// Predicates (incremental_predicates) are further conditions of a merge;
	// it changes UpdateColumns alone, or all but ExcludeColumns.
	Predicates, UpdateColumns, ExcludeColumns []string

	Snapshot Snapshot // of a snapshot

	OnSchemaChange string
	// EventTime is the column with the time; of it, and the next three,
	// microbatch makes its batches.
	EventTime, BatchSize string
	Begin                time.Time
	Lookback             int

	PreHooks, PostHooks []Hook
	Options             Options
	FullRefresh         *bool // true always makes the table again, false never
	Contract            bool  // columns and types must be those declared
	PartitionBy         *Partition
	ClusterBy           []string
	// Partitions are the partitions that an incremental run replaces, as SQL
	// literals joined by commas; "" when there is nothing to replace. Known
	// says whether the model names them at all.
	Partitions      string
	KnowsPartitions bool
	// Meta is the model's own; a table is made again when it changes.
	Meta map[string]any
	// All is the configuration as it was written.
	All map[string]any
}

func parseConfig(kind string, settings map[string]any) (Config, error) {
	config := Config{Materialized: View, Enabled: true, Strategy: Merge, OnSchemaChange: IgnoreChange, Lookback: 1, All: settings, Snapshot: newSnapshot()}
	if err := applies(settings); err != nil {
		return Config{}, err
	}
	for key, value := range settings {
		if _, unread := value.(unsupported); unread {
			continue // the model is disabled
		}
		if err := checkType(kind+" config", key, value); err != nil {
			return Config{}, fmt.Errorf("config %w", err)
		}
		if value == nil || supportOf("model config", key).status == nothing {
			continue
		}
		ok, err := config.set(key, value)
		if err != nil {
			return Config{}, err
		}
		if !ok {
			return Config{}, fmt.Errorf("config %s has a value of the wrong type: %v", key, value)
		}
	}
	return config, nil
}

// set takes one setting and reports whether its value has the right type.
func (c *Config) set(key string, value any) (ok bool, err error) {
	switch key {
	case "materialized":
		c.Materialized, ok = value.(string)
	case "enabled":
		c.Enabled, ok = value.(bool)
	case "alias":
		c.Alias, ok = value.(string)
	case "tags":
		c.Tags, ok = stringList(addTags(nil, value))
	case "incremental_strategy":
		c.Strategy, ok = value.(string)
	case "unique_key":
		c.UniqueKey, ok = stringList(value)
	case "on_schema_change":
		c.OnSchemaChange, ok = value.(string)
	case "full_refresh":
		var refresh bool
		refresh, ok = value.(bool)
		c.FullRefresh = &refresh
	case "incremental_predicates":
		c.Predicates, ok = onlyList(value)
	case "merge_update_columns":
		c.UpdateColumns, ok = onlyList(value)
	case "merge_exclude_columns":
		c.ExcludeColumns, ok = onlyList(value)
	case "contract":
		c.Contract, ok = contractOf(value)
	case "cluster_by":
		c.ClusterBy, ok = stringList(value)
	case "partitions":
		var partitions []string
		partitions, ok = stringList(value)
		c.Partitions, c.KnowsPartitions = strings.Join(partitions, ", "), true
	case "meta":
		c.Meta, ok = value.(map[string]any)
	case "partition_by":
		c.PartitionBy, err = parsePartition(value)
		ok = true
	case "event_time":
		c.EventTime, ok = value.(string)
	case "batch_size":
		c.BatchSize, ok = value.(string)
	case "begin":
		c.Begin, ok = parseBegin(value)
	case "lookback":
		var n float64
		n, ok = number(value)
		c.Lookback = int(n)
	case "concurrent_batches": // the runner runs one after the other
		_, ok = value.(bool)
	case "pre_hook":
		c.PreHooks, err = hooksOf(key, value)
		ok = true
	case "post_hook":
		c.PostHooks, err = hooksOf(key, value)
		ok = true
	case "column_types", "quote_columns", "delimiter", // of a seed, which reads them itself
		"group", "access": // which are looked at when all models are known
		ok = true
	default:
		var known bool
		if known, ok = c.Options.set(key, value); !known {
			known, ok = c.Snapshot.set(key, value)
		}
		if !known {
			err = fmt.Errorf("config %q is not supported", key)
		}
	}
	return ok, err
}

func contractOf(value any) (enforced, ok bool) {
	fields, ok := value.(map[string]any)
	for key, value := range fields {
		switch key {
		case "enforced":
			enforced, ok = value.(bool)
		case "alias_types":
			ok = ok && value == true
		default:
			ok = false
		}
	}
	return enforced, ok
}

// onlyList takes a list of texts; of a text dbt would make its letters.
func onlyList(value any) ([]string, bool) {
	if _, isText := value.(string); isText {
		return nil, false
	}
	return stringList(value)
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

// check refuses what the runner could not carry out.
func (m *Model) check() error {
	c := &m.Config
	if err := c.Options.check(m); err != nil {
		return err
	}
	kinds := []string{View, Table, Incremental, Ephemeral}
	switch m.Type {
	case TypeSeed:
		kinds = []string{Seed}
	case TypeSnapshot:
		return nil // see checkSnapshot
	}
	switch {
	case !slices.Contains(kinds, c.Materialized):
		return fmt.Errorf("%s: materialized is %q: it is one of %s", m.Path, c.Materialized, strings.Join(kinds, ", "))
	case c.Materialized == Incremental:
		if err := c.checkIncremental(); err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		fallthrough
	case c.Materialized == Table:
		if m.DeclaresColumns() {
			return m.checkColumns()
		}
	}
	return nil
}

func (c *Config) checkIncremental() error {
	switch {
	case c.Strategy == Microbatch:
		if err := c.checkBatches(); err != nil {
			return err
		}
	case c.Strategy != Merge && c.Strategy != InsertOverwrite:
		return fmt.Errorf("incremental_strategy is %q: it is %s, %s or %s", c.Strategy, Merge, InsertOverwrite, Microbatch)
	}
	switch {
	case c.PartitionBy != nil && c.PartitionBy.Copies && c.Strategy == Merge:
		return fmt.Errorf("copy_partitions needs incremental_strategy %s", InsertOverwrite)
	case c.PartitionBy != nil && c.PartitionBy.Copies && c.Partitions != "":
		return fmt.Errorf("copy_partitions together with partitions is not supported: leave copy_partitions out")
	case c.Strategy == InsertOverwrite && c.PartitionBy == nil:
		return fmt.Errorf("insert_overwrite needs partition_by")
	case len(c.UpdateColumns) > 0 && len(c.ExcludeColumns) > 0:
		return fmt.Errorf("merge_update_columns and merge_exclude_columns exclude each other: keep one")
	case !slices.Contains([]string{IgnoreChange, FailOnChange, AppendNew, SyncAll}, c.OnSchemaChange):
		return fmt.Errorf("on_schema_change is %q: it is %s, %s, %s or %s", c.OnSchemaChange, IgnoreChange, FailOnChange, AppendNew, SyncAll)
	case c.Contract && c.OnSchemaChange != AppendNew && c.OnSchemaChange != FailOnChange:
		return fmt.Errorf("an incremental model with a contract needs on_schema_change: %s or %s", AppendNew, FailOnChange)
	}
	return nil
}

// Remembers reports whether the model keeps an answer for the next run
// (meta.memory).
func (m *Model) Remembers() bool { return m.Config.Meta["memory"] != nil }

// DeclaresColumns reports whether the model's table has the columns of its yml
// entry, in that order: it has a contract, or is one that remembers. Every other
// table has what its SQL gives.
func (m *Model) DeclaresColumns() bool {
	return m.Type == TypeSeed || m.Config.Contract || m.Stored() && m.Remembers()
}

func (m *Model) checkColumns() error {
	if len(m.Columns) == 0 {
		return fmt.Errorf("%s: the model is a table with a contract, or with meta.memory: declare its columns in a yml file next to it", m.Path)
	}
	for _, column := range m.Columns {
		if column.Type == "" {
			return fmt.Errorf("%s: column %s has no data_type in the yml file", m.Path, column.Name)
		}
	}
	return nil
}

// Stored reports whether the model has rows of its own.
func (m *Model) Stored() bool {
	return m.KeepsRows() || m.Config.Materialized == Table || m.Config.Materialized == Seed
}

// KeepsRows reports whether the model adds to the rows that it has.
func (m *Model) KeepsRows() bool {
	return m.Config.Materialized == Incremental || m.Config.Materialized == SnapshotTable
}

// Layout describes what a stored table depends on besides its columns and
// rows: a table of another layout cannot be kept. The case of columns is nobody's
// matter in BigQuery.
func (m *Model) Layout() string {
	kind := m.Config.Materialized
	if kind == SnapshotTable { // whose table is never made again
		return Digest(kind)
	}
	if m.Stored() {
		kind = "stored"
		if m.Config.Materialized == Incremental {
			kind = Incremental
		}
	}
	partition := m.Config.PartitionBy
	if partition != nil {
		lower := *partition
		lower.Field, lower.Copies = strings.ToLower(lower.Field), false
		partition = &lower
	}
	var clusters []string
	for _, column := range m.Config.ClusterBy {
		clusters = append(clusters, strings.ToLower(column))
	}
	return Digest(kind, partition, clusters, m.Config.Meta)
}

// Digest is short enough for a label's value (63 characters).
func Digest(of ...any) string {
	text, err := json.Marshal(of)
	must(err) // strings, lists and values out of yml and Jinja
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
