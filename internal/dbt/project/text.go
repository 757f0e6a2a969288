package project

import (
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A Text is SQL that knows which places of the project's files it comes from.
type Text struct {
	SQL   string
	marks []jinja.Mark // those without a file begin what comes from none
}

// An Origin is a place of a file.
type Origin struct {
	File string
	Line int
	// Literal says that the text stands in that line letter by letter; otherwise
	// what Jinja begins there has written it.
	Literal bool
}

// Origin is where what is at an offset comes from; known is false for what is
// not of a file, such as the SQL of a generic test.
func (t Text) Origin(offset int) (from Origin, known bool) {
	at, _ := slices.BinarySearchFunc(t.marks, offset+1, func(m jinja.Mark, offset int) int { return m.At - offset })
	if at == 0 || t.marks[at-1].File == "" {
		return Origin{}, false
	}
	mark := t.marks[at-1]
	from = Origin{mark.File, mark.Line, mark.Literal}
	if mark.Literal {
		from.Line += strings.Count(t.SQL[mark.At:offset], "\n")
	}
	return from, true
}

// insert puts another text before an offset.
func (t Text) insert(offset int, other Text) Text {
	out := Text{SQL: t.SQL[:offset] + other.SQL + t.SQL[offset:]}
	after := slices.IndexFunc(t.marks, func(m jinja.Mark) bool { return m.At >= offset })
	if after < 0 {
		after = len(t.marks)
	}
	out.marks = append(slices.Clone(t.marks[:after]), jinja.Mark{At: offset})
	out.marks = append(out.marks, moved(other.marks, offset)...)
	end := offset + len(other.SQL)
	out.marks = append(out.marks, jinja.Mark{At: end})
	if from, known := t.Origin(offset); known {
		out.marks[len(out.marks)-1] = jinja.Mark{At: end, File: from.File, Line: from.Line, Literal: from.Literal}
	}
	out.marks = append(out.marks, moved(t.marks[after:], len(other.SQL))...)
	return out
}

// Within is the text between two others.
func (t Text) Within(before, after string) Text {
	return t.insert(len(t.SQL), Text{SQL: after}).insert(0, Text{SQL: before})
}

func moved(marks []jinja.Mark, by int) []jinja.Mark {
	out := slices.Clone(marks)
	for i := range out {
		out[i].At += by
	}
	return out
}

// replaceAll replaces what stands within a line.
func (t Text) replaceAll(old, with string) Text {
	out := Text{SQL: strings.ReplaceAll(t.SQL, old, with), marks: slices.Clone(t.marks)}
	if old == "" || out.SQL == t.SQL {
		return t
	}
	for i, mark := range t.marks {
		out.marks[i].At += strings.Count(t.SQL[:mark.At], old) * (len(with) - len(old))
	}
	return out
}

// WithTables is a query with common table expressions before its own.
func (t Text) WithTables(parts []Text) Text {
	all := Text{}
	for i, part := range parts {
		if i > 0 {
			all = all.insert(len(all.SQL), Text{SQL: ", "})
		}
		all = all.insert(len(all.SQL), part)
	}
	if at := firstWith(t.SQL); at >= 0 {
		return t.insert(at, all.insert(len(all.SQL), Text{SQL: ", "}))
	}
	lead := len(t.SQL) - len(strings.TrimLeft(t.SQL, " \t\r\n"))
	return t.insert(lead, all.insert(len(all.SQL), Text{SQL: " "}).insert(0, Text{SQL: "with"}))
}
