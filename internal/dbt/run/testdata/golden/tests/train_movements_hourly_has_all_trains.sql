-- severity error, after train_movements_hourly, int_train_arrivals_hourly, int_train_departures_hourly

-- Arrivals and departures are those of the models it joins.
with sums as (
    select
        sum(train_arrivals) as train_arrivals,
        sum(train_departures) as train_departures,
        sum(arriving_passengers) as arriving_passengers,
        sum(departing_passengers) as departing_passengers
    from `some-project`.`prod_data`.`train_movements_hourly`
    union all
    select
        0 - sum(train_arrivals),
        null,
        0 - sum(arriving_passengers),
        null
    from `some-project`.`prod_data`.`int_train_arrivals_hourly`
    union all
    select
        null,
        0 - sum(train_departures),
        null,
        0 - sum(departing_passengers)
    from `some-project`.`prod_data`.`int_train_departures_hourly`
)

select *
from (
    select
        sum(train_arrivals) as arrivals_missed,
        sum(train_departures) as departures_missed,
        sum(arriving_passengers) / nullif(sum(abs(arriving_passengers)), 0) as arriving_passengers_missed,
        sum(departing_passengers) / nullif(sum(abs(departing_passengers)), 0) as departing_passengers_missed
    from sums
)
where arrivals_missed != 0
    or departures_missed != 0
    or abs(arriving_passengers_missed) > 0.000001
    or abs(departing_passengers_missed) > 0.000001
