package page

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/stationflow/stationflow/internal/status"
)

// Figures are the dashboard tables in the shape of the page: metric by metric
// instead of row by row.
type Figures struct {
	Snapshot   int64             `json:"snapshot"`
	ReadAt     *time.Time        `json:"read_at"`     // null before the first read
	ComputedAt *time.Time        `json:"computed_at"` // of the newest row; null without rows
	TimeZone   string            `json:"time_zone"`
	Periods    map[string]Period `json:"periods"` // by all and today; empty without rows
}

// A Period holds the metrics of one period by their names.
type Period map[string]*Metric

// A Metric is one metric in one period. Null values are those of the tables:
// no record reports the field.
type Metric struct {
	Unit  string             `json:"unit"`
	Total *float64           `json:"total"` // null too for a metric without a total
	By    map[string][]Point `json:"by"`    // by dimension
}

// A Point is a metric's value for one value of a dimension.
type Point struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"`
}

// figuresOf turns rows into Figures. Points are in order: hours by the clock,
// others the largest first, nulls last, ties by name.
func figuresOf(s *Snapshot, location *time.Location) Figures {
	f := Figures{
		Snapshot: s.Number,
		ReadAt:   status.Time(location, s.ReadAt),
		TimeZone: location.String(),
		Periods:  map[string]Period{},
	}
	for i := range s.Rows {
		row := &s.Rows[i]
		f.metric(row).add(row)
	}
	f.ComputedAt = status.Time(location, s.ComputedAt())
	for _, period := range f.Periods {
		for _, metric := range period {
			metric.sort()
		}
	}
	return f
}

// metric returns the metric that row belongs to, made if need be.
func (f *Figures) metric(row *Row) *Metric {
	period := f.Periods[row.Period]
	if period == nil {
		period = Period{}
		f.Periods[row.Period] = period
	}
	metric := period[row.MetricName]
	if metric == nil {
		metric = &Metric{By: map[string][]Point{}}
		period[row.MetricName] = metric
	}
	return metric
}

func (m *Metric) add(row *Row) {
	if row.Unit != nil {
		m.Unit = *row.Unit
	}
	if row.Dimension == nil {
		m.Total = row.MetricValue
		return
	}
	point := Point{Value: row.MetricValue}
	if row.DimensionValue != nil {
		point.Name = *row.DimensionValue
	}
	m.By[*row.Dimension] = append(m.By[*row.Dimension], point)
}

func (m *Metric) sort() {
	byName := func(a, b Point) int { return cmp.Compare(a.Name, b.Name) }
	byValue := func(a, b Point) int {
		return cmp.Or(-cmp.Compare(orLowest(a.Value), orLowest(b.Value)), byName(a, b))
	}
	for dimension, points := range m.By {
		if dimension == "hour" {
			slices.SortFunc(points, byName)
		} else {
			slices.SortFunc(points, byValue)
		}
	}
}

func orLowest(value *float64) float64 {
	if value == nil {
		return math.Inf(-1)
	}
	return *value
}

// finite returns value, or nil for what JSON cannot carry: NaN and infinities.
func finite(value *float64) *float64 {
	if value == nil || math.IsNaN(*value) || math.IsInf(*value, 0) {
		return nil
	}
	return value
}
