package warehouse

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
)

// example is a line of testdata/bigquery.tsv: what BigQuery's reference says of an expression.
type example struct {
	line             int
	page, expression string
	want             string // as show writes it, or ERROR
}

func examples(t testing.TB) []example {
	t.Helper()
	file, err := os.Open("testdata/bigquery.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list []example
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.SplitN(lines.Text(), "\t", 3)
		if len(fields) != 3 {
			t.Fatalf("testdata/bigquery.tsv:%d: want page, expression and result", n)
		}
		list = append(list, example{n, fields[0], fields[1], fields[2]})
	}
	return list
}

var marked = regexp.MustCompile(`«([^»]*)»`)

// literals is the expression with its values in it.
func (e example) literals() string { return marked.ReplaceAllString(e.expression, "$1") }

// columns is the expression over columns, and what to fill these with.
func (e example) columns() (expression string, values []string) {
	expression = marked.ReplaceAllStringFunc(e.expression, func(m string) string {
		values = append(values, fmt.Sprintf("%s AS %s", marked.FindStringSubmatch(m)[1], fmt.Sprintf("c%d_%d", e.line, len(values))))
		return fmt.Sprintf("c%d_%d", e.line, len(values)-1)
	})
	return expression, values
}

// show writes a value as the table does.
func show(value bigquery.Value) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case float64:
		text := fmt.Sprint(v)
		return strings.NewReplacer("+Inf", "Infinity", "-Inf", "-Infinity", "-0", "0").Replace(cmp.Or(map[string]string{"-0": "0"}[text], shortFloat(v)))
	case []byte:
		return `b"` + hex.EncodeToString(v) + `"`
	case *big.Rat:
		return strings.TrimSuffix(strings.TrimRight(v.FloatString(38), "0"), ".")
	case time.Time:
		return strings.TrimSuffix(v.UTC().Format("2006-01-02 15:04:05.999999"), ".") + " UTC"
	case civil.DateTime:
		return showTime(v.Time, v.Date.String()+" ")
	case civil.Time:
		return showTime(v, "")
	case string:
		return strings.ReplaceAll(v, "\n", `\n`)
	case []bigquery.Value:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = show(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]bigquery.Value:
		return fmt.Sprint(v)
	}
	return fmt.Sprint(value)
}

func shortFloat(f float64) string {
	text := fmt.Sprint(f)
	if f == float64(int64(f)) && len(text) < 22 && !strings.Contains(text, "e") {
		return fmt.Sprint(int64(f))
	}
	return text
}

func showTime(t civil.Time, date string) string {
	text := fmt.Sprintf("%s%02d:%02d:%02d", date, t.Hour, t.Minute, t.Second)
	if t.Nanosecond != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%06d", t.Nanosecond/1000), "0")
	}
	return text
}

var _ = base64.StdEncoding
var _ = context.Background

// answers runs expressions over a FROM clause, as many as possible in one statement, and returns a text for each: the
// result, or "error: …".
func answers(t testing.TB, client *bigquery.Client, from string, expressions []string) []string {
	t.Helper()
	if len(expressions) == 0 {
		return nil
	}
	list := make([]string, len(expressions))
	for i, e := range expressions {
		list[i] = fmt.Sprintf("%s AS r%d", e, i)
	}
	rows, err := tryRun(t.Context(), client, "SELECT "+strings.Join(list, ",\n")+from)
	switch {
	case err != nil && len(expressions) == 1:
		return []string{"error: " + err.Error()}
	case err != nil:
		half := len(expressions) / 2
		return append(answers(t, client, from, expressions[:half]), answers(t, client, from, expressions[half:])...)
	case len(rows) != 1:
		t.Fatalf("%d rows of %s", len(rows), list)
	}
	out := make([]string, len(expressions))
	for i, v := range rows[0] {
		out[i] = show(v)
	}
	return out
}

func TestTable(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	if err := client.Dataset("s").Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	all := examples(t)
	const batch = 24
	var good, failing []example
	for _, e := range all {
		if e.want == "ERROR" {
			failing = append(failing, e)
		} else {
			good = append(good, e)
		}
	}
	wrong := 0
	check := func(how string, list []example, from string, expressions []string) {
		for i, got := range answers(t, client, from, expressions) {
			e := list[i]
			ok := got == e.want || e.want == "ERROR" && strings.HasPrefix(got, "error: ")
			if !ok {
				wrong++
				fmt.Printf("WRONG\t%s\t%d\t%s\t%s\tGOT\t%.300s\tWANT\t%s\n", how, e.line, e.page, expressions[i], strings.ReplaceAll(got, "\n", " "), e.want)
			}
		}
	}
	for _, list := range [][]example{good, failing} {
		for i := 0; i < len(list); i += batch {
			part := list[i:min(i+batch, len(list))]
			var literals []string
			for _, e := range part {
				literals = append(literals, e.literals())
			}
			check("literals", part, "", literals)
			var expressions, values []string
			var over []example
			for _, e := range part {
				expression, filled := e.columns()
				if len(filled) == 0 {
					continue
				}
				over = append(over, e)
				expressions = append(expressions, expression)
				values = append(values, filled...)
			}
			if len(values) == 0 {
				continue
			}
			table := fmt.Sprintf("s.t%d", part[0].line)
			run(t, client, "CREATE TABLE "+table+" AS SELECT "+strings.Join(values, ", "))
			check("columns", over, " FROM "+table, expressions)
		}
	}
	fmt.Println("wrong:", wrong, "of", len(all))
}
