-- severity error, after train_movements_hourly
-- A scheduled arrival is on time or late, and an hour without trains has no row.
select *
from `some-project`.`prod_data`.`train_movements_hourly`
where arrivals_on_time + arrivals_late != scheduled_arrivals
    or arrivals_late < 0
    or scheduled_arrivals > train_arrivals
    or train_arrivals + train_departures < 1
    or (minutes_late is null) != (scheduled_arrivals = 0)
