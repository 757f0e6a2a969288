package mend

import (
	"fmt"
	"reflect"

	"github.com/ncruces/go-sqlite3"
)

// CallDirectly has a connection to SQLite call the functions as they are, in place of the emulator's registration, which
// calls each of them by reflection for each row: half of the time of a query that groups. Call it after Apply, while no
// statement runs over the connection.
func CallDirectly(conn *sqlite3.Conn) error {
	for _, entries := range scalars {
		for _, f := range entries {
			if err := callScalar(conn, f); err != nil {
				return fmt.Errorf("registering function %s: %w", f.Name, err)
			}
		}
	}
	for _, entries := range aggregates {
		for _, f := range entries {
			if err := callAggregate(conn, f); err != nil {
				return fmt.Errorf("registering aggregate function %s: %w", f.Name, err)
			}
		}
	}
	return nil
}

func callScalar(conn *sqlite3.Conn, f *function) error {
	flag := sqlite3.DETERMINISTIC
	if f.NonDeterministic {
		flag = 0
	}
	switch call := f.Func.(type) {
	case scalar:
		return conn.CreateFunction(f.Name, -1, flag, func(ctx sqlite3.Context, args ...sqlite3.Value) {
			answer(ctx)(call(held(args)...))
		})
	case func(any) (any, error):
		return conn.CreateFunction(f.Name, 1, flag, func(ctx sqlite3.Context, args ...sqlite3.Value) {
			answer(ctx)(call(value(args[0])))
		})
	}
	return fmt.Errorf("%T is not a function over values", f.Func)
}

// callAggregate leaves what is not of the usual form to the emulator.
func callAggregate(conn *sqlite3.Conn, f *function) error {
	constructor := reflect.ValueOf(f.Func)
	if _, usual := constructor.Call(nil)[0].Interface().(aggregate); !usual {
		return nil
	}
	return conn.CreateWindowFunction(f.Name, -1, sqlite3.DETERMINISTIC, func() sqlite3.AggregateFunction {
		return &group{aggregate: constructor.Call(nil)[0].Interface().(aggregate)}
	})
}

// group is an aggregate function over the rows of one group.
type group struct {
	aggregate aggregate
	err       error // the first of a step
}

func (g *group) Step(_ sqlite3.Context, args ...sqlite3.Value) {
	if g.err == nil {
		g.err = g.aggregate.Step(held(args)...)
	}
}

func (g *group) Value(ctx sqlite3.Context) {
	if g.err != nil {
		ctx.ResultError(g.err)
		return
	}
	answer(ctx)(g.aggregate.Done())
}

// held are arguments as SQLite holds them: copies, which a function may keep.
func held(args []sqlite3.Value) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = value(arg)
	}
	return values
}

func value(arg sqlite3.Value) any {
	switch arg.Type() {
	case sqlite3.INTEGER:
		return arg.Int64()
	case sqlite3.FLOAT:
		return arg.Float()
	case sqlite3.TEXT:
		return arg.Text()
	case sqlite3.BLOB:
		return arg.Blob(nil)
	default:
		return nil
	}
}

// answer returns what gives SQLite the result of a function.
func answer(ctx sqlite3.Context) func(result any, err error) {
	return func(result any, err error) {
		if err != nil {
			ctx.ResultError(err)
			return
		}
		switch result := result.(type) {
		case nil:
			ctx.ResultNull()
		case bool:
			ctx.ResultBool(result)
		case int:
			ctx.ResultInt64(int64(result))
		case int64:
			ctx.ResultInt64(result)
		case float64:
			ctx.ResultFloat(result)
		case string:
			ctx.ResultText(result)
		case []byte:
			ctx.ResultBlob(result)
		default:
			ctx.ResultError(fmt.Errorf("a function's result has type %T", result))
		}
	}
}
