with combinations as (
    select
        local_date = date '2026-11-22' as is_today,
        equipment,
        station,
        zone,
        sum(equipment_failures) as equipment_failures,
        sum(duration_minutes) as duration_minutes
    from `some-project`.`prod_data`.`equipment_failures_hourly`
    group by 1, 2, 3, 4
),

by_dimension as (
    select
        period,
        dimension,
        dimension_value,
        sum(equipment_failures) as equipment_failures,
        sum(duration_minutes) as duration_minutes
    from (
        select
            is_today,
            equipment,
            station,
            zone,
            equipment_failures, duration_minutes
        from combinations
        union all
        select
            true,
            null,
            null,
            null,
            0,
            null
    )
    cross join unnest(if(is_today, ['all', 'today'], ['all'])) as period
    cross join unnest([
        struct(cast(null as string) as dimension, cast(null as string) as dimension_value),
        struct('equipment', equipment),
        struct('station', station),
        struct('zone', zone)
    ])
    where dimension is null or dimension_value is not null
    group by 1, 2, 3
)

select
    period,
    'equipment_failures' as metric_name,
    dimension,
    dimension_value,
    cast(equipment_failures as float64) as metric_value,
    'failures' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('equipment', 'station', 'zone')
union all
select
    period,
    'average_failure_duration' as metric_name,
    dimension,
    dimension_value,
    cast(safe_divide(duration_minutes, equipment_failures) as float64) as metric_value,
    'minutes' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('equipment')
