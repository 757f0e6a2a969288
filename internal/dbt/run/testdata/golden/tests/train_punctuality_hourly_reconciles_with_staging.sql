-- severity error, after train_punctuality_hourly, stg_train_arrivals


with sums as (
    select
        local_date,
        min(unix_micros(first_ingested_at)) as first_ingested_at,
        sum(train_arrivals) as modelled_1,
        cast(null as float64) as certain_1,
        cast(null as float64) as possible_1,
        sum(arriving_passengers) as modelled_2,
        cast(null as float64) as certain_2,
        cast(null as float64) as possible_2
    from `some-project`.`prod_data`.`train_punctuality_hourly`
    group by 1
    union all
    select
        date(arrived_at_local),
        null,
        null,
        sum(if(unix_micros(ingested_at) <= certain_until, cast(least(1, 1e290) as float64), 0)),
        sum(cast(least(1, 1e290) as float64)),
        null,
        sum(if(unix_micros(ingested_at) <= certain_until, cast(least(passengers, 1e290) as float64), 0)),
        sum(cast(least(passengers, 1e290) as float64))
    from `some-project`.`prod_data`.`stg_train_arrivals`
    cross join (
        select max(unix_micros(latest_ingested_at)) - 10 * 60000000 as certain_until
        from `some-project`.`prod_data`.`train_punctuality_hourly`
    )
    group by 1
),

dates as (
    select
        local_date,
        min(first_ingested_at) as first_ingested_at,
        coalesce(sum(modelled_1), 0) as modelled_1,
        coalesce(sum(certain_1), 0) as certain_1,
        coalesce(sum(possible_1), 0) as possible_1,
        coalesce(sum(modelled_2), 0) as modelled_2,
        coalesce(sum(certain_2), 0) as certain_2,
        coalesce(sum(possible_2), 0) as possible_2
    from sums
    group by 1
)

select *
from dates
where coalesce(first_ingested_at >= (select min(unix_micros(ingested_at)) from `some-project`.`prod_data`.`stg_train_arrivals`), true)
    and (
        modelled_1 * 1.000001 < certain_1
        or modelled_1 > possible_1 * 1.000001
        or modelled_2 * 1.000001 < certain_2
        or modelled_2 > possible_2 * 1.000001
    )

