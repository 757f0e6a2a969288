with combinations as (
    select
        local_date = {{ today() }} as is_today,
        equipment,
        station,
        zone,
        sum(equipment_failures) as equipment_failures,
        sum(duration_minutes) as duration_minutes
    from {{ ref('equipment_failures_hourly') }}
    group by 1, 2, 3, 4
),

by_dimension as (
    {{ by_dimension(
        'combinations',
        [['equipment', 'equipment'], ['station', 'station'], ['zone', 'zone']],
        ['equipment_failures'],
        ['duration_minutes']
    ) | indent(4) }}
)

{{ metric_rows('equipment_failures', 'equipment_failures', 'failures', ['equipment', 'station', 'zone']) }}
union all
{{ metric_rows('average_failure_duration', 'safe_divide(duration_minutes, equipment_failures)', 'minutes', ['equipment']) }}
