-- severity error, after train_dashboard
select *
from `some-project`.`prod_data`.`train_dashboard`
where metric_name is null
