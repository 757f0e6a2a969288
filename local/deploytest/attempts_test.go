package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/terraform"
)

// The docs say how long Pub/Sub tries to deliver a batch, as it follows from
// the delivery policy.
func TestAttempts_DocsSayHowLong(t *testing.T) {
	d, err := terraform.ReadDeployment()
	if err != nil {
		t.Fatal(err)
	}
	attempts, long := d.PushMaxDeliveryAttempts, fmt.Sprintf("about %.0f hours", d.RetriesTake().Hours())
	for page, sentence := range map[string]string{
		"docs/runbooks.md":     fmt.Sprintf("tried %d times, which takes %s", attempts, long),
		"docs/registry.md":     "an outage of more than " + long,
		"docs/transports.md":   fmt.Sprintf("tries it %d times, which takes %s", attempts, long),
		"docs/architecture.md": fmt.Sprintf("after %d s growing to %d s; after %d attempts, which take %s", d.PushMinimumBackoff, d.PushMaximumBackoff, attempts, long),
	} {
		if !strings.Contains(oneLine(read(t, page)), sentence) {
			t.Errorf("%s does not say %q", page, sentence)
		}
	}
	day := fmt.Sprintf("published in the first %.0f hours is in the dead letter", (24*time.Hour - d.RetriesTake()).Hours())
	pauses := fmt.Sprintf("pauses from %d s to %d s and %d attempts", d.PushMinimumBackoff, d.PushMaximumBackoff, attempts)
	for _, sentence := range []string{day, pauses, fmt.Sprintf("arrives within %d minutes of the end", d.PushMaximumBackoff/60)} {
		if !strings.Contains(oneLine(read(t, "docs/transports.md")), sentence) {
			t.Errorf("docs/transports.md does not say %q", sentence)
		}
	}
	quarantine := fmt.Sprintf("More than %g %% of the records were refused within %d minutes", 100*d.QuarantineAlertShare, d.QuarantineAlertMinutes)
	if !strings.Contains(read(t, "docs/runbooks.md"), quarantine) {
		t.Errorf("docs/runbooks.md does not say %q", quarantine)
	}
	wrong := regexp.MustCompile(`(?i)[^.|]*(pub/sub|batch)[^.|]*\bdays\b[^.|]*`) // a sentence
	pages, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, filepath.Join(repository, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range wrong.FindAllString(oneLine(string(text)), -1) {
			if !strings.Contains(found, "31 days") { // of a dead letter
				t.Errorf("%s says of batches that they are kept for days, they are tried for %s:%s", filepath.Base(page), long, found)
			}
		}
	}
}

// The sum of the pauses is that of Pub/Sub's rule.
func TestAttempts_HowLongTheyTake(t *testing.T) {
	for _, test := range []struct {
		low, high, attempts int
		want                time.Duration
	}{
		{1, 60, 1, 0},
		{1, 60, 3, 3 * time.Second},
		{1, 60, 20, 843 * time.Second},
		{1, 600, 100, 54423 * time.Second},
		{10, 600, 100, 56430 * time.Second},
	} {
		d := terraform.Deployment{PushMinimumBackoff: test.low, PushMaximumBackoff: test.high, PushMaxDeliveryAttempts: test.attempts}
		if got := d.RetriesTake(); got != test.want {
			t.Errorf("%d attempts with pauses of %d to %d s take %v, want %v", test.attempts, test.low, test.high, got, test.want)
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
