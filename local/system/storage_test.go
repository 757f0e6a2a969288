package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/local/freeport"
)

// startedObjects serves a bucket with these objects and returns its address.
func startedObjects(t *testing.T, names ...string) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	server, err := startObjects(address, t.TempDir(), "lake", func(h http.Handler) http.Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeServer(server)(context.Background()) })
	for _, name := range names {
		answer, err := http.Post("http://"+address+"/upload/storage/v1/b/lake/o?uploadType=media&name="+url.QueryEscape(name), "text/plain", strings.NewReader(name))
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("writing %s: %v %v", name, err, answer)
		}
		answer.Body.Close()
	}
	return "http://" + address
}

func listed(t *testing.T, address string) (names []string, code int) {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list struct{ Items []struct{ Name string } }
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil && answer.StatusCode == http.StatusOK {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		names = append(names, item.Name)
	}
	slices.Sort(names)
	return names, answer.StatusCode
}

func TestStorage_MatchGlobChoosesObjects(t *testing.T) {
	all := []string{"a/1.parquet", "a/2.parquet", "a/b/3.parquet", "a/b/3.json", "x y.txt", "a[1].txt", "ä.txt"}
	address := startedObjects(t, all...)
	for glob, want := range map[string]string{
		"a/*.parquet":       "[a/1.parquet a/2.parquet]",
		"**.parquet":        "[a/1.parquet a/2.parquet a/b/3.parquet]",
		"a/?.parquet":       "[a/1.parquet a/2.parquet]",
		"a/[2-9].parquet":   "[a/2.parquet]",
		"a/[!2-9].parquet":  "[a/1.parquet]",
		"a/b/3.{json,avro}": "[a/b/3.json]",
		"a\\[1\\].txt":      "[a[1].txt]",
		"x y.*":             "[x y.txt]",
		"ä.txt":             "[ä.txt]",
		"nothing":           "[]",
	} {
		if names, code := listed(t, address+"/storage/v1/b/lake/o?matchGlob="+url.QueryEscape(glob)); fmt.Sprint(names) != want || code != http.StatusOK {
			t.Errorf("%s: %d %v, want %s", glob, code, names, want)
		}
	}
	for _, query := range []string{"matchGlob=" + url.QueryEscape("a["), "delimiter=/&matchGlob=*"} {
		if _, code := listed(t, address+"/storage/v1/b/lake/o?"+query); code != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", query, code)
		}
	}
}

// Node's client leaves the base path out when STORAGE_EMULATOR_HOST is set.
func TestStorage_AnswersWithoutTheBasePath(t *testing.T) {
	address := startedObjects(t, "a/1.txt")
	if names, code := listed(t, address+"/b/lake/o?prefix=a"); fmt.Sprint(names) != "[a/1.txt]" || code != http.StatusOK {
		t.Errorf("listing: %d %v", code, names)
	}
	answer, err := http.Get(address + "/b/lake/o/a%2F1.txt?alt=media")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("reading an object: %d", answer.StatusCode)
	}
}
