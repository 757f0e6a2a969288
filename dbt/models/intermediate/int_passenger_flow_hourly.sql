{%- set touched = run_query(touched_dates(source('staging', 'passenger_flow'))).rows[0] if is_incremental() else none -%}
{%- set touched = run_query(touched_dates(source('staging', 'passenger_flow'), touched)).rows[0] if touched and touched.is_old == 'yes' else touched -%}
{%- set partitions = [touched.local_dates] if touched else [] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by={'field': 'local_date', 'data_type': 'date'},
    partitions=partitions,
    cluster_by=['station'],
    meta={'timezone': var('timezone')}
) }}

with records as (
    select
        {{ local_hour('timestamp') }} as local_hour,
        station,
        waiting_time,
        ticket_check_time,
        entered,
        exited,
        ingested_at
    from {{ source('staging', 'passenger_flow') }}
    where {{ is_touched(touched) | indent(4) }}
    {{ one_row_per_record() | indent(4) }}
),

hours as (
    select
        local_hour,
        station,
        count(*) as flow_records,
        sum({{ summable('waiting_time') }}) as waiting_time_minutes,
        sum({{ summable('ticket_check_time') }}) as ticket_check_time_minutes,
        sum(cast(entered as float64)) as reported_entered,
        sum(cast(exited as float64)) as reported_exited,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as latest_ingested_at
    from records
    group by 1, 2
)

select
    date(local_hour) as local_date,
    local_hour,
    station,
    flow_records,
    waiting_time_minutes,
    ticket_check_time_minutes,
    reported_entered,
    reported_exited,
    first_ingested_at,
    latest_ingested_at
from hours
