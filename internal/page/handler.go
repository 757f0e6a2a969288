package page

import (
	"embed"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"time"

	"github.com/stationflow/stationflow/internal/status"
)

//go:embed web
var web embed.FS

//go:embed vendor
var vendored embed.FS

// policy lets the page load its own files and nothing else, and lets no script
// turn text into markup: a station's name is only ever text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// Handler serves the page at / and
//
//	/api/view       the answer to one question (view.Ask), or 400 with view.Refusal
//	/api/view.csv   one chart of it, named by chart, as comma-separated values
//	/api/dashboard  the figures, metric by metric (Figures)
//	/api/tables     the five dashboard tables, row by row
//	/api/pipeline   the pipeline's state now, and which snapshot is served (status.Status)
//	/api/…          Config.Documents
//
// all by GET, the others in JSON. None of them waits for the warehouse, but for
// the tables after Changed.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", files(web, "web"))
	mux.Handle("GET /vendor/", http.StripPrefix("/vendor", files(vendored, "vendor")))
	mux.HandleFunc("GET /api/view", p.answer)
	mux.HandleFunc("GET /api/view.csv", p.download)
	mux.HandleFunc("GET /api/dashboard", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, figuresOf(p.current(r.Context()), p.Location))
	})
	mux.HandleFunc("GET /api/tables", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, tablesOf(p.current(r.Context()), p.Location))
	})
	mux.HandleFunc("GET /api/pipeline", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, p.Status())
	})
	for name, document := range p.Documents {
		mux.HandleFunc("GET /api/"+name, func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, document())
		})
	}
	return secured(mux)
}

func (p *Page) answer(w http.ResponseWriter, r *http.Request) {
	answer, err := p.View.Answer(r.URL.Query())
	if err != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusBadRequest)
		writeJSON(w, p.View.Refuse(err))
		return
	}
	writeJSON(w, answer)
}

func (p *Page) download(w http.ResponseWriter, r *http.Request) {
	answer, err := p.View.Answer(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := r.URL.Query().Get("chart")
	for i := range answer.Charts {
		if chart := &answer.Charts[i]; chart.ID == id {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": answer.FileName(chart)}))
			w.Header().Set("Cache-Control", "no-store")
			_ = answer.WriteCSV(w, chart) // an error means that the client went away
			return
		}
	}
	http.Error(w, "there is no such chart: chart is one of the ids in api/view", http.StatusNotFound)
}

// files serves one folder of an embedded file system.
func files(embedded embed.FS, folder string) http.Handler {
	below, err := fs.Sub(embedded, folder)
	if err != nil {
		panic(err) // folder is a constant and valid
	}
	return http.FileServerFS(below)
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, document any) {
	body, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // an error means that the client went away
}

// tables is the document of /api/tables.
type tables struct {
	ReadAt *time.Time       `json:"read_at"` // null before the first read
	Tables map[string][]Row `json:"tables"`
}

func tablesOf(s *Snapshot, location *time.Location) tables {
	t := tables{ReadAt: status.Time(location, s.ReadAt), Tables: map[string][]Row{}}
	for _, name := range Tables {
		t.Tables[name] = []Row{}
	}
	for _, row := range s.Rows {
		t.Tables[row.Table] = append(t.Tables[row.Table], row)
	}
	return t
}
