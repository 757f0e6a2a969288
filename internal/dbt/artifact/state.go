package artifact

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// State says which resources differ from those of an earlier manifest, ours or
// dbt-core's: by each value that dbt's selector state: takes, the ids.
func State(p *project.Project, earlier []byte) (map[string]map[string]bool, error) {
	before, err := readState(earlier)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of --state: %w", err)
	}
	now, err := readState(Manifest(p, nil, "", time.Time{}))
	if err != nil {
		return nil, err
	}
	states := map[string]map[string]bool{}
	for _, state := range project.States {
		states[state] = map[string]bool{}
	}
	for id, entry := range now.entries() {
		old, known := before.entries()[id]
		found := changes(entry, old)
		if !known {
			found = map[string]bool{"new": true, "modified": entry["resource_type"] != project.TypeSource}
		} else {
			found["old"] = true
			found["modified.macros"] = now.hasOtherMacros(entry, before)
			found["modified"] = found["modified"] || found["modified.macros"]
		}
		found["unmodified"] = !found["modified"]
		for state, holds := range found {
			if holds {
				states[state][id] = true
			}
		}
	}
	return states, nil
}

// A state is what is compared of a manifest.
type state struct {
	Nodes   map[string]fields `json:"nodes"`
	Sources map[string]fields `json:"sources"`
	Macros  map[string]struct {
		SQL string `json:"macro_sql"`
	} `json:"macros"`
}

func readState(manifest []byte) (*state, error) {
	read := &state{}
	err := json.Unmarshal(manifest, read)
	return read, err
}

func (s *state) entries() map[string]fields {
	all := maps.Clone(s.Nodes)
	maps.Copy(all, s.Sources)
	return all
}

// changes are the values of state: that hold for an entry that was there.
func changes(entry, old fields) map[string]bool {
	differ := func(names ...string) bool {
		for _, name := range names {
			if !reflect.DeepEqual(entry[name], old[name]) {
				return true
			}
		}
		return false
	}
	found := map[string]bool{"modified.configs": differ("unrendered_config")}
	switch entry["resource_type"] {
	case project.TypeSource:
		found["modified"] = differ("unrendered_config", "database", "schema", "identifier", "fqn", "freshness", "loaded_at_field")
		return found
	case project.TypeSeed:
		found["modified.body"] = differ("checksum")
	default:
		found["modified.body"] = differ("raw_code")
	}
	config, _ := entry["unrendered_config"].(fields)
	oldConfig, _ := old["unrendered_config"].(fields)
	for _, name := range []string{"database", "schema", "alias"} {
		found["modified.relation"] = found["modified.relation"] || !reflect.DeepEqual(config[name], oldConfig[name])
	}
	isGeneric := entry["test_metadata"] != nil
	if !isGeneric && entry["resource_type"] == project.TypeModel {
		found["modified.contract"] = !reflect.DeepEqual(contractOf(entry), contractOf(old))
	}
	found["modified"] = found["modified.configs"] || differ("fqn") || !isGeneric && (found["modified.body"] || found["modified.relation"] || found["modified.contract"])
	return found
}

// contractOf is the checksum of a model's contract; nil where none is enforced.
func contractOf(entry fields) any {
	contract, _ := entry["contract"].(fields)
	if contract["enforced"] != true {
		return nil
	}
	return contract["checksum"]
}

// hasOtherMacros reports whether a macro that an entry uses was another one.
func (s *state) hasOtherMacros(entry fields, before *state) bool {
	depends, _ := entry["depends_on"].(fields)
	macros, _ := depends["macros"].([]any)
	for _, id := range macros {
		name, _ := id.(string)
		if old, known := before.Macros[name]; !known || old.SQL != s.Macros[name].SQL {
			return true
		}
	}
	return false
}
