package mend

import (
	"errors"

	"github.com/stationflow/stationflow/local/warehouse"
)

// refuse is the error for what BigQuery does and this emulator cannot: the gateway knows it by its beginning.
func refuse(what string) error { return errors.New(warehouse.Refusal + what) }

// noNaN is what is refused where BigQuery has NaN.
const noNaN = "NaN: its database has only numbers"
