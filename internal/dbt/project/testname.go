package project

import (
	"cmp"
	"crypto/md5" // as dbt does for long names
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// nameOfTest is the name dbt gives to a generic test: the kind, the model and
// the arguments by their names' order. Its alias is cut when it is long.
func nameOfTest(kind, of string, arguments *jinja.Dict) (name, alias string, err error) {
	var keys, parts []string
	for _, key := range arguments.Keys() {
		keys = append(keys, key.(string))
	}
	slices.Sort(keys)
	for _, key := range keys {
		value, _ := arguments.Get(key)
		items := []jinja.Value{value}
		switch value := value.(type) {
		case *jinja.List:
			items = value.Items
		case *jinja.Dict:
			items = nil
			for _, key := range value.Keys() {
				item, _ := value.Get(key)
				items = append(items, item)
			}
		}
		for _, item := range items {
			text, err := jinja.Text(item)
			if err != nil {
				return "", "", err
			}
			parts = append(parts, noWord.ReplaceAllString(text, "_"))
		}
	}
	start := kind + "_" + of
	name = start + "_" + strings.Join(parts, "__")
	if len(name) < 64 {
		return name, name, nil
	}
	sum := md5.Sum([]byte(name))
	return name, start[:min(30, len(start))] + "_" + hex.EncodeToString(sum[:]), nil
}

var noWord = regexp.MustCompile(`[^0-9a-zA-Z_]+`)

// noteTest notes of a generic test what dbt does.
func (l *loader) noteTest(test *Test, of subject, c check, own *pkg, config map[string]any) (err error) {
	macro := "test_" + test.Kind
	if test.Namespace != "" {
		macro = test.Namespace + "." + macro
	}
	noted := maps.Clone(config)
	if noted["alias"] == nil && test.Short != test.Name {
		noted["alias"] = test.Short
	}
	if test.Code, err = testCode(macro, noted, c.configured); err != nil {
		return err
	}
	if kwargs, err := jinja.Go(c.kwargs(of)); err == nil { // of the manifest alone
		test.Kwargs, _ = kwargs.(map[string]any)
	}
	test.asWritten = l.writtenOf(test.in, test.FQN, testTree)
	switch {
	case own == nil && (test.Kind == "unique" || test.Kind == "not_null"): // dbt renders none of these
		test.asWritten.called = noted
	case strings.Contains(test.Code, "config("):
		test.asWritten.source, test.asWritten.called = test.Code, noted
	}
	return nil
}

// hash is what dbt has in the id of a generic test: of its name, and of what it
// is asked.
func (c *check) hash(of subject, namespace, kind, name string) string {
	asked := c.kwargs(of)
	metadata := jinja.NewDict()
	must(metadata.Set("kwargs", asked))
	must(metadata.Set("name", kind))
	must(metadata.Set("namespace", cmp.Or(namespace, "None")))
	text, err := jinja.Text(hashable(metadata))
	must(err)
	sum := md5.Sum([]byte(name + text))
	return hex.EncodeToString(sum[:])[22:]
}

// kwargs are the arguments of the test's macro, as they are written.
func (c *check) kwargs(of subject) *jinja.Dict {
	all := c.arguments.Copy()
	must(all.Set("model", "{{ get_where_subquery("+of.reference+") }}"))
	return all
}

// hashable is a value with sorted names, all else as texts.
func hashable(v jinja.Value) jinja.Value {
	switch v := v.(type) {
	case *jinja.Dict:
		keys := map[string]jinja.Value{}
		for _, key := range v.Keys() {
			name, _ := jinja.Text(key)
			keys[name] = key
		}
		out := jinja.NewDict()
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			value, _ := v.Get(keys[name])
			must(out.Set(keys[name], hashable(value)))
		}
		return out
	case *jinja.List:
		out := jinja.NewList()
		for _, item := range v.Items {
			out.Items = append(out.Items, hashable(item))
		}
		return out
	}
	text, err := jinja.Text(v)
	must(err)
	return text
}
