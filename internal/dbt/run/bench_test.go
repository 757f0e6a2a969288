package run

import (
	"testing"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// The project read and parsed, as each start of the transform does it.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := project.Load(dbt.Files, project.Target{Project: "some-project", Dataset: "prod_data"}); err != nil {
			b.Fatal(err)
		}
	}
}
