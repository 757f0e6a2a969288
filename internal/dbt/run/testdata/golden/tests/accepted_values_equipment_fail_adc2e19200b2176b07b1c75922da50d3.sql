-- severity error, after equipment_failure_dashboard
select distinct unit as value
from `some-project`.`prod_data`.`equipment_failure_dashboard`
where unit not in ('passengers', 'trains', 'tickets', 'incidents', 'failures', 'minutes', 'share')
