package tooltest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/internal/waterfall"
)

// producers is the span that all records name.
const producers = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// traced is what trace says of a record.
type traced struct {
	Topic             string
	Partition, Offset int64
	Traces            []waterfall.Trace
}

// spans counts the spans that tell of a record, by name up to a space; batches
// count when they have a link to the record's producer.
func (r *traced) spans() map[string]int {
	seen := map[string]int{}
	for _, one := range r.Traces {
		known := map[string]bool{"": true}
		for _, s := range one.Spans {
			known[s.ID] = true
		}
		for _, s := range one.Spans {
			name, _, _ := strings.Cut(s.Name, " ")
			if !known[s.Parent] || s.Error != "" || name == "batch" && (len(s.Links) == 0 || s.Links[0].TraceID != producers[3:35] || s.Links[0].SpanID != producers[36:52]) {
				name = "strange " + s.Name
			}
			seen[name]++
		}
	}
	return seen
}

// The local system shows the spans of a record, from its producer's to the rows
// and the objects: the tool as a small waterfall, the page's port as a page. A run
// of the transform is among them when the function and not the tool has run it.
func TestTrace_Spans(t *testing.T) {
	s := local(t)
	var record traced
	err := eventually(func() error {
		out, _ := s.must(t, 0, "trace --json --wait 500ms --key i-1 incidents")
		var said struct{ Records []traced }
		if err := json.Unmarshal([]byte(out), &said); err != nil || len(said.Records) != 1 {
			return fmt.Errorf("%v: %s", err, out)
		}
		record = said.Records[0]
		seen := record.spans()
		for _, name := range []string{"batch", "ingest", "append", "write"} {
			if seen[name] == 0 {
				return fmt.Errorf("there is no span %s among %v", name, seen)
			}
		}
		for name := range seen {
			if strings.HasPrefix(name, "strange ") {
				return fmt.Errorf("it is not as it should be: %v", seen)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset)
	out, _ := s.must(t, 0, "trace --wait 500ms "+at)
	for _, want := range []string{"\n  trace ", "\n    batch incidents ", "\n      ingest incidents ", "\n        append rows ", ", links 1\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	response, err := http.Get(s.Page + "/trace/" + at)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if page, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(page), "ingest incidents") {
		t.Errorf("the page: %s, %v: %s", response.Status, err, page)
	}
}
