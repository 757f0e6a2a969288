package warehouse

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"google.golang.org/api/iterator"
)

// example is a line of testdata/bigquery.tsv: what BigQuery's reference says of an expression.
type example struct {
	line             int
	page, expression string
	want             string // as show writes it, or ERROR
}

// examples reads the table. Who adds to it writes what the page says, not what the local BigQuery answers.
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

// statement is the statements that a line has in place of an expression, or "".
func (e example) statement() string {
	statement, _ := strings.CutPrefix(e.expression, "! ")
	if statement == e.expression {
		return ""
	}
	return statement
}

var marked = regexp.MustCompile(`«([^»]*)»`)

// literals is the expression with its values in it.
func (e example) literals() string { return marked.ReplaceAllString(e.expression, "$1") }

// columns is the expression over columns, and what to fill these with.
func (e example) columns() (expression string, values []string) {
	expression = marked.ReplaceAllStringFunc(e.expression, func(m string) string {
		name := fmt.Sprintf("c%d_%d", e.line, len(values))
		values = append(values, marked.FindStringSubmatch(m)[1]+" AS "+name)
		return name
	})
	return expression, values
}

// show writes a value as the table does.
func show(value bigquery.Value) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case float64:
		return showFloat(v)
	case []byte:
		return `b"` + hex.EncodeToString(v) + `"`
	case *big.Rat:
		return strings.TrimSuffix(strings.TrimRight(v.FloatString(38), "0"), ".")
	case time.Time:
		return strings.TrimSuffix(v.UTC().Format("2006-01-02 15:04:05.999999"), ".") + " UTC"
	case civil.DateTime:
		return v.Date.String() + " " + showTime(v.Time)
	case civil.Time:
		return showTime(v)
	case string:
		return strings.ReplaceAll(v, "\n", `\n`)
	case []bigquery.Value:
		return "[" + strings.Join(showAll(v), ", ") + "]"
	case []any:
		return "[" + strings.Join(showAll(v), ", ") + "]"
	}
	return fmt.Sprint(value)
}

func showAll[V any](values []V) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = show(v)
	}
	return texts
}

func showFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return fmt.Sprint(int64(f))
	}
	return fmt.Sprint(f)
}

func showTime(t civil.Time) string {
	text := fmt.Sprintf("%02d:%02d:%02d", t.Hour, t.Minute, t.Second)
	if t.Nanosecond != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%06d", t.Nanosecond/1000), "0")
	}
	return text
}

// ask runs a statement with a client and returns the first row of its result, as show writes it, or nil.
type ask func(ctx context.Context, sql string) ([]string, error)

// askGo asks with Google's client for Go.
func askGo(client *bigquery.Client) ask {
	return func(ctx context.Context, sql string) ([]string, error) {
		rows, err := tryRun(ctx, client, sql)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		return showAll(rows[0]), nil
	}
}

// tally runs the table with a client, and counts what the examples were answered.
type tally struct {
	t       *testing.T
	client  *bigquery.Client // makes the tables
	ask     ask
	inserts bool // whether a client inserts into some of the tables, too
	right   int
	refused map[int]string // what is refused, by line
	example map[int]example
}

// tallied runs the whole table with the client that ask is of.
func tallied(t *testing.T, client *bigquery.Client, ask ask, inserts bool) *tally {
	t.Helper()
	y := &tally{t: t, client: client, ask: ask, inserts: inserts, refused: map[int]string{}, example: map[int]example{}}
	run(t, client, "create schema d; create table d.t as select 1 as n, 'a' as s union all select 2, 'b'; create table d.v (n int64, s string)")
	all := examples(t)
	var answered, failing []example
	for _, e := range all {
		switch {
		case e.statement() != "":
			y.hold("statement", e, y.statement(e.statement()))
		case e.want == "ERROR":
			failing = append(failing, e)
		default:
			answered = append(answered, e)
		}
	}
	for part := range slices.Chunk(answered, batch) {
		y.expressions(part)
	}
	for part := range slices.Chunk(failing, batch) {
		y.expressions(part)
	}
	if most := len(all) / 10; len(y.refused) > most {
		t.Errorf("%d of %d examples are refused, want %d at most", len(y.refused), len(all), most)
	}
	return y
}

// hold compares an answer with the reference.
func (y *tally) hold(how string, e example, got string) {
	failed := strings.HasPrefix(got, "error: ")
	switch _, sentence, refused := strings.Cut(got, Refusal); {
	case got == e.want || e.want == "ERROR" && failed && !refused:
		y.right++
	case refused:
		sentence, _, _ = strings.Cut(sentence, ", notImplemented")
		y.refused[e.line], y.example[e.line] = sentence, e
	default:
		y.t.Errorf("testdata/bigquery.tsv:%d, %s: %s is %.300s, want %s", e.line, how, e.expression, got, e.want)
	}
}

// answers runs expressions over a FROM clause, as many as possible in one statement. It returns a text
// for each: the result, or "error: …".
func (y *tally) answers(from string, expressions []string) []string {
	y.t.Helper()
	if len(expressions) == 0 {
		return nil
	}
	row, err := y.ask(y.t.Context(), selecting(from, expressions))
	switch {
	case err != nil && len(expressions) == 1:
		return []string{"error: " + err.Error()}
	case err != nil:
		half := len(expressions) / 2
		return append(y.answers(from, expressions[:half]), y.answers(from, expressions[half:])...)
	case len(row) != len(expressions):
		y.t.Fatalf("%d values of %d expressions", len(row), len(expressions))
	}
	return row
}

func selecting(from string, expressions []string) string {
	list := make([]string, len(expressions))
	for i, e := range expressions {
		list[i] = fmt.Sprintf("%s AS r%d", e, i)
	}
	return "SELECT " + strings.Join(list, ",\n") + from
}

// statement is the answer to statements: the first value of the result, or nothing.
func (y *tally) statement(sql string) string {
	row, err := y.ask(y.t.Context(), sql)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case len(row) == 0:
		return ""
	}
	return row[0]
}

// batch is how many examples go into one statement.
const batch = 40

// TestTable_AnswersAsBigQueryDocuments holds the local BigQuery to BigQuery's reference: each expression of the table over
// literals, over columns of a table that a query made, and over columns of one that a client inserted into. The answer is
// the reference's, or a sentence that says what is missing. docs/local-bigquery.md lists these: -update writes it.
func TestTable_AnswersAsBigQueryDocuments(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	y := tallied(t, client, askGo(client), true)
	all := len(examples(t))
	if all < 400 {
		t.Errorf("%d examples", all)
	}
	holdDocument(t, y, all)
}

// expressions runs a part of the table in its three forms.
func (y *tally) expressions(part []example) {
	y.t.Helper()
	y.form("over literals", part, "", example.literals)
	var over []example
	var values []string
	for _, e := range part {
		if _, filled := e.columns(); len(filled) > 0 {
			over, values = append(over, e), append(values, filled...)
		}
	}
	if len(over) == 0 {
		return
	}
	made, loaded := fmt.Sprintf("made%d", part[0].line), fmt.Sprintf("loaded%d", part[0].line)
	run(y.t, y.client, "CREATE TABLE d."+made+" AS SELECT "+strings.Join(values, ", "))
	tables := []string{made}
	if y.inserts {
		y.load(loaded, "SELECT * FROM d."+made)
		tables = append(tables, loaded)
	}
	for _, table := range tables {
		y.form("over columns of "+table, over, " FROM d."+table, func(e example) string {
			expression, _ := e.columns()
			return expression
		})
	}
}

// form runs examples in one form and holds the answers: together, but those that fail each alone.
func (y *tally) form(how string, list []example, from string, form func(example) string) {
	y.t.Helper()
	var together []example
	var expressions []string
	for _, e := range list {
		if e.want == "ERROR" || y.refused[e.line] != "" {
			y.hold(how, e, y.answers(from, []string{form(e)})[0])
			continue
		}
		together, expressions = append(together, e), append(expressions, form(e))
	}
	for i, got := range y.answers(from, expressions) {
		y.hold(how, together[i], got)
	}
}

// load makes a table of the rows of a query, as a client that inserts them.
func (y *tally) load(table, sql string) {
	y.t.Helper()
	it, err := y.client.Query(sql).Read(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	var row []bigquery.Value
	if err := it.Next(&row); err != nil {
		y.t.Fatal(err)
	}
	if err := it.Next(&[]bigquery.Value{}); !errors.Is(err, iterator.Done) {
		y.t.Fatalf("more than one row of %s: %v", sql, err)
	}
	target := y.client.Dataset("d").Table(table)
	if err := target.Create(y.t.Context(), &bigquery.TableMetadata{Schema: it.Schema}); err != nil {
		y.t.Fatal(err)
	}
	if err := target.Inserter().Put(y.t.Context(), &bigquery.ValuesSaver{Schema: it.Schema, Row: row}); err != nil {
		y.t.Fatal(err)
	}
}
