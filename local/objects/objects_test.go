package objects_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/stationflow/stationflow/local/objects"
)

// started serves a bucket with these objects and returns its address.
func started(t *testing.T, names ...string) string {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true})
	if err != nil {
		t.Fatal(err)
	}
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "lake"})
	front := httptest.NewServer(objects.Mend(server.HTTPHandler()))
	t.Cleanup(front.Close)
	for _, name := range names {
		answer, err := http.Post(front.URL+"/upload/storage/v1/b/lake/o?uploadType=media&name="+url.QueryEscape(name), "text/plain", strings.NewReader(name))
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("writing %s: %v %v", name, err, answer)
		}
		answer.Body.Close()
	}
	return front.URL
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

func TestMend_MatchGlobChoosesObjects(t *testing.T) {
	all := []string{"a/1.parquet", "a/2.parquet", "a/b/3.parquet", "a/b/3.json", "x y.txt", "a[1].txt", "ä.txt"}
	address := started(t, all...)
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
func TestMend_AnswersWithoutTheBasePath(t *testing.T) {
	address := started(t, "a/1.txt")
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

// An upload whose parts are complete, but which breaks off: Google's client
// gives uploads up like this.
func TestMend_AnUploadThatBreaksOffLeavesNothing(t *testing.T) {
	address := started(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	parts := "--b\r\nContent-Type: application/json\r\n\r\n{\"name\":\"a\"}\r\n--b\r\n\r\n\r\n--b--\r\n"
	_, err = fmt.Fprintf(conn, "POST /upload/storage/v1/b/lake/o?uploadType=multipart&name=a HTTP/1.1\r\nHost: lake\r\n"+
		"Content-Type: multipart/related; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(parts), parts)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answer %q", answer)
	}
	if names, _ := listed(t, address+"/storage/v1/b/lake/o"); len(names) > 0 {
		t.Errorf("there are %v", names)
	}
}
