// Command generate writes every file that is derived from the event types: the
// staging tables' BigQuery schemas (terraform/schemas) and what else Terraform
// must know of them (terraform/tables.json), the Parquet files without rows
// that external tables take their columns from (terraform/reference), what
// fills the tables again from the lake (sql/replay), the ledger (sql/ops),
// dbt's sources and staging models, the schemas that producers register
// (event/schemas), and the reference page docs/events.md.
//
//	go run ./cmd/generate
//
// It takes no arguments, works from any folder of the module, and writes the
// same bytes each time.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	files, err := derive()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := write(filepath.Join(root, filepath.FromSlash(name)), files[name]); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// moduleRoot returns the folder of the module's go.mod, which is the working
// directory or above it.
func moduleRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working directory: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module github.com/stationflow/stationflow\n") {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", fmt.Errorf("finding the module's root: run generate within the repository")
		}
		folder = parent
	}
}
