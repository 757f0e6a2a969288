package project

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A pkg is the project itself or one of the packages that it has installed.
type pkg struct {
	name, dir   string // dir is within the project, "" for the project itself
	settings    *settings
	vars        map[string]any
	macros      map[string]jinja.Definition // that of a generic test is named test_…
	files       map[string]string           // of each macro
	broken      map[string]error            // why a macro of a package cannot be used, by name
	testPatches map[string]testPatch        // what yml files say of tests in files, until one takes it
}

// isRoot reports whether it is the project itself.
func (p *pkg) isRoot() bool { return p.dir == "" }

// at is a path of the package within the project.
func (p *pkg) at(name string) string { return path.Join(p.dir, name) }

// resource is what all resources of the package have in common.
func (p *pkg) resource(kind, name, file string, fqn []string) Resource {
	return Resource{ID: kind + "." + p.name + "." + name, Type: kind, Name: name, Path: file, FQN: fqn, Package: p.name, dir: p.dir}
}

// fqn is the package, the folders below one of its paths, and the name.
func (p *pkg) fqn(folder, file, name string) []string {
	fqn := []string{p.name}
	if below := strings.TrimPrefix(strings.TrimPrefix(path.Dir(file), folder), "/"); below != "" {
		fqn = append(fqn, strings.Split(below, "/")...)
	}
	return append(fqn, name)
}

// named returns the project or package of a name, or nil.
func (p *Project) named(name string) *pkg {
	at := slices.IndexFunc(p.packages, func(one *pkg) bool { return one.name == name })
	if at < 0 {
		return nil
	}
	return p.packages[at]
}

// InstallFolder is where dbt installs packages, unless dbt_project.yml says
// otherwise.
const InstallFolder = "dbt_packages"

// readInstalled reads the settings of the packages that are installed; as in
// dbt there are as many as the project names.
func (l *loader) readInstalled() error {
	wanted, err := Dependencies(l.files)
	if err != nil {
		return err
	}
	root := l.packages[0]
	var folders []string
	entries, _ := fs.ReadDir(l.files, root.settings.packages) // an absent folder is an empty one
	for _, entry := range entries {
		folder := path.Join(root.settings.packages, entry.Name())
		if info, err := fs.Stat(l.files, folder); err == nil && info.IsDir() && !strings.HasPrefix(entry.Name(), "__") {
			folders = append(folders, folder)
		}
	}
	if len(folders) != len(wanted) {
		return fmt.Errorf("%s names %d packages, and %s has %d: run stationflow dbt deps, or dbt deps for those of the hub or of git",
			packagesFile(l.files), len(wanted), root.settings.packages, len(folders))
	}
	for _, folder := range folders {
		if err := l.readPackage(folder); err != nil {
			return err
		}
	}
	return nil
}

// A Dependency is a package that a project names.
type Dependency struct {
	Local string // its folder, from that of the project; "" for one of another kind
	Name  string // as it is written
}

// packagesFile is the file that names the packages.
func packagesFile(files fs.FS) string {
	for _, name := range []string{"package-lock.yml", "packages.yml", "dependencies.yml"} {
		if _, err := fs.Stat(files, name); err == nil {
			return name
		}
	}
	return "packages.yml"
}

// Dependencies are the packages that a project names: those of its
// package-lock.yml, where it has one, with what they need themselves.
func Dependencies(files fs.FS) ([]Dependency, error) {
	for _, name := range []string{"package-lock.yml", "packages.yml", "dependencies.yml"} {
		found, err := DependenciesIn(files, name)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// DependenciesIn are the packages that one file names, which need not be there.
func DependenciesIn(files fs.FS, name string) ([]Dependency, error) {
	if _, err := fs.Stat(files, name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	doc, err := readYAML(files, name)
	if err != nil {
		return nil, err
	}
	if at := doc.field(doc.root, "projects"); at != nil {
		return nil, doc.fail(at, "projects are not supported: they need dbt's platform: install the project as a package")
	}
	items, err := doc.items(doc.field(doc.root, "packages"))
	var found []Dependency
	for _, item := range items {
		local := doc.text(item, "local")
		one := Dependency{Local: local, Name: local}
		for _, kind := range []string{"package", "git", "tarball", "private"} {
			if text := doc.text(item, kind); text != "" {
				one.Name = text
			}
		}
		if one.Name == "" {
			return nil, doc.fail(item, "a package is one of local, package, git, tarball or private")
		}
		found = append(found, one)
	}
	return found, err
}

// readDispatch reads where adapter.dispatch looks for the macros of a package.
func readDispatch(doc *document) (map[string][]string, error) {
	orders := map[string][]string{}
	items, err := doc.items(doc.field(doc.root, "dispatch"))
	for _, item := range items {
		var order []string
		if err := doc.decode(doc.field(item, "search_order"), &order); err != nil {
			return nil, err
		}
		orders[doc.text(item, "macro_namespace")] = order
	}
	return orders, err
}

// readVars reads the variables of dbt_project.yml; dicts keep the order of
// their keys. Those below the name of a package are for that package alone.
func readVars(doc *document) (map[string]any, error) {
	vars := map[string]any{}
	entries, err := doc.entries(doc.field(doc.root, "vars"))
	for _, entry := range entries {
		if vars[keyOf(entry)], err = doc.value(entry.Value); err != nil {
			return nil, err
		}
	}
	return vars, err
}

// varsFor is where a variable is looked for while a resource of a package is
// rendered: what the call says, what the project says of the package and of
// all, and what the package says itself.
func (r *rendering) varsFor() []map[string]any {
	all := []map[string]any{r.compilation.Vars, r.project.target.Vars}
	if r.in == nil {
		return all
	}
	for _, of := range []*pkg{r.project.packages[0], r.in} {
		if scoped, ok := of.vars[r.in.name].(*jinja.Dict); ok {
			own := map[string]any{}
			for _, key := range scoped.Keys() {
				if name, ok := key.(string); ok {
					own[name], _ = scoped.Get(key)
				}
			}
			all = append(all, own)
		}
		all = append(all, of.vars)
	}
	return all
}

// settingsOf are the settings of dbt_project.yml for a resource: its package's
// own, and those of the project, which win over everything in a package.
func (l *loader) settingsOf(of *pkg, fqn []string, tree func(*settings) *configTree) (own, over map[string]any) {
	own = tree(of.settings).of(fqn)
	if !of.isRoot() {
		over = tree(l.packages[0].settings).of(fqn)
	}
	return own, over
}

// isMapping reports whether a yml value has names of its own.
func isMapping(node ast.Node) bool {
	_, ok := node.(*ast.MappingNode)
	return ok
}

// Settings are what others need of a dbt_project.yml.
type Settings struct {
	Name     string `yaml:"name"`
	Packages string `yaml:"packages-install-path"` // folder
}

// SettingsIn reads the dbt_project.yml of a folder.
func SettingsIn(files fs.FS) (Settings, error) {
	var read Settings
	doc, err := readYAML(files, settingsFile)
	if err != nil {
		return read, err
	}
	err = doc.decode(doc.root, &read)
	if err == nil && read.Name == "" {
		err = fmt.Errorf("%s: the project has no name", settingsFile)
	}
	read.Packages = cmp.Or(read.Packages, InstallFolder)
	return read, err
}
