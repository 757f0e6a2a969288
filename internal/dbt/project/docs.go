package project

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// docsBlock is a text of a .md file that descriptions name by doc().
var docsBlock = regexp.MustCompile(`(?s)\{%-?\s*docs\s+(\w+)\s*-?%\}(.*?)\{%-?\s*enddocs\s*-?%\}`)

// describe renders the descriptions that persist_docs gives to BigQuery.
func (l *loader) describe() error {
	var blocks map[string]string
	for _, model := range l.Models {
		o := model.Config.Options
		texts, names := []*string{&model.Description}, []string{model.Name}
		if !o.DescribesRelation {
			texts, names = nil, nil
		}
		for i := range model.Columns {
			if o.DescribesColumns {
				texts, names = append(texts, &model.Columns[i].Description), append(names, model.Name+"."+model.Columns[i].Name)
			}
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
			r := l.context(model.patched)
			r.extra = map[string]jinja.Value{"doc": jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return l.docsBlock(blocks, a) })}
			rendered, err := l.templates.text(model.patched, l.described[names[i]], *text, r)
			if err != nil {
				return fmt.Errorf("the description of %s: %w", model.Name, placed(model.patched, err))
			}
			*text = strings.TrimSpace(rendered)
		}
	}
	return nil
}

func (l *loader) docsBlock(blocks map[string]string, a *jinja.Arguments) (jinja.Value, error) {
	names, err := words(a, 1, 2)
	if err != nil {
		return nil, err
	}
	text, found := blocks[names[len(names)-1]]
	if !found || len(names) == 2 && names[0] != l.Name {
		return nil, fmt.Errorf("there is no docs block %q", strings.Join(names, "."))
	}
	return text, nil
}

// docsBlocks are the texts of all .md files, by name.
func (l *loader) docsBlocks() (map[string]string, error) {
	blocks := map[string]string{}
	for _, folder := range l.settings.docsPaths {
		for _, file := range filesUnder(l.files, folder, ".md") {
			content, err := fs.ReadFile(l.files, file)
			if err != nil {
				return nil, err
			}
			for _, block := range docsBlock.FindAllStringSubmatch(string(content), -1) {
				blocks[block[1]] = strings.TrimSpace(block[2])
			}
		}
	}
	return blocks, nil
}
