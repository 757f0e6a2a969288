package project

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// modules is dbt's variable of that name: of Python's modules it has re, where
// its expressions mean the same to Go.
var modules = &refuser{"modules", map[string]jinja.Value{"re": &refuser{"modules.re", map[string]jinja.Value{
	"sub":       jinja.Func(substitute),
	"match":     jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return matching(a, `^(?:%s)`) }),
	"search":    jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return matching(a, `%s`) }),
	"fullmatch": jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return matching(a, `^(?:%s)$`) }),
	"findall":   jinja.Func(findAll),
}}}}

// expression compiles Python's regular expression for a text. Words, digits and
// ends of lines are others to Python outside of ASCII and before a last line
// end.
func expression(pattern, text string) (*regexp.Regexp, error) {
	if strings.IndexFunc(pattern+text, func(r rune) bool { return r > 127 }) >= 0 {
		return nil, errors.New("regular expressions over other characters than ASCII are not supported here")
	}
	if strings.HasSuffix(text, "\n") && strings.Contains(pattern, "$") {
		return nil, errors.New("$ over a text that ends with a line end is not supported here")
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("this regular expression is not supported here: %w", err)
	}
	return compiled, nil
}

var errEmptyMatch = errors.New("a regular expression that matches nothing is not supported here")

// references are those of a group in Python's replacement.
var references = regexp.MustCompile(`\\(\d)|\\g<(\w+)>`)

func substitute(a *jinja.Arguments) (jinja.Value, error) {
	texts, err := words(a, 3, 3)
	if err != nil {
		return nil, err
	}
	compiled, err := expression(texts[0], texts[2])
	if err != nil {
		return nil, err
	}
	if compiled.MatchString("") {
		return nil, errEmptyMatch
	}
	replacement := references.ReplaceAllString(strings.ReplaceAll(texts[1], "$", "$$"), "$${$1$2}")
	if strings.Contains(replacement, `\`) {
		return nil, fmt.Errorf("the replacement %q is not supported here", texts[1])
	}
	return compiled.ReplaceAllString(texts[2], replacement), nil
}

// matching is none, or what was found.
func matching(a *jinja.Arguments, form string) (jinja.Value, error) {
	texts, err := words(a, 2, 2)
	if err != nil {
		return nil, err
	}
	compiled, err := expression(texts[0], texts[1])
	if err != nil {
		return nil, err
	}
	if compiled, err = regexp.Compile(fmt.Sprintf(form, compiled)); err != nil {
		return nil, err
	}
	groups := compiled.FindStringSubmatchIndex(texts[1])
	if groups == nil {
		return nil, nil
	}
	group := func(a *jinja.Arguments) (jinja.Value, error) {
		var number jinja.Value = int64(0)
		if err := a.Take(0, []string{"number"}, &number); err != nil {
			return nil, err
		}
		n, ok := number.(int64)
		if !ok || n < 0 || n > int64(compiled.NumSubexp()) {
			return nil, fmt.Errorf("there is no group %v", number)
		}
		if groups[2*n] < 0 {
			return nil, nil
		}
		return texts[1][groups[2*n]:groups[2*n+1]], nil
	}
	return &refuser{"a match", map[string]jinja.Value{"group": jinja.Func(group)}}, nil
}

func findAll(a *jinja.Arguments) (jinja.Value, error) {
	texts, err := words(a, 2, 2)
	if err != nil {
		return nil, err
	}
	compiled, err := expression(texts[0], texts[1])
	switch {
	case err != nil:
		return nil, err
	case compiled.MatchString(""):
		return nil, errEmptyMatch
	case compiled.NumSubexp() > 1:
		return nil, errors.New("more than one group is not supported here")
	}
	list := jinja.NewList()
	for _, found := range compiled.FindAllStringSubmatch(texts[1], -1) {
		list.Items = append(list.Items, found[len(found)-1])
	}
	return list, nil
}
