package cost

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

const scalePage = "../../docs/scale.md"

// ratePerBridge is the default of SCALE_RATE.
const ratePerBridge = 100_000

// scaleTable is what docs/scale.md shows: what rates of records ask of each
// hop.
func scaleTable() string {
	var out strings.Builder
	out.WriteString("| records a second | bridges, and partitions at least | batches a second | Pub/Sub, MB/s published | ingest instances | Storage Write API, MB/s | objects a second |\n|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, rate := range []float64{1e3, 1e4, 1e5, 1e6, 1e7} {
		w := DefaultWorkload(rate)
		w.Partitions = max(w.Partitions, int(rate/ratePerBridge))
		sent, objects, records := w.batches()
		published := sent*batchOverhead + records*w.batchBytes()*compressed
		fmt.Fprintf(&out, "| %s | %.0f | %s | %s | %.0f | %s | %s |\n", thousands(rate), math.Ceil(rate/ratePerBridge), short(sent), short(published/1e6),
			math.Ceil(sent*callSeconds/callsAtOnce), short(rate*w.rowBytes()/1e6), short(objects))
	}
	return out.String()
}

func thousands(n float64) string {
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// short is a number with two digits that say something.
func short(n float64) string {
	if n >= 100 {
		return thousands(math.Round(n))
	}
	return fmt.Sprintf("%.2g", n)
}

func TestDocs_Scale(t *testing.T) {
	text, err := os.ReadFile(scalePage)
	if err != nil {
		t.Fatal(err)
	}
	if want := scaleTable(); !strings.Contains(string(text), want) {
		t.Errorf("%s lacks this table:\n%s", scalePage, want)
	}
}
