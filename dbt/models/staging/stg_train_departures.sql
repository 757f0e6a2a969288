select
    ---------- ids
    id as train_departure_id,
    train_number,

    ---------- what and where
    station,
    dock_number,
    direction,
    wagon_count,
    passengers,

    ---------- moments
    timestamp as departed_at,
    scheduled_timestamp as scheduled_at,
    {{ local_datetime('timestamp') }} as departed_at_local,

    ---------- origin
    extra,
    kafka_topic_id,
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    ingested_at,
    batch_id
from {{ source('staging', 'train_departures') }}
where true
{{ one_row_per_record() }}
