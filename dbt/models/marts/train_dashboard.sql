with combinations as (
    select
        local_date = {{ today() }} as is_today,
        station,
        sum(train_arrivals) as train_arrivals,
        sum(train_departures) as train_departures,
        sum(scheduled_arrivals) as scheduled_arrivals,
        sum(arrivals_on_time) as arrivals_on_time,
        sum(minutes_late) as minutes_late
    from {{ ref('train_movements_hourly') }}
    group by 1, 2
),

by_dimension as (
    {{ by_dimension(
        'combinations',
        [['station', 'station']],
        ['train_arrivals', 'train_departures', 'scheduled_arrivals', 'arrivals_on_time'],
        ['minutes_late']
    ) | indent(4) }}
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

{{ metric_rows('train_arrivals', 'train_arrivals', 'trains', ['station'], 'arrivals') }}
union all
{{ metric_rows('train_departures', 'train_departures', 'trains', ['station'], 'departures') }}
union all
{{ metric_rows('arrivals_on_time', 'arrivals_on_time', 'trains', ['station'], 'arrivals') }}
union all
{{ metric_rows('arrivals_late', 'arrivals_late', 'trains', ['station'], 'arrivals') }}
union all
{{ metric_rows('punctuality_rate', 'punctuality_rate', 'share', ['station'], 'arrivals') }}
union all
{{ metric_rows('average_delay', 'average_delay', 'minutes', ['station'], 'arrivals') }}
