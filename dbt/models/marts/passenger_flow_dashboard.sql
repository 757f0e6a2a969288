with combinations as (
    select
        local_date = {{ today() }} as is_today,
        station,
        sum(flow_records) as flow_records,
        sum(passengers_entered) as passengers_entered,
        sum(passengers_exited) as passengers_exited,
        sum(passengers_total) as passengers_total,
        sum(waiting_time_minutes) as waiting_time_minutes,
        sum(ticket_check_time_minutes) as ticket_check_time_minutes
    from {{ ref('passenger_flow_hourly') }}
    group by 1, 2
),

by_dimension as (
    {{ by_dimension(
        'combinations',
        [['station', 'station']],
        ['flow_records'],
        ['passengers_entered', 'passengers_exited', 'passengers_total', 'waiting_time_minutes', 'ticket_check_time_minutes']
    ) | indent(4) }}
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

{{ metric_rows('passengers_entered', 'passengers_entered', 'passengers', ['station']) }}
union all
{{ metric_rows('passengers_exited', 'passengers_exited', 'passengers', ['station']) }}
union all
{{ metric_rows('passengers_total', 'passengers_total', 'passengers', ['station']) }}
union all
{{ metric_rows('busiest_station', 'passengers_total', 'passengers', ['station'], 'busiest') }}
union all
{{ metric_rows('quietest_station', 'passengers_total', 'passengers', ['station'], 'quietest') }}
union all
{{ metric_rows('average_waiting_time', 'average_waiting_time', 'minutes', ['station'], 'measured') }}
union all
{{ metric_rows('average_ticket_check_time', 'average_ticket_check_time', 'minutes', ['station'], 'measured') }}
