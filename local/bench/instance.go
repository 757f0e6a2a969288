package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/freeport"
)

// An instance is a bridge, and the functions that it sends to. All bridges of a
// run are in one consumer group.
type instance struct {
	functions, bridge       *process
	functionsURL, bridgeURL string
	environment             []string // of both
}

// theFunctions and theBridge are what each instance has.
func theFunctions(i *instance) *process { return i.functions }
func theBridge(i *instance) *process    { return i.bridge }

// start starts all instances: the bridges when all functions have answered.
func (r *run) start(ctx context.Context) error {
	r.result.Instances = max(1, r.options.Instances)
	r.ended = make(chan *process, 2*r.result.Instances)
	for range r.result.Instances {
		i, err := r.newInstance()
		if err != nil {
			return err
		}
		if i.functions, err = r.process(functionsProgram, i.environment, r.reported); err != nil {
			return err
		}
		r.instances = append(r.instances, i)
		if err := r.probe(ctx, i); err != nil {
			return err
		}
	}
	for _, i := range r.instances {
		var err error
		if i.bridge, err = r.process(bridgeProgram, i.environment, func([]byte) {}); err != nil {
			return err
		}
	}
	return nil
}

// process starts a program, of whose end r.ended will tell.
func (r *run) process(name string, environment []string, line func([]byte)) (*process, error) {
	p, err := startProcess(r.options.Programs, name, environment, line)
	if err == nil {
		go func() { <-p.ended; r.ended <- p }()
	}
	return p, err
}

// stop ends all instances: first the bridges, which send what they hold.
func (r *run) stop() {
	for _, of := range []func(*instance) *process{theBridge, theFunctions} {
		for _, i := range r.instances {
			if p := of(i); p != nil {
				p.stop()
			}
		}
	}
}

// usage is what the instances have used of one program: all processor time, and
// the memory of the largest.
func (r *run) usage(of func(*instance) *process) (sum usage, err error) {
	for _, i := range r.instances {
		u, err := of(i).usage()
		if err != nil {
			return sum, err
		}
		sum.cpu += u.cpu
		sum.peakRSS, sum.fileRSS = max(sum.peakRSS, u.peakRSS), max(sum.fileRSS, u.fileRSS)
	}
	return sum, nil
}

// lifetimeCPU is the processor time of a program's whole lives, which ended.
func (r *run) lifetimeCPU(of func(*instance) *process) (sum time.Duration) {
	for _, i := range r.instances {
		sum += of(i).lifetimeCPU()
	}
	return sum
}

// newInstance is one whose programs are not started yet. Their environment are
// the endpoints, and whatever of their settings, and of Go's, is set in this
// process's.
func (r *run) newInstance() (*instance, error) {
	functions, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	bridge, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	i := &instance{functionsURL: "http://" + functions, bridgeURL: "http://" + bridge}
	_, port, _ := net.SplitHostPort(functions)
	i.environment = []string{
		"K_SERVICE=stationflow-bench", // logs as on Cloud Run, which is what this process reads
		"FUNCTION_HOST=127.0.0.1", "PORT=" + port,
		"GOOGLE_CLOUD_PROJECT=stationflow-bench", "LAKE_BUCKET=" + bucket, "STORAGE_EMULATOR_HOST=" + r.lake.url,
		"PUBSUB_EMULATOR_HOST=127.0.0.1:1", // where nothing is: a dead letter is a failure here
		"KAFKA_BOOTSTRAP_SERVERS=" + strings.Join(r.broker.addresses, ","), "KAFKA_GROUP_ID=" + r.broker.group,
		"BRIDGE_ADDR=" + bridge, "BRIDGE_TRANSPORT=http", "BRIDGE_HTTP_URL=" + i.functionsURL + "/ingest",
		"INGEST_SINKS=" + r.options.Sinks,
	}
	if r.warehouse != nil {
		i.environment = append(i.environment, "BIGQUERY_STORAGE_EMULATOR_HOST="+r.warehouse.address)
	} else {
		i.environment = append(i.environment, "BRIDGE_LANES=lake", "BRIDGE_LAKE_AGE=800ms") // the last records need not wait for a minute
	}
	for _, name := range adjustable {
		if value := r.getenv(name); value != "" {
			if r.result.Settings == nil {
				r.result.Settings = map[string]string{}
			}
			r.result.Settings[name] = value
			i.environment = append(i.environment, name+"="+value)
		}
	}
	return i, nil
}

// probe posts a batch of one event again and again until the functions, just
// started, take it.
func (r *run) probe(ctx context.Context, i *instance) error {
	topic := event.Topics()[0]
	b := batch.Batch{ClusterID: "probe", Topic: topic, TopicID: r.ledger.topicIDs[topic], Lane: batch.BothLanes, Records: []batch.Record{{
		Partition: probePartition - int32(len(r.probed)), Timestamp: time.Now().UnixMilli(), Key: []byte("probe"), Value: fmt.Appendf(nil,
			`{"id":"probe","type":"Technique","station":"Station A","location":"Dock 1","timestamp":%q,"severity":"Minor","duration":1}`, time.Now().UTC().Format(time.RFC3339)),
	}}}
	r.probed = append(r.probed, b.RangesHash())
	e, err := b.Event(time.Now(), "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := post(ctx, i.functionsURL+"/ingest", batch.Attributes(e), e.Data())
		if err == nil {
			r.result.ColdStartMS = float64(time.Since(i.functions.started).Microseconds()) / 1000
			return nil
		}
		select {
		case <-i.functions.ended:
			return fmt.Errorf("the functions ended before their first answer:\n%s", i.functions.log())
		case <-ctx.Done():
			return fmt.Errorf("waiting for the functions' first answer: %w\n%s", err, i.functions.log())
		case <-time.After(time.Millisecond):
		}
	}
}

func post(ctx context.Context, url string, header map[string]string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}

// status asks the bridge how it does.
func (i *instance) status(ctx context.Context) (now bridge.Snapshot, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.bridgeURL+"/status", nil)
	if err != nil {
		return now, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return now, err
	}
	defer response.Body.Close()
	return now, json.NewDecoder(response.Body).Decode(&now)
}

// joined waits until a bridge is in the group. The others come when it has
// heard of them, within its heartbeat of 3 s.
func (r *run) joined(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		for _, i := range r.instances {
			if now, err := i.status(ctx); err == nil && now.Joined {
				return nil
			}
		}
		select {
		case p := <-r.ended:
			return fmt.Errorf("the %s ended:\n%s", p.name, p.log())
		case <-ctx.Done():
			return fmt.Errorf("waiting for a bridge to join its group: %w\n%s", ctx.Err(), r.instances[0].bridge.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
