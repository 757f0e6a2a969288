select
    ---------- why
    reason,
    detail,

    ---------- the record as it came
    key,
    value,

    ---------- origin
    kafka_topic,
    kafka_topic_id,
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    ingested_at,
    batch_id,
    schema_id
from {{ source('staging', 'quarantine') }}
where true
{{ one_row_per_record() }}
