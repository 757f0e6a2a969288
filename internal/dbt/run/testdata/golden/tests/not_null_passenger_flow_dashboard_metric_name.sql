-- severity error, after passenger_flow_dashboard
select *
from `some-project`.`prod_data`.`passenger_flow_dashboard`
where metric_name is null
