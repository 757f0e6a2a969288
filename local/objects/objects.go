// Package objects makes of a Cloud Storage server for tests one that clients
// may rely on as on Cloud Storage itself.
package objects

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// Mend adds to the Cloud Storage server (fake-gcs-server 1.54.0) what clients
// rely on: an upload that breaks off leaves nothing; Node's client asks an
// emulator without the API's base path; matchGlob, which the server takes for
// nothing, chooses the objects of a listing; and an object is deleted only in
// the generation that is named.
func Mend(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/b" || strings.HasPrefix(r.URL.Path, "/b/") { // a bucket's name has three letters at least
			r.URL.Path, r.URL.RawPath = "/storage/v1"+r.URL.Path, "/storage/v1"+r.URL.EscapedPath()
		}
		if r.Method == http.MethodDelete && !isGeneration(r, next) {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/upload/") && !whole(r) {
			refuse(w, "the upload broke off")
			return
		}
		glob := r.URL.Query().Get("matchGlob")
		if glob == "" || r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		listMatching(w, r, next, glob)
	})
}

// whole reads a request to its end, and says whether it came that far. Google's
// client ends the parts of an upload that it gives up as if they were complete
// (google.golang.org/api 0.279.0, newMultipartReader), and only then breaks off;
// the server looks no further than the last part.
func whole(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil
}

// isGeneration reports whether the object has the generation that a request to
// delete it names, if any.
func isGeneration(r *http.Request, next http.Handler) bool {
	want := r.URL.Query().Get("ifGenerationMatch")
	if want == "" {
		return true
	}
	asked := r.Clone(r.Context())
	asked.Method, asked.URL.RawQuery, asked.RequestURI = http.MethodGet, "", ""
	answer := captured{header: http.Header{}, code: http.StatusOK}
	next.ServeHTTP(&answer, asked)
	var object struct {
		Generation string `json:"generation"`
	}
	return answer.code != http.StatusOK || json.Unmarshal(answer.body.Bytes(), &object) != nil || object.Generation == want
}

// listMatching answers a listing with the objects whose names match. A page
// may then hold fewer than were asked for, as in Cloud Storage.
func listMatching(w http.ResponseWriter, r *http.Request, next http.Handler, glob string) {
	pattern, err := globPattern(glob)
	switch {
	case err != nil:
		refuse(w, fmt.Sprintf("Invalid matchGlob %q: %v", glob, err))
		return
	case r.URL.Query().Get("delimiter") != "":
		refuse(w, "the local Cloud Storage takes no delimiter together with matchGlob: leave the delimiter out, * does not match a /")
		return
	}
	answer := captured{header: http.Header{}, code: http.StatusOK}
	next.ServeHTTP(&answer, r)
	var list map[string]any
	if answer.code == http.StatusOK && json.Unmarshal(answer.body.Bytes(), &list) == nil {
		items, _ := list["items"].([]any)
		kept := []any{}
		for _, item := range items {
			object, _ := item.(map[string]any)
			if name, _ := object["name"].(string); pattern.MatchString(name) {
				kept = append(kept, item)
			}
		}
		list["items"] = kept
		answer.body.Reset()
		if err := json.NewEncoder(&answer.body).Encode(list); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer.header.Del("Content-Length")
	}
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.code)
	_, _ = w.Write(answer.body.Bytes()) // the client may be gone
}

func refuse(w http.ResponseWriter, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": http.StatusBadRequest, "message": message}})
}

// captured keeps an answer instead of sending it.
type captured struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (c *captured) Header() http.Header               { return c.header }
func (c *captured) WriteHeader(code int)              { c.code = code }
func (c *captured) Write(content []byte) (int, error) { return c.body.Write(content) }

// globPattern turns a glob of Cloud Storage into a pattern of whole names: *
// and ? do not match a slash, ** does, [abc] and {one,two} are choices
// (https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob).
func globPattern(glob string) (*regexp.Regexp, error) {
	var out strings.Builder
	choices := 0
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case strings.HasPrefix(glob[i:], "**"):
			out.WriteString(".*")
			i++
		case c == '*':
			out.WriteString("[^/]*")
		case c == '?':
			out.WriteString("[^/]")
		case c == '{':
			choices++
			out.WriteString("(?:")
		case c == '}' && choices > 0:
			choices--
			out.WriteString(")")
		case c == ',' && choices > 0:
			out.WriteString("|")
		case c == '[':
			end := strings.IndexByte(glob[i:], ']')
			if end < 2 {
				return nil, fmt.Errorf("a [ without its ]")
			}
			set := glob[i+1 : i+end]
			negated := strings.HasPrefix(set, "!") || strings.HasPrefix(set, "^")
			if set = strings.NewReplacer(`\`, `\\`, `[`, `\[`).Replace(strings.TrimLeft(set, "!^")); negated {
				set = "^/" + set
			}
			out.WriteString("[" + set + "]")
			i += end
		case c == '\\' && i+1 < len(glob):
			i++
			out.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		default:
			out.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	return regexp.Compile("(?s)^(?:" + out.String() + ")$")
}
