-- severity error, after incident_dashboard
select distinct unit as value
from `some-project`.`prod_data`.`incident_dashboard`
where unit not in ('passengers', 'trains', 'tickets', 'incidents', 'failures', 'minutes', 'share')
