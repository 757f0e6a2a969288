-- severity error, after stg_train_departures

select kafka_topic_id, kafka_partition, kafka_offset
from `some-project`.`prod_data`.`stg_train_departures`
group by kafka_topic_id, kafka_partition, kafka_offset
having count(*) > 1

