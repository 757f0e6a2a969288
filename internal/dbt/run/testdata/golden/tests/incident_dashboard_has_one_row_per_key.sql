-- severity error, after incident_dashboard
select period, metric_name, dimension, dimension_value
from `some-project`.`prod_data`.`incident_dashboard`
group by period, metric_name, dimension, dimension_value
having count(*) > 1
