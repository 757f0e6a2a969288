-- severity error, after stg_ticket_validations

select kafka_topic_id, kafka_partition, kafka_offset
from `some-project`.`prod_data`.`stg_ticket_validations`
group by kafka_topic_id, kafka_partition, kafka_offset
having count(*) > 1

