select
    ---------- ids
    id as equipment_failure_id,

    ---------- what and where
    equipment,
    station,
    location,
    concat(station, ' / ', location) as zone,
    duration as duration_minutes,

    ---------- moments
    timestamp as failed_at,
    {{ local_datetime('timestamp') }} as failed_at_local,

    ---------- origin
    extra,
    kafka_topic_id,
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    ingested_at,
    batch_id
from {{ source('staging', 'equipment_failures') }}
where true
{{ one_row_per_record() }}
