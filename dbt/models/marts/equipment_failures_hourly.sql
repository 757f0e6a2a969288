{%- set touched = run_query(touched_dates(source('staging', 'equipment_failures'))).rows[0] if is_incremental() else none -%}
{%- set touched = run_query(touched_dates(source('staging', 'equipment_failures'), touched)).rows[0] if touched and touched.is_old == 'yes' else touched -%}
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
        equipment,
        duration,
        ingested_at
    from {{ source('staging', 'equipment_failures') }}
    where {{ is_touched(touched) | indent(4) }}
    {{ one_row_per_record() | indent(4) }}
),

hours as (
    select
        local_hour,
        station,
        location,
        equipment,
        count(*) as equipment_failures,
        sum({{ summable('duration') }}) as duration_minutes,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as latest_ingested_at
    from records
    group by 1, 2, 3, 4
)

select
    date(local_hour) as local_date,
    local_hour,
    station,
    concat(station, ' / ', location) as zone,
    equipment,
    equipment_failures,
    duration_minutes,
    first_ingested_at,
    latest_ingested_at
from hours
