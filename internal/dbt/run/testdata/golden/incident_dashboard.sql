with combinations as (
    select
        local_date = date '2026-11-22' as is_today,
        incident_type,
        station,
        zone,
        severity,
        sum(incidents) as incidents,
        sum(duration_minutes) as duration_minutes
    from `some-project`.`prod_data`.`incidents_hourly`
    group by 1, 2, 3, 4, 5
),

by_dimension as (
    select
        period,
        dimension,
        dimension_value,
        sum(incidents) as incidents,
        sum(duration_minutes) as duration_minutes
    from (
        select
            is_today,
            incident_type,
            station,
            zone,
            severity,
            incidents, duration_minutes
        from combinations
        union all
        select
            true,
            null,
            null,
            null,
            null,
            0,
            null
    )
    cross join unnest(if(is_today, ['all', 'today'], ['all'])) as period
    cross join unnest([
        struct(cast(null as string) as dimension, cast(null as string) as dimension_value),
        struct('type', incident_type),
        struct('station', station),
        struct('zone', zone),
        struct('severity', severity)
    ])
    where dimension is null or dimension_value is not null
    group by 1, 2, 3
)

select
    period,
    'incidents' as metric_name,
    dimension,
    dimension_value,
    cast(incidents as float64) as metric_value,
    'incidents' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('type', 'station', 'zone', 'severity')
union all
select
    period,
    'average_incident_duration' as metric_name,
    dimension,
    dimension_value,
    cast(safe_divide(duration_minutes, incidents) as float64) as metric_value,
    'minutes' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('type')
