-- severity error, after passenger_flow_dashboard
select distinct unit as value
from `some-project`.`prod_data`.`passenger_flow_dashboard`
where unit not in ('passengers', 'trains', 'tickets', 'incidents', 'failures', 'minutes', 'share')
