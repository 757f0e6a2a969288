package system

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/storage"

	"github.com/stationflow/stationflow/functions/alert"
	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/local/dashboard"
)

const readAlertsEvery = time.Second

// alerts are those that the marks in the lake tell of.
type alerts struct {
	mu   sync.Mutex
	read map[string]readMark // by the name of the object
}

type readMark struct {
	generation int64
	mark       alert.Mark
}

// now returns those that are open, the newest first. Where stations are
// simulated their time counts.
func (a *alerts) now(at time.Time) []dashboard.Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	var open []dashboard.Alert
	for _, one := range a.read {
		n := &one.mark.Notification
		if !n.OpenAt(at) {
			continue
		}
		severity, place := n.Where()
		open = append(open, dashboard.Alert{Text: n.Text, Topic: n.Topic, Severity: severity, Station: n.Station, Place: place,
			BeganAt: n.BeganAt, EndsAt: n.EndsAt, Told: one.mark.Done, Trouble: one.mark.Trouble(), Key: n.Key})
	}
	slices.SortFunc(open, func(a, b dashboard.Alert) int {
		return cmp.Or(b.BeganAt.Compare(a.BeganAt), cmp.Compare(a.Key, b.Key))
	})
	return open
}

// alertTime is what time it is for alerts: that of simulated stations, where
// there are any.
func (s *System) alertTime() time.Time {
	if at := s.simulated.at.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// watchAlerts reads new marks until ctx is done.
func (s *System) watchAlerts(ctx context.Context) {
	client, err := storage.NewClient(ctx, storage.WithJSONReads())
	if err != nil {
		s.log.Warn("the page cannot read alerts", "error", err.Error())
		return
	}
	defer client.Close()
	for {
		if err := s.readAlerts(ctx, client.Bucket(bucket)); err != nil && ctx.Err() == nil {
			s.log.Warn("the page could not read alerts", "error", err.Error())
		}
		if pause.For(ctx, readAlertsEvery) != nil {
			return
		}
	}
}

func (s *System) readAlerts(ctx context.Context, from *storage.BucketHandle) error {
	objects, err := alert.List(ctx, from, s.alertTime())
	if err != nil {
		return err
	}
	there := map[string]readMark{}
	for _, attrs := range objects {
		s.alerts.mu.Lock()
		one := s.alerts.read[attrs.Name]
		s.alerts.mu.Unlock()
		if one.generation != attrs.Generation {
			mark, err := alert.Read(ctx, from, attrs.Name)
			if err != nil {
				return err
			}
			one = readMark{attrs.Generation, mark}
		}
		there[attrs.Name] = one
	}
	s.alerts.mu.Lock()
	defer s.alerts.mu.Unlock()
	s.alerts.read = there
	return nil
}
