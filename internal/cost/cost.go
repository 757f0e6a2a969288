// Package cost says what a month of the system costs: the list prices, what of
// them is used, and the bill over both.
//
// What is used comes as Items, from a Workload before anything is deployed or
// from a meter over what really happened; both are billed alike. A month has
// 30 days. All functions are pure and safe for concurrent use.
package cost

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Month is the length of a month in seconds.
const Month = 30 * 24 * 3600

// Prices are the list prices by name, as in the file that a user may edit.
type Prices struct {
	Currency string             `json:"currency"`
	Region   string             `json:"region"`
	Note     string             `json:"note"`
	Prices   map[string]Price   `json:"prices"`
	Minimums map[string]Minimum `json:"minimums"`
}

// A Price is what so many units cost.
type Price struct {
	USD    float64 `json:"usd"`
	Per    float64 `json:"per"`  // units
	Free   float64 `json:"free"` // units a month that cost nothing
	Unit   string  `json:"unit"`
	Source string  `json:"source"`
	Read   string  `json:"read"` // date; "" when it was not read at its source
}

// A Minimum is the least that is billed, however little is used.
type Minimum struct {
	Bytes  float64 `json:"bytes"`
	Source string  `json:"source"`
	Read   string  `json:"read"`
}

//go:embed prices.json
var listed []byte

// ListPrices are those that the program was built with.
func ListPrices() Prices {
	prices, err := ReadPrices(bytes.NewReader(listed))
	if err != nil {
		panic("cost: " + err.Error()) // a test reads them
	}
	return prices
}

// ListPricesFile is the file of ListPrices, to be edited and read again.
func ListPricesFile() []byte { return slices.Clone(listed) }

// ReadPrices reads a file of prices. It must have all prices of ListPrices and
// no others, so that a misspelt name is not a price of nothing.
func ReadPrices(r io.Reader) (Prices, error) {
	var prices Prices
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&prices); err != nil {
		return Prices{}, fmt.Errorf("reading prices: %w", err)
	}
	for name, price := range prices.Prices {
		if price.USD < 0 || price.Per <= 0 || price.Free < 0 {
			return Prices{}, fmt.Errorf("reading prices: %s needs usd and free of 0 or more, and per above 0", name)
		}
	}
	for name, minimum := range prices.Minimums {
		if minimum.Bytes < 0 {
			return Prices{}, fmt.Errorf("reading prices: the minimum %s must be 0 or more", name)
		}
	}
	if err := sameNames("price", slices.Collect(maps.Keys(prices.Prices)), priceNames); err != nil {
		return Prices{}, err
	}
	return prices, sameNames("minimum", slices.Collect(maps.Keys(prices.Minimums)), minimumNames)
}

func sameNames(what string, got, want []string) error {
	for _, name := range want {
		if !slices.Contains(got, name) {
			return fmt.Errorf("reading prices: the %s %s is missing", what, name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			return fmt.Errorf("reading prices: nothing is billed by a %s %s", what, name)
		}
	}
	return nil
}

// An Item is what one component uses of one price in a month.
type Item struct {
	Component string  `json:"component"`
	Price     string  `json:"price"`
	Amount    float64 `json:"amount"` // in the price's unit
}

// A Bill is what items cost.
type Bill struct {
	TotalUSDMonth float64            `json:"total_usd_month"`
	Components    map[string]float64 `json:"components"` // USD a month
	Items         []BilledItem       `json:"items"`
}

// A BilledItem is an item with what it costs.
type BilledItem struct {
	Item
	Unit     string  `json:"unit"`
	USDMonth float64 `json:"usd_month"`
	Source   string  `json:"source"`
	Read     string  `json:"read"`
}

// Bill puts prices to items. With freeTiers, what is free each month is taken
// off first, in the order of the items: components that share a price share
// what is free of it.
func (p Prices) Bill(items []Item, freeTiers bool) Bill {
	bill := Bill{Components: map[string]float64{}, Items: []BilledItem{}}
	free := map[string]float64{}
	if freeTiers {
		for name, price := range p.Prices {
			free[name] = price.Free
		}
	}
	for _, item := range items {
		price := p.Prices[item.Price]
		spared := min(item.Amount, free[item.Price])
		free[item.Price] -= spared
		usd := (item.Amount - spared) / price.Per * price.USD
		bill.Items = append(bill.Items, BilledItem{item, price.Unit, usd, price.Source, price.Read})
		bill.Components[item.Component] += usd
		bill.TotalUSDMonth += usd
	}
	return bill
}
