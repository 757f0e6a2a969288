select
    ---------- ids
    id as passenger_flow_id,
    train_id as train_arrival_id,

    ---------- what and where
    station,
    waiting_time as waiting_time_minutes,
    ticket_check_time as ticket_check_time_minutes,
    reduced_flow_factor,
    entered as passengers_entered,
    exited as passengers_exited,
    zone as station_zone,

    ---------- moments
    timestamp as measured_at,
    datetime(least(timestamp, timestamp '9999-12-31 00:00:00+00'), 'Europe/Paris') as measured_at_local,

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
from `some-project`.`staging_data`.`passenger_flow`
where true
qualify row_number() over (
    partition by kafka_topic_id, kafka_partition, kafka_offset
    order by ingested_at
) = 1
