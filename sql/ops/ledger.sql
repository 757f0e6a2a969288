-- The ledger: what became of the records of every topic and partition.
--
-- One row per topic id and partition. A record is accounted for when its
-- offset is in a staging table or in quarantine; rows beyond one per offset
-- are redeliveries, which the staging views drop. missing counts the offsets
-- between the first and the last that are in neither: it is 0 unless records
-- are under way, in the dead letter, or were never records (Kafka's
-- transaction markers, compaction). in_both counts records that one delivery
-- quarantined and a later one accepted; it is 0 unless the warehouse refused a
-- row at first and took it when it was delivered again, or a record without a
-- Kafka timestamp was absurdly far ahead at first and then no longer.
--
-- Compare last_offset + 1 with the partition's end offset in Kafka to see what
-- has not arrived yet.
with landed as (
  select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, 1 as staged, 0 as quarantined from staging_data.incidents
  union all
  select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, 1, 0 from staging_data.equipment_failures
  union all
  select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, 1, 0 from staging_data.train_arrivals
  union all
  select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, 1, 0 from staging_data.train_departures
  union all
  select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, 1, 0 from staging_data.ticket_validations
  union all
  select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, 1, 0 from staging_data.passenger_flow
  union all
  select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, 0, 1 from staging_data.quarantine
),

records as (
  select
    kafka_topic,
    kafka_topic_id,
    kafka_partition,
    kafka_offset,
    count(*) as copies,
    max(staged) as staged,
    max(quarantined) as quarantined
  from landed
  group by kafka_topic, kafka_topic_id, kafka_partition, kafka_offset
)

select
  kafka_topic,
  kafka_topic_id,
  kafka_partition,
  min(kafka_offset) as first_offset,
  max(kafka_offset) as last_offset,
  count(*) as records,
  sum(staged) as staged,
  sum(quarantined) as quarantined,
  sum(copies) - count(*) as redelivered_rows,
  max(kafka_offset) - min(kafka_offset) + 1 - count(*) as missing,
  sum(staged * quarantined) as in_both
from records
group by kafka_topic, kafka_topic_id, kafka_partition
order by kafka_topic, kafka_topic_id, kafka_partition
