package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	"golang.org/x/sync/errgroup"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/catalog"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// docsDbt writes what dbt's documentation site reads; the site itself is that of
// the dbt-core that is installed here, where one is.
func docsDbt(ctx context.Context, c *dbtCall) error {
	var loaded *project.Project
	var err error
	if c.noCompile {
		loaded, err = c.config.Load()
	} else {
		loaded, _, err = c.writeCompiled(ctx)
	}
	if err != nil {
		return err
	}
	relations := map[string]string{}
	if !c.empty {
		selected, err := loaded.Select(c.selected, c.excluded)
		if err != nil {
			return err
		}
		relations = catalog.Relations(loaded, selected)
	}
	found, err := c.metadata(ctx, relations)
	if err != nil {
		return err
	}
	now := time.Now()
	head := artifact.Metadata("catalog/v1", now.UTC().Format(time.RFC3339Nano), now)
	if err := c.write(catalog.Name, catalog.Of(loaded, found, relations, head)); err != nil {
		return err
	}
	file := filepath.Join(c.target, catalog.Name)
	if err := c.writeSite(); err != nil {
		return err
	}
	if c.asJSON {
		return printJSON(c.streams.Out, map[string]any{"tables": len(found), "catalog": file})
	}
	fmt.Fprintf(c.streams.Out, "wrote %d tables and views to %s\n", len(found), file)
	return nil
}

// metadata asks for what the warehouse holds under some names; what is not there
// is left out.
func (c *dbtCall) metadata(ctx context.Context, relations map[string]string) (map[string]*bigquery.TableMetadata, error) {
	found := map[string]*bigquery.TableMetadata{}
	if len(relations) == 0 {
		return found, nil
	}
	if err := reach(ctx, c.streams.Getenv, "BIGQUERY_EMULATOR_HOST"); err != nil {
		return nil, err
	}
	client, err := bigquery.NewClient(ctx, c.config.Warehouse.Project, c.config.Warehouse.RESTOptions()...)
	if err != nil {
		return nil, fmt.Errorf("connecting to BigQuery: %w", err)
	}
	defer func() { _ = client.Close() }()
	var mu sync.Mutex
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(8)
	for id, relation := range relations {
		at := project.ParseRelation(relation)
		asking.Go(func() error {
			m, err := client.DatasetInProject(at.Database, at.Schema).Table(at.Identifier).Metadata(ctx)
			if bqconfig.IsMissing(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("asking what %s is: %w", relation, err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[id] = m
			return nil
		})
	}
	return found, asking.Wait()
}

// writeSite copies the page that shows the artifacts.
func (c *dbtCall) writeSite() error {
	for _, folder := range installedIn(c.streams.Getenv, "task") {
		page, err := os.ReadFile(filepath.Join(folder, "docs", "index.html"))
		if err == nil {
			return c.write("index.html", page)
		}
	}
	fmt.Fprintln(c.streams.Err, "no dbt-core is installed here whose page could show them: STATIONFLOW_DBT names one")
	return nil
}

// debugDbt says what keeps the project from running, if anything does.
func debugDbt(ctx context.Context, c *dbtCall) error {
	failed := 0
	checks := []finding{}
	tell := func(what, said string, err error) {
		state := "ok"
		if err != nil {
			state, said = "failed", err.Error()
			failed++
		}
		if checks = append(checks, finding{What: what, State: state, Said: said}); !c.asJSON {
			fmt.Fprintf(c.streams.Out, "%-9s %-12s %s\n", state, what, oneLine(said))
		}
	}
	loaded, err := c.config.Load()
	said := ""
	if err == nil {
		said = loaded.Name + ": " + contents(loaded)
	}
	tell("project", said, err)
	tell("target", fmt.Sprintf("type bigquery, project %s, dataset %s, %d threads, statements of %s at most",
		c.config.Warehouse.Project, c.config.Warehouse.ProdDataset, c.config.Threads, c.config.Statement), nil)
	said, err = c.connect(ctx)
	tell("connection", said, err)
	if c.asJSON {
		if err := printJSON(c.streams.Out, map[string]any{"checks": checks}); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s failed", counted(failed, "check"))
	}
	if !c.asJSON {
		fmt.Fprintln(c.streams.Out, "All checks passed!")
	}
	return nil
}

// connect has the warehouse answer, and says where the dataset of the models is.
func (c *dbtCall) connect(ctx context.Context) (said string, err error) {
	if err := reach(ctx, c.streams.Getenv, "BIGQUERY_EMULATOR_HOST"); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := bigquery.NewClient(ctx, c.config.Warehouse.Project, c.config.Warehouse.RESTOptions()...)
	if err != nil {
		return "", fmt.Errorf("connecting to BigQuery: %w", err)
	}
	defer func() { _ = client.Close() }()
	rows, err := client.Query("select 1 as id").Read(ctx)
	if err != nil {
		return "", fmt.Errorf("asking select 1: %w", asked(err))
	}
	var row []bigquery.Value
	if err := rows.Next(&row); err != nil {
		return "", fmt.Errorf("reading the answer to select 1: %w", asked(err))
	}
	metadata, err := client.Dataset(c.config.Warehouse.ProdDataset).Metadata(ctx)
	if bqconfig.IsMissing(err) {
		return fmt.Sprintf("answers; dataset %s does not exist yet: build, run, seed and snapshot make it", c.config.Warehouse.ProdDataset), nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the dataset of the models, %s: %w", c.config.Warehouse.ProdDataset, asked(err))
	}
	return "answers" + in(metadata.Location), nil
}
