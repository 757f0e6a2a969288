package bench

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/event"
)

// check compares what the sinks hold with what was sent.
func (r *run) check() error {
	var group errgroup.Group
	lake := newTally("lake", r.ledger, r.load)
	group.Go(func() error { return r.checkLake(lake) })
	quarantine := lake
	if r.warehouse != nil {
		quarantine = newTally("warehouse", r.ledger, r.load)
		group.Go(func() error { return r.checkWarehouse(quarantine) })
	}
	err := group.Wait()
	r.result.Valid, r.result.QuarantinedByReason = lake.valid, map[string]int{}
	for reason, count := range quarantine.quarantined {
		r.result.Quarantined += count
		r.result.QuarantinedByReason[string(reason)] = count
	}
	if sum := r.result.Valid + r.result.Quarantined; err == nil && sum != r.result.Events {
		err = fmt.Errorf("checking the sums: %d records are valid or quarantined, of %d", sum, r.result.Events)
	}
	return err
}

func (r *run) checkLake(t *tally) error {
	for _, topic := range event.Topics() {
		err := r.lake.objects("raw/"+topic, func(name, path string) error {
			if slices.ContainsFunc(r.probed, func(probe string) bool { return strings.Contains(name, probe) }) {
				return nil
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			r.result.ParquetFiles++
			r.result.ParquetBytes += info.Size()
			return t.parquetFile(path, topic)
		})
		if err != nil {
			return fmt.Errorf("checking the lake: %w", err)
		}
	}
	err := r.lake.objects("quarantine", func(_, path string) error { return t.parquetFile(path, "") })
	if err != nil {
		return fmt.Errorf("checking the lake: %w", err)
	}
	return t.err(func(e *entry) bool { return e.reason == "" || r.warehouse == nil })
}

func (r *run) checkWarehouse(t *tally) error {
	var faults []error
	for name, rows := range r.warehouse.tables {
		if err := t.table(name, rows); err != nil {
			faults = append(faults, fmt.Errorf("checking the warehouse: %w", err))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	return t.err(func(*entry) bool { return true })
}
