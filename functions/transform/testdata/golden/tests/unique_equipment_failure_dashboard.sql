-- severity error, after equipment_failure_dashboard
select to_json_string(struct(period, metric_name, dimension, dimension_value)) as value
from `some-project`.`prod_data`.`equipment_failure_dashboard`
where to_json_string(struct(period, metric_name, dimension, dimension_value)) is not null
group by 1
having count(*) > 1
