package project

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
)

//go:embed types.txt
var typesText string

// typeByName are the types of types.txt, by place and name.
var typeByName = sync.OnceValue(func() map[[2]string]string {
	found := map[[2]string]string{}
	place := ""
	for _, line := range strings.Split(typesText, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			place = strings.Trim(line, "[]")
		default:
			for _, entry := range strings.Split(line, ", ") {
				name, kind, _ := strings.Cut(entry, " ")
				found[[2]string{place, name}] = kind
			}
		}
	}
	return found
})

// checkType refuses a value of which dbt-core says that its type is wrong.
func checkType(place, name string, value any) error {
	kind := typeByName()[[2]string{place, name}]
	if kind == "" || kind == "any" {
		return nil
	}
	kind, takesNull := strings.CutSuffix(kind, "?")
	if value == nil && takesNull || isOf(kind, value) {
		return nil
	}
	words := inWords[kind]
	if words == "" {
		words = "one of " + strings.ReplaceAll(kind, "|", ", ")
	}
	return fmt.Errorf("%s has a value of the wrong type: %v: it is %s", name, value, words)
}

// inWords are the types as a person names them.
var inWords = map[string]string{
	"bool": "true or false", "int": "a whole number", "text": "a text", "dict": "names with values", "list": "a list", "texts": "a text, or a list of texts",
}

func isOf(kind string, value any) (ok bool) {
	switch kind {
	case "bool":
		_, ok = value.(bool)
	case "int":
		switch value.(type) {
		case int, int64, uint64:
			ok = true
		}
	case "text":
		_, ok = value.(string)
	case "dict":
		_, ok = value.(map[string]any)
	case "list":
		_, ok = value.([]any)
	case "texts":
		_, ok = stringList(value)
	default:
		text, _ := value.(string)
		ok = slices.Contains(strings.Split(kind, "|"), text)
	}
	return ok
}

// readsPast reports whether a name of a package's yml file is one that dbt does
// not know, and reads past with a warning: it is most likely misspelt, and not
// the project's to mend.
func (d *document) readsPast(place, name string) bool {
	return d.in != nil && !d.in.isRoot() && supportOf(place, name).status == "" && slices.Contains([]string{"model", "seed", "table", "column"}, place)
}

// checkType refuses a value of the wrong type.
func (d *document) checkType(place string, entry *ast.MappingValueNode) error {
	value, err := written(d, entry.Value)
	if err == nil {
		err = checkType(place, keyOf(entry), value)
	}
	if err != nil {
		return d.fail(entry, "%s %w", place, err)
	}
	return nil
}
