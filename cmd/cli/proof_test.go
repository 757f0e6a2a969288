package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/internal/ledger"
)

// With --json a dry run of verify and trace prints what it would read as JSON,
// and else leaves the standard output empty.
func TestProof_DryRun(t *testing.T) {
	for _, asJSON := range []bool{true, false} {
		var out strings.Builder
		p := proofFlags{dry: true, asJSON: asJSON}
		if err := p.tellScan(&Streams{Out: &out}, ledger.Scan{BigQueryBytes: 42}); err != nil {
			t.Fatal(err)
		}
		var said struct {
			Dry    bool        `json:"dry_run"`
			ToRead ledger.Scan `json:"to_read"`
		}
		err := json.Unmarshal([]byte(out.String()), &said)
		if asJSON != (err == nil) || asJSON && (!said.Dry || said.ToRead.BigQueryBytes != 42) || !asJSON && out.Len() > 0 {
			t.Errorf("json %v: %q, %v", asJSON, out.String(), err)
		}
	}
}
