package registry

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// names are those of the subjects, in order; with deleted also of those that
// have only deleted versions.
func (r *Registry) names(deleted bool) []string {
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(r.state.Subjects)) {
		if _, err := r.live(name); err == nil || deleted {
			names = append(names, name)
		}
	}
	return names
}

func isSet(req *http.Request, name string) bool { return req.URL.Query().Get(name) == "true" }

func (r *Registry) getSubjects(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	prefix := req.URL.Query().Get("subjectPrefix")
	return slices.DeleteFunc(r.names(isSet(req, "deleted")), func(name string) bool { return !strings.HasPrefix(name, prefix) }), nil
}

func (r *Registry) getVersions(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.live(req.PathValue("subject"))
	if err != nil {
		return nil, err
	}
	numbers := []int{}
	for _, v := range s.Versions {
		if !v.Deleted || isSet(req, "deleted") {
			numbers = append(numbers, v.Number)
		}
	}
	return numbers, nil
}

// pathVersion reads the number of a version; latest and -1 are 0.
func pathVersion(text string) (int, error) {
	if text == "latest" || text == "-1" {
		return 0, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return 0, faultf(42202, "The specified version '%s' is not a valid version id.", text)
	}
	return number, nil
}

func (r *Registry) version(req *http.Request) (described, error) {
	number, err := pathVersion(req.PathValue("version"))
	if err != nil {
		return described{}, err
	}
	v, err := r.at(req.PathValue("subject"), number, isSet(req, "deleted"))
	if err != nil {
		return described{}, err
	}
	return r.describe(req.PathValue("subject"), v), nil
}

func (r *Registry) getVersion(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version(req)
}

func (r *Registry) getVersionText(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.version(req)
	return text(d.Schema), err
}

func (r *Registry) postVersion(req *http.Request) (any, error) {
	s, err := posted(req)
	if err != nil {
		return nil, err
	}
	v, err := r.register(req.PathValue("subject"), s)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.describe("", v)
	return d, nil
}

func (r *Registry) postLookup(req *http.Request) (any, error) {
	s, err := posted(req)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	name := req.PathValue("subject")
	of, err := r.live(name)
	if err != nil {
		return nil, err
	}
	id := r.idOf(s)
	for _, v := range of.Versions {
		if v.ID == id && (!v.Deleted || isSet(req, "deleted")) {
			return r.describe(name, v), nil
		}
	}
	return nil, faultf(40403, "Schema not found")
}

func (r *Registry) postCompatible(req *http.Request) (any, error) {
	s, err := posted(req)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	name, number := req.PathValue("subject"), 0
	if text := req.PathValue("v"); text != "" {
		if number, err = pathVersion(text); err != nil {
			return nil, err
		}
		v, err := r.at(name, number, false)
		if err != nil {
			return nil, err
		}
		number = v.Number
	}
	faults, err := r.incompatible(name, s, number)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"is_compatible": len(faults) == 0}
	if isSet(req, "verbose") {
		answer["messages"] = append([]string{}, faults...)
	}
	return answer, nil
}

func (r *Registry) getReferencedBy(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number, err := pathVersion(req.PathValue("v"))
	if err != nil {
		return nil, err
	}
	v, err := r.at(req.PathValue("subject"), number, false)
	if err != nil {
		return nil, err
	}
	return r.referring(req.PathValue("subject"), v.Number), nil
}

// referring are the ids of the schemas that refer to a version.
func (r *Registry) referring(name string, number int) []int {
	ids := []int{}
	for i, s := range r.state.Schemas {
		if slices.ContainsFunc(s.References, func(to reference) bool { return to.Subject == name && to.Version == number }) {
			ids = append(ids, i+1)
		}
	}
	return ids
}

func (r *Registry) deleteVersion(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number, err := pathVersion(req.PathValue("version"))
	if err != nil {
		return nil, err
	}
	v, err := r.at(req.PathValue("subject"), number, isSet(req, "permanent"))
	if err != nil {
		return nil, err
	}
	return v.Number, r.drop(req, func(other version) bool { return other.Number == v.Number })
}

func (r *Registry) deleteSubject(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := req.PathValue("subject")
	of := r.state.Subjects[name]
	if _, err := r.live(name); err != nil && (of == nil || !isSet(req, "permanent")) {
		return nil, err
	}
	numbers := []int{}
	for _, v := range of.Versions {
		numbers = append(numbers, v.Number)
	}
	return numbers, r.drop(req, func(version) bool { return true })
}

// drop deletes versions of a subject: marks them, or with permanent forgets
// them. Their schemas stay, for the records that name them.
func (r *Registry) drop(req *http.Request, which func(version) bool) error {
	name := req.PathValue("subject")
	of := r.state.Subjects[name]
	for _, v := range of.Versions {
		if which(v) && len(r.referring(name, v.Number)) > 0 {
			return faultf(42206, "One or more references exist to the schema {subject=%s, version=%d}.", name, v.Number)
		}
	}
	for i, v := range of.Versions {
		of.Versions[i].Deleted = v.Deleted || which(v)
	}
	if isSet(req, "permanent") {
		of.Versions = slices.DeleteFunc(of.Versions, which)
	}
	if len(of.Versions) == 0 {
		delete(r.state.Subjects, name)
	}
	return r.keep()
}

func (r *Registry) getLevel(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := req.PathValue("subject")
	if s := r.state.Subjects[name]; name != "" && (s == nil || s.Level == "") && !isSet(req, "defaultToGlobal") {
		return nil, faultf(40408, "Subject '%s' does not have subject-level compatibility configured", name)
	}
	return map[string]string{"compatibilityLevel": r.level(name)}, nil
}

func (r *Registry) putLevel(req *http.Request) (any, error) {
	var body struct {
		Level string `json:"compatibility"`
	}
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
		return nil, faultf(http.StatusBadRequest, "reading the request: %v", err)
	}
	if body.Level = strings.ToUpper(body.Level); !slices.Contains(levels, body.Level) {
		return nil, faultf(42203, "Invalid compatibility level. Valid values are %s", strings.Join(levels, ", "))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if name := req.PathValue("subject"); name == "" {
		r.state.Level = body.Level
	} else {
		if r.state.Subjects[name] == nil {
			r.state.Subjects[name] = &subject{}
		}
		r.state.Subjects[name].Level = body.Level
	}
	return map[string]string{"compatibility": body.Level}, r.keep()
}

func (r *Registry) deleteLevel(req *http.Request) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := req.PathValue("subject")
	s := r.state.Subjects[name]
	if s == nil || s.Level == "" {
		return nil, faultf(40408, "Subject '%s' does not have subject-level compatibility configured", name)
	}
	was := s.Level
	s.Level = ""
	return map[string]string{"compatibilityLevel": was}, r.keep()
}
