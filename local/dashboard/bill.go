package dashboard

import "time"

// A Bill is what a month would cost in the cloud, at list prices, if everything
// went on as it did over the last minutes.
type Bill struct {
	Over             time.Duration // how far back it looks
	RecordsPerSecond float64
	USDMonth         float64
	Components       []BilledComponent
}

const secondsPerMonth = 30 * 24 * 3600

// status is nil while there is no bill.
func (b *Bill) status() *BillStatus {
	if b == nil {
		return nil
	}
	v := &BillStatus{Over: b.Over.Seconds(), RecordsPerSecond: b.RecordsPerSecond, USDMonth: b.USDMonth, Components: b.Components}
	if b.RecordsPerSecond > 0 {
		v.USDPerMillionRecords = new(b.USDMonth / (b.RecordsPerSecond * secondsPerMonth) * 1e6)
	}
	return v
}
