{#- The one table of sums: everything else in prod_data is a view over it. How
    it is kept up to date: macros/incremental.sql.

    columns     what is read of a record
    dimensions  what its hour is split by, besides the station
    measures    what is summed -#}
{%- set topics = [
    {
        'name': 'incidents',
        'columns': ['location', 'type', 'severity', 'duration'],
        'dimensions': [['zone', "concat(station, ' / ', location)"], ['incident_type', 'type'], ['severity', 'severity']],
        'measures': [['duration_minutes', 'sum(' ~ summable('duration') ~ ')']]
    },
    {
        'name': 'equipment_failures',
        'columns': ['location', 'equipment', 'duration'],
        'dimensions': [['zone', "concat(station, ' / ', location)"], ['equipment', 'equipment']],
        'measures': [['duration_minutes', 'sum(' ~ summable('duration') ~ ')']]
    },
    {
        'name': 'train_arrivals',
        'columns': ['direction', 'train_number', 'passengers', minutes_late('timestamp', 'scheduled_timestamp') ~ ' as minutes_late'],
        'dimensions': [
            ['direction', 'direction'],
            ['late_train', 'if(minutes_late > ' ~ var('punctuality_threshold_minutes') ~ ', train_number, null)']
        ],
        'measures': [
            ['scheduled_arrivals', 'count(minutes_late)'],
            ['arrivals_on_time', 'countif(minutes_late <= ' ~ var('punctuality_threshold_minutes') ~ ')'],
            ['minutes_late', 'sum(minutes_late)'],
            ['passengers', 'sum(cast(passengers as float64))']
        ]
    },
    {
        'name': 'train_departures',
        'columns': ['passengers'],
        'dimensions': [],
        'measures': [['passengers', 'sum(cast(passengers as float64))']]
    },
    {
        'name': 'ticket_validations',
        'columns': ['validations', 'rejected'],
        'dimensions': [],
        'measures': [
            ['tickets_validated', 'sum(cast(validations as float64))'],
            ['tickets_rejected', 'sum(cast(rejected as float64))'],
            ['tickets_validated_where_rejected_known', 'sum(if(rejected is null, null, cast(validations as float64)))']
        ]
    },
    {
        'name': 'passenger_flow',
        'columns': ['waiting_time', 'ticket_check_time', 'entered', 'exited'],
        'dimensions': [],
        'measures': [
            ['waiting_time_minutes', 'sum(' ~ summable('waiting_time') ~ ')'],
            ['ticket_check_time_minutes', 'sum(' ~ summable('ticket_check_time') ~ ')'],
            ['reported_entered', 'sum(cast(entered as float64))'],
            ['reported_exited', 'sum(cast(exited as float64))']
        ]
    }
] -%}
{%- set dimensions = ['zone', 'incident_type', 'severity', 'equipment', 'direction', 'late_train'] -%}
{%- set counts = ['scheduled_arrivals', 'arrivals_on_time'] -%}
{%- set sums = [
    'duration_minutes', 'minutes_late', 'passengers',
    'tickets_validated', 'tickets_rejected', 'tickets_validated_where_rejected_known',
    'waiting_time_minutes', 'ticket_check_time_minutes', 'reported_entered', 'reported_exited'
] -%}
{%- set values = dimensions + ['records'] + counts + sums -%}

{#- What is known of arrivals; none on a first run, which reads everything. -#}
{%- set memory = var('memory', none) if is_incremental() else none -%}
{%- set known = run_query(known_arrivals(this)).rows if is_incremental() and not memory else none -%}
{%- set first = run_query(new_arrivals(topics, this, known)).rows if is_incremental() and not memory else none -%}
{%- set again = run_query(new_arrivals(topics, this, known, first)).rows if first and first[0].is_old == 'yes' else none -%}
{%- set arrivals = memory or again or first or [] -%}

{%- set dates = touched_dates(arrivals, memory) -%}
{%- set partitions = [dates] if arrivals else [] -%}

{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by={'field': 'local_date', 'data_type': 'date'},
    partitions=partitions,
    cluster_by=['topic', 'station'],
    on_schema_change='append_new_columns',
    meta={
        'timezone': var('timezone'),
        'punctuality_threshold_minutes': var('punctuality_threshold_minutes'),
        'memory': 'remembered_arrivals'
    }
) }}

with candidates as (
    {{ no_hours(dimensions, counts, sums) | indent(4) }}
    {%- for topic in topics %}
    {%- for row in arrivals if row.source == topic.name %}
    union all
    {{ hours_of(topic, dimensions, counts, sums, row, dates) | indent(4) }}
    {%- endfor %}
    {%- if not is_incremental() %}
    union all
    {{ hours_of(topic, dimensions, counts, sums) | indent(4) }}
    {%- endif %}
    {%- endfor %}
    {%- if is_incremental() %}
    union all
    select
        row_kind,
        topic,
        local_hour,
        station,
        {{ values | join(',\n        ') }},
        unix_micros(first_ingested_at),
        unix_micros(latest_ingested_at),
        null,
        computed_at
    from {{ this }}
    where local_date in ({{ dates }}) and row_kind in ('hour', 'seen')
    {%- endif %}
),

-- What is read ('read') and what is known of the same hour ('hour').
compared as (
    select
        *,
        max(known_until) over (partition by topic) as topic_known_until,
        min(if(row_kind = 'read', first_arrival, null)) over (partition by topic) as topic_first,
        max(if(row_kind = 'read', latest_arrival, null)) over (partition by topic) as topic_latest,
        max(if(row_kind = 'read', latest_arrival, null)) over (partition by topic, local_hour) as hour_latest,
        min(if(row_kind = 'hour', first_arrival, null)) over (partition by topic, local_hour) as hour_known_from
    from candidates
),

-- An hour is touched when it has a new row, and whole when all of its rows were
-- read: staging still has a row as old as its first one, and it was read.
judged as (
    select
        *,
        coalesce(hour_latest > topic_known_until, false) as is_touched,
        {%- if is_incremental() %}
        date(local_hour) in ({{ dates }}) and coalesce(topic_first <= hour_known_from, true) as is_whole
        {%- else %}
        true as is_whole
        {%- endif %}
    from compared
)

select
    'hour' as row_kind,
    topic,
    date(local_hour) as local_date,
    local_hour,
    station,
    {{ values | join(',\n    ') }},
    timestamp_micros(first_arrival) as first_ingested_at,
    timestamp_micros(latest_arrival) as latest_ingested_at,
    computed_at
from judged
where row_kind = if(is_touched and is_whole, 'read', 'hour')

union all
-- Notes: the hours in which events go on, and those that are not whole.
select
    if(row_kind = 'read' and is_touched and not is_whole, 'late', 'seen'),
    topic,
    {{ notes_date() }},
    local_hour,
    {%- for name in ['station'] + dimensions %}
    cast(null as string),
    {%- endfor %}
    {%- for name in ['records'] + counts %}
    cast(null as int64),
    {%- endfor %}
    {%- for name in sums %}
    cast(null as float64),
    {%- endfor %}
    timestamp_micros(min(first_arrival)),
    timestamp_micros(max(latest_arrival)),
    max(computed_at)
from judged
where if(
    row_kind = 'read',
    hour_latest > topic_latest - {{ overlap() }} or is_touched and not is_whole,
    row_kind = 'seen' and topic_latest is null
)
group by 1, topic, local_hour
