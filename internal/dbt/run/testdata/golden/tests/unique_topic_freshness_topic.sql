-- severity error, after topic_freshness
select topic as unique_field, count(*) as n_records
from `some-project`.`prod_data`.`topic_freshness`
where topic is not null
group by topic
having count(*) > 1
