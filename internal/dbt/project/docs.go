package project

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// docsBlock is a text of a .md file that descriptions name by doc().
var docsBlock = regexp.MustCompile(`(?s)\{%-?\s*docs\s+(\w+)\s*-?%\}(.*?)\{%-?\s*enddocs\s*-?%\}`)

// describe renders descriptions, which persist_docs gives to BigQuery.
func (l *loader) describe() error {
	var blocks map[[2]string]string
	for _, model := range l.Models {
		texts, names := []*string{&model.Description}, []string{model.Name}
		for i := range model.Columns {
			texts, names = append(texts, &model.Columns[i].Description), append(names, model.Name+"."+model.Columns[i].Name)
		}
		for i, text := range texts {
			if !strings.Contains(*text, "{{") && !strings.Contains(*text, "{%") {
				continue
			}
			if blocks == nil {
				var err error
				if blocks, err = l.docsBlocks(); err != nil {
					return err
				}
			}
			r := l.context(model.asWritten.doc)
			r.extra = map[string]jinja.Value{"doc": jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return docsBlockFor(r.in, l.packages[0], blocks, a) })}
			rendered, err := r.text(model.patched, l.described[names[i]], *text)
			if err != nil {
				return fmt.Errorf("the description of %s: %w", model.Name, placed(model.patched, err))
			}
			*text = rendered
		}
	}
	return nil
}

// docsBlockFor is doc(): a block of the package's own comes first, then one of
// the project.
func docsBlockFor(in, root *pkg, blocks map[[2]string]string, a *jinja.Arguments) (jinja.Value, error) {
	names, err := words(a, 1, 2)
	if err != nil {
		return nil, err
	}
	block := names[len(names)-1]
	of := []string{in.name, root.name}
	if len(names) == 2 {
		of = names[:1]
	} else {
		for key := range blocks {
			if key[1] == block {
				of = append(of, key[0])
			}
		}
		slices.Sort(of[2:])
	}
	for _, name := range of {
		if text, found := blocks[[2]string{name, block}]; found {
			return text, nil
		}
	}
	return nil, fmt.Errorf("there is no docs block %q", strings.Join(names, "."))
}

// docsBlocks are the texts of all .md files, by package and name.
func (l *loader) docsBlocks() (map[[2]string]string, error) {
	blocks := map[[2]string]string{}
	for _, of := range l.packages {
		for _, folder := range of.settings.docsPaths {
			for _, file := range filesUnder(l.files, folder, ".md") {
				content, err := fs.ReadFile(l.files, file)
				if err != nil {
					return nil, err
				}
				for _, block := range docsBlock.FindAllStringSubmatch(string(content), -1) {
					blocks[[2]string{of.name, block[1]}] = strings.TrimSpace(block[2])
				}
			}
		}
	}
	return blocks, nil
}
