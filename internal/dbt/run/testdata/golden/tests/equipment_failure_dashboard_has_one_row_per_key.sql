-- severity error, after equipment_failure_dashboard
select period, metric_name, dimension, dimension_value
from `some-project`.`prod_data`.`equipment_failure_dashboard`
group by period, metric_name, dimension, dimension_value
having count(*) > 1
