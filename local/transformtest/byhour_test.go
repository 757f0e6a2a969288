package transformtest

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/staged"
)

// warehouseOfBQ is the variable that makes this program bq, and says which
// warehouse it asks.
const warehouseOfBQ = "TEST_BQ"

// TestMain lets this program stand in for bq, which a script calls.
func TestMain(m *testing.M) {
	if endpoint := os.Getenv(warehouseOfBQ); endpoint != "" {
		os.Exit(standInForBq(endpoint, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// standInForBq runs bq query on the local warehouse.
func standInForBq(endpoint string, args []string) int {
	client, err := bigquery.NewClient(context.Background(), project, option.WithEndpoint(endpoint), option.WithoutAuthentication())
	if err == nil {
		err = printRows(client, args[len(args)-1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func printRows(client *bigquery.Client, sql string) error {
	it, err := client.Query(sql).Read(context.Background())
	if err != nil {
		return err
	}
	out := csv.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		var row []bigquery.Value
		err := it.Next(&row)
		if errors.Is(err, iterator.Done) {
			return nil
		}
		if err != nil {
			return err
		}
		fields := make([]string, len(row))
		for i, value := range row {
			fields[i] = fmt.Sprint(value)
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
}

// A deployed system whose staging tables are partitioned by day gets to hours
// as docs/deploy.md says: no row is lost or doubled, and nothing has to be
// computed again.
func TestDeploy_StagingGetsPartitionsOfAnHour(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	s := start(t, time.UTC, now)
	tables := append(event.Topics(), "quarantine")
	partitions := func(table string) bigquery.TimePartitioningType {
		metadata, err := s.Client.Dataset(staged.Staging).Table(table).Metadata(t.Context())
		check(t, err)
		return metadata.TimePartitioning.Type
	}
	makeTables := func(by bigquery.TimePartitioningType) {
		for _, table := range tables {
			made := staged.TableOf(t, table)
			made.TimePartitioning.Type = by
			check(t, s.Client.Dataset(staged.Staging).Table(table).Create(t.Context(), made))
		}
	}
	for _, table := range tables {
		check(t, s.Client.Dataset(staged.Staging).Table(table).Delete(t.Context()))
	}
	makeTables(bigquery.DayPartitioningType)
	g := staged.NewGenerator(61, staged.Within(now.Add(-60*time.Hour), now))
	for _, age := range []time.Duration{350 * 24 * time.Hour, 200 * 24 * time.Hour, 50 * time.Hour, time.Minute} {
		s.Append(now.Add(-age), g.Records(60)...)
	}
	s.run()
	values := func() (all string) {
		for _, table := range tables {
			all += fmt.Sprint(s.Query("select * from staging_data." + table + " order by kafka_topic_id, kafka_partition, kafka_offset"))
		}
		return all
	}
	before := values()

	bin := t.TempDir()
	self, err := os.Executable()
	check(t, err)
	check(t, os.WriteFile(filepath.Join(bin, "bq"), []byte("#!/bin/sh\nexec "+self+" \"$@\"\n"), 0o755))
	step := func(name string) {
		t.Helper()
		script := exec.Command("../../scripts/partition-by-hour.sh", name, project, staged.Staging)
		script.Env = append(os.Environ(), warehouseOfBQ+"="+s.Config.RESTEndpoint, "PATH="+bin+":"+os.Getenv("PATH"))
		if said, err := script.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, said)
		}
	}
	step("save")
	step("save") // again does nothing
	makeTables(staged.TableOf(t, "incidents").TimePartitioning.Type)
	step("restore")
	step("restore")
	for _, table := range tables {
		if by := partitions(table); by != bigquery.HourPartitioningType {
			t.Errorf("%s is partitioned by %s", table, by)
		}
	}
	if after := values(); after != before {
		t.Error("staging holds other rows than before")
	}
	if report := s.run(); report.RowsNew != 0 || len(statuses(report, "created", "replaced")) > 0 {
		t.Errorf("the run after that built %+v", report)
	}
	s.Append(now, g.Records(30)...)
	step("forget")
	for _, row := range s.Query("select table_name from staging_data.INFORMATION_SCHEMA.TABLES") {
		if strings.HasSuffix(row[0].(string), "_by_day") {
			t.Errorf("%v is still there", row[0])
		}
	}
	s.run()
	s.verify("after new rows")
}
