package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/internal/dbt/preview"
	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/internal/program"
)

// showDbt prints rows of what is selected, or of a query of the command line.
func showDbt(ctx context.Context, c *dbtCall) error {
	switch {
	case (len(c.selected) == 0) == (c.inline == ""):
		return program.Mistakef("say what to show: --select NAME or --inline SQL, one of them")
	case c.output != "text" && c.output != "json":
		return program.Mistakef("--output is %q: it is text or json", c.output)
	}
	runner, err := newRunner(ctx, c.config.Config, c.streams)
	if err != nil {
		return err
	}
	defer runner.Close()
	client, err := bigquery.NewClient(ctx, c.config.Warehouse.Project, c.config.Warehouse.RESTOptions()...)
	if err != nil {
		return fmt.Errorf("connecting to BigQuery: %w", err)
	}
	defer func() { _ = client.Close() }()
	shown, err := c.toShow(ctx, runner)
	if err != nil {
		return err
	}
	for _, one := range shown {
		table, err := c.previewOf(ctx, client, one.SQL)
		if err != nil {
			return one.Placed("", run.OfStatement(one.SQL, asked(err)))
		}
		if err := c.print(one.Name, table); err != nil {
			return err
		}
	}
	return nil
}

// toShow are the queries to show: of all that is selected those that the
// selector names, as dbt has it.
func (c *dbtCall) toShow(ctx context.Context, runner *run.Runner) ([]run.Compiled, error) {
	if c.inline != "" {
		compiled, err := runner.CompileInline(ctx, c.inline, c.options(run.Options{Command: "show"}))
		if err != nil {
			return nil, err
		}
		return []run.Compiled{*compiled}, nil
	}
	compiled, err := runner.Compile(ctx, c.options(run.Options{Command: "show"}))
	if err != nil {
		return nil, err
	}
	selected, err := runner.Project().Select(c.selected, c.excluded)
	if err != nil {
		return nil, err
	}
	for _, model := range runner.Project().Models {
		if model.Type == project.TypeSeed && selected[model.ID] { // its rows as they are in the file
			seed, err := runner.Project().Compile(model, project.Compilation{})
			if err != nil {
				return nil, err
			}
			compiled = append(compiled, run.Compiled{Text: seed.Text, ID: model.ID, Name: model.Name, File: model.Path})
		}
	}
	var shown []run.Compiled
	for _, one := range compiled {
		if strings.Contains(c.selected[0], one.Name) {
			shown = append(shown, one)
		}
	}
	if len(shown) == 0 {
		return nil, program.Mistakef("--select %s names nothing to show: name a model, seed, snapshot or test", strings.Join(c.selected, " "))
	}
	return shown, nil
}

func (c *dbtCall) previewOf(ctx context.Context, client *bigquery.Client, sql string) (*preview.Table, error) {
	if c.limit >= 0 {
		sql += fmt.Sprintf("\nlimit %d", c.limit)
	}
	var schema bigquery.Schema
	var rows [][]bigquery.Value
	err := c.streams.during("asking for the rows", func() error {
		query := client.Query(sql)
		query.MaxBytesBilled = c.config.MaxBytes
		found, err := query.Read(ctx)
		for err == nil {
			var row []bigquery.Value
			if err = found.Next(&row); err == nil {
				rows = append(rows, row)
			}
			schema = found.Schema
		}
		if errors.Is(err, iterator.Done) {
			return nil
		}
		return err
	})
	return preview.New(schema, rows), err
}

func (c *dbtCall) print(name string, table *preview.Table) error {
	if c.output == "json" {
		text, err := table.JSON(name)
		fmt.Fprint(c.streams.Out, text)
		return err
	}
	title := "Previewing inline node:"
	if name != "" {
		title = "Previewing node '" + name + "':"
	}
	fmt.Fprintf(c.streams.Out, "%s\n%s\n", title, table.Text())
	return nil
}
