-- severity error, after topic_freshness
select topic as value
from `some-project`.`prod_data`.`topic_freshness`
where topic is not null
group by 1
having count(*) > 1
