package mend

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
)

var specifier = regexp.MustCompile(`%([-+ #0']*)(\*|\d+)?(?:\.(\*|\d*))?([a-zA-Z%])`)

// printf is FORMAT. The gateway gives values that are written as any type with their types, see typedValue.
func printf(scalar) scalar {
	return func(args ...any) (any, error) {
		layout, ok := decode(args[0]).(string)
		if args[0] == nil || !ok {
			return nil, nil
		}
		p := &printing{args: args[1:]}
		text := specifier.ReplaceAllStringFunc(layout, p.write)
		switch {
		case p.err == nil && (len(p.args) > 0 || strings.Contains(specifier.ReplaceAllString(layout, ""), "%")):
			p.err = errors.New("Invalid FORMAT: the arguments do not fit the format")
		case p.null && p.err == nil:
			return nil, nil
		}
		if p.err != nil {
			return nil, p.err
		}
		return encode(text), nil
	}
}

// printing is how far FORMAT is.
type printing struct {
	args []any // that are left
	null bool  // the result is NULL
	err  error
}

func (p *printing) next() any {
	if len(p.args) == 0 {
		p.err = errors.New("Invalid FORMAT: too few arguments")
		return nil
	}
	v := p.args[0]
	p.args = p.args[1:]
	return v
}

// number reads a width or a precision, which * takes from the arguments.
func (p *printing) number(text string) string {
	if text != "*" {
		return text
	}
	n, _ := p.next().(int64)
	return fmt.Sprint(n)
}

// write writes one specifier.
func (p *printing) write(text string) string {
	m := specifier.FindStringSubmatch(text)
	if m[4] == "%" {
		return "%"
	}
	flags, width := m[1], p.number(m[2])
	precision, hasPrecision := p.number(m[3]), strings.Contains(text, ".")
	v := p.next()
	if m[4] == "t" || m[4] == "T" {
		return fmt.Sprintf("%"+strings.Trim(flags, "+ #0'")+width+"s", printed(v, "", m[4] == "T"))
	}
	if v == nil {
		p.null = true
		return ""
	}
	spec := "%" + strings.ReplaceAll(flags, "'", "") + width
	if hasPrecision {
		spec += "." + precision
	} else if strings.Contains("eEfFgG", m[4]) {
		spec += ".6"
	}
	out := ""
	switch value := decode(v).(type) {
	case int64:
		out = p.whole(spec, m[4], value)
	case float64:
		out = p.float(spec, m[4], value)
	case numeric:
		f, _ := value.Float64()
		out = p.float(spec, m[4], f)
	case string:
		out = p.string(spec, m[4], value)
	case document:
		if m[4] != "p" && m[4] != "P" {
			p.err = errors.New("Invalid type for argument of FORMAT")
		}
		out = canonical(string(value))
	default:
		p.err = refuse("this specifier of FORMAT for this type")
	}
	if strings.Contains(flags, "'") {
		out = grouped(out)
	}
	return out
}

func (p *printing) whole(spec, verb string, v int64) string {
	switch verb {
	case "d", "i":
		return fmt.Sprintf(spec+"d", v)
	case "o", "x", "X":
		return fmt.Sprintf(spec+verb, v)
	}
	return p.float(spec, verb, float64(v))
}

func (p *printing) float(spec, verb string, v float64) string {
	switch {
	case !strings.Contains("eEfFgG", verb):
		p.err = errors.New("Invalid type for argument of FORMAT")
		return ""
	case math.IsInf(v, 0):
		return strings.TrimPrefix(strings.ToLower(fmt.Sprint(v)), "+")
	}
	return fmt.Sprintf(spec+strings.Replace(verb, "F", "f", 1), v)
}

func (p *printing) string(spec, verb, v string) string {
	if verb != "s" {
		p.err = errors.New("Invalid type for argument of FORMAT")
		return ""
	}
	return fmt.Sprintf(spec+"s", v)
}

var thousands = regexp.MustCompile(`\d+`)

// grouped writes commas into the whole part of a number.
func grouped(text string) string {
	at := thousands.FindStringIndex(text)
	if at == nil {
		return text
	}
	digits := text[at[0]:at[1]]
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return text[:at[0]] + digits + text[at[1]:]
}

// printed writes a value for people, or, exact, as an expression of its type.
func printed(v any, typ string, exact bool) string {
	if value, of, ok := typedValue(decode(v)); ok {
		v, typ = value, of
	}
	decoded := decode(v)
	named := func(kind string) string {
		text, _, _ := toText(decoded, 0)
		if exact {
			return fmt.Sprintf("%s %s", kind, quoted(fmt.Sprint(text)))
		}
		return fmt.Sprint(text)
	}
	switch value := decoded.(type) {
	case nil:
		return "NULL"
	case bool:
		return fmt.Sprint(value)
	case int64:
		if typ == "BOOL" {
			return fmt.Sprint(value != 0)
		}
		if strings.HasPrefix(typ, "FLOAT") || typ == "DOUBLE" {
			return fmt.Sprintf("%d.0", value)
		}
		return fmt.Sprint(value)
	case float64:
		text := floatText(value)
		if strings.Trim(text, "-0123456789") == "" {
			text += ".0"
		}
		if exact && math.IsInf(value, 0) {
			return fmt.Sprintf("CAST(%q AS FLOAT64)", text)
		}
		return text
	case string:
		if exact {
			return quoted(value)
		}
		return value
	case []byte:
		if exact {
			return "b" + quoted(latin1(value))
		}
		return string(value)
	case numeric:
		return named(map[bool]string{true: "BIGNUMERIC", false: "NUMERIC"}[value.big])
	case date:
		return named("DATE")
	case datetime:
		return named("DATETIME")
	case clock:
		return named("TIME")
	case timestamp:
		return named("TIMESTAMP")
	case document:
		if exact {
			return "JSON '" + canonical(string(value)) + "'"
		}
		return canonical(string(value))
	case other:
		return printedParts(value, typ, exact)
	}
	return fmt.Sprint(decoded)
}

func printedParts(v other, typ string, exact bool) string {
	names, values, err := contents(v)
	if err != nil {
		text, _ := bodyOf(v.text, "interval")
		if exact {
			return "INTERVAL " + quoted(text) + " YEAR TO SECOND"
		}
		return text
	}
	inner := strings.TrimSuffix(typ[strings.Index(typ, "<")+1:], ">")
	types := fieldTypes(inner)
	parts := make([]string, len(values))
	for i, value := range values {
		of := inner
		if names != nil && len(types) == len(values) {
			of = types[i]
		}
		parts[i] = printed(value, of, exact)
	}
	if names == nil {
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
