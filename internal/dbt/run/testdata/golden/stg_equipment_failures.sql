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
    datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris') as failed_at_local,

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
from `some-project`.`staging_data`.`equipment_failures`
where true
qualify row_number() over (
    partition by kafka_topic_id, kafka_partition, kafka_offset
    order by ingested_at
) = 1
