{%- set touched = run_query(touched_dates(source('staging', 'train_arrivals'))).rows[0] if is_incremental() else none -%}
{%- set touched = run_query(touched_dates(source('staging', 'train_arrivals'), touched)).rows[0] if touched and touched.is_old == 'yes' else touched -%}
{%- set partitions = [touched.local_dates] if touched else [] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by={'field': 'local_date', 'data_type': 'date'},
    partitions=partitions,
    cluster_by=['station'],
    meta={'timezone': var('timezone'), 'punctuality_threshold_minutes': var('punctuality_threshold_minutes')}
) }}

with records as (
    select
        {{ local_hour('timestamp') }} as local_hour,
        station,
        passengers,
        {{ minutes_late('timestamp', 'scheduled_timestamp') }} as minutes_late,
        ingested_at
    from {{ source('staging', 'train_arrivals') }}
    where {{ is_touched(touched) | indent(4) }}
    {{ one_row_per_record() | indent(4) }}
),

hours as (
    select
        local_hour,
        station,
        count(*) as train_arrivals,
        count(minutes_late) as scheduled_arrivals,
        countif(minutes_late <= {{ var('punctuality_threshold_minutes') }}) as arrivals_on_time,
        sum(minutes_late) as minutes_late,
        sum(cast(passengers as float64)) as arriving_passengers,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as latest_ingested_at
    from records
    group by 1, 2
)

select
    date(local_hour) as local_date,
    local_hour,
    station,
    train_arrivals,
    scheduled_arrivals,
    arrivals_on_time,
    minutes_late,
    arriving_passengers,
    first_ingested_at,
    latest_ingested_at
from hours
