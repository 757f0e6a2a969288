-- severity error, after stg_incidents

select kafka_topic_id, kafka_partition, kafka_offset
from `some-project`.`prod_data`.`stg_incidents`
group by kafka_topic_id, kafka_partition, kafka_offset
having count(*) > 1

