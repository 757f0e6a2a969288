-- severity error, after passenger_flow_dashboard
select period, metric_name, dimension, dimension_value
from `some-project`.`prod_data`.`passenger_flow_dashboard`
group by period, metric_name, dimension, dimension_value
having count(*) > 1
