-- severity error, after ticket_dashboard
select period, metric_name, dimension, dimension_value
from `some-project`.`prod_data`.`ticket_dashboard`
group by period, metric_name, dimension, dimension_value
having count(*) > 1
