// Package mend makes the emulator's functions BigQuery's. The emulator translates GoogleSQL to SQLite, in which every
// operator and function of GoogleSQL is a function written in Go; where one of them answers something else than BigQuery
// documents, the version here takes its place, and where it cannot, it refuses with a sentence.
package mend

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	_ "unsafe" // for go:linkname

	googlesql "github.com/goccy/go-googlesql"
	_ "github.com/goccy/googlesqlite" // registers the driver, and holds what is linked here

	"github.com/stationflow/stationflow/local/warehouse"
)

// These are the emulator's tables of functions and its analyzer's options, which it does not export: the version in
// go.mod is exact, and with another the names are not found when this program is linked.

//go:linkname scalars github.com/goccy/googlesqlite/internal.normalFuncMap
var scalars map[string][]*function

//go:linkname aggregates github.com/goccy/googlesqlite/internal.aggregateFuncMap
var aggregates map[string][]*function

//go:linkname analyzerOptions github.com/goccy/googlesqlite/internal.getSharedAnalyzerOptions
func analyzerOptions() (*googlesql.AnalyzerOptions, error)

// function is one entry: the layout is the emulator's.
type function struct {
	Name             string
	Func             any
	NonDeterministic bool
}

// scalar is a function over values as SQLite holds them, see decode. A NULL is nil.
type scalar = func(args ...any) (any, error)

// better returns a better version of a function. What it does not handle it leaves to the original.
type better func(original scalar) scalar

// Apply mends the emulator, once for all of its databases that are opened after that. It is safe for concurrent use.
var Apply = sync.OnceValue(func() error {
	if err := fillTables(); err != nil {
		return err
	}
	options, err := analyzerOptions()
	if err != nil {
		return fmt.Errorf("reading the analyzer's options: %w", err)
	}
	language, err := options.MutableLanguage()
	if err != nil {
		return fmt.Errorf("reading the analyzer's language: %w", err)
	}
	if err := errors.Join(
		useUTC(options), options.SetFoldLiteralCast(false),
		language.EnableLanguageFeature(googlesql.LanguageFeatureFeatureBareArrayAccess),
		language.EnableLanguageFeature(googlesql.LanguageFeatureFeatureGroupByAll),
	); err != nil {
		return fmt.Errorf("setting the analyzer's options: %w", err)
	}
	if err := useFloats(); err != nil {
		return err
	}
	for name, m := range mends() {
		if err := replace(name, m); err != nil {
			return err
		}
	}
	for name, m := range added() {
		scalars[name] = []*function{{Name: "googlesqlite_" + name, Func: missing}, {Name: "googlesqlite_safe_" + name}}
		if err := replace(name, m); err != nil {
			return err
		}
	}
	for _, entries := range scalars {
		for _, f := range entries {
			f.Func = finite(f.Name, f.Func.(scalar))
		}
	}
	scalars["group_by"] = []*function{{Name: "googlesqlite_group_by", Func: groupKey}} // it has one argument: the emulator's is replaced
	return errors.Join(replaceAggregates(), replaceWindows())
})

// fillTables opens a database in memory, upon which the emulator fills its tables of functions.
func fillTables() (err error) {
	db, err := sql.Open("googlesqlite", ":memory:")
	if err != nil {
		return fmt.Errorf("opening a database in memory: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Ping(); err != nil {
		return fmt.Errorf("opening a database in memory: %w", err)
	}
	if len(scalars) == 0 || len(aggregates) == 0 {
		return errors.New("the emulator's tables of functions are empty")
	}
	return nil
}

// useUTC makes UTC the zone of times without one. The options keep a copy of the zone, and none means UTC.
func useUTC(options *googlesql.AnalyzerOptions) error { return options.SetDefaultTimeZone(nil) }

// missing is the original of what the emulator does not have.
var missing scalar = func(...any) (any, error) { return nil, refuse("this form of the function") }

// replace puts a better version in place of a function and of its SAFE form.
func replace(name string, m better) error {
	entries := scalars[name]
	if len(entries) != 2 {
		return fmt.Errorf("the emulator has no function %s to mend", name)
	}
	mended := m(entries[0].Func.(scalar))
	entries[0].Func = mended
	entries[1].Func = func(args ...any) (any, error) {
		result, err := mended(args...)
		if err != nil && !strings.HasPrefix(err.Error(), warehouse.Refusal) {
			return nil, nil
		}
		return result, err
	}
	return nil
}

// infinite are the functions that may make an infinite number of finite ones.
var infinite = map[string]bool{
	"googlesqlite_ieee_divide": true, "googlesqlite_cast": true, "googlesqlite_safe_cast": true, "googlesqlite_float64": true, "googlesqlite_double": true,
}

// finite returns a function that fails, as BigQuery's do, where its result is no number, and refuses where BigQuery's is
// NaN: SQLite would make NULL of it.
func finite(name string, f scalar) scalar {
	return func(args ...any) (any, error) {
		result, err := f(args...)
		number, ok := result.(float64)
		if !ok || err != nil || !math.IsNaN(number) && !math.IsInf(number, 0) {
			return result, err
		}
		if math.IsNaN(number) && infinite[name] {
			return nil, refuse(noNaN)
		}
		for _, arg := range args {
			if given, ok := arg.(float64); ok && math.IsInf(given, 0) && !math.IsNaN(number) {
				return result, nil
			}
		}
		if infinite[name] {
			return result, nil
		}
		if strings.HasPrefix(name, "googlesqlite_safe_") {
			return nil, nil
		}
		return nil, fmt.Errorf("floating point error in function %s", name)
	}
}
