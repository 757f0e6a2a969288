package cost

import (
	"fmt"
	"strings"
)

// replacedUSDMonth is what the always-on stack costs in whose place this system
// is: a Spark cluster, an orchestrator's server and one for dbt, at any rate.
const replacedUSDMonth = 840

// Table renders what workloads cost as a table in Markdown: a column for each,
// a row for each component, and the sums.
func (p Prices) Table(workloads ...Workload) (string, error) {
	var head, line strings.Builder
	var list, free []Bill
	for _, w := range workloads {
		items, err := p.Model(w)
		if err != nil {
			return "", err
		}
		list, free = append(list, p.Bill(items, false)), append(free, p.Bill(items, true))
		fmt.Fprintf(&head, " | %s", rate(w.RecordsPerSecond))
		line.WriteString("--:|")
	}
	var out strings.Builder
	fmt.Fprintf(&out, "| component%s |\n|---|%s\n", head.String(), line.String())
	row := func(name, format string, bills []Bill, cell func(Bill) float64) {
		out.WriteString("| " + name)
		for _, bill := range bills {
			fmt.Fprintf(&out, format, cell(bill))
		}
		out.WriteString(" |\n")
	}
	for _, component := range Components {
		row(component, " | %.2f", list, func(b Bill) float64 { return b.Components[component] })
	}
	total := func(b Bill) float64 { return b.TotalUSDMonth }
	row("**all**", " | **%.0f**", list, total)
	row("**all, less the free tiers**", " | **%.0f**", free, total)
	row("the stack that this replaces", " | %.0f", list, func(Bill) float64 { return replacedUSDMonth })
	return out.String(), nil
}

func rate(recordsPerSecond float64) string {
	switch recordsPerSecond {
	case 0:
		return "idle"
	case 1:
		return "1 record/s"
	case 1000:
		return "1,000 records/s"
	}
	return fmt.Sprintf("%g records/s", recordsPerSecond)
}
