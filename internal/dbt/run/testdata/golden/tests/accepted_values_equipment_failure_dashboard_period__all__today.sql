-- severity error, after equipment_failure_dashboard
select distinct period as value
from `some-project`.`prod_data`.`equipment_failure_dashboard`
where period not in ('all', 'today')
