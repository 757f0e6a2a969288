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
    datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris') as validated_at_local,

    ---------- origin
    extra,
    kafka_topic_id,
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    ingested_at,
    batch_id,
    kafka_key,
    schema_id
from `some-project`.`staging_data`.`ticket_validations`
where true
qualify row_number() over (
    partition by kafka_topic_id, kafka_partition, kafka_offset
    order by ingested_at
) = 1
