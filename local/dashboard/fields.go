package dashboard

import (
	"fmt"
	"strings"
	"time"
)

// newFields tells of fields that have no column; times are in now's zone.
func newFields(fields []NewField, now time.Time) string {
	if len(fields) == 0 {
		return ""
	}
	var said []string
	for i, f := range fields {
		if i == 3 {
			said = append(said, fmt.Sprintf("%d more", len(fields)-i))
			break
		}
		said = append(said, fmt.Sprintf("`%s` in %s since %s, %s", f.Name, f.Topic, f.Since.In(now.Location()).Format("15:04"), plural(f.Records, "record", "records")))
	}
	return "New fields: " + strings.Join(said, "; ") + ". They are kept in `extra` until they have columns: CONTRIBUTING.md says how."
}
