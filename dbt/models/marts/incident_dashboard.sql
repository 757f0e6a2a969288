with combinations as (
    select
        local_date = {{ today() }} as is_today,
        incident_type,
        station,
        zone,
        severity,
        sum(incidents) as incidents,
        sum(duration_minutes) as duration_minutes
    from {{ ref('incidents_hourly') }}
    group by 1, 2, 3, 4, 5
),

by_dimension as (
    {{ by_dimension(
        'combinations',
        [['type', 'incident_type'], ['station', 'station'], ['zone', 'zone'], ['severity', 'severity']],
        ['incidents'],
        ['duration_minutes']
    ) | indent(4) }}
)

{{ metric_rows('incidents', 'incidents', 'incidents', ['type', 'station', 'zone', 'severity']) }}
union all
{{ metric_rows('average_incident_duration', 'safe_divide(duration_minutes, incidents)', 'minutes', ['type']) }}
