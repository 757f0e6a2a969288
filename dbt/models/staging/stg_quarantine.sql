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
{#- The newest reason counts. A record that was tried again and accepted has a
    row that says so, and is left out. #}
qualify row_number() over (
    partition by kafka_topic_id, kafka_partition, kafka_offset
    order by reason = 'accepted' desc, ingested_at desc, batch_id
) = 1 and reason != 'accepted'
