package transform

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/dbt"
)

var update = flag.Bool("update", false, "write the golden files anew")

func loadProject(t *testing.T) *Project {
	t.Helper()
	project, err := Load(dbt.Files, Target{
		Project: "some-project", Dataset: "prod_data",
		Vars: map[string]any{"timezone": "Europe/Paris", "today": "2026-11-22"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// answers stands for the warehouse while an incremental model asks which
// dates were touched; it notes the questions.
func answers(questions *[]string) func(string) ([]map[string]any, error) {
	return func(sql string) ([]map[string]any, error) {
		*questions = append(*questions, sql)
		if strings.HasPrefix(sql, "select cast(coalesce(max(unix_micros(latest_ingested_at))") {
			return []map[string]any{{"newest": "1795334400000000"}}, nil
		}
		return []map[string]any{{
			"local_dates": "date '2026-11-21', date '2026-11-22'", "ingested_from": "1795240800000000", "known_until": "1795333860000000",
			"records": "42", "newest": "1795334460000000",
		}}, nil
	}
}

func TestCompile_Golden(t *testing.T) {
	project := loadProject(t)
	for _, model := range project.Models {
		t.Run(model.Name, func(t *testing.T) {
			first, err := project.Compile(model, Compilation{})
			if err != nil {
				t.Fatal(err)
			}
			if model.Config.Materialized == view {
				golden(t, model.Name+".sql", first.SQL)
				return
			}
			golden(t, model.Name+".create.sql", project.creation(model, first))
			if model.Config.Materialized == table {
				golden(t, model.Name+".replace.sql", project.replacement(model, first, false))
				return
			}
			var questions []string
			next, err := project.Compile(model, Compilation{Incremental: true, Query: answers(&questions)})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, model.Name+".questions.sql", strings.Join(questions, ";\n\n"))
			golden(t, model.Name+".replace.sql", project.replacement(model, next, true))
		})
	}
}

func TestTests_Golden(t *testing.T) {
	for _, test := range loadProject(t).Tests {
		severity := "error"
		if test.Warn {
			severity = "warn"
		}
		golden(t, filepath.Join("tests", test.Name+".sql"), "-- severity "+severity+", after "+strings.Join(test.Models, ", ")+"\n"+test.SQL)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	got += "\n"
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run go test ./functions/transform -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s changed; if that is meant, run go test ./functions/transform -update\n%s", file, diff)
	}
}

func TestCompile_IsDeterministic(t *testing.T) {
	project, other := loadProject(t), loadProject(t)
	for i, model := range project.Models {
		var questions []string
		c := Compilation{Incremental: model.Config.Materialized == incremental, Query: answers(&questions)}
		want, err := project.Compile(model, c)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			got, err := other.Compile(other.Models[i], c)
			if err != nil || got.SQL != want.SQL || got.Config.Partitions != want.Config.Partitions || other.Models[i].shape() != model.shape() {
				t.Fatalf("%s renders differently the second time: %v", model.Name, err)
			}
		}
	}
}
