-- severity error, after equipment_failure_dashboard
select *
from `some-project`.`prod_data`.`equipment_failure_dashboard`
where metric_name is null
