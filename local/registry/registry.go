// Package registry is a schema registry in this process that speaks the API of
// Confluent's, as far as serializers and the tools around them ask for it:
// subjects, versions, ids, GUIDs, references, compatibility. Its data fit into
// memory; with a file they survive a restart.
package registry

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/stationflow/stationflow/event/payload"
)

// A Registry is a schema registry. It is safe for concurrent use.
type Registry struct {
	file string // "" keeps nothing

	mu    sync.Mutex
	state state
}

// A state is all that a registry knows, as it is kept.
type state struct {
	Schemas  []*schema           `json:"schemas"` // the id of each is its place, from 1
	Subjects map[string]*subject `json:"subjects"`
	Level    string              `json:"level"` // of compatibility, where a subject has none
}

type schema struct {
	Text       string      `json:"schema"`
	Type       string      `json:"schemaType,omitempty"` // "" is AVRO
	References []reference `json:"references,omitempty"`
}

type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

type subject struct {
	Versions []version `json:"versions"` // in order; numbers are not used again
	Level    string    `json:"level,omitempty"`
	Last     int       `json:"last"` // the highest number that was given
}

type version struct {
	Number  int  `json:"number"`
	ID      int  `json:"id"`
	Deleted bool `json:"deleted,omitempty"` // and still there for those who ask
}

// Open returns the registry that the file holds, an empty one where there is no
// file. With "" nothing is kept.
func Open(file string) (*Registry, error) {
	r := &Registry{file: file, state: state{Subjects: map[string]*subject{}, Level: "BACKWARD"}}
	if file == "" {
		return r, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r.state)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the schemas that are kept: %w", err)
	}
	return r, nil
}

// keep writes the state to the file, whole or not at all.
func (r *Registry) keep() error {
	if r.file == "" {
		return nil
	}
	text, err := json.Marshal(r.state)
	if err == nil {
		err = os.WriteFile(r.file+".new", text, 0o644)
	}
	if err == nil {
		err = os.Rename(r.file+".new", r.file)
	}
	if err != nil {
		return fmt.Errorf("keeping the schemas: %w", err)
	}
	return nil
}

// A fault is an answer that is no success, with the registry's own code.
type fault struct {
	status, code int
	text         string
}

func (f *fault) Error() string { return f.text }

func faultf(code int, format string, args ...any) *fault {
	status := code
	if code >= 10_000 {
		status = code / 100
	}
	return &fault{status, code, fmt.Sprintf(format, args...)}
}

func (s *schema) kind() string {
	if s.Type == "" {
		return "AVRO"
	}
	return s.Type
}

func (s *schema) same(other *schema) bool {
	return s.kind() == other.kind() && s.normal() == other.normal() && slices.Equal(s.References, other.References)
}

// normal is the text without what means nothing in it.
func (s *schema) normal() string {
	var value any
	if s.kind() != "PROTOBUF" && json.Unmarshal([]byte(s.Text), &value) == nil {
		text, _ := json.Marshal(value) // it was JSON
		return string(text)
	}
	return strings.TrimSpace(s.Text)
}

// guid is the same for the same schema everywhere.
func (s *schema) guid() string {
	references, _ := json.Marshal(s.References) // texts and numbers
	sum := sha256.Sum256([]byte(s.kind() + "\x00" + s.normal() + "\x00" + string(references)))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// idOf returns the id of the schema, or 0.
func (r *Registry) idOf(s *schema) int {
	return slices.IndexFunc(r.state.Schemas, s.same) + 1
}

func (r *Registry) byID(id int) (*schema, error) {
	if id < 1 || id > len(r.state.Schemas) {
		return nil, faultf(40403, "Schema %d not found", id)
	}
	return r.state.Schemas[id-1], nil
}

// live returns the subject if it has a version that is not deleted.
func (r *Registry) live(name string) (*subject, error) {
	if s := r.state.Subjects[name]; s != nil && slices.ContainsFunc(s.Versions, func(v version) bool { return !v.Deleted }) {
		return s, nil
	}
	return nil, faultf(40401, "Subject '%s' not found.", name)
}

// at returns a version of the subject; 0 is the latest.
func (r *Registry) at(name string, number int, deleted bool) (version, error) {
	s := r.state.Subjects[name]
	if !deleted || s == nil {
		var err error
		if s, err = r.live(name); err != nil {
			return version{}, err
		}
	}
	for _, v := range slices.Backward(s.Versions) {
		if (v.Number == number || number == 0) && (deleted || !v.Deleted) {
			return v, nil
		}
	}
	return version{}, faultf(40402, "Version %d not found.", number)
}

// source adds what the schema refers to.
func (r *Registry) source(s *schema) (payload.Source, error) {
	source := payload.Source{Format: payload.Format(s.kind()), Text: s.Text}
	return source, r.imports(&source, s.References)
}

func (r *Registry) imports(source *payload.Source, references []reference) error {
	for _, to := range references {
		v, err := r.at(to.Subject, to.Version, true)
		if err != nil || to.Name == "" {
			return faultf(42201, "Invalid schema: no schema reference found for subject %q and version %d", to.Subject, to.Version)
		}
		if source.Has(to.Name) {
			continue
		}
		other := r.state.Schemas[v.ID-1] // was there before: no circle
		if err := r.imports(source, other.References); err != nil {
			return err
		}
		source.Imports = append(source.Imports, payload.Import{Name: to.Name, Text: other.Text})
	}
	return nil
}

// parse returns the schema as payload and compatibility read it.
func (r *Registry) parse(s *schema) (*parsed, error) {
	source, err := r.source(s)
	if err != nil {
		return nil, err
	}
	p, err := parse(source)
	if err != nil {
		return nil, faultf(42201, "Invalid schema: %v", err)
	}
	return p, nil
}

// register adds the schema to the subject, unless it is there.
func (r *Registry) register(name string, s *schema) (version, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.parse(s); err != nil {
		return version{}, err
	}
	of := r.state.Subjects[name]
	if of == nil {
		of = &subject{}
	}
	id := r.idOf(s)
	for _, v := range of.Versions {
		if v.ID == id && !v.Deleted {
			return v, nil
		}
	}
	if faults, err := r.incompatible(name, s, 0); err != nil || len(faults) > 0 {
		if err != nil {
			return version{}, err
		}
		return version{}, faultf(409, "Schema being registered is incompatible with an earlier schema for subject %q, details: [%s]", name, strings.Join(faults, "; "))
	}
	if id == 0 {
		r.state.Schemas = append(r.state.Schemas, s)
		id = len(r.state.Schemas)
	}
	of.Last++
	v := version{Number: of.Last, ID: id}
	of.Versions = append(of.Versions, v)
	r.state.Subjects[name] = of
	return v, r.keep()
}
