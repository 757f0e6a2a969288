package warehouse

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
)

// listings are the tables that may be in a dataset, by the path of its tables, for datasets of which a whole list was
// answered. All is in lower case.
type listings map[string]map[string]bool

// learn takes the answer to a tables.list, by its key, unless it is one page of more.
func (l listings) learn(key string, body []byte) {
	tables, query, isList := strings.Cut(key, "?")
	if !isList {
		return
	}
	values, err := url.ParseQuery(query)
	if err != nil || values.Get("pageToken") != "" {
		return
	}
	var list bigquery.TableList
	if json.Unmarshal(body, &list) != nil || list.NextPageToken != "" {
		return
	}
	if limit, err := strconv.Atoi(values.Get("maxResults")); values.Has("maxResults") && (err != nil || len(list.Tables) >= limit) {
		return
	}
	names := map[string]bool{}
	for _, table := range list.Tables {
		if table.TableReference == nil {
			return
		}
		names[strings.ToLower(table.TableReference.TableId)] = true
	}
	l[tables] = names
}

// lacks says whether the table at path was not listed, and not changed since.
func (l listings) lacks(path string) bool {
	tables, name, ok := cutLast(path)
	names, known := l[tables]
	return ok && known && !names[name]
}

// change says that the table at path may be there from now on, or that nothing is known of what is below path.
func (l listings) change(path string) {
	tables, name, _ := cutLast(path)
	if names, known := l[tables]; known {
		names[name] = true
		return
	}
	for known := range l {
		if known == path || strings.HasPrefix(known, path+"/") {
			delete(l, known)
		}
	}
}

// cutLast cuts the last part off a path.
func cutLast(path string) (before, last string, ok bool) {
	at := strings.LastIndexByte(path, '/')
	if at < 0 {
		return path, "", false
	}
	return path[:at], path[at+1:], true
}
