package system

import (
	"fmt"
	"net"
	"strconv"

	"github.com/stationflow/stationflow/local/freeport"
)

// portNames are what listens, in the order of the ports that follow --port.
var portNames = []string{
	"dashboard", "functions", "bridge", "bigquery", "bigquery_grpc", "storage", "pubsub", "kafka", "schema_registry", "admin", "traces",
}

// ports gives each listener its loopback address.
type ports map[string]string

// choosePorts takes the ports from base on, or free ones when base is 0. It
// fails with one sentence when a port is in use, unless it is left for a part
// that is run elsewhere, and may run already.
func choosePorts(base int, needed, elsewhere func(name string) bool) (ports, error) {
	chosen := ports{}
	var held []net.Listener
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	for i, name := range portNames {
		if !needed(name) {
			continue
		}
		port := base + i
		if base == 0 { // one that no outgoing connection can take meanwhile
			var err error
			if port, err = freeport.Find(1); err != nil {
				return nil, err
			}
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if base != 0 && elsewhere(name) {
			chosen[name] = address
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("port %d (%s) is in use: choose others with --port N, or --port 0 for free ones", port, name)
		}
		held = append(held, l)
		chosen[name] = l.Addr().String()
	}
	return chosen, nil
}
