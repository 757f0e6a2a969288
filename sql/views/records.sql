-- One row per Kafka record of a staging table: deliveries repeat, and the
-- earliest arrival counts. Terraform puts the table's name in.
select *
from `${table}`
where true
qualify row_number() over (
  partition by kafka_topic_id, kafka_partition, kafka_offset
  order by ingested_at, batch_id
) = 1
