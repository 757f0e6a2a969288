package project

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

//go:embed support.txt
var supportText string

// What becomes of something that dbt-core knows.
const (
	honoured = "honoured"
	refused  = "refused"
	nothing  = "nothing to BigQuery"
)

// A support is what the runner makes of one name.
type support struct {
	status string
	note   string
}

// A Supported is one line of the table of what dbt-core knows.
type Supported struct {
	Place, Status, Note string
	Names               []string
}

// SupportTable is what the runner makes of all that dbt-core 1.12 knows, in
// the order of support.txt.
func SupportTable() []Supported {
	var table []Supported
	place := ""
	marks := map[string]string{"=": honoured, "-": refused, "0": nothing}
	for _, line := range strings.Split(supportText, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			place = strings.Trim(line, "[]")
			table = append(table, ownNames(place)...)
		default:
			mark, rest, _ := strings.Cut(line, " ")
			names, note, _ := strings.Cut(rest, " : ")
			table = append(table, Supported{place, marks[mark], note, strings.Fields(names)})
		}
	}
	return table
}

// ownNames are those of which the package jinja has the list.
func ownNames(place string) []Supported {
	var names []string
	switch kind, isMethod := strings.CutPrefix(place, "method of "); {
	case isMethod:
		names = jinja.Methods(kind)
	case place == "filter":
		names = jinja.Filters()
	case place == "test":
		names = jinja.Tests()
	}
	if len(names) == 0 {
		return nil
	}
	return []Supported{{Place: place, Status: honoured, Names: names}}
}

var supportByName = sync.OnceValue(func() map[[2]string]support {
	found := map[[2]string]support{}
	for _, line := range SupportTable() {
		for _, name := range line.Names {
			found[[2]string{line.Place, name}] = support{line.Status, line.Note}
		}
	}
	return found
})

// supportOf is what the runner makes of a name; nothing is known of one that
// dbt does not have.
func supportOf(place, name string) support { return supportByName()[[2]string{place, name}] }

// supported refuses a name that is refused, or that dbt does not know.
func supported(place, name string) error {
	label := strings.TrimSuffix(place, " yml")
	if slices.Contains([]string{"model config", "seed config", "test config", "source config"}, place) {
		label = "config"
	}
	switch found := supportOf(place, name); {
	case found.status == refused:
		return fmt.Errorf("%s %q is not supported: %s", label, name, found.note)
	case found.status == "":
		return fmt.Errorf("%s %q is not supported: dbt does not know it either; what is only a note belongs under meta", label, name)
	}
	return nil
}
