package audit

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
)

// Insert is the statement that appends rows to the table in the dataset.
func Insert(dataset string, rows []Row) string {
	var names []string
	fields := reflect.VisibleFields(reflect.TypeFor[Row]())
	for _, field := range fields {
		names = append(names, field.Tag.Get("bigquery"))
	}
	var values []string
	for i := range rows {
		row := reflect.ValueOf(&rows[i]).Elem()
		var cells []string
		for _, field := range fields {
			cells = append(cells, literal(row.FieldByIndex(field.Index).Interface()))
		}
		values = append(values, "("+strings.Join(cells, ", ")+")")
	}
	return fmt.Sprintf("insert into `%s.%s` (%s) values\n%s", dataset, Table, strings.Join(names, ", "), strings.Join(values, ",\n"))
}

// literal is a value as GoogleSQL reads it.
func literal(value any) string {
	switch v := value.(type) {
	case time.Time:
		return "timestamp '" + v.UTC().Format("2006-01-02 15:04:05.000000+00") + "'"
	case int64:
		return strconv.FormatInt(v, 10)
	case bigquery.NullInt64:
		return strconv.FormatInt(v.Int64, 10)
	case bool:
		return strconv.FormatBool(v)
	}
	return bqconfig.Quoted(fmt.Sprint(value))
}
