-- severity error, after stg_train_arrivals

select kafka_topic_id, kafka_partition, kafka_offset
from `some-project`.`prod_data`.`stg_train_arrivals`
group by kafka_topic_id, kafka_partition, kafka_offset
having count(*) > 1

