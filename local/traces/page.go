package traces

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/waterfall"
)

// RecordHandler serves GET /trace/TOPIC/PARTITION/OFFSET: the traces that tell
// of a record, as a page or, to who accepts application/json alone, as a JSON
// list. topic_id may name a topic that was made again.
func (c *Collector) RecordHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /trace/{topic}/{partition}/{offset}", func(w http.ResponseWriter, r *http.Request) {
		partition, e1 := strconv.ParseInt(r.PathValue("partition"), 10, 32)
		offset, e2 := strconv.ParseInt(r.PathValue("offset"), 10, 64)
		if e1 != nil || e2 != nil || partition < 0 || offset < 0 {
			http.Error(w, "partition and offset are numbers from 0 on: /trace/incidents/3/1742", http.StatusBadRequest)
			return
		}
		of := Record{Topic: r.PathValue("topic"), TopicID: r.URL.Query().Get("topic_id"), Partition: int32(partition), Offset: offset}
		found := c.Of(of)
		if strings.HasPrefix(r.Header.Get("Accept"), "application/json") {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(append([]waterfall.Trace{}, found...)) // the caller is gone: nobody to tell
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, map[string]any{"Record": fmt.Sprintf("%s/%d/%d", of.Topic, partition, offset), "Traces": found}) // likewise
	})
	return mux
}

var page = template.Must(template.New("trace").Funcs(template.FuncMap{
	"percent": func(share float64) string { return strconv.FormatFloat(100*share, 'f', 2, 64) },
	"rows":    func(t waterfall.Trace) []waterfall.Row { return t.Rows() },
	"took":    func(r waterfall.Row) time.Duration { return r.Took().Round(100 * time.Microsecond) },
}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Record}}: traces</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 1.5rem auto; max-width: 72rem; padding: 0 1rem }
code { font-size: .85rem }
table { border-collapse: collapse; width: 100% } td { padding: .15rem .5rem; vertical-align: top } td:first-child { white-space: nowrap }
td.bar { width: 45% } td.bar div { background: #3b6fb6; height: .8rem; margin-top: .35rem; min-width: 2px } .failed div { background: #b3261e !important }
</style>
<h1>{{.Record}}</h1>
{{range .Traces}}<h2><code>{{.ID}}</code></h2>
<table><tr><th>span<th>took<th>when<th>of</tr>
{{range rows .}}<tr{{if .Error}} class="failed"{{end}}>
<td style="padding-left: {{.Depth}}.5rem"><details><summary>{{.Name}}{{with .Links}}, links {{len .}}{{end}}</summary>{{range $name, $value := .Attributes}}{{$name}} = {{$value}}<br>{{end}}</details>{{with .Error}}{{.}}{{end}}
<td>{{took .}}
<td class="bar"><div style="margin-left: {{percent .From}}%; width: {{percent .Width}}%"></div>
<td>{{.Service}}</tr>
{{end}}</table>
{{else}}<p>No span of it is known: it was not recorded, or the memory is needed for newer ones.
{{end}}</html>
`))
