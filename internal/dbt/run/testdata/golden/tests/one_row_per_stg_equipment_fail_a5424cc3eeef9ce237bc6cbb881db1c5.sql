-- severity error, after stg_equipment_failures

select kafka_topic_id, kafka_partition, kafka_offset
from `some-project`.`prod_data`.`stg_equipment_failures`
group by kafka_topic_id, kafka_partition, kafka_offset
having count(*) > 1

