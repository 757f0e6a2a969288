package dbtequal

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A valueWriter writes random scalars of YAML and columns of seeds.
type valueWriter struct{ *rand.Rand }

func (w valueWriter) one(of ...string) string { return of[w.IntN(len(of))] }

// scalar is a word with a meaning, or a few characters that make numbers,
// times and texts.
func (w valueWriter) scalar() string {
	if w.IntN(3) == 0 {
		return w.one("yes", "no", "On", "OFF", "true", "False", "y", "n", "null", "~", "None", "NULL", "2026-11-22", "1e3", "1.5e3", "1.5e+3", "0o17", "017", "09", "0x1F", "0b101",
			"1_000", "1:30", "-1:30:30", "12:60", "1:30.5", "+5", "-0", ".5", "5.", "1.", "+.5", ".inf", "'no'", "\"1\"", "0.10", "1__0", "_1", "1_", "0x", "08:30", "00", "-017", "Yes!", "a b")
	}
	var text strings.Builder
	for range 1 + w.IntN(6) {
		text.WriteString(w.one("0", "1", "2", "7", "9", ".", "-", "+", "e", "E", ":", "_", "x", "b", "o", "a", "1", "0"))
	}
	return text.String()
}

func (w valueWriter) column() []string {
	kinds := [][]string{
		{"1", "007", "-3", "1234567890123456789", "0", "+4"}, {"1.5", ".25", "-0.5", "10.10", "3"}, {"true", "FALSE", "True"}, {"2026-11-22", "2020-02-29"},
		{"2026-11-22 10:00:00", "2026-01-01 00:00:00"}, {"2026-11-22T10:00:00", "2026-11-22T10:00:00.5"}, {"2026-11-22 10:00:00.5"}, {"a", "x y", "it's", "7a", "1-2"}, {"1e3", "null", "$5", "5%", "1.0", "1,000", "2026-1-2", "2026-11-22T10:00:00Z", "nan"}, {""},
	}
	some := kinds[w.IntN(len(kinds))]
	var values []string
	for range 1 + w.IntN(5) {
		if w.IntN(6) == 0 {
			some = kinds[w.IntN(len(kinds))]
		}
		values = append(values, some[w.IntN(len(some))])
	}
	return values
}

// scalarText is the text that a scalar of yml has in a template here.
func scalarText(scalar string) (string, error) {
	vars, err := project.ParseVars("x: " + scalar)
	if err != nil {
		return "", err
	}
	return jinja.Text(jinja.ValueOf(vars["x"]))
}

// columnType is the type that a seed's second column gets here.
func columnType(t testing.TB, values []string) (string, error) {
	t.Helper()
	var content bytes.Buffer
	writer := csv.NewWriter(&content)
	check(t, writer.Write([]string{"k", "c"}))
	for _, value := range values {
		check(t, writer.Write([]string{"x", value}))
	}
	writer.Flush()
	p, err := project.Load(fstest.MapFS{"dbt_project.yml": {Data: []byte("name: p")}, "seeds/s.csv": {Data: content.Bytes()}}, project.Target{Project: "p", Dataset: "d"})
	if err != nil {
		return "", err
	}
	return p.Models[0].Columns[1].Type, nil
}

func TestValues_Random(t *testing.T) {
	seed, cases := number(t, "STATIONFLOW_SEED", 1), number(t, "STATIONFLOW_CASES", 500)
	w := valueWriter{rand.New(rand.NewPCG(uint64(seed), 1))}
	var asked struct {
		YAML  []string   `json:"yaml"`
		Seeds [][]string `json:"seeds"`
	}
	for range cases {
		asked.YAML = append(asked.YAML, w.scalar())
	}
	for range cases / 5 {
		asked.Seeds = append(asked.Seeds, w.column())
	}
	input, err := json.Marshal(asked)
	check(t, err)
	process := exec.Command(python(t), "values.py")
	process.Stdin = bytes.NewReader(input)
	output, err := process.Output()
	check(t, err)
	var answers struct {
		YAML  []*string `json:"yaml"`
		Seeds []string  `json:"seeds"`
	}
	check(t, json.Unmarshal(output, &answers))
	for i, scalar := range asked.YAML {
		got, err := scalarText(scalar)
		if want := answers.YAML[i]; err == nil && (want == nil || *want != got) {
			t.Errorf("seed %d: the scalar %s is %q, and dbt-core says %q", seed, scalar, got, text(want))
		}
	}
	for i, values := range asked.Seeds {
		got, err := columnType(t, values)
		if err == nil && got != answers.Seeds[i] {
			t.Errorf("seed %d: the column %q is %s, and dbt-core says %s", seed, slices.Clone(values), got, answers.Seeds[i])
		}
	}
}
