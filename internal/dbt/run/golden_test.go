package run

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

var update = flag.Bool("update", false, "write the golden files again")

func loadProject(t *testing.T) *project.Project {
	t.Helper()
	loaded, err := project.Load(dbt.Files, project.Target{
		Project: "some-project", Dataset: "prod_data",
		Vars: map[string]any{"timezone": "Europe/Paris", "today": "2026-11-22"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// answers stands for the warehouse while a model asks what arrived; it notes
// the questions. When some hours are old, staging has lost rows of one.
func answers(isOld string, questions *[]string) func(string) ([]map[string]any, error) {
	return func(sql string) ([]map[string]any, error) {
		*questions = append(*questions, sql)
		rows := []map[string]any{
			{"source": "incidents", "known_until": "1795333800000000", "read_from": "1795240800000000", "local_dates": "date '2026-11-21', date '2026-11-22'", "is_old": isOld},
			{"source": "train_arrivals", "known_until": "1795333800000000", "read_from": "1795302000000000", "local_dates": "date '2026-11-22'", "is_old": isOld},
		}
		if strings.Contains(sql, "kept as (") {
			return rows[1:], nil
		}
		return rows, nil
	}
}

func TestCompile_Golden(t *testing.T) {
	loaded := loadProject(t)
	for _, model := range loaded.Models {
		t.Run(model.Name, func(t *testing.T) {
			first, err := loaded.Compile(model, project.Compilation{})
			if err != nil {
				t.Fatal(err)
			}
			if model.Config.Materialized == project.View {
				golden(t, model.Name+".sql", first.SQL)
				return
			}
			golden(t, model.Name+".create.sql", creation(loaded.Relation(model), model, first.SQL))
			if model.Config.Materialized == project.Table {
				golden(t, model.Name+".replace.sql", replacement(loaded.Relation(model), model, first.SQL, everything))
				return
			}
			for isOld, suffix := range map[string]string{"no": ".sql", "yes": "_old.sql"} {
				var questions []string
				next, err := loaded.Compile(model, project.Compilation{Incremental: true, Query: answers(isOld, &questions)})
				if err != nil {
					t.Fatal(err)
				}
				golden(t, model.Name+".questions"+suffix, strings.Join(questions, ";\n\n"))
				golden(t, model.Name+".replace"+suffix, replacement(loaded.Relation(model), model, next.SQL, next.Config.Partitions))
			}
			memory := []any{map[string]any{
				"source": "incidents", "known_until": "1795333800000000", "read_from": "1795302000000000", "local_dates": "date '2026-11-22'", "must_ask": "no",
			}}
			remembered, err := loaded.Compile(model, project.Compilation{Incremental: true, Vars: map[string]any{"memory": memory}})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, model.Name+".remembered.sql", replacement(loaded.Relation(model)+"__next", model, remembered.SQL, everything))
			question, err := loaded.Memory(model, loaded.Relation(model)+"__next", project.Compilation{})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, model.Name+".memory.sql", question)
		})
	}
}

func TestTests_Golden(t *testing.T) {
	loaded := loadProject(t)
	for _, test := range loaded.Tests {
		severity := "error"
		if test.Warn {
			severity = "warn"
		}
		sql, err := loaded.CompileTest(test, project.Compilation{})
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("tests", test.Alias+".sql"), "-- severity "+severity+", after "+strings.Join(names(test.Reads), ", ")+"\n"+sql.SQL)
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
		t.Fatalf("%v: run go test ./internal/dbt/run -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s changed; if that is meant, run go test ./internal/dbt/run -update\n%s", file, diff)
	}
}

func TestCompile_IsDeterministic(t *testing.T) {
	loaded, other := loadProject(t), loadProject(t)
	for i, model := range loaded.Models {
		var questions []string
		c := project.Compilation{Incremental: model.Config.Materialized == project.Incremental, Query: answers("yes", &questions)}
		want, err := loaded.Compile(model, c)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			got, err := other.Compile(other.Models[i], c)
			if err != nil || got.SQL != want.SQL || got.Config.Partitions != want.Config.Partitions || definitionOf(other.Models[i]) != definitionOf(model) {
				t.Fatalf("%s renders differently the second time: %v", model.Name, err)
			}
		}
	}
}

func names(ids []string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, project.NameOf(id))
	}
	return out
}
