-- One row per Kafka record that is in quarantine, with its newest reason. A
-- record that was tried again and accepted has a row that says so, and is left
-- out. Terraform puts the table's name in.
select *
from `${table}`
where true
qualify row_number() over (
  partition by kafka_topic_id, kafka_partition, kafka_offset
  order by reason = 'accepted' desc, ingested_at desc, batch_id
) = 1 and reason != 'accepted'
