package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/run"
)

// offline is an environment for what needs no warehouse: it has a project.
func offline(getenv func(string) string) func(string) string {
	return func(name string) string {
		if value := getenv(name); value != "" || name != "GOOGLE_CLOUD_PROJECT" {
			return value
		}
		return noProject
	}
}

// noProject stands for a Google Cloud project where none is given.
const noProject = "no-project"

func compileDbt(ctx context.Context, c *dbtCall) error {
	_, n, err := c.writeCompiled(ctx)
	if err != nil {
		return err
	}
	folder := filepath.Join(c.target, "compiled")
	if c.asJSON {
		return printJSON(c.streams.Out, map[string]any{"compiled": n, "folder": folder})
	}
	fmt.Fprintf(c.streams.Out, "compiled %d models and tests to %s\n", n, folder)
	return nil
}

// writeCompiled writes the SQL and the manifest, and returns the project and how
// many files have SQL.
func (c *dbtCall) writeCompiled(ctx context.Context) (*project.Project, int, error) {
	loaded, compiled, err := c.compile(ctx)
	if errors.Is(err, project.ErrNeedsWarehouse) {
		return nil, 0, fmt.Errorf("%w: set GOOGLE_CLOUD_PROJECT, and BIGQUERY_EMULATOR_HOST for the local system", err)
	}
	if err != nil {
		return nil, 0, err
	}
	byID := map[string]string{}
	for _, one := range compiled {
		byID[one.ID] = one.SQL
		if err := c.write("compiled/"+one.Path, []byte(one.SQL)); err != nil {
			return nil, 0, err
		}
	}
	return loaded, len(compiled), c.writeManifest(loaded, byID)
}

// compile asks the warehouse which tables are there, where one answers.
func (c *dbtCall) compile(ctx context.Context) (*project.Project, []run.Compiled, error) {
	reason := errors.New("GOOGLE_CLOUD_PROJECT is not set")
	if c.config.Warehouse.Project != noProject {
		reason = reach(ctx, c.streams.Getenv, "BIGQUERY_EMULATOR_HOST")
	}
	if reason == nil {
		runner, err := run.New(ctx, c.config.Config)
		if err != nil {
			return nil, nil, err
		}
		defer runner.Close()
		compiled, err := runner.Compile(ctx, c.options(run.Options{}))
		if !errors.Is(err, run.ErrNoWarehouse) {
			return runner.Project(), compiled, err
		}
		return c.compileOffline(runner.Project(), err)
	}
	loaded, err := c.config.Load()
	if err != nil {
		return nil, nil, err
	}
	return c.compileOffline(loaded, reason)
}

func (c *dbtCall) compileOffline(loaded *project.Project, reason error) (*project.Project, []run.Compiled, error) {
	fmt.Fprintf(c.streams.Err, "compiling without a warehouse, incremental models as on a first run: %v\n", reason)
	compiled, err := run.CompileOffline(loaded, c.options(run.Options{}))
	return loaded, compiled, err
}

func (c *dbtCall) writeManifest(loaded *project.Project, compiled map[string]string) error {
	now := time.Now()
	return c.write(artifact.ManifestName, artifact.Manifest(loaded, compiled, now.UTC().Format(time.RFC3339Nano), now))
}

func parseOnlyDbt(_ context.Context, c *dbtCall) error {
	loaded, err := c.config.Load()
	if err != nil {
		return err
	}
	if err := c.writeManifest(loaded, nil); err != nil {
		return err
	}
	if c.asJSON {
		return printJSON(c.streams.Out, map[string]any{"models": len(loaded.Models), "tests": len(loaded.Tests), "sources": len(loaded.Sources),
			"manifest": filepath.Join(c.target, artifact.ManifestName)})
	}
	fmt.Fprintf(c.streams.Out, "%s are as they should be\n", contents(loaded))
	return nil
}

// contents says how much a project has of each kind.
func contents(of *project.Project) string {
	kinds := map[string]int{}
	for _, model := range of.Models {
		kinds[model.Type]++
	}
	parts := []string{fmt.Sprintf("%d models", kinds[project.TypeModel])}
	for _, kind := range []string{project.TypeSeed, project.TypeSnapshot} {
		if n := kinds[kind]; n > 0 {
			parts = append(parts, counted(n, kind))
		}
	}
	parts = append(parts, fmt.Sprintf("%d tests", len(of.Tests)))
	if n := len(of.UnitTests); n > 0 {
		parts = append(parts, counted(n, "unit test"))
	}
	return strings.Join(parts, ", ") + fmt.Sprintf(" and %d sources", len(of.Sources))
}
