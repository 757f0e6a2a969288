package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	"github.com/goccy/googlesqlite"
	"github.com/ncruces/go-sqlite3"

	"github.com/stationflow/stationflow/local/warehouse/engine/mend"
)

// database is the warehouse's database as this package uses it beside the emulator: over one connection, which needs not
// read the schema again when it is the one that has changed it. It serves one request at a time.
type database struct {
	db     *sql.DB
	direct *sqlite3.Conn // the one that calls functions directly
}

// openDatabase opens the database once more. The emulator's driver shares what it knows of tables between all who give
// the same name.
func openDatabase(name string) (*database, error) {
	db, err := sql.Open("googlesqlite", name)
	if err != nil {
		return nil, fmt.Errorf("opening the warehouse's database: %w", err)
	}
	db.SetMaxOpenConns(1)
	return &database{db: db}, nil
}

// connection speaks GoogleSQL, and SQLite beneath it: both are in the same transaction.
type connection struct {
	*sql.Conn
	sqlite *sql.Conn
}

// connect takes the connection; Close gives it back.
func (d *database) connect(ctx context.Context) (*connection, error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to the warehouse's database: %w", err)
	}
	c := &connection{Conn: conn}
	if err := c.Raw(func(driver any) (err error) { c.sqlite, err = beneath(driver); return err }); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := c.sqlite.Raw(d.callDirectly); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// callDirectly mends a connection to SQLite, once.
func (d *database) callDirectly(driver any) error {
	conn, ok := driver.(interface{ Raw() *sqlite3.Conn })
	if !ok {
		return fmt.Errorf("%T is not a connection to SQLite", driver)
	}
	if conn.Raw() == d.direct {
		return nil
	}
	if err := mend.CallDirectly(conn.Raw()); err != nil {
		return err
	}
	d.direct = conn.Raw()
	return nil
}

// beneath is the connection to SQLite that one of the emulator's driver uses. The driver does not export it: the version
// in go.mod is exact, and with another this fails with the first request.
func beneath(driver any) (*sql.Conn, error) {
	conn, ok := driver.(*googlesqlite.Conn)
	if !ok {
		return nil, fmt.Errorf("%T is not a connection of the emulator's driver", driver)
	}
	field := reflect.ValueOf(conn).Elem().FieldByName("conn")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*sql.Conn]() {
		return nil, fmt.Errorf("%T has no connection to SQLite where it was in version 0.3.1", driver)
	}
	return (*sql.Conn)(field.UnsafePointer()), nil
}

// complete has the connection complete the names of tables that have fewer parts than project, dataset and table.
func (c *connection) complete(path []string) error {
	return c.Raw(func(driver any) error {
		conn := driver.(*googlesqlite.Conn) // see beneath
		conn.SetMaxNamePath(3)
		return conn.SetNamePath(path)
	})
}

// catalog is the driver's.
func (c *connection) catalog() (known catalog, err error) {
	err = c.Raw(func(driver any) (err error) { known, err = catalogOf(driver.(*googlesqlite.Conn)); return err })
	return known, err
}
