package system

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stationflow/stationflow/internal/running"
)

// theirs are the variables of this process that say how records are read and
// judged: who asks about the system from another shell needs the same. None is
// a secret.
var theirs = []string{
	"STATION_TIMEZONE", "STATION_EPOCH_UNIT", "INGEST_SINKS", "KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM",
	"KAFKA_SASL_USERNAME", "KAFKA_CA_FILE", "KAFKA_CERT_FILE", "KAFKA_KEY_FILE", "KAFKA_TOPICS", "KAFKA_GROUP_ID", "KAFKA_START",
}

// announce tells other programs of this user where the system is, until forget
// is called. "" is a folder in which nobody looks.
func (s *System) announce(folder, log string, began time.Time) (forget func() error, err error) {
	if folder == "" {
		return func() error { return nil }, nil
	}
	if log, err = filepath.Abs(log); err != nil {
		return nil, err
	}
	return running.Announce(folder, running.System{
		PID: os.Getpid(), Page: s.Endpoints.Dashboard, Log: log, Started: began.UTC(), Environment: s.environment(), Variables: s.environ,
	})
}

// environment is what programs need to work with the system.
func (s *System) environment() []string {
	all := slices.Clone(s.settings)
	for _, name := range theirs {
		if value := s.getenv(name); value != "" && !slices.ContainsFunc(all, func(v string) bool { set, _ := cut(v); return set == name }) {
			all = append(all, name+"="+value)
		}
	}
	return all
}
