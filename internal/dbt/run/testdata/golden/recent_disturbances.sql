select
    'incident' as kind,
    type as what,
    station,
    concat(station, ' / ', location) as zone,
    severity,
    timestamp as began_at,
    timestamp_micros(least(unix_micros(timestamp) + cast(least(duration, 10000000) * 60000000 as int64), 253402300799999999)) as ends_at,
    ingested_at
from `some-project`.`staging_data`.`incidents`
where ingested_at >= timestamp_sub(current_timestamp(), interval 7 day)
qualify row_number() over (
    partition by kafka_topic_id, kafka_partition, kafka_offset
    order by ingested_at
) = 1
union all
select
    'equipment failure',
    equipment,
    station,
    concat(station, ' / ', location),
    cast(null as string),
    timestamp,
    timestamp_micros(least(unix_micros(timestamp) + cast(least(duration, 10000000) * 60000000 as int64), 253402300799999999)),
    ingested_at
from `some-project`.`staging_data`.`equipment_failures`
where ingested_at >= timestamp_sub(current_timestamp(), interval 7 day)
qualify row_number() over (
    partition by kafka_topic_id, kafka_partition, kafka_offset
    order by ingested_at
) = 1
