package project

import (
	"slices"
	"strings"
)

// A configTree is the configuration by folder in dbt_project.yml: keys that
// begin with +, or hold no further keys, are settings; all others are folders
// or names of resources.
type configTree struct {
	name   string
	root   map[string]any
	raw    func() map[string]any // the same with its texts as they are written
	unused map[string]bool       // paths with settings, until one resource is below them
}

func newConfigTree(name string, root map[string]any) *configTree {
	t := &configTree{name: name, root: root, unused: map[string]bool{}}
	t.note(name, root)
	return t
}

func (t *configTree) note(path string, level map[string]any) {
	for key, value := range level {
		if below, ok := folderOf(key, value); ok {
			t.note(path+"."+key, below)
		} else if path != t.name {
			t.unused[path] = true
		}
	}
}

func folderOf(key string, value any) (map[string]any, bool) {
	below, ok := value.(map[string]any)
	return below, ok && !strings.HasPrefix(key, "+")
}

// of collects the settings on the way to a resource; the deeper ones win, and
// tags add up.
func (t *configTree) of(fqn []string) map[string]any {
	settings := map[string]any{}
	level, path := t.root, t.name
	for i := 0; level != nil; i++ {
		for key, value := range level {
			if _, ok := folderOf(key, value); ok {
				continue
			}
			configure(settings, strings.TrimPrefix(key, "+"), value)
		}
		delete(t.unused, path)
		if i == len(fqn) {
			break
		}
		path += "." + fqn[i]
		level, _ = folderOf(fqn[i], level[fqn[i]])
	}
	return settings
}

// written collects the settings on the way to a resource as they are written;
// the deeper ones win.
func (t *configTree) written(fqn []string) map[string]any {
	settings := map[string]any{}
	level := t.raw()
	for i := 0; level != nil; i++ {
		for key, value := range level {
			if _, ok := folderOf(key, value); !ok {
				settings[strings.TrimPrefix(key, "+")] = value
			}
		}
		if i == len(fqn) {
			break
		}
		level, _ = folderOf(fqn[i], level[fqn[i]])
	}
	return settings
}

// addTags joins two values of the setting tags, each a text or a list.
func addTags(known, more any) any {
	all := []any{}
	if known == nil {
		known = all
	}
	for _, value := range []any{known, more} {
		for _, tag := range asList(value) { // of any type: who reads them refuses what is no text
			if text, ok := tag.(string); !ok || !slices.Contains(all, any(text)) {
				all = append(all, tag)
			}
		}
	}
	return all
}
