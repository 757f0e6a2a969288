package run

import (
	"context"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// Options of a run.
type Options struct {
	FullRefresh bool // make every table again from what staging retains
	// Select and Exclude are dbt's selectors; none selects everything.
	Select, Exclude []string
	// Types are the types of resources to build, models or seeds; none is both.
	Types []string
	// Command is what flags.WHICH answers while models are only compiled; "" is
	// compile.
	Command string
	// Compiled is the folder of compiled SQL that messages name; "" where the SQL
	// is not kept.
	Compiled string
	// Always builds what is selected, whether or not something changed.
	Always bool
	// Check runs unit tests of a model before it is built, or in a run that builds
	// none; nil runs none. What fails there keeps the model from being built.
	Check func(ctx context.Context, model *project.Model, c project.Compilation) []UnitReport
	// Deferred are relations by the id of a model, seed or snapshot, of another
	// place: ref finds there what is not built here, and is not there. With
	// FavorState it also finds there what is there and is not selected.
	Deferred   map[string]string
	FavorState bool
	// NoTests builds without testing, NoModels tests what is published.
	NoTests, NoModels bool
	// Until is when to stop waiting for a run in progress; zero is not to wait.
	Until time.Time
	// Waiting is called for each other run that holds the lease, with when it
	// expires unless that run renews it; nil for nobody.
	Waiting func(expires time.Time)
}
