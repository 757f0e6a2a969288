package dashboard_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// The chart library is the published file: NOTICE names its sum.
func TestVendor_IsUnmodified(t *testing.T) {
	t.Parallel()
	library, err := os.ReadFile("../../internal/page/vendor/chart.umd.min.js")
	if err != nil {
		t.Fatal(err)
	}
	notice, err := os.ReadFile("../../internal/page/vendor/NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(library)
	if want := hex.EncodeToString(sum[:]) + "  chart.umd.min.js"; !strings.Contains(string(notice), want) {
		t.Errorf("../../internal/page/vendor/NOTICE does not name the library's sum, %s", want)
	}
}
