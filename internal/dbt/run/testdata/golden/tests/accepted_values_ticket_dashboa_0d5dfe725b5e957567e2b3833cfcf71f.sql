-- severity error, after ticket_dashboard
select distinct unit as value
from `some-project`.`prod_data`.`ticket_dashboard`
where unit not in ('passengers', 'trains', 'tickets', 'incidents', 'failures', 'minutes', 'share')
