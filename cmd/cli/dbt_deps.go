package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/program"
)

// depsDbt installs the local packages of a project, and what these need, as dbt
// does: by a link in the folder of packages. Those of the hub or of git must be
// there.
func depsDbt(_ context.Context, c *dbtCall) error {
	if c.folder == "" {
		return program.Mistakef("say which project: stationflow dbt deps --project-dir FOLDER")
	}
	root, err := filepath.Abs(c.folder)
	if err != nil {
		return err
	}
	settings, err := project.SettingsIn(os.DirFS(root))
	if err != nil {
		return err
	}
	d := &deps{call: c, root: root, into: filepath.Join(root, filepath.FromSlash(settings.Packages)), done: map[string]string{}, told: []packageJSON{}}
	direct, err := d.install(root)
	if err != nil {
		return err
	}
	if len(d.missing) > 0 {
		return fmt.Errorf("not installed, as only local packages are: %s: run dbt deps of dbt-core once, or put each folder into %s", strings.Join(d.missing, ", "), d.into)
	}
	if direct == 0 {
		fmt.Fprintln(c.streams.Err, "nothing to install: neither packages.yml nor dependencies.yml names a package")
	}
	if len(d.lock) > direct { // what packages need themselves dbt counts from here
		if err := os.WriteFile(filepath.Join(root, "package-lock.yml"), []byte("packages:\n"+strings.Join(d.lock, "")), 0o644); err != nil {
			return err
		}
	}
	if c.asJSON {
		return printJSON(c.streams.Out, map[string]any{"packages": d.told})
	}
	return nil
}

// A deps is one installation.
type deps struct {
	call       *dbtCall
	root, into string
	done       map[string]string // folders by the package's name
	lock       []string          // lines of package-lock.yml
	missing    []string
	told       []packageJSON
}

// A packageJSON is one package as --json prints it.
type packageJSON struct {
	Name string `json:"name"`
	From string `json:"from"`
}

// tell says what is installed, and from where.
func (d *deps) tell(name, from, text string) {
	d.told = append(d.told, packageJSON{name, from})
	if !d.call.asJSON {
		fmt.Fprintln(d.call.streams.Out, text)
	}
}

// install installs what the project or package in a folder names, and counts it.
func (d *deps) install(folder string) (int, error) {
	var wanted []project.Dependency
	for _, name := range []string{"packages.yml", "dependencies.yml"} {
		found, err := project.DependenciesIn(os.DirFS(folder), name)
		if err != nil {
			return 0, err
		}
		wanted = append(wanted, found...)
	}
	for _, one := range wanted {
		if one.Local == "" {
			d.elsewhere(one)
			continue
		}
		from := filepath.FromSlash(one.Local)
		if !filepath.IsAbs(from) {
			from = filepath.Join(d.root, from)
		}
		if err := d.link(one, from); err != nil {
			return 0, err
		}
	}
	return len(wanted), nil
}

// elsewhere looks for a package of another kind, which somebody has installed.
func (d *deps) elsewhere(one project.Dependency) {
	name := strings.TrimSuffix(one.Name[strings.LastIndexAny(one.Name, "/:")+1:], ".git")
	for _, candidate := range []string{name, strings.ReplaceAll(name, "-", "_")} {
		if _, err := os.Stat(filepath.Join(d.into, candidate, "dbt_project.yml")); err == nil {
			d.lock = append(d.lock, fmt.Sprintf("- package: %s\n  name: %s\n", one.Name, candidate))
			d.tell(candidate, one.Name, one.Name+" is installed")
			return
		}
	}
	d.missing = append(d.missing, one.Name)
}

func (d *deps) link(one project.Dependency, from string) error {
	settings, err := project.SettingsIn(os.DirFS(from))
	if err != nil {
		return fmt.Errorf("the package %s: %w", one.Local, err)
	}
	name := settings.Name
	if other, twice := d.done[name]; twice {
		if other == from {
			return nil
		}
		return fmt.Errorf("the packages %s and %s both have the name %s", other, from, name)
	}
	d.done[name] = from
	at := filepath.Join(d.into, name)
	if err := os.MkdirAll(d.into, 0o755); err != nil {
		return err
	}
	switch info, err := os.Lstat(at); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink == 0:
		return fmt.Errorf("%s is in the way: it is not a link: remove it", at)
	default:
		if err := os.Remove(at); err != nil {
			return err
		}
	}
	target, err := filepath.Rel(d.into, from)
	if err != nil {
		target = from
	}
	if err := os.Symlink(target, at); err != nil {
		return err
	}
	d.lock = append(d.lock, fmt.Sprintf("- local: %s\n  name: %s\n", one.Local, name))
	d.tell(name, one.Local, "installed "+name+" from "+one.Local)
	_, err = d.install(from)
	return err
}
