with combinations as (
    select
        local_date = date '2026-11-22' as is_today,
        station,
        sum(train_arrivals) as train_arrivals,
        sum(train_departures) as train_departures,
        sum(scheduled_arrivals) as scheduled_arrivals,
        sum(arrivals_on_time) as arrivals_on_time,
        sum(minutes_late) as minutes_late
    from `some-project`.`prod_data`.`train_movements_hourly`
    group by 1, 2
),

by_dimension as (
    select
        period,
        dimension,
        dimension_value,
        sum(train_arrivals) as train_arrivals,
        sum(train_departures) as train_departures,
        sum(scheduled_arrivals) as scheduled_arrivals,
        sum(arrivals_on_time) as arrivals_on_time,
        sum(minutes_late) as minutes_late
    from (
        select
            is_today,
            station,
            train_arrivals, train_departures, scheduled_arrivals, arrivals_on_time, minutes_late
        from combinations
        union all
        select
            true,
            null,
            0,
            0,
            0,
            0,
            null
    )
    cross join unnest(if(is_today, ['all', 'today'], ['all'])) as period
    cross join unnest([
        struct(cast(null as string) as dimension, cast(null as string) as dimension_value),
        struct('station', station)
    ])
    where dimension is null or dimension_value is not null
    group by 1, 2, 3
),

-- A station belongs to a metric only when its topic has the station. Where no
-- arrival has a schedule, how many were on time is unknown, not 0.
arrivals as (
    select
        period,
        dimension,
        dimension_value,
        train_arrivals,
        if(scheduled_arrivals = 0, null, arrivals_on_time) as arrivals_on_time,
        if(scheduled_arrivals = 0, null, scheduled_arrivals - arrivals_on_time) as arrivals_late,
        safe_divide(arrivals_on_time, scheduled_arrivals) as punctuality_rate,
        safe_divide(minutes_late, scheduled_arrivals) as average_delay
    from by_dimension
    where dimension is null or train_arrivals > 0
),

departures as (
    select
        period,
        dimension,
        dimension_value,
        train_departures
    from by_dimension
    where dimension is null or train_departures > 0
)

select
    period,
    'train_arrivals' as metric_name,
    dimension,
    dimension_value,
    cast(train_arrivals as float64) as metric_value,
    'trains' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from arrivals
where dimension is null or dimension in ('station')
union all
select
    period,
    'train_departures' as metric_name,
    dimension,
    dimension_value,
    cast(train_departures as float64) as metric_value,
    'trains' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from departures
where dimension is null or dimension in ('station')
union all
select
    period,
    'arrivals_on_time' as metric_name,
    dimension,
    dimension_value,
    cast(arrivals_on_time as float64) as metric_value,
    'trains' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from arrivals
where dimension is null or dimension in ('station')
union all
select
    period,
    'arrivals_late' as metric_name,
    dimension,
    dimension_value,
    cast(arrivals_late as float64) as metric_value,
    'trains' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from arrivals
where dimension is null or dimension in ('station')
union all
select
    period,
    'punctuality_rate' as metric_name,
    dimension,
    dimension_value,
    cast(punctuality_rate as float64) as metric_value,
    'share' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from arrivals
where dimension is null or dimension in ('station')
union all
select
    period,
    'average_delay' as metric_name,
    dimension,
    dimension_value,
    cast(average_delay as float64) as metric_value,
    'minutes' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from arrivals
where dimension is null or dimension in ('station')
