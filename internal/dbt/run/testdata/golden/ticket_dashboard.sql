with combinations as (
    select
        local_date = date '2026-11-22' as is_today,
        station,
        format_datetime('%H', local_hour) as hour,
        sum(tickets_validated) as tickets_validated,
        sum(tickets_rejected) as tickets_rejected,
        sum(tickets_validated_where_rejected_known) as tickets_validated_where_rejected_known
    from `some-project`.`prod_data`.`ticket_validations_hourly`
    group by 1, 2, 3
),

by_dimension as (
    select
        period,
        dimension,
        dimension_value,
        sum(tickets_validated) as tickets_validated,
        sum(tickets_rejected) as tickets_rejected,
        sum(tickets_validated_where_rejected_known) as tickets_validated_where_rejected_known
    from (
        select
            is_today,
            station,
            hour,
            tickets_validated, tickets_rejected, tickets_validated_where_rejected_known
        from combinations
        union all
        select
            true,
            null,
            null,
            null,
            null,
            null
    )
    cross join unnest(if(is_today, ['all', 'today'], ['all'])) as period
    cross join unnest([
        struct(cast(null as string) as dimension, cast(null as string) as dimension_value),
        struct('station', station),
        struct('hour', hour)
    ])
    where dimension is null or dimension_value is not null
    group by 1, 2, 3
)

select
    period,
    'tickets_validated' as metric_name,
    dimension,
    dimension_value,
    cast(tickets_validated as float64) as metric_value,
    'tickets' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('station', 'hour')
union all
select
    period,
    'tickets_rejected' as metric_name,
    dimension,
    dimension_value,
    cast(tickets_rejected as float64) as metric_value,
    'tickets' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('station')
union all
select
    period,
    'rejection_rate' as metric_name,
    dimension,
    dimension_value,
    cast(safe_divide(tickets_rejected, tickets_validated_where_rejected_known + tickets_rejected) as float64) as metric_value,
    'share' as unit,
    (select coalesce(max(computed_at), current_timestamp()) from `some-project`.`prod_data`.`station_hours` where local_date = date '1970-01-01') as computed_at
from by_dimension
where dimension is null or dimension in ('station')
