{%- set touched = run_query(touched_dates(source('staging', 'incidents'))).rows[0] if is_incremental() else none -%}
{%- set touched = run_query(touched_dates(source('staging', 'incidents'), touched)).rows[0] if touched and touched.is_old == 'yes' else touched -%}
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
        location,
        type,
        severity,
        duration,
        ingested_at
    from {{ source('staging', 'incidents') }}
    where {{ is_touched(touched) | indent(4) }}
    {{ one_row_per_record() | indent(4) }}
),

hours as (
    select
        local_hour,
        station,
        location,
        type as incident_type,
        severity,
        count(*) as incidents,
        sum({{ summable('duration') }}) as duration_minutes,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as latest_ingested_at
    from records
    group by 1, 2, 3, 4, 5
)

select
    date(local_hour) as local_date,
    local_hour,
    station,
    concat(station, ' / ', location) as zone,
    incident_type,
    severity,
    incidents,
    duration_minutes,
    first_ingested_at,
    latest_ingested_at
from hours
