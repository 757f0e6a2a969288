package system

import (
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/cost"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/local/meter"
	"github.com/stationflow/stationflow/local/warehouse"
)

// billWindow is how far back the bill looks: over several runs of the
// transform.
const billWindow = 5 * time.Minute

// Metered is what has been used so far of what is paid for.
func (s *System) Metered() meter.Reading {
	r := s.meter.Read()
	if s.pubsub != nil {
		r.PubSubBytes = s.pubsub.Stats().BilledBytes
	}
	if s.bridges != nil {
		r.Records = s.bridges.Snapshot().Records
	}
	if bytes, err := s.broker.logSize(); err == nil { // without it Kafka is left out of the bill
		r.KafkaBytes = bytes
	}
	for _, table := range s.warehouse.Appended() {
		r.AppendedRows += table.Rows
		r.AppendedBytes += table.Bytes
	}
	return r
}

// meterQuery counts what a query of the transform is billed by. The page's own
// are left out: here they are asked apart, and the deployed page is off by default.
func (s *System) meterQuery(q warehouse.Metered) {
	if by := q.Labels["component"]; by == "transform" || by == "canary" {
		s.meter.Statement(len(q.Tables), q.Billed)
	}
}

// Workload is what the system is set up for, at a rate.
func (s *System) Workload(recordsPerSecond float64) cost.Workload {
	w := cost.DefaultWorkload(recordsPerSecond)
	w.Transport, w.Schedule, w.Canaries = s.options.Transport, s.deployment.TransformSchedule, s.options.Canary
	w.Partitions = len(event.Topics()) * kafka.Partitions
	return w
}

// readBill keeps the readings of the last billWindow.
func (s *System) readBill() {
	now := s.Metered()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metered = append(s.metered, now)
	for len(s.metered) > 2 && now.At.Sub(s.metered[1].At) >= billWindow {
		s.metered = s.metered[1:]
	}
}

// bill says what a month costs in which everything goes on as in the last
// minutes; nil until there has been one.
func (s *System) bill() *dashboard.Bill {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.metered) < 2 {
		return nil
	}
	first, last := s.metered[0], s.metered[len(s.metered)-1]
	took := last.At.Sub(first.At)
	if took < time.Minute {
		return nil
	}
	prices, used := cost.ListPrices(), last.Since(first)
	rate := float64(used.Records) / took.Seconds()
	items, err := used.Month(took, s.Workload(rate), prices)
	if err != nil {
		return nil // of a workload that no system has
	}
	bill := prices.Bill(items, false)
	out := &dashboard.Bill{Over: took, RecordsPerSecond: rate, USDMonth: bill.TotalUSDMonth}
	for _, name := range cost.Components {
		out.Components = append(out.Components, dashboard.BilledComponent{Name: name, USDMonth: bill.Components[name]})
	}
	return out
}
