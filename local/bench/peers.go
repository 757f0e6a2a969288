package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/local/freeport"
)

// Peers is what --json writes of --peers: what others and the programs of
// this build took for the same records of the same broker, by turns.
type Peers struct {
	Events  int       `json:"events"`       // valid ones, of all topics
	Trial   int       `json:"trial_events"` // that each read before, as far as they were there already
	Broker  string    `json:"broker"`
	Date    time.Time `json:"date"`
	Commit  string    `json:"commit"`
	Machine Machine   `json:"machine"`
	Rows    []*Peer   `json:"rows"` // this build, its bridge alone, and the others by name
}

// A Peer is one who reads. One with a fault has no figures.
type Peer struct {
	Name      string    `json:"name"`
	Title     string    `json:"title"` // with versions
	ReadsOnly bool      `json:"reads_only"`
	Trial     Measure   `json:"trial"`
	Rounds    []Measure `json:"rounds"`
	Fault     string    `json:"fault,omitempty"`
}

func (p *Peer) add(round int, m Measure) {
	if round == 0 {
		p.Trial = m
	} else {
		p.Rounds = append(p.Rounds, m)
	}
}

// A meeting is a run with peers on its way.
type meeting struct {
	options Options
	getenv  func(string) string
	out     io.Writer // progress

	folder string
	broker *broker
	load   *load
	ledger *ledger
	sender *sender

	recipes map[*Peer]recipe
	result  *Peers
}

func measurePeers(ctx context.Context, o Options, streams cli.Streams) error {
	result, err := runPeers(ctx, o, streams.Getenv, streams.Err)
	if err != nil {
		return err
	}
	fmt.Fprint(streams.Out, "\n"+result.section())
	if o.Docs != "" {
		err = result.publish(o.Docs)
	}
	if o.JSON != "" {
		err = errors.Join(err, saveJSON(o.JSON, result))
	}
	return err
}

func runPeers(ctx context.Context, o Options, getenv func(string) string, progress io.Writer) (result *Peers, err error) {
	m := &meeting{options: o, getenv: getenv, out: progress, recipes: map[*Peer]recipe{}}
	m.result = &Peers{Events: o.Events, Trial: (o.Events + 9) / 10, Date: time.Now().UTC(), Commit: commit(ctx, o.Peers), Machine: thisMachine()}
	if m.folder, err = os.MkdirTemp("", "stationflow-bench-"); err != nil {
		return nil, fmt.Errorf("making a folder for this run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.folder)) }()
	if err := m.invite(ctx); err != nil {
		return nil, err
	}
	address, end, err := m.kafka(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if m.broker, err = startBroker(ctx, address); err != nil {
		return nil, err
	}
	defer m.broker.Close()
	return m.result, m.play(ctx)
}

// commit is that of the source that the recipes are part of, which make
// builds before.
func commit(ctx context.Context, folder string) string {
	name, err := exec.CommandContext(ctx, "git", "-C", folder, "describe", "--always", "--exclude=*", "--dirty= with changes").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(name))
}

// invite installs the peers. One that cannot be is left out.
func (m *meeting) invite(ctx context.Context) error {
	m.result.Rows = []*Peer{{Name: "stationflow", Title: "stationflow"}, {Name: "bridge", Title: "its bridge alone", ReadsOnly: true}}
	found, err := findRecipes(m.options.Peers)
	if err != nil {
		return err
	}
	for _, r := range found {
		fmt.Fprintf(m.out, "installing %s\n", r.name)
		p := &Peer{Name: r.name, Title: r.name}
		title, err := r.install(ctx)
		if err != nil {
			m.fail(p, err)
		} else {
			p.Title = title
		}
		m.recipes[p] = r
		m.result.Rows = append(m.result.Rows, p)
	}
	return ctx.Err()
}

func (m *meeting) fail(p *Peer, err error) {
	p.Fault = err.Error()
	fmt.Fprintf(m.out, "%s is left out: %s\n", p.Title, p.Fault)
}

// kafka returns the address of the broker to read; "" for one in this process.
func (m *meeting) kafka(ctx context.Context) (address string, end func(), err error) {
	const variable = "STATIONFLOW_KAFKA"
	command := m.getenv(variable)
	switch {
	case m.options.Kafka != "":
		m.result.Broker = "the broker at " + m.options.Kafka
		return m.options.Kafka, func() {}, nil
	case command == "":
		m.result.Broker = "a broker in the benchmark's process"
		return "", func() {}, nil
	}
	m.result.Broker = "Apache Kafka on the same machine"
	fmt.Fprintf(m.out, "starting Apache Kafka\n")
	port, err := freeport.Find(4) // it has four listeners
	if err != nil {
		return "", nil, err
	}
	p, err := startProcess(filepath.Dir(command), filepath.Base(command), append(os.Environ(), "PORT="+strconv.Itoa(port)),
		func([]byte) {}, filepath.Join(m.folder, "kafka"))
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", variable, err)
	}
	address = fmt.Sprintf("127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // the first time it is fetched
	defer cancel()
	for kafka.Reach(ctx, kafka.Config{Brokers: []string{address}}) != nil {
		select {
		case <-p.ended:
			return "", nil, fmt.Errorf("%s ended:\n%s", command, p.log())
		case <-ctx.Done():
			p.stop()
			return "", nil, fmt.Errorf("waiting for %s to answer: %w\n%s", command, ctx.Err(), p.log())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return address, p.stop, nil
}

// play has everybody read a tenth of the events, and then all of them as often
// as there are rounds. The first shows who works, and what a start costs.
func (m *meeting) play(ctx context.Context) (err error) {
	for at, offset := range m.broker.first {
		if offset > 0 {
			return program.Mistakef("%s holds records already, which the peers would read as well: name a broker whose topics are empty", at.topic)
		}
	}
	m.ledger = newLedger(m.broker.topicIDs, m.broker.first, m.options.Events)
	m.load = newLoad(time.Now().UTC(), m.options.Events)
	m.load.clean = true
	if m.sender, err = newSender(m.broker.addresses, m.ledger); err != nil {
		return err
	}
	defer m.sender.client.Close()
	if err := m.writeSchema(); err != nil {
		return err
	}
	sent := 0
	for round := range m.options.Rounds + 1 {
		upTo := m.result.Events
		if round == 0 {
			upTo = m.result.Trial
		}
		if upTo > sent {
			fmt.Fprintf(m.out, "making %d events\n", upTo-sent)
			if err := m.sender.sendAll(ctx, m.load, upTo-sent); err != nil {
				return err
			}
			sent = upTo
		}
		if err := m.round(ctx, round, sent); err != nil {
			return err
		}
	}
	return nil
}

// writeSchema writes what the peers know of the events.
func (m *meeting) writeSchema() error {
	types := map[event.Type]string{event.String: "string", event.Int64: "bigint", event.Float64: "double", event.Timestamp: "timestamp"}
	var text strings.Builder
	for _, topic := range event.Topics() {
		schema, _ := event.SchemaOf(topic)
		for _, c := range schema.Columns {
			fmt.Fprintf(&text, "%s\t%s\t%s\n", topic, c.Name, types[c.Type])
		}
	}
	return os.WriteFile(m.schemaFile(), []byte(text.String()), 0o644)
}

func (m *meeting) schemaFile() string { return filepath.Join(m.folder, "schema") }

// round has everybody read once, this build first. Only a fault of this build
// ends the run.
func (m *meeting) round(ctx context.Context, round, sent int) error {
	fmt.Fprintf(m.out, "round %d of %d, %d events: stationflow\n", round, m.options.Rounds, sent)
	own, bridge, err := m.own(ctx, sent)
	if err != nil {
		return err
	}
	m.result.Rows[0].add(round, own)
	m.result.Rows[1].add(round, bridge)
	t := task{broker: strings.Join(m.broker.addresses, ","), schema: m.schemaFile(), records: map[string]int{}}
	m.ledger.each(func(at place, _ int64, _ *entry) { t.records[at.topic]++ })
	for _, p := range m.result.Rows[2:] {
		if p.Fault != "" {
			continue
		}
		fmt.Fprintf(m.out, "round %d of %d, %d events: %s\n", round, m.options.Rounds, sent, p.Title)
		err := m.other(ctx, p, round, t)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			m.fail(p, fmt.Errorf("round %d: %w", round, err))
		}
	}
	return nil
}

// leisure is how long a peer may take for so many events: 2,000 a second, and
// its start. One that waits for a record that it lost must end.
func leisure(events int) time.Duration {
	return 2*time.Minute + time.Duration(events/2_000)*time.Second
}

func (m *meeting) other(ctx context.Context, p *Peer, round int, t task) (err error) {
	if t.folder, err = os.MkdirTemp(m.folder, p.Name+"-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.folder)) }()
	ctx, cancel := context.WithTimeout(ctx, leisure(t.events()))
	defer cancel()
	measured, readsOnly, err := m.recipes[p].run(ctx, t, m.out)
	if err != nil {
		return err
	}
	p.ReadsOnly = readsOnly
	p.add(round, measured)
	return nil
}

// own measures this build, and checks every record it wrote.
func (m *meeting) own(ctx context.Context, sent int) (own, bridge Measure, err error) {
	m.ledger.again()
	if err := m.broker.regroup(ctx); err != nil {
		return own, bridge, err
	}
	r := &run{options: m.options, getenv: m.getenv, out: m.out, broker: m.broker, load: m.load, ledger: m.ledger}
	r.options.Events = sent
	r.result.Events = sent
	if r.folder, err = os.MkdirTemp(m.folder, "stationflow-"); err != nil {
		return own, bridge, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.folder)) }()
	if err := r.running(ctx, func() error { return r.watch(ctx, m.sender, nil) }); err != nil {
		return own, bridge, err
	}
	if err := r.check(); err != nil {
		return own, bridge, err
	}
	s := r.result
	own = Measure{CPUS: s.LifetimeCPUS, WallS: r.ledger.last.Sub(r.instances[0].functions.started).Seconds(),
		PeakRSSMB: s.BridgePeakRSSMB + s.FunctionsPeakRSSMB, ParquetBytes: s.ParquetBytes}
	bridge = Measure{CPUS: r.lifetimeCPU(theBridge).Seconds(), WallS: own.WallS, PeakRSSMB: s.BridgePeakRSSMB}
	return own, bridge, nil
}
