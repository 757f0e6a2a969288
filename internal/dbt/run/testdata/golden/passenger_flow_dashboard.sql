with combinations as (
    select
        local_date = date '2026-11-22' as is_today,
        station,
        sum(flow_records) as flow_records,
        sum(passengers_entered) as passengers_entered,
        sum(passengers_exited) as passengers_exited,
        sum(passengers_total) as passengers_total,
        sum(waiting_time_minutes) as waiting_time_minutes,
        sum(ticket_check_time_minutes) as ticket_check_time_minutes
    from `some-project`.`prod_data`.`passenger_flow_hourly`
    group by 1, 2
),

by_dimension as (
    select
        period,
        dimension,
        dimension_value,
        sum(flow_records) as flow_records,
        sum(passengers_entered) as passengers_entered,
        sum(passengers_exited) as passengers_exited,
        sum(passengers_total) as passengers_total,
        sum(waiting_time_minutes) as waiting_time_minutes,
        sum(ticket_check_time_minutes) as ticket_check_time_minutes
    from (
        select
            is_today,
            station,
            flow_records, passengers_entered, passengers_exited, passengers_total, waiting_time_minutes, ticket_check_time_minutes
        from combinations
        union all
        select
            true,
            null,
            0,
            null,
            null,
            null,
            null,
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

-- Waiting times are known of the stations with a flow record only.
measured as (
    select
        period,
        dimension,
        dimension_value,
        safe_divide(waiting_time_minutes, flow_records) as average_waiting_time,
        safe_divide(ticket_check_time_minutes, flow_records) as average_ticket_check_time
    from by_dimension
    where dimension is null or flow_records > 0
),

busiest as (
    select *
    from by_dimension
    where dimension = 'station' and passengers_total is not null
    qualify row_number() over (partition by period order by passengers_total desc, dimension_value) = 1
),

quietest as (
    select *
    from by_dimension
    where dimension = 'station' and passengers_total is not null
    qualify row_number() over (partition by period order by passengers_total, dimension_value) = 1
)

select
    period,
    'passengers_entered' as metric_name,
    dimension,
    dimension_value,
    cast(passengers_entered as float64) as metric_value,
    'passengers' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('station')
union all
select
    period,
    'passengers_exited' as metric_name,
    dimension,
    dimension_value,
    cast(passengers_exited as float64) as metric_value,
    'passengers' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('station')
union all
select
    period,
    'passengers_total' as metric_name,
    dimension,
    dimension_value,
    cast(passengers_total as float64) as metric_value,
    'passengers' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('station')
union all
select
    period,
    'busiest_station' as metric_name,
    dimension,
    dimension_value,
    cast(passengers_total as float64) as metric_value,
    'passengers' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from busiest
where dimension is null or dimension in ('station')
union all
select
    period,
    'quietest_station' as metric_name,
    dimension,
    dimension_value,
    cast(passengers_total as float64) as metric_value,
    'passengers' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from quietest
where dimension is null or dimension in ('station')
union all
select
    period,
    'average_waiting_time' as metric_name,
    dimension,
    dimension_value,
    cast(average_waiting_time as float64) as metric_value,
    'minutes' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from measured
where dimension is null or dimension in ('station')
union all
select
    period,
    'average_ticket_check_time' as metric_name,
    dimension,
    dimension_value,
    cast(average_ticket_check_time as float64) as metric_value,
    'minutes' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from measured
where dimension is null or dimension in ('station')
