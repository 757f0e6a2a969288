-- severity error, after stg_passenger_flow

select kafka_topic_id, kafka_partition, kafka_offset
from `some-project`.`prod_data`.`stg_passenger_flow`
group by kafka_topic_id, kafka_partition, kafka_offset
having count(*) > 1

