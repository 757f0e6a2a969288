package engine

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe" // for go:linkname, too

	googlesql "github.com/goccy/go-googlesql"
	"github.com/goccy/googlesqlite"
)

// catalog is what the emulator's driver knows of tables, as pointers to its fields. The driver does not export it: the
// version in go.mod is exact, and with another the first DROP fails. The gate lets one at a time use it.
type catalog struct {
	whole  unsafe.Pointer
	root   **googlesql.SimpleCatalog
	tables *[]*googlesqlite.TableSpec
	below  *map[*googlesql.SimpleCatalog]map[string]*googlesql.SimpleCatalog // by the one above and the name
}

//go:linkname addTable github.com/goccy/googlesqlite/internal.(*Catalog).addTableSpec
func addTable(whole unsafe.Pointer, spec *googlesqlite.TableSpec) error

//go:linkname typeFactory github.com/goccy/googlesqlite/internal.tf
var typeFactory func() *googlesql.TypeFactory

// catalogOf finds the catalog of a connection of the driver.
func catalogOf(conn *googlesqlite.Conn) (c catalog, err error) {
	field := reflect.ValueOf(conn).Elem().FieldByName("catalog")
	if !field.IsValid() || field.Kind() != reflect.Pointer || field.IsNil() {
		return c, fmt.Errorf("%T has no catalog where it was in version 0.3.1", conn)
	}
	c.whole = field.UnsafePointer()
	return c, errors.Join(find(field.Elem(), "catalog", &c.root), find(field.Elem(), "tables", &c.tables), find(field.Elem(), "subCatalogs", &c.below))
}

// find has p point to a field.
func find[T any](whole reflect.Value, name string, p **T) error {
	field := whole.FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[T]() {
		return fmt.Errorf("the driver's catalog has no %s as it was in version 0.3.1", name)
	}
	*p = (*T)(field.Addr().UnsafePointer())
	return nil
}

// drops says whether a statement drops a table or view.
func drops(statement string) bool {
	words := strings.Fields(statement)
	return len(words) > 2 && strings.EqualFold(words[0], "DROP") && (strings.EqualFold(words[1], "TABLE") || strings.EqualFold(words[1], "VIEW"))
}

// cheaply runs drop, which drops a table and returns what changed. The driver then makes its catalog anew, and registers
// all functions of GoogleSQL in each project, dataset and INFORMATION_SCHEMA in it: a dozen times, which takes most of
// the time of a DROP and 10 to 40 MB. They are looked for at the root, so the others are made here, without them.
func (c catalog) cheaply(drop func() (*googlesqlite.ChangedCatalog, error)) (err error) {
	root, tables := *c.root, *c.tables
	*c.tables = nil // so that the driver makes the root and no more
	var changed *googlesqlite.ChangedCatalog
	defer func() { // after a panic of the driver, too
		if *c.root == root { // nothing was dropped
			*c.tables = append(tables, *c.tables...) // which the driver may have read first
			return
		}
		if changed != nil {
			tables = slices.DeleteFunc(slices.Clone(tables), func(spec *googlesqlite.TableSpec) bool { return among(changed.Table.Deleted, spec) })
		}
		err = errors.Join(err, c.restore(tables))
	}()
	changed, err = drop()
	return err
}

func among(list []*googlesqlite.TableSpec, spec *googlesqlite.TableSpec) bool {
	return slices.ContainsFunc(list, func(other *googlesqlite.TableSpec) bool { return slices.Equal(other.NamePath, spec.NamePath) })
}

// restore makes tables known in a catalog that has only its root.
func (c catalog) restore(tables []*googlesqlite.TableSpec) error {
	for _, spec := range tables {
		err := c.descend(*c.root, spec.NamePath)
		if path := spec.NamePath; len(path) == 3 { // the emulator's own have one name
			err = errors.Join(err, c.descend(*c.root, []string{path[0], path[1], "INFORMATION_SCHEMA", "any"}))
		}
		if err := errors.Join(err, addTable(c.whole, spec)); err != nil {
			return fmt.Errorf("making %s known again: %w", strings.Join(spec.NamePath, "."), err)
		}
	}
	return nil
}

// descend makes the catalogs in which the driver notes a table: a path may begin with each of its names.
func (c catalog) descend(above *googlesql.SimpleCatalog, path []string) error {
	if len(path) < 2 {
		return nil
	}
	below, ok := (*c.below)[above][path[0]]
	if !ok {
		var err error
		if below, err = googlesql.NewSimpleCatalog(path[0], typeFactory()); err != nil {
			return err
		}
		if err := above.AddCatalog(below); err != nil {
			return err
		}
		if (*c.below)[above] == nil {
			(*c.below)[above] = map[string]*googlesql.SimpleCatalog{}
		}
		(*c.below)[above][path[0]] = below
	}
	return errors.Join(c.descend(above, path[1:]), c.descend(below, path[1:]))
}
