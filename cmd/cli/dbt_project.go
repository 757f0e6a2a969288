package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
)

// choose finds the project of a command: the folder that --project-dir or
// DBT_PROJECT_DIR names, the one that is near, or the one built in. It says so
// where a person might not expect it.
func (c *dbtCall) choose(folder string, hasTarget bool) error {
	if c.folder = cmp.Or(folder, c.streams.Getenv("DBT_PROJECT_DIR")); c.folder == "" {
		here, err := os.Getwd()
		if err != nil {
			return fmt.Errorf("looking for a dbt project: %w", err)
		}
		near, beside := projectNear(here)
		if near == "" {
			return nil
		}
		if !hasTarget {
			c.target = filepath.Join(relative(here, beside), c.target)
		}
		if c.folder = relative(here, near); c.folder != "." {
			fmt.Fprintf(c.streams.Err, "the dbt project in %s\n", c.folder)
		}
	}
	c.config.Files = os.DirFS(c.folder)
	return nil
}

// projectNear is the folder of the project that a person means who names none,
// and the folder beside which its target lies; "" where there is none. As
// dbt-core does, it takes the next folder upwards that is a project; besides,
// the folder dbt of those that lie in the same repository.
func projectNear(here string) (folder, beside string) {
	root, inside := repositoryOf(here), true
	for at := here; ; at = filepath.Dir(at) {
		if isProject(at) {
			return at, at
		}
		if own := filepath.Join(at, "dbt"); inside && isProject(own) {
			return own, at
		}
		if inside = inside && at != root; at == filepath.Dir(at) {
			return "", ""
		}
	}
}

// repositoryOf is the root of the repository in which a folder lies; the folder
// itself where it lies in none.
func repositoryOf(here string) string {
	for at := here; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, ".git")); err == nil {
			return at
		}
	}
	return here
}

func isProject(folder string) bool {
	about, err := os.Stat(filepath.Join(folder, "dbt_project.yml"))
	return err == nil && !about.IsDir()
}

// relative is a folder as a person at another one writes it.
func relative(here, folder string) string {
	if short, err := filepath.Rel(here, folder); err == nil {
		return short
	}
	return folder
}
