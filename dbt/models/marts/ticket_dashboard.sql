with combinations as (
    select
        local_date = {{ today() }} as is_today,
        station,
        format_datetime('%H', local_hour) as hour,
        sum(tickets_validated) as tickets_validated,
        sum(tickets_rejected) as tickets_rejected,
        sum(tickets_validated_where_rejected_known) as tickets_validated_where_rejected_known
    from {{ ref('ticket_validations_hourly') }}
    group by 1, 2, 3
),

by_dimension as (
    {{ by_dimension(
        'combinations',
        [['station', 'station'], ['hour', 'hour']],
        [],
        ['tickets_validated', 'tickets_rejected', 'tickets_validated_where_rejected_known']
    ) | indent(4) }}
)

{{ metric_rows('tickets_validated', 'tickets_validated', 'tickets', ['station', 'hour']) }}
union all
{{ metric_rows('tickets_rejected', 'tickets_rejected', 'tickets', ['station']) }}
union all
{{ metric_rows(
    'rejection_rate',
    'safe_divide(tickets_rejected, tickets_validated_where_rejected_known + tickets_rejected)',
    'share',
    ['station']
) }}
