select
    ---------- ids
    id as ticket_validation_id,
    train_id as train_arrival_id,

    ---------- what and where
    station,
    validations as tickets_validated,
    rejected as tickets_rejected,

    ---------- moments
    timestamp as validated_at,
    {{ local_datetime('timestamp') }} as validated_at_local,

    ---------- origin
    extra,
    kafka_topic_id,
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    ingested_at,
    batch_id
from {{ source('staging', 'ticket_validations') }}
where true
{{ one_row_per_record() }}
