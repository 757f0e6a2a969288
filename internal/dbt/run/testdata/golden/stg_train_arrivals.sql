select
    ---------- ids
    id as train_arrival_id,

    ---------- what and where
    station,
    passengers,
    dock_number,
    wagon_count,
    direction,
    train_number,

    ---------- moments
    timestamp as arrived_at,
    scheduled_timestamp as scheduled_at,
    datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris') as arrived_at_local,

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
from `some-project`.`staging_data`.`train_arrivals`
where true
qualify row_number() over (
    partition by kafka_topic_id, kafka_partition, kafka_offset
    order by ingested_at
) = 1
