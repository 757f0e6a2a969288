package cli

import (
	"flag"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/internal/program"
)

// dbtTypes are the types of resources that dbt-core 1.12 knows. Nothing of the
// last five is built or listed here.
var dbtTypes = []string{
	project.TypeModel, project.TypeSeed, project.TypeSnapshot, project.TypeTest, project.TypeUnitTest, project.TypeSource, "exposure",
	"analysis", "function", "metric", "saved_query", "semantic_model",
}

// A typesAsked says of which types of resources a command is, as
// --resource-type and --exclude-resource-type do.
type typesAsked struct{ only, but texts }

// define adds the flags, each under dbt's two names.
func (t *typesAsked) define(flags *flag.FlagSet) {
	flags.Var(&t.only, "resource-type", "`TYPES` of what is selected, such as model or test; all by default")
	flags.Var(&t.only, "resource-types", "the same `TYPES`")
	flags.Var(&t.but, "exclude-resource-type", "`TYPES` to leave out of what is selected")
	flags.Var(&t.but, "exclude-resource-types", "the same `TYPES`")
}

// settle takes what dbt's variables say where no flag does, and refuses types
// that there are not.
func (t *typesAsked) settle(getenv func(string) string) error {
	for _, of := range []struct {
		asked    *texts
		variable string
	}{{&t.only, "DBT_RESOURCE_TYPES"}, {&t.but, "DBT_EXCLUDE_RESOURCE_TYPES"}} {
		if len(*of.asked) == 0 {
			*of.asked = texts{getenv(of.variable)}
		}
		*of.asked = strings.Fields(of.asked.String())
		for _, one := range *of.asked {
			if of.asked == &t.only && (one == "all" || one == "default") {
				continue
			}
			if !slices.Contains(dbtTypes, one) {
				return program.Mistakef("%q is no type of resources: it is one of %s", one, strings.Join(dbtTypes, ", "))
			}
		}
	}
	return nil
}

// has reports whether a type is asked for.
func (t *typesAsked) has(kind string) bool {
	asked := len(t.only) == 0 || slices.ContainsFunc(t.only, func(one string) bool { return one == kind || one == "all" || one == "default" })
	return asked && !slices.Contains(t.but, kind)
}

// narrow leaves of a build or test what is asked for.
func (t *typesAsked) narrow(options run.Options) run.Options {
	options.NoTests = !t.has(project.TypeTest)
	for _, kind := range []string{project.TypeModel, project.TypeSeed, project.TypeSnapshot} {
		if t.has(kind) {
			options.Types = append(options.Types, kind)
		}
	}
	options.NoModels = options.NoModels || len(options.Types) == 0
	return options
}
