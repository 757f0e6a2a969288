package project

import (
	"regexp"
	"strings"
)

// matchesText compares as Python's fnmatch does: * is any text, ? one
// character, [abc] and [!abc] one of some.
func matchesText(pattern, text string) bool {
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			out.WriteString(".*")
		case '?':
			out.WriteString(".")
		case '[':
			end := closing(pattern, i)
			if end < 0 {
				out.WriteString(`\[`)
				continue
			}
			set := strings.ReplaceAll(pattern[i+1:end], `\`, `\\`)
			if rest, isNot := strings.CutPrefix(set, "!"); isNot {
				set = "^" + rest
			} else if strings.HasPrefix(set, "^") {
				set = `\` + set
			}
			out.WriteString("[" + set + "]")
			i = end
		default:
			out.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	form, err := regexp.Compile(`(?s)\A(?:` + out.String() + `)\z`)
	return err == nil && form.MatchString(text)
}

// closing is the place of the bracket that ends a set; -1 for none.
func closing(pattern string, open int) int {
	from := open + 1
	if from < len(pattern) && pattern[from] == '!' {
		from++
	}
	if from < len(pattern) && pattern[from] == ']' {
		from++
	}
	if from > len(pattern) {
		return -1
	}
	if at := strings.IndexByte(pattern[from:], ']'); at >= 0 {
		return from + at
	}
	return -1
}

// matchesName takes a name, or steps with dots between: of the project, of
// folders and of the name. From the first step with a wildcard on, all the rest is
// compared as one text.
func matchesName(r *Resource, value string) bool {
	if r.Type == TypeSource {
		return false
	}
	return matchesSteps(r.FQN, value) || matchesSteps(r.FQN[1:], value)
}

func matchesSteps(fqn []string, value string) bool {
	if len(fqn) > 0 && fqn[len(fqn)-1] == value {
		return true
	}
	steps, flat := strings.Split(value, "."), strings.Split(strings.Join(fqn, "."), ".")
	if len(flat) < len(steps) {
		return false
	}
	for i, step := range steps {
		if strings.ContainsAny(step, "*?[]") {
			return matchesText(strings.Join(steps[i:], "."), strings.Join(flat[i:], "."))
		}
		if flat[i] != step {
			return false
		}
	}
	return true
}

// matchesPath takes a file, or a folder that it is below, with wildcards within
// the steps; ** is any number of steps.
func matchesPath(pattern, file string) bool {
	steps := strings.Split(file, "/")
	for n := range steps {
		if matchesParts(strings.Split(strings.Trim(pattern, "/"), "/"), steps[:n+1]) {
			return true
		}
	}
	return false
}

func matchesParts(pattern, steps []string) bool {
	switch {
	case len(pattern) == 0:
		return len(steps) == 0
	case pattern[0] == "**":
		return matchesAfter(pattern[1:], steps)
	case len(steps) == 0:
		return false
	}
	return matchesText(pattern[0], steps[0]) && matchesParts(pattern[1:], steps[1:])
}

// matchesAfter skips any number of steps.
func matchesAfter(pattern, steps []string) bool {
	for n := range len(steps) + 1 {
		if matchesParts(pattern, steps[n:]) {
			return true
		}
	}
	return false
}
