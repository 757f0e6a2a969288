package transformtest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/staged"
)

// The statement that docs/deploy.md gives fills a new column from what extra has
// of it, and changes no other row.
func TestColumn_HistoryIsFilledFromExtra(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/deploy.md")
	check(t, err)
	found := regexp.MustCompile("(?s)```sql\n( +update staging_data.train_arrivals\n.*?)```").FindStringSubmatch(string(text))
	if found == nil {
		t.Fatal("docs/deploy.md has no statement that fills a column")
	}
	statement := strings.ReplaceAll(found[1], "platform_side", "train_number") // one that the table has
	now := time.Now().UTC().Truncate(time.Hour)
	s := start(t, time.UTC, now)
	g := staged.NewGenerator(32, staged.Within(now.Add(-60*time.Hour), now))
	s.Append(now.Add(-2*time.Hour), g.Records(200)...)
	s.Query("update staging_data.train_arrivals set train_number = concat('TR-', id) where mod(kafka_offset, 2) = 0")
	const rows = "select * except (extra) from staging_data.train_arrivals order by kafka_partition, kafka_offset"
	before := fmt.Sprint(s.Query(rows))
	// As an ingest writes them that does not know the field.
	s.Query(`update staging_data.train_arrivals set extra = concat('{"train_number":"', train_number, '"}'), train_number = null where train_number is not null`)
	if fmt.Sprint(s.Query(rows)) == before {
		t.Fatal("nothing is missing")
	}
	s.Query(statement)
	if got := fmt.Sprint(s.Query(rows)); got != before {
		t.Errorf("after it the rows are\n%.300s\nwant\n%.300s", got, before)
	}
}
