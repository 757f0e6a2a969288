select
    ---------- ids
    id as incident_id,

    ---------- what and where
    type as incident_type,
    severity,
    station,
    location,
    concat(station, ' / ', location) as zone,
    duration as duration_minutes,

    ---------- moments
    timestamp as began_at,
    {{ local_datetime('timestamp') }} as began_at_local,

    ---------- origin
    extra,
    kafka_topic_id,
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    ingested_at,
    batch_id
from {{ source('staging', 'incidents') }}
where true
{{ one_row_per_record() }}
