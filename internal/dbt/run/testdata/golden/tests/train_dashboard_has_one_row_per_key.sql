-- severity error, after train_dashboard
select period, metric_name, dimension, dimension_value
from `some-project`.`prod_data`.`train_dashboard`
group by period, metric_name, dimension, dimension_value
having count(*) > 1
