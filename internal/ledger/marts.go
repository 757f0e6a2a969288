package ledger

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/dbt"
)

var (
	modelTopic = regexp.MustCompile(`\btopic = '(\w+)'`)
	modelRef   = regexp.MustCompile(`\bref\('(\w+)'\)`)
)

// Marts returns the models that people read and that a topic's records go
// into, as the dbt project says: those that name the topic, and what reads
// these.
func Marts(topic string) ([]string, error) {
	reads := map[string][]string{} // by model
	marts := map[string]bool{}
	of := map[string]bool{} // models with records of the topic
	err := fs.WalkDir(dbt.Files, "models", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".sql" {
			return err
		}
		text, err := fs.ReadFile(dbt.Files, name)
		model := strings.TrimSuffix(path.Base(name), ".sql")
		for _, match := range modelRef.FindAllSubmatch(text, -1) {
			reads[model] = append(reads[model], string(match[1]))
		}
		for _, match := range modelTopic.FindAllSubmatch(text, -1) {
			of[model] = of[model] || string(match[1]) == topic
		}
		marts[model] = path.Dir(name) == "models/marts"
		return err
	})
	if err != nil {
		return nil, err
	}
	for grown := true; grown; {
		grown = false
		for model, sources := range reads {
			if !of[model] && slices.ContainsFunc(sources, func(source string) bool { return of[source] }) {
				of[model], grown = true, true
			}
		}
	}
	maps.DeleteFunc(of, func(model string, is bool) bool { return !is || !marts[model] })
	return slices.Sorted(maps.Keys(of)), nil
}
