package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/stationflow/stationflow/internal/program"
)

// release is the version that make release writes into its binaries with
// -ldflags -X; "" in every other build.
var release string

// A version says which source a binary was built from. Its JSON is what
// stationflow version --json prints; fields may be added.
type version struct {
	Version  string     `json:"version"`  // of a release; "devel" for every other build
	Commit   string     `json:"commit"`   // of the source; "" where it was built outside of git or with -buildvcs=false
	Modified bool       `json:"modified"` // the source had changes that were not committed
	Time     *time.Time `json:"time"`     // of the commit, in UTC; null where the commit is unknown
	Go       string     `json:"go"`       // the toolchain
	Platform string     `json:"platform"` // GOOS/GOARCH
}

func versionOf(info *debug.BuildInfo) version {
	v := version{Version: cmp.Or(release, "devel"), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Commit = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		case "vcs.time":
			if at, err := time.Parse(time.RFC3339, setting.Value); err == nil { // what git writes is RFC 3339
				v.Time = &at
			}
		}
	}
	return v
}

// String is the line for a person.
func (v version) String() string {
	commit := cmp.Or(v.Commit, "unknown")
	if v.Modified {
		commit += " with changes"
	}
	if v.Time != nil {
		commit += v.Time.Format(" of 2006-01-02")
	}
	return fmt.Sprintf("stationflow %s, commit %s, %s %s", v.Version, commit, v.Go, v.Platform)
}

const versionUsage = `usage: stationflow version [FLAGS]

Says which version and commit this program was built from.

Examples:
  stationflow version
  stationflow version --json | jq -r .commit

`

func runVersion(_ context.Context, args []string, streams Streams) error {
	flags := flag.NewFlagSet("stationflow version", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "as a JSON object: version, commit, modified, time, go, platform")
	if err := program.Parse(flags, args, streams.Out, versionUsage); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	said := versionOf(info)
	if *asJSON {
		return json.NewEncoder(streams.Out).Encode(said)
	}
	_, err := fmt.Fprintln(streams.Out, said)
	return err
}
