package registry

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxBody bounds a request.
const maxBody = 4 << 20

// Handler answers the API's requests.
func (r *Registry) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"GET /{$}":           func(*http.Request) (any, error) { return struct{}{}, nil },
		"GET /schemas/types": func(*http.Request) (any, error) { return []string{"JSON", "PROTOBUF", "AVRO"}, nil },

		"GET /schemas/ids/{id}":          r.getSchema,
		"GET /schemas/ids/{id}/schema":   r.getText,
		"GET /schemas/ids/{id}/versions": r.getVersionsOfID,
		"GET /schemas/ids/{id}/subjects": r.getSubjectsOfID,
		"GET /schemas/guids/{guid}":      r.getByGUID,
		"GET /schemas/guids/{guid}/ids":  r.getIDsOfGUID,

		"GET /subjects":                                       r.getSubjects,
		"POST /subjects/{subject}":                            r.postLookup,
		"DELETE /subjects/{subject}":                          r.deleteSubject,
		"GET /subjects/{subject}/versions":                    r.getVersions,
		"POST /subjects/{subject}/versions":                   r.postVersion,
		"GET /subjects/{subject}/versions/{version}":          r.getVersion,
		"DELETE /subjects/{subject}/versions/{version}":       r.deleteVersion,
		"GET /subjects/{subject}/versions/{version}/schema":   r.getVersionText,
		"POST /compatibility/subjects/{subject}/versions":     r.postCompatible,
		"POST /compatibility/subjects/{subject}/versions/{v}": r.postCompatible,
		"GET /subjects/{subject}/versions/{v}/referencedby":   r.getReferencedBy,
		"GET /config":              r.getLevel,
		"PUT /config":              r.putLevel,
		"GET /config/{subject}":    r.getLevel,
		"PUT /config/{subject}":    r.putLevel,
		"DELETE /config/{subject}": r.deleteLevel,
		"GET /mode":                func(*http.Request) (any, error) { return map[string]string{"mode": "READWRITE"}, nil },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) { respond(w, req, answer) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		respond(w, req, func(*http.Request) (any, error) { return nil, faultf(http.StatusNotFound, "HTTP 404 Not Found") })
	})
	return mux
}

// A text is an answer that is not JSON of ours.
type text string

func respond(w http.ResponseWriter, req *http.Request, answer func(*http.Request) (any, error)) {
	req.Body = http.MaxBytesReader(w, req.Body, maxBody)
	body, err := answer(req)
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	if err != nil {
		refused := &fault{status: http.StatusInternalServerError, code: 50001, text: err.Error()}
		errors.As(err, &refused)
		w.WriteHeader(refused.status)
		body = map[string]any{"error_code": refused.code, "message": refused.text}
	}
	if plain, ok := body.(text); ok {
		_, _ = io.WriteString(w, string(plain)) // who asked may be gone
		return
	}
	_ = json.NewEncoder(w).Encode(body) // who asked may be gone
}

// A described schema is one as the API shows it.
type described struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	ID         int         `json:"id,omitempty"`
	GUID       string      `json:"guid,omitempty"`
	Type       string      `json:"schemaType,omitempty"`
	References []reference `json:"references,omitempty"`
	Schema     string      `json:"schema"`
}

func (r *Registry) describe(name string, v version) described {
	s := r.state.Schemas[v.ID-1]
	return described{name, v.Number, v.ID, s.guid(), s.Type, s.References, s.Text}
}

// posted reads a schema from a request. Members that mean nothing here are left
// out.
func posted(req *http.Request) (*schema, error) {
	s := &schema{}
	if err := json.NewDecoder(req.Body).Decode(s); err != nil {
		return nil, faultf(http.StatusBadRequest, "reading the request: %v", err)
	}
	if s.Type = strings.ToUpper(s.Type); s.Type == "AVRO" {
		s.Type = ""
	}
	if len(s.References) == 0 {
		s.References = nil
	}
	return s, nil
}

func (r *Registry) pathID(req *http.Request) (int, *schema, error) {
	id, err := strconv.Atoi(req.PathValue("id"))
	if err != nil {
		return 0, nil, faultf(http.StatusNotFound, "HTTP 404 Not Found")
	}
	s, err := r.byID(id)
	return id, s, err
}

func (r *Registry) getSchema(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, s, err := r.pathID(req)
	if err != nil {
		return nil, err
	}
	return described{Type: s.Type, References: s.References, Schema: s.Text}, nil
}

func (r *Registry) getText(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, s, err := r.pathID(req)
	if err != nil {
		return nil, err
	}
	return text(s.Text), nil
}

// uses calls use for each version that has the schema, by subject.
func (r *Registry) uses(id int, use func(name string, number int)) {
	for _, name := range r.names(false) {
		for _, v := range r.state.Subjects[name].Versions {
			if v.ID == id && !v.Deleted {
				use(name, v.Number)
			}
		}
	}
}

func (r *Registry) getVersionsOfID(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, _, err := r.pathID(req)
	all := []map[string]any{}
	r.uses(id, func(name string, number int) { all = append(all, map[string]any{"subject": name, "version": number}) })
	return all, err
}

func (r *Registry) getSubjectsOfID(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, _, err := r.pathID(req)
	all := []string{}
	r.uses(id, func(name string, _ int) { all = append(all, name) })
	return slices.Compact(all), err
}

func (r *Registry) byGUID(guid string) (int, error) {
	for i, s := range r.state.Schemas {
		if s.guid() == guid {
			return i + 1, nil
		}
	}
	return 0, faultf(40403, "Schema %s not found", guid)
}

func (r *Registry) getByGUID(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, err := r.byGUID(req.PathValue("guid"))
	if err != nil {
		return nil, err
	}
	return r.describe("", version{ID: id}), nil
}

func (r *Registry) getIDsOfGUID(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, err := r.byGUID(req.PathValue("guid"))
	if err != nil {
		return nil, err
	}
	return []map[string]any{{"context": ".", "id": id}}, nil
}
