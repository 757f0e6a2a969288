package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/built"
)

// aPeer writes a recipe into a folder of peers: shell commands for both of its
// verbs.
func aPeer(t *testing.T, folder, name, install, run string) recipe {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processor time and memory of a running process are read from Linux's /proc")
	}
	path := filepath.Join(folder, name, recipeFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nset -eu\ncase $1 in\ninstall)\n%s\n;;\nrun)\n%s\n;;\nesac\n", install, run)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return recipe{name: name, path: path, home: t.TempDir()}
}

// Everybody reads; who does not read everything has no figures, and the others
// go on.
func TestPeers_OnlyThoseThatReadAllHaveFigures(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	const reads = `echo "$PEER_EVENTS" > "$PEER_OUT/read"`
	aPeer(t, folder, "absent", `echo "no compiler is there" >&2; exit 3`, reads)
	aPeer(t, folder, "forgetful", `echo forgetful 2`, `echo $((PEER_EVENTS - 1)) > "$PEER_OUT/read"`)
	aPeer(t, folder, "late", `echo late 3`, reads+`; [ "$PEER_EVENTS" = 300 ] || { echo out of memory >&2; exit 9; }`)
	aPeer(t, folder, "silent", `echo silent 4`, `:`)
	aPeer(t, folder, "zealous", `mkdir -p "$PEER_HOME"; echo noise; echo zealous 5`, `[ -d "$PEER_HOME" ]; grep -q "passenger_flow.timestamp.timestamp" "$PEER_SCHEMA"; `+reads)

	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("before\n"+sectionBegins+"old\n"+sectionEnds+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "peers.json")
	o := Options{Events: 3_000, Peers: folder, Rounds: 2, JSON: file, Docs: page, Programs: filepath.Dir(built.Program(t, functionsProgram))}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := measurePeers(t.Context(), o, cli.Streams{Getenv: func(string) string { return "" }, Out: &out, Err: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var result Peers
	if err := json.Unmarshal(data, &result); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"stationflow": "", "bridge": "", "zealous": "",
		"absent": "no compiler is there", "forgetful": "round 0: it read \"299\\n\" records of 300",
		"late": "round 1: running it: exit status 9: out of memory", "silent": "round 0: of ",
	}
	for _, row := range result.Rows {
		fault, known := want[row.Name]
		if !known || (row.Fault == "") != (fault == "") || !strings.Contains(row.Fault, fault) {
			t.Errorf("%s has the fault %q, want %q", row.Name, row.Fault, fault)
		}
		if row.Fault == "" && (len(row.Rounds) != 2 || row.Trial.WallS <= 0 || row.Rounds[1].WallS <= 0) {
			t.Errorf("%s has %+v and %+v", row.Name, row.Trial, row.Rounds)
		}
		delete(want, row.Name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	for _, wanted := range []string{"| stationflow | ", "| zealous 5 | ", "- late 3 is left out: round 1", "times the processor time of zealous 5."} {
		if !strings.Contains(out.String(), wanted) {
			t.Errorf("the table has no %q:\n%s", wanted, out.String())
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if whole := "before\n" + sectionBegins + out.String() + "\n" + sectionEnds + "after\n"; string(written) != whole {
		t.Errorf("the page is\n%s\nit should be\n%s", written, whole)
	}
}

// flow is some of what a row of passenger_flow holds.
type flow struct {
	ID        string  `parquet:"id"`
	TrainID   string  `parquet:"train_id"`
	Station   string  `parquet:"station"`
	Timestamp int64   `parquet:"timestamp,timestamp(microsecond)"`
	Waiting   float64 `parquet:"waiting_time"`
	Check     float64 `parquet:"ticket_check_time"`
	Factor    float64 `parquet:"reduced_flow_factor"`
}

func TestRecipe_CountsWhatIsInParquet(t *testing.T) {
	stored := t.TempDir()
	for name, rows := range map[string]any{"whole": make([]flow, 40), "narrow": make([]struct{ ID string }, 40)} {
		file, err := os.Create(filepath.Join(stored, name))
		if err != nil {
			t.Fatal(err)
		}
		switch rows := rows.(type) {
		case []flow:
			err = parquet.Write(file, rows)
		case []struct{ ID string }:
			err = parquet.Write(file, rows)
		}
		if err != nil || file.Close() != nil {
			t.Fatal(err)
		}
	}
	whole := filepath.Join(stored, "whole")
	put := func(file, at string) string {
		return fmt.Sprintf(`mkdir -p "$(dirname "$PEER_OUT/%s")"; cp %s "$PEER_OUT/%s"; `, at, file, at)
	}
	for name, test := range map[string]struct{ run, want string }{
		"all rows":            {put(whole, "passenger_flow/a.parquet") + put(whole, "passenger_flow/0/b"), ""},
		"and what is hidden":  {put(whole, "passenger_flow/a") + put(whole, "passenger_flow/b") + put(whole, "passenger_flow/_old/c") + put(whole, "passenger_flow/.d"), ""},
		"a file too few":      {put(whole, "passenger_flow/a"), "of 80 records of passenger_flow it wrote: 40 rows"},
		"a file too many":     {put(whole, "passenger_flow/a") + put(whole, "passenger_flow/b") + put(whole, "passenger_flow/c"), "it wrote: 120 rows"},
		"nothing":             {":", "it wrote: 0 rows"},
		"in another's folder": {put(whole, "incidents/a") + put(whole, "incidents/b"), "of 0 records of incidents it wrote"},
		"a column too few":    {put(whole, "passenger_flow/a") + put(filepath.Join(stored, "narrow"), "passenger_flow/b"), "without the column id"},
		"an unfinished file":  {put(whole, "passenger_flow/a") + `head -c 100 ` + whole + ` > "$PEER_OUT/passenger_flow/b"`, "b: "},
		"an exit":             {put(whole, "passenger_flow/a") + `echo "no broker" >&2; exit 1`, "exit status 1: no broker"},
		"a stack":             {`printf 'PeerException: no disk\n\tat Error.java:7\n\tat main\n' >&2; exit 1`, "exit status 1: PeerException: no disk"},
	} {
		t.Run(name, func(t *testing.T) {
			r := aPeer(t, t.TempDir(), "peer", ":", test.run)
			m, readsOnly, err := r.run(t.Context(), task{folder: t.TempDir(), records: map[string]int{"passenger_flow": 80}}, io.Discard)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("the error is %v, it should say %q", err, test.want)
				}
				return
			}
			info, statErr := os.Stat(whole)
			if err != nil || statErr != nil || readsOnly || m.ParquetBytes != 2*info.Size() {
				t.Errorf("it has %d bytes, %v", m.ParquetBytes, err)
			}
		})
	}
}

// What a peer's children use is the peer's, and none of them is left.
func TestRecipe_CountsAndEndsItsChildren(t *testing.T) {
	const burn = `i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done`
	r := aPeer(t, t.TempDir(), "peer", ":", `sh -c '`+burn+`'; sleep 1000 & echo $! > "$PEER_OUT/../child"; sleep 0.3; echo 0 > "$PEER_OUT/read"`)
	folder := t.TempDir()
	m, readsOnly, err := r.run(t.Context(), task{folder: folder}, io.Discard)
	if err != nil || !readsOnly {
		t.Fatal(err)
	}
	if m.CPUS <= 0 || m.PeakRSSMB <= 0 || m.WallS < m.CPUS/float64(runtime.NumCPU()) {
		t.Errorf("it measured %+v", m)
	}
	child, err := os.ReadFile(filepath.Join(folder, "child"))
	if err != nil {
		t.Fatal(err)
	}
	status := func() string {
		text, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat") // gone is ended, too
		return string(text)
	}
	for deadline := time.Now().Add(30 * time.Second); strings.Contains(status(), "(sleep)") && !strings.Contains(status(), ") Z"); {
		if time.Now().After(deadline) {
			t.Fatalf("a child goes on: %s", status())
		}
		runtime.Gosched()
	}
}

func TestPeers_TableIsWorkedOutRoundByRound(t *testing.T) {
	rounds := func(cpu ...float64) (all []Measure) {
		for _, c := range cpu {
			all = append(all, Measure{CPUS: c, WallS: 2 * c, PeakRSSMB: 100 * c, ParquetBytes: 14_200_000})
		}
		return all
	}
	p := &Peers{Events: 1_000_000, Trial: 100_000, Broker: "Apache Kafka", Date: noon, Commit: "abc1234", Machine: Machine{Cores: 2, Model: "M", Go: "go1"}, Rows: []*Peer{
		{Name: "stationflow", Title: "stationflow", Trial: Measure{CPUS: 0.5}, Rounds: rounds(2, 4, 3)},
		{Name: "bridge", Title: "its bridge alone", ReadsOnly: true, Trial: Measure{CPUS: 0.2}, Rounds: rounds(1, 1.2, 1.1)},
		{Name: "a", Title: "a 1", Trial: Measure{CPUS: 10}, Rounds: rounds(20, 16, 18)},
		{Name: "b", Title: "b 2", Fault: "not there\nat all"},
		{Name: "c", Title: "c 3", ReadsOnly: true, Trial: Measure{CPUS: 2}, Rounds: rounds(1, 1, 1)},
	}}
	const want = `2026-11-22, 2 cores (M), go1, commit abc1234: 1,000,000 events from Apache Kafka, by turns; rounds: 3, and one before over 100,000 events. Medians, and the spread.

` + peersHeader + `| stationflow | 333,000 (250,000 to 500,000) |  | 360,000 | 6.0 | 300 | 14.2 |
| its bridge alone | 909,000 (833,000 to 1,000,000) |  | 1,000,000 | 2.2 | 110 |  |
| a 1 | 55,600 (50,000 to 62,500) | 6.0 (4.0 to 10.0) × | 113,000 | 36.0 | 1800 | 14.2 |
| c 3 | 1,000,000 (1,000,000 to 1,000,000) |  |  | 2.0 | 100 |  |

- b 2 is left out: not there
- The bridge takes 1.10 (1.00 to 1.20) times the processor time of c 3.
`
	if got := p.section(); got != want {
		t.Errorf("the section is\n%s\nit should be\n%s", got, want)
	}
}

// The table in the docs is one that the command wrote, with every recipe.
func TestPeers_DocsHaveTheirTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, begins := strings.Cut(string(page), sectionBegins)
	section, _, ends := strings.Cut(section, sectionEnds)
	if !begins || !ends {
		t.Fatal("docs/benchmarks.md has no section that make bench-peers writes")
	}
	_, table, found := strings.Cut(section, peersHeader)
	if !found {
		t.Fatalf("the section has other columns than\n%s", peersHeader)
	}
	rows, notes, _ := strings.Cut(table, "\n\n")
	number := `[\d,.]+`
	span := number + ` \(` + number + ` to ` + number + `\)`
	row := regexp.MustCompile(`^\| [^|]+ \| ` + span + ` \| (` + span + ` ×)? \| (` + number + `)? \| ` + number + ` \| ` + number + ` \| (` + number + `)? \|$`)
	for _, line := range strings.Split(rows, "\n") {
		if !row.MatchString(line) {
			t.Errorf("no row is written as %q", line)
		}
	}
	recipes, err := findRecipes("peers")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recipes {
		if !strings.Contains(strings.ToLower(rows+notes), r.name) {
			t.Errorf("the section says nothing of %s", r.name)
		}
	}
	if !strings.HasPrefix(rows, "| stationflow | ") {
		t.Error("the section does not begin with this build")
	}
}

func TestPeers_RefusesAFolderWithoutRecipes(t *testing.T) {
	_, err := runPeers(t.Context(), Options{Events: 10, Peers: t.TempDir(), Rounds: 1}, os.Getenv, testWriter{t})
	if err == nil || !strings.Contains(err.Error(), "recipe.sh for each peer") {
		t.Errorf("the error is %v", err)
	}
}

// Of an event's types each has a name for the peers.
func TestPeers_SchemaNamesEveryType(t *testing.T) {
	m := &meeting{folder: t.TempDir()}
	if err := m.writeSchema(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(m.schemaFile())
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	for _, topic := range event.Topics() {
		schema, _ := event.SchemaOf(topic)
		fields += len(schema.Columns)
	}
	line := regexp.MustCompile(`(?m)^\w+\t\w+\t(string|bigint|double|timestamp)$`)
	if found := len(line.FindAll(text, -1)); found != fields {
		t.Errorf("%d of %d fields are described:\n%s", found, fields, text)
	}
}
