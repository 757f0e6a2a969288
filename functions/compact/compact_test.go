package compact

import (
	"strings"
	"testing"
	"time"
)

func TestFromEnv(t *testing.T) {
	environment := map[string]string{"LAKE_BUCKET": "b"}
	getenv := func(name string) string { return environment[name] }
	if c, err := FromEnv(getenv); err != nil || c.Bucket != "b" || c.After != time.Hour || c.Grace != DefaultGrace || c.Days != 3 || c.ObjectBytes != 128<<20 {
		t.Fatal(c, err)
	}
	for name, value := range map[string]string{"LAKE_BUCKET": "", "COMPACT_AFTER": "-1s", "COMPACT_GRACE": "6", "COMPACT_DAYS": "0", "COMPACT_OBJECT_BYTES": "1GB"} {
		before := environment[name]
		environment[name] = value
		if _, err := FromEnv(getenv); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
		environment[name] = before
	}
}
